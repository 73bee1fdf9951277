"""Headless Chromium, watched: a page that errs, or asks anything of another machine, fails its test."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from tests.browser.stand_in import StandIn, canned

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
        yield browser
        await browser.close()


@pytest.fixture
async def watch() -> Watch:
    """What is held against the pages of this test."""
    return Watch()


@pytest.fixture
async def visit(chromium: Browser, watch: Watch) -> AsyncIterator[Open]:
    """Opens a page: `await visit(url, locale=…, color_scheme=…, width=…)`."""
    contexts = []

    async def go(url: str, width: int = 1280, **options: Any) -> Page:
        settings: dict[str, Any] = {
            "locale": "zh-CN",
            "timezone_id": "Asia/Shanghai",
            "color_scheme": "light",
        } | options
        context = await chromium.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", watch.heard)
        page.on("pageerror", lambda error: watch.errors.append(str(error)))
        page.on("request", watch.requested)
        await page.goto(url)
        return page

    yield go
    for context in contexts:
        await context.close()
    assert watch.abroad == []
    assert watch.verdict() == []


@dataclass
class Served:
    """A stand-in that is being served."""

    at: StandIn
    url: str


@pytest.fixture
async def floor() -> AsyncIterator[Served]:
    """The stand-in for the gateway, on a free port."""
    stand_in = StandIn(canned())
    config = uvicorn.Config(
        stand_in.app, host="127.0.0.1", port=0, log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(stand_in, f"http://127.0.0.1:{port}/")
    stand_in.drop()
    server.should_exit = True
    await task
