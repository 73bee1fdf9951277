"""POST /v1/events."""

import asyncio
import math
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from services.gateway import cloudevents
from services.gateway.accept import Envelope, Rejection
from services.gateway.answers import BODY_WITHIN_S
from services.gateway.cloudevents import UnsupportedMediaType
from services.gateway.door import Answer, Door, Verdict
from services.gateway.keys import Channel
from services.gateway.settings import GatewaySettings


class _TooLargeError(Exception):
    pass


class Ingest:
    """The channels' way in over HTTP."""

    def __init__(self, door: Door, settings: GatewaySettings) -> None:
        self._door = door
        self._settings = settings

    async def post_events(self, request: Request) -> Response:
        """One event or a batch, answered once Kafka has acknowledged it with all replicas."""
        channel = self._door.channel(request.headers.get("authorization", ""))
        if channel is None:
            await self._drain(request)
            return _refusal(
                401,
                "authorization",
                "is missing or not the key of a channel",
                {"www-authenticate": 'Bearer realm="touchline"'},
            )
        if refusal := self._door.limited(channel):
            await self._drain(request)
            return _response(refusal)
        size = self._announced(request)
        if self._door.admission.full or not self._door.admission.hold(size):
            # Before a byte of the body is read; the server lets what still arrives of it run out.
            return _response(self._door.busy(channel))
        try:
            return await self._take(request, channel)
        finally:
            self._door.admission.release(size)

    async def _take(self, request: Request, channel: Channel) -> Response:
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                body = await self._body(request)
        except _TooLargeError:
            return _refusal(
                413, "body", f"is larger than {self._settings.gateway_max_body_bytes} bytes", {"connection": "close"}
            )
        except TimeoutError:
            return _refusal(408, "body", "took too long to arrive", {"connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)
        headers = dict(request.headers)

        def read() -> Sequence[Envelope | Rejection]:
            if headers.get("content-encoding", "identity") != "identity":
                raise UnsupportedMediaType
            return cloudevents.read(headers, body, self._settings.gateway_max_batch_events)

        try:
            answer = await self._door.take(channel, read, headers.get("traceparent", ""), "/v1/events")
        except UnsupportedMediaType:
            return _refusal(
                415,
                "content-type",
                f"is none of {cloudevents.STRUCTURED}, {cloudevents.BATCH}, or with ce-* headers application/json, application/protobuf; and no content-encoding",
                {},
            )
        return _response(answer)

    def _announced(self, request: Request) -> int:
        """Bytes that the body may come to: as told, or the most that is taken."""
        told = request.headers.get("content-length", "")
        most = self._settings.gateway_max_body_bytes
        return min(int(told), most) if told.isascii() and told.isdigit() and len(told) < 19 else most

    async def _body(self, request: Request) -> bytes:
        most = self._settings.gateway_max_body_bytes
        told = request.headers.get("content-length", "")
        if told.isascii() and told.isdigit() and (len(told) > 18 or int(told) > most):
            await self._drain(request)
            raise _TooLargeError
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise _TooLargeError
            parts.append(part)
        return b"".join(parts)

    async def _drain(self, request: Request) -> None:
        """Lets a body of a fair size run out, so that the channel gets to read our answer instead of a cut connection."""
        size = 0
        try:
            async with asyncio.timeout(2.0):
                async for part in request.stream():
                    size += len(part)
                    if size > 2 * self._settings.gateway_max_body_bytes:
                        return
        except (TimeoutError, ClientDisconnect):
            return


def _refusal(status: int, field: str, reason: str, headers: dict[str, str]) -> Response:
    body = {"accepted": 0, "rejected": [{"index": 0, "field": field, "reason": reason}]}
    return JSONResponse(body, status, headers)


def _response(answer: Answer) -> Response:
    headers = {}
    rejected = [{"index": r.index, "field": r.field, "reason": r.reason} for r in answer.rejected]
    if answer.verdict in (Verdict.LIMITED, Verdict.AWAY):
        headers["retry-after"] = str(max(1, math.ceil(answer.retry_after_s)))
        rejected = [{"index": 0, "field": "request", "reason": answer.reason}]
    return JSONResponse({"accepted": answer.accepted, "rejected": rejected}, answer.verdict.value, headers)
