"""The outermost bound: how many requests are open at once, whoever makes them."""

from starlette.types import ASGIApp, Receive, Scope, Send

_BODY = b'{"accepted":0,"rejected":[{"index":0,"field":"request","reason":"too many requests at once; send all of it again"}]}'
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(_BODY)).encode()),
    (b"retry-after", b"2"),
]


class Crowd:
    """Answers with 503 what comes while `most` requests are open, without looking at it. Health is always told."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/healthz":
            await self._app(scope, receive, send)
            return
        if self._open >= self._most:
            await send({"type": "http.response.start", "status": 503, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": _BODY})
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
