"""A call to a peer: what it shows, what it carries of the caller's trace, and what becomes of a failure."""

from typing import Any

import grpc.aio
import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.runtime.v1 import status_pb2

from services.runtime.rpc import RpcServer, Servicer, channel, not_found
from services.runtime.settings import RpcSettings

KEY = "k" * 24
TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331


class Answers(nps_pb2_grpc.NpsServiceServicer):
    """Answers with nothing, and keeps what each call brought beside its request."""

    def __init__(self) -> None:
        self.brought: list[dict[str, str]] = []

    async def GetCustomerNps(self, request: Any, context: Any) -> nps_pb2.GetCustomerNpsResponse:  # noqa: N802
        self.brought.append(dict(context.invocation_metadata()))
        if not request.customer_ids:
            raise not_found("nobody")
        return nps_pb2.GetCustomerNpsResponse()


async def _status() -> status_pb2.GetStatusResponse:
    return status_pb2.GetStatusResponse()


@pytest.mark.parametrize("flags", [TraceFlags.SAMPLED, TraceFlags.DEFAULT])
async def test_a_call_shows_the_key_and_in_a_recorded_trace_carries_its_context(flags: int) -> None:
    answers = Answers()
    service = Servicer(nps_pb2_grpc.add_NpsServiceServicer_to_server, answers, "touchline.nps.v1.NpsService")
    server = RpcServer(RpcSettings(bind="127.0.0.1:0"), [service], _status)
    await server.start()
    around = NonRecordingSpan(SpanContext(TRACE, SPAN, is_remote=True, trace_flags=TraceFlags(flags)))
    try:
        async with channel(f"127.0.0.1:{server.port}", RpcSettings(key=KEY)) as to:
            stub = nps_pb2_grpc.NpsServiceStub(to)
            with trace.use_span(around):
                await stub.GetCustomerNps(nps_pb2.GetCustomerNpsRequest(customer_ids=["hu"]), timeout=5)
                with pytest.raises(grpc.aio.AioRpcError, match="nobody") as failed:
                    await stub.GetCustomerNps(nps_pb2.GetCustomerNpsRequest(), timeout=5)
            shown = (("authorization", "Bearer other"),)
            await stub.GetCustomerNps(nps_pb2.GetCustomerNpsRequest(customer_ids=["hu"]), metadata=shown, timeout=5)
    finally:
        await server.stop(0)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    inside, refused, outside = answers.brought
    assert inside["authorization"] == refused["authorization"] == f"Bearer {KEY}"
    assert outside["authorization"] == "Bearer other"
    carried = [told.get("traceparent", "") for told in (inside, refused, outside)]
    if flags == TraceFlags.SAMPLED:
        assert [told[3:35] for told in carried[:2]] == [f"{TRACE:032x}"] * 2
    else:
        assert carried[:2] == ["", ""]
    assert carried[2] == ""
