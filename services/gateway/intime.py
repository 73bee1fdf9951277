"""HTTP connections on which a request's headers have to arrive in time: uvicorn waits for them without end."""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEADERS_WITHIN_S = 20.0

_Protocol: Any = AutoHTTPProtocol


class InTime(_Protocol):  # type: ignore[misc]
    """uvicorn's protocol; a connection that has not said what it wants in HEADERS_WITHIN_S is closed."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_no_more()  # the headers are here; the body has its own time, and so has the pause after the answer
        elif self._waiting is None:
            self._wait()

    def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().call_later(HEADERS_WITHIN_S, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
