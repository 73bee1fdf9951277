"""Headless Chromium, watched: a page that errs, or asks anything of another machine, fails its test."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright, expect

from tests.browser.stand_in import StandIn

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


@dataclass
class Watch:
    """What a page did that it shouldn't have."""

    errors: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tolerated: tuple[str, ...] = ()
    """Parts of messages that the test itself provokes."""

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def requested(self, request: Request) -> None:
        url = urlsplit(request.url)
        self.asked.append(url.path)
        if url.scheme not in ("data", "blob") and url.hostname not in LOOPBACK:
            self.abroad.append(request.url)

    def verdict(self) -> list[str]:
        return [text for text in self.errors if not any(part in text for part in self.tolerated)]


Open = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser, started once."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        expect.set_options(timeout=45_000)
        yield browser
        await browser.close()


@pytest.fixture
async def watch() -> Watch:
    """What is held against the pages of this test."""
    return Watch()


@pytest.fixture(scope="session")
async def contexts(chromium: Browser) -> AsyncIterator[dict[str, BrowserContext]]:
    """One context a locale for all tests, so that Plotly is fetched and compiled once."""
    made: dict[str, BrowserContext] = {}
    yield made
    for context in made.values():
        await context.close()


@pytest.fixture
async def visit(chromium: Browser, contexts: dict[str, BrowserContext], watch: Watch) -> AsyncIterator[Open]:
    """Opens a page: `await visit(url, locale=…, scheme="dark", width=…)`."""
    pages: list[Page] = []

    async def go(
        url: str, *, width: int = 1280, locale: str = "zh-CN", scheme: Literal["light", "dark"] = "light"
    ) -> Page:
        if locale not in contexts:
            contexts[locale] = await chromium.new_context(locale=locale, timezone_id="Asia/Shanghai")
        page = await contexts[locale].new_page()
        pages.append(page)
        page.set_default_timeout(60_000)
        await page.set_viewport_size({"width": width, "height": 900})
        await page.emulate_media(color_scheme=scheme)
        page.on("console", watch.heard)
        page.on("pageerror", lambda error: watch.errors.append(str(error)))
        page.on("request", watch.requested)
        # Not until all is loaded: Plotly may take its time on a busy machine.
        await page.goto(url, wait_until="domcontentloaded")
        return page

    yield go
    for page in pages:
        await page.close()
    assert watch.abroad == []
    assert watch.verdict() == []


@dataclass
class Served:
    """A stand-in that is being served."""

    at: StandIn
    url: str


@pytest.fixture(scope="session")
async def served() -> AsyncIterator[Served]:
    """The stand-in for the gateway, on a free port, for all tests: the page's files keep their addresses."""
    stand_in = StandIn()
    config = uvicorn.Config(
        stand_in.app, host="127.0.0.1", port=0, log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listening]))
        yield Served(stand_in, f"http://127.0.0.1:{listening.getsockname()[1]}/")
        stand_in.drop()
        server.should_exit = True
        await task


@pytest.fixture
def floor(served: Served) -> Served:
    """The stand-in as it is at first."""
    served.at.reset()
    return served
