"""A connection that never says what it wants is closed; one that works is not, however long it takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.gateway import intime
from services.gateway.main import _config, _Http
from services.gateway.settings import GatewaySettings

WITHIN_S = 0.3
HEADERS = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n"


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(intime, "HEADERS_WITHIN_S", WITHIN_S)

    async def slow(request: Request) -> Response:
        body = await request.body()
        await asyncio.sleep(2 * WITHIN_S)
        return PlainTextResponse(body)

    app = Starlette(routes=[Route("/", slow, methods=["POST"])])
    settings = GatewaySettings(http_bind="127.0.0.1:0", gateway_keys_file=Path("keys.json"))
    server = _Http(_config(app, settings))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(30):
            yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize("said", [b"", b"G", HEADERS[:-2]])
async def test_headers_that_do_not_come_end_the_connection(port: int, said: bytes) -> None:
    async with connected(port) as (reader, writer):
        writer.write(said)
        assert await reader.read() == b""


async def test_headers_that_drip_end_it_as_well(port: int) -> None:
    async with connected(port) as (reader, writer):
        ended = asyncio.create_task(reader.read())
        writer.write(HEADERS[:20])
        while not ended.done():
            writer.write(b"x")
            await asyncio.sleep(WITHIN_S / 10)
        assert ended.result() == b""


async def test_a_slow_body_a_slow_answer_and_a_pause_between_requests_do_not(port: int) -> None:
    async with connected(port) as (reader, writer):
        for _ in range(2):
            writer.write(HEADERS)
            await asyncio.sleep(2 * WITHIN_S)
            writer.write(b"ok")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(2) == b"ok"
            await asyncio.sleep(2 * WITHIN_S)
        # The second request's headers, begun and never ended.
        writer.write(HEADERS[:20])
        assert await reader.read() == b""
