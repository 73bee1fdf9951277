"""The NPS service's gRPC calls."""

from datetime import UTC, datetime
from typing import Any

from touchline.nps.v1 import nps_pb2, nps_pb2_grpc

from services.nps import store
from services.nps.counters import ALL_TIME
from services.nps.domain.figures import Figure
from services.nps.domain.windows import day_of, hour_of, week_of
from services.runtime.records import timestamp
from services.runtime.rpc import Servicer, check_batch, invalid

LARGEST_SELECTION = 16
"""Dimensions that can be asked for: no answer has more."""


class NpsAnswers(nps_pb2_grpc.NpsServiceServicer):
    """Answers from what is committed."""

    def __init__(self, pool: Any, pipeline: str) -> None:
        self._pool = pool
        self._pipeline = pipeline

    async def GetNps(self, request: nps_pb2.GetNpsRequest, context: Any) -> nps_pb2.GetNpsResponse:  # noqa: N802 (gRPC's name)
        """Figures for all and by dimension, of one moment."""
        if len(request.dimensions) > LARGEST_SELECTION:
            raise invalid(
                f"dimensions: has {len(request.dimensions)} entries; at most {LARGEST_SELECTION} are answered"
            )
        window, starts = _window(request)
        dimensions = set(request.dimensions)
        if window == "PT1H":
            all_, by = await store.hour(self._pool, starts[0], dimensions)
        else:
            all_, by = await store.figures(self._pool, self._pipeline, window, starts, dimensions)
        return nps_pb2.GetNpsResponse(
            all=_figure(all_),
            by={d: nps_pb2.Breakdown(values={v: _figure(f) for v, f in values.items()}) for d, values in by.items()},
        )

    async def GetCustomerNps(  # noqa: N802 (gRPC's name)
        self, request: nps_pb2.GetCustomerNpsRequest, context: Any
    ) -> nps_pb2.GetCustomerNpsResponse:
        """Last standing answers of up to 1,000 customers."""
        check_batch("customer_ids", request.customer_ids)
        response = nps_pb2.GetCustomerNpsResponse()
        for customer_id, (score, moment) in (await store.last_answers(self._pool, request.customer_ids)).items():
            response.customers[customer_id].CopyFrom(nps_pb2.CustomerNps(score=score, answered_at=timestamp(moment)))
        return response


def servicer(pool: Any, pipeline: str) -> Servicer:
    """What the runtime's server is given."""
    answers = NpsAnswers(pool, pipeline)
    return Servicer(nps_pb2_grpc.add_NpsServiceServicer_to_server, answers, "touchline.nps.v1.NpsService")


def _window(request: nps_pb2.GetNpsRequest) -> tuple[str, tuple[datetime, ...]]:
    """The counters' window and its starts."""
    if request.window == nps_pb2.WINDOW_UNSPECIFIED:
        return "ALL", (ALL_TIME,)
    if not request.HasField("at"):
        raise invalid("at: is missing; a window needs a moment within it")
    try:
        at = request.at.ToDatetime(tzinfo=UTC)
        match request.window:
            case nps_pb2.WINDOW_HOUR:
                return "PT1H", (hour_of(at),)
            case nps_pb2.WINDOW_DAY:
                return "P1D", (day_of(at),)
            case nps_pb2.WINDOW_WEEK:
                return "P1D", week_of(at)
    except (ValueError, OverflowError):
        raise invalid("at: is out of range") from None
    raise invalid("window: is not a known window")


def _figure(f: Figure) -> nps_pb2.Figure:
    return nps_pb2.Figure(
        promoters=f.promoters, passives=f.passives, detractors=f.detractors, n=f.n, nps=f.nps, low=f.low, high=f.high
    )
