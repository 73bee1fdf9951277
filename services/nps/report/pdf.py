"""The HTML printed by a headless Chromium."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SECONDS: Final = 120


class NoBrowser(Exception):
    """There is no browser to print with, or it failed; the message says what to do."""


def browser() -> str:
    """The browser's path: $CHROMIUM, else the first one on the path. Raises NoBrowser."""
    told = os.environ.get("CHROMIUM")
    found = told or next((path for name in NAMES if (path := shutil.which(name))), None)
    if not found:
        raise NoBrowser(
            "pdf: needs Chromium or Chrome on the path, or its path in CHROMIUM; --format html can be printed by any browser. "
            "需要 Chromium；也可以先输出 html 再由浏览器打印。"
        )
    return found


def render(html: str) -> bytes:
    """The PDF. Raises NoBrowser."""
    program = browser()
    with tempfile.TemporaryDirectory(prefix="touchline-") as folder:
        page, out = Path(folder, "report.html"), Path(folder, "report.pdf")
        page.write_text(html, encoding="utf-8")
        command = [
            program, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile", "--disable-dev-shm-usage", f"--print-to-pdf={out}", page.as_uri(),
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium's sandbox refuses to run for root
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoBrowser(f"pdf: {program}: {error}") from error
        if not out.is_file() or not out.stat().st_size:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no output"]
            raise NoBrowser(f"pdf: {program} ended with status {done.returncode}: {last[0]}")
        return out.read_bytes()
