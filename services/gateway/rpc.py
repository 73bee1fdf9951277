"""GatewayService.Publish: the same door over gRPC."""

from collections.abc import Sequence
from typing import Any

from touchline.gateway.v1 import gateway_pb2, gateway_pb2_grpc

from services.gateway.accept import Envelope, Rejection
from services.gateway.door import Answer, Door, Verdict
from services.gateway.settings import GatewaySettings
from services.runtime.records import JSON
from services.runtime.rpc import Servicer, refused
from services.runtime.telemetry import traceparent_now


class GatewayServicer(gateway_pb2_grpc.GatewayServiceServicer):
    """Answers Publish."""

    def __init__(self, door: Door, settings: GatewaySettings) -> None:
        self._door = door
        self._most = settings.gateway_max_batch_events

    async def Publish(  # noqa: N802 (gRPC's name)
        self, request: gateway_pb2.PublishRequest, context: Any
    ) -> gateway_pb2.PublishResponse:
        metadata = {str(k): str(v) for k, v in context.invocation_metadata() or ()}
        channel = self._door.channel(metadata.get("authorization", ""))
        if channel is None:
            raise refused("UNAUTHENTICATED", "authorization: is missing or not the key of a channel")
        # The server's own span where the call is traced, as that one's parent is the caller's.
        context_now = traceparent_now() or metadata.get("traceparent", "")
        answer = await self._door.take(channel, lambda: self._read(request), context_now, "GatewayService/Publish")
        return _response(answer)

    def _read(self, request: gateway_pb2.PublishRequest) -> Sequence[Envelope | Rejection]:
        if len(request.events) > self._most:
            return [Rejection(0, "events", f"holds more than {self._most} events", too_large=True)]
        return [_envelope(event) for event in request.events]


def _envelope(event: gateway_pb2.CloudEvent) -> Envelope:
    attributes: dict[str, object] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time or None,
        "traceparent": event.traceparent,
    }
    return Envelope(attributes, event.datacontenttype or JSON, event.data)


def _response(answer: Answer) -> gateway_pb2.PublishResponse:
    first = answer.rejected[0] if answer.rejected else None
    why = f"events[{first.index}]: {first.field}: {first.reason}" if first else ""
    if answer.verdict is Verdict.LIMITED:
        raise refused("RESOURCE_EXHAUSTED", f"{answer.reason}; again in {answer.retry_after_s:.1f} s")
    if answer.verdict is Verdict.AWAY:
        raise refused("UNAVAILABLE", answer.reason)
    if answer.verdict in (Verdict.REFUSED, Verdict.TOO_LARGE):
        raise refused("INVALID_ARGUMENT", why)
    rejected = [gateway_pb2.Rejection(index=r.index, field=r.field, reason=r.reason) for r in answer.rejected]
    return gateway_pb2.PublishResponse(accepted=answer.accepted, rejected=rejected)


def servicer(door: Door, settings: GatewaySettings) -> Servicer:
    """The service, to be served."""
    return Servicer(
        gateway_pb2_grpc.add_GatewayServiceServicer_to_server,
        GatewayServicer(door, settings),
        "touchline.gateway.v1.GatewayService",
        changing=("Publish",),
        own_keys=True,
    )
