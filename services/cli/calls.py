"""Calls to the services of a running stack."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.cli.common import not_up

if TYPE_CHECKING:
    from touchline.nps.v1 import nps_pb2


def service_address(data: Path, service: str) -> str:
    """Where a service of the stack on this data folder answers gRPC. Fails where no stack is up."""
    from deploy.embedded.layout import Layout
    from deploy.embedded.state import is_held, read

    layout = Layout.of(data)
    state = read(layout) if is_held(layout) else None
    address = state.grpc.get(service) if state else None
    if address is None:
        not_up(data)
    return address


async def all_pages(stub: Any, timeout_s: float) -> "nps_pb2.GetNpsResponse":
    """GetNps of all answers of all time, with every value of every dimension: what comes in pages, put together."""
    from touchline.nps.v1 import nps_pb2

    answer: nps_pb2.GetNpsResponse = await stub.GetNps(nps_pb2.GetNpsRequest(), timeout=timeout_s)
    for dimension, breakdown in answer.by.items():
        while breakdown.next:
            asked = nps_pb2.GetNpsRequest(dimensions=[dimension], after=breakdown.next)
            page = (await stub.GetNps(asked, timeout=timeout_s)).by[dimension]
            for value, figure in page.values.items():
                breakdown.values[value].CopyFrom(figure)
            breakdown.next = page.next
    return answer


def reason_of(error: BaseException) -> str:
    """What a failed call says: the service's own words and the status, or the error's name."""
    details = getattr(error, "details", None)
    code = getattr(error, "code", None)
    if callable(details) and callable(code):
        return f"{details()} ({code().name})"
    return str(error) or type(error).__name__
