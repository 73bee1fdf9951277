"""Takes a picture of a running dashboard, or of any page on this machine: `python scripts/screenshot.py URL FILE.png`."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys

from playwright.async_api import async_playwright

ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


async def picture(asked: argparse.Namespace, chromium: str) -> None:
    """Opens the page, waits until what is asked for is there, and takes the picture."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        context = await browser.new_context(
            viewport={"width": asked.width, "height": asked.height},
            color_scheme="dark" if asked.dark else "light",
            timezone_id=asked.zone,
        )
        page = await context.new_page()
        await page.goto(asked.url, wait_until="domcontentloaded")
        for selector in asked.wait_for:
            await page.wait_for_selector(selector, timeout=60_000)
        await page.wait_for_timeout(asked.settle * 1000)
        await page.screenshot(path=asked.file, full_page=asked.whole)
        await browser.close()


def main() -> int:
    """Returns 0, or 2 where Chromium is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("file")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--whole", action="store_true", help="the whole page, not just what fits the window")
    parser.add_argument("--zone", default="Asia/Shanghai", help="the time zone in which times are shown")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds to wait once all is there")
    parser.add_argument("--wait-for", action="append", default=[], help="CSS selector that must be there first")
    asked = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.stderr.write("Chromium is not installed (Debian: apt-get install chromium)\n")
        return 2
    asyncio.run(picture(asked, chromium))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
