"""What browsers read beside the dashboard's own files: the live stream, journeys, explanations, the interface's description."""

import asyncio
import base64
import binascii
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from services.gateway import openapi
from services.gateway.answers import error, failure
from services.gateway.door import Door
from services.gateway.keys import Right
from services.gateway.live.hub import Hub, TooManyWatchersError, Watcher
from services.gateway.settings import GatewaySettings
from services.runtime.rpc import LookupFailed

# Everything comes from here, and nothing is framed.
_SECURE = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

Explain = Callable[[str], Awaitable[dict[str, Any] | None]]
Endpoint = Callable[[Request], Awaitable[Response]]


# A watcher that takes nothing for this long is cut off, and its memory freed.
PATIENCE_S = 30.0


class _Stream(StreamingResponse):
    """A watcher's, who may go before the first row is sent, or stop reading."""

    def __init__(self, watcher: Watcher, **named: Any) -> None:
        super().__init__(watcher, **named)
        self._watcher = watcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._watcher.aclose()

    async def stream_response(self, send: Send) -> None:
        async def in_time(message: Message) -> None:
            async with asyncio.timeout(PATIENCE_S):
                await send(message)

        with contextlib.suppress(TimeoutError):
            await super().stream_response(in_time)


class Reading:
    """The read side. Open on loopback; elsewhere it asks for the key of a channel that may view."""

    def __init__(self, hub: Hub, explain: Explain | None, door: Door, settings: GatewaySettings) -> None:
        self._hub = hub
        self._explain = explain
        self._door = door
        self._settings = settings

    def guarded(self, endpoint: Endpoint, right: Right = Right.VIEW) -> Endpoint:
        """The endpoint, for those who have the right."""

        async def guard(request: Request) -> Response:
            refusal = self._refusal(request, right)
            response = refusal if refusal is not None else await endpoint(request)
            for name, value in _SECURE.items():
                response.headers.setdefault(name, value)
            return response

        return guard

    def _refusal(self, request: Request, right: Right) -> Response | None:
        if right is not Right.VIEW and request.headers.get("sec-fetch-site", "same-origin") not in (
            "same-origin",
            "none",
        ):
            return error(403, "a page from elsewhere may not act here")
        if self._settings.is_loopback:
            host = request.headers.get("host", "").lower()
            host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
            if host in self._settings.allowed_hosts:
                return None
            return error(421, "the gateway does not go by this name; GATEWAY_ALLOWED_HOSTS lists those it does")
        channel = self._door.channel(_bearer(request.headers.get("authorization", "")))
        if channel is not None and right in channel.rights:
            return None
        if channel is not None and Right.VIEW in channel.rights:
            return error(403, f"this channel may view but not {right}")
        if channel is not None:
            return error(403, "this channel may send but not view")
        # Basic, so that a browser asks for the key: any user name, the key as the password.
        return error(
            401, "the key of a channel that may view is needed", {"www-authenticate": 'Basic realm="touchline", Bearer'}
        )

    async def stream(self, _: Request) -> Response:
        try:
            watcher = self._hub.watch()
        except TooManyWatchersError:
            return error(503, "too many watch already", {"retry-after": "10"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return _Stream(watcher, media_type="text/event-stream", headers=headers)

    async def journey(self, request: Request) -> Response:
        found = self._hub.view.journeys.tell(request.path_params["customer_id"])
        return error(404, "nothing is known of this customer") if found is None else _private(found)

    async def explain(self, request: Request) -> Response:
        if self._explain is None:
            return error(503, "ROUTER_ADDR is not set")
        try:
            found = await self._explain(request.path_params["contact_id"])
        except LookupFailed as failed:
            return failure(failed, "the router")
        return error(404, "the router knows no such contact") if found is None else _private(found)

    async def description(self, _: Request) -> Response:
        return JSONResponse(openapi.document())

    async def docs(self, _: Request) -> Response:
        return HTMLResponse(openapi.page())


def _private(body: dict[str, Any]) -> Response:
    return JSONResponse(body, headers={"cache-control": "no-store"})


def _bearer(authorization: str) -> str:
    """The same header with a Basic password as the key."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        return "Bearer " + base64.b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
