"""The gateway as a channel uses it: batches over HTTP, sent again after 429, 503 or a cut connection; ids make that safe."""

import asyncio
import http.client
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from services.cli.day.model import CloudEvent

BATCH = "application/cloudevents-batch+json"
_AGAIN = (429, 503)


class DoorError(RuntimeError):
    """The gateway's answer makes no sense, or there is none for too long."""


class Door:
    """One kept connection to the gateway; one batch at a time, so that each customer's order holds."""

    def __init__(self, url: str, api_key: str, *, patience_s: float = 120.0) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self._secure = parts.scheme == "https"
        self._headers = {"content-type": BATCH, "authorization": f"Bearer {api_key}"}
        self._patience_s = patience_s
        self._connection: http.client.HTTPConnection | None = None

    async def send(self, events: Sequence[CloudEvent]) -> dict[int, dict[str, Any]]:
        """Sends a batch until it is answered; gives the refusals by index. Raises DoorError."""
        return await asyncio.to_thread(self.send_now, events)

    def send_now(self, events: Sequence[CloudEvent]) -> dict[int, dict[str, Any]]:
        """The same, blocking."""
        return self.answer_now(events)[1]

    def answer_now(self, events: Sequence[CloudEvent]) -> tuple[int, dict[int, dict[str, Any]]]:
        """How many the gateway says it accepted, and the refusals by index. Raises DoorError."""
        body = json.dumps(list(events), ensure_ascii=False).encode()
        limit, last = time.monotonic() + self._patience_s, "no answer"
        while time.monotonic() < limit:
            wait = 1.0
            try:
                status, retry_after, answer = self._post(body)
                if status in (200, 202, 207, 400):
                    return _read(answer, status)
                if status not in _AGAIN:
                    raise DoorError(f"POST /v1/events answered {status}: {answer[:300].decode(errors='replace')}")
                last, wait = f"status {status}", retry_after
            except (OSError, http.client.HTTPException) as error:
                last = f"{type(error).__name__}: {error}"
                self.close()
            time.sleep(wait)
        raise DoorError(f"the gateway took no batch in {self._patience_s:.0f} s ({last})")

    def _post(self, body: bytes) -> tuple[int, float, bytes]:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=30)
        self._connection.request("POST", "/v1/events", body, self._headers)
        answer = self._connection.getresponse()
        text = answer.getheader("retry-after") or "1"
        # Retry-After may also be a date; a second is a fair wait then.
        return answer.status, min(5.0, float(text)) if text.replace(".", "", 1).isdigit() else 1.0, answer.read()

    def close(self) -> None:
        """Lets go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _read(answer: bytes, status: int) -> tuple[int, dict[int, dict[str, Any]]]:
    try:
        told = json.loads(answer)
        return int(told["accepted"]), {int(r["index"]): r for r in told["rejected"]}
    except (ValueError, KeyError, TypeError):
        raise DoorError(f"POST /v1/events answered {status} with a body that can't be read: {answer[:300]!r}") from None
