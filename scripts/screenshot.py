"""The README's pictures, from a system that is busy: `python scripts/screenshot.py` plays an afternoon and takes them.

`python scripts/screenshot.py URL FILE.png` takes one of a page that is there already.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, Page, ViewportSize, async_playwright

from services.cli.day.player import Progress
from services.cli.day.run import Addresses, Plan, Stack, play
from services.cli.day.story import traceparent

ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
# Four hours around the incident at 14:00, in two and a half minutes.
SEED, HOURS, SPEED, SCALE = 1, 4.0, 100.0, 1.5
# The incident's peak, just after the flag on Mrs Hu.
BUSY = 0.70
# As Zipkin names the first and the last span of the event for which she is flagged.
ROOT, FLAG = "gateway: send touchpoint.events", "escalation: send escalation.flagged"

# The list of a trace's spans in Zipkin's page, and how far it is moved at a time, in pixels.
_ROWS = "() => [...document.querySelectorAll('div')].find((e) => e.scrollHeight > 5 * e.clientHeight && e.clientHeight > 100)"
LEAF = 200


@dataclass(frozen=True)
class Shot:
    """How a picture is taken. wait_for: CSS selectors that must be there; settle: seconds to wait once they are."""

    width: int = 1280
    height: int = 900
    dark: bool = False
    whole: bool = False
    zone: str = "Asia/Shanghai"
    locale: str = "en-GB"
    settle: float = 2.0
    wait_for: tuple[str, ...] = ()


async def opened(browser: Browser, url: str, shot: Shot) -> Page:
    """The page, once what is wanted is there."""
    context = await browser.new_context(
        viewport=ViewportSize(width=shot.width, height=shot.height),
        color_scheme="dark" if shot.dark else "light",
        timezone_id=shot.zone,
        locale=shot.locale,
    )
    page = await context.new_page()
    page.set_default_timeout(90_000)
    await page.goto(url, wait_until="domcontentloaded")
    for selector in shot.wait_for:
        await page.wait_for_selector(selector, timeout=60_000)
    await page.wait_for_timeout(shot.settle * 1000)
    return page


async def picture(browser: Browser, url: str, file: Path, shot: Shot) -> None:
    """Opens the page, takes the picture, and closes it."""
    page = await opened(browser, url, shot)
    await page.screenshot(path=file, full_page=shot.whole)
    await page.context.close()


async def readme(browser: Browser, folder: Path) -> None:
    """The dashboard at the busiest moment of a played afternoon, and the trace of the words that Mrs Hu is flagged for."""
    stack, busy = Stack(folder), asyncio.Event()
    watched: list[asyncio.Task[Page]] = []
    floor = Shot(width=1440, height=1000, settle=1)

    def up(found: Addresses) -> None:
        where.append(found)
        watched.append(asyncio.create_task(opened(browser, f"{found.dashboard}?lang=zh", floor)))

    def show(progress: Progress) -> None:
        if progress.share >= BUSY:
            busy.set()

    where: list[Addresses] = []
    playing = asyncio.create_task(play(Plan(folder, SEED, HOURS, SPEED, None, SCALE, None), stack, print, up, show))
    try:
        waiting = asyncio.create_task(busy.wait())
        await asyncio.wait({playing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if playing.done():
            playing.result()
        # The page was there from the start: nothing has to be loaded while the floor is at its busiest.
        page = await watched[0]
        await page.screenshot(path=IMAGES / "dashboard.png", full_page=True)
        await page.context.close()
        await playing
        await of_trace(browser, where[0].traces, traceparent(SEED).split("-")[1])
    finally:
        playing.cancel()
        await asyncio.gather(playing, *watched, return_exceptions=True)
        await stack.down()


async def of_trace(browser: Browser, zipkin: str, trace: str) -> None:
    """Zipkin's page of a trace, turned to the one event from which the flag came, with the time that its decisions took."""
    page = await opened(browser, f"{zipkin}/zipkin/traces/{trace}", Shot(width=1440, height=960, settle=3))
    await page.get_by_text(ROOT).nth(1).wait_for()
    await (await _event_of(page)).click(force=True)
    await page.get_by_text("Focus on selected span").click()
    await page.wait_for_timeout(1000)
    # The projections come last, after the counters' next flush: the time before them is where the decisions are.
    spans = await (await page.request.get(f"{zipkin}/api/v2/trace/{trace}")).json()
    share = decided_within(spans)
    await page.mouse.move(9, 200)
    await page.mouse.down()
    await page.mouse.move(9 + share * 940, 200, steps=5)
    await page.mouse.up()
    await page.wait_for_timeout(1500)
    await page.screenshot(path=IMAGES / "trace.png")
    await page.context.close()


async def _event_of(page: Page) -> Locator:
    """The row of the event that led to the flag. Zipkin keeps only the rows in sight, so the list is leafed through."""
    rows, at, flag = await page.evaluate_handle(_ROWS), 0, page.get_by_text(FLAG)
    height = await rows.evaluate("(rows) => rows.scrollHeight")
    while at < height:
        await rows.evaluate("(rows, at) => { rows.scrollTop = at; }", at)
        await page.wait_for_timeout(250)
        if await flag.count():
            limit = await _top(flag.first)
            found = [(await _top(root), root) for root in await page.get_by_text(ROOT).all()]
            above = [pair for pair in found if pair[0] < limit]
            if above:
                return max(above, key=lambda pair: pair[0])[1]
        at += LEAF
    raise RuntimeError("the trace has no flag")


async def _top(row: Locator) -> float:
    box = await row.bounding_box()
    return box["y"] if box else 0.0


def decided_within(spans: list[dict[str, Any]]) -> float:
    """The share of the flagged event's time after which only the projections are left, 0 to 1, with a little room."""
    by_id = {span["id"]: span for span in spans}

    def root_of(span: dict[str, Any]) -> str:
        while span.get("parentId") in by_id:
            span = by_id[span["parentId"]]
        return str(span["id"])

    root = root_of(next(span for span in spans if span["name"] == "send escalation.flagged"))
    event = [span for span in spans if root_of(span) == root]
    began = by_id[root]["timestamp"]
    ends = {span["id"]: span["timestamp"] + span.get("duration", 0) - began for span in event}
    decided = max(ends[span["id"]] for span in event if span["localEndpoint"]["serviceName"] != "metrics")
    return float(min(1.0, 1.1 * decided / max(ends.values())))


async def run(asked: argparse.Namespace, chromium: str) -> None:
    """Takes what is asked for."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        if asked.url is not None:
            shot = Shot(
                asked.width,
                asked.height,
                asked.dark,
                asked.whole,
                asked.zone,
                asked.locale,
                asked.settle,
                tuple(asked.wait_for),
            )
            await picture(browser, asked.url, Path(asked.file), shot)
        else:
            IMAGES.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="touchline-", ignore_cleanup_errors=True) as folder:
                await readme(browser, Path(folder))
        await browser.close()


def main() -> int:
    """Returns 0, or 2 where Chromium is missing or the invocation is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?")
    parser.add_argument("file", nargs="?")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--whole", action="store_true", help="the whole page, not just what fits the window")
    parser.add_argument("--zone", default="Asia/Shanghai", help="the time zone in which times are shown")
    parser.add_argument("--locale", default="en-GB", help="the browser's language")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds to wait once all is there")
    parser.add_argument("--wait-for", action="append", default=[], help="CSS selector that must be there first")
    asked = parser.parse_args()
    if (asked.url is None) != (asked.file is None):
        parser.error("URL and FILE go together")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.stderr.write("Chromium is not installed (Debian: apt-get install chromium)\n")
        return 2
    asyncio.run(run(asked, chromium))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
