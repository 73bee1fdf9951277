"""The NPS service's gRPC calls."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from touchline.nps.v1 import nps_pb2, nps_pb2_grpc

from services.nps import deeds, driving, kpi, store, wire
from services.nps.domain.board import Board
from services.nps.domain.cube import Cell
from services.nps.domain.figures import Figure, figure
from services.nps.domain.kpis import kpis
from services.nps.domain.shrink import shrink
from services.nps.domain.span import MOST_DAYS, Span
from services.nps.feed import ANSWERED, Feed
from services.nps.report import week
from services.nps.report.live import Broadcasts
from services.nps.watching import Watching
from services.runtime.clock import Clock
from services.runtime.commands import CommandBus, Unanswered
from services.runtime.records import timestamp
from services.runtime.rpc import Servicer, check_batch, invalid, not_found, refused

DEFAULT_DAYS = 90
PAGE = 100
"""Values told at a time, where all are asked for: 6,000 stores at once took 0.2 s of the thread that batches are decided in."""
LARGEST_LIMIT = 200


class NpsAnswers(nps_pb2_grpc.NpsServiceServicer):
    """Answers from what is committed."""

    def __init__(
        self,
        pool: Any,
        feed: Feed,
        watching: Watching,
        commands: CommandBus,
        clock: Clock,
        broadcasts: Broadcasts,
        zone: tzinfo,
        reader: Any = None,
    ) -> None:
        """Take the zone of days, weeks and months, and what looks up by key (else the pool)."""
        self._broadcasts = broadcasts
        self._pool, self._reader = pool, reader or pool
        self._zone = zone
        self._feed = feed
        self._watching = watching
        self._commands = commands
        self._clock = clock

    async def GetNps(self, request: nps_pb2.GetNpsRequest, context: Any) -> nps_pb2.GetNpsResponse:  # noqa: N802 (gRPC's name)
        """Figures of any combination of segments over a window, and by dimension; all of one moment."""
        wire.check_few("dimensions", request.dimensions)
        where, span = wire.where_of(request.where), wire.span(request, self._zone)
        if not 0 <= request.limit <= LARGEST_LIMIT:
            raise invalid(
                f"limit: is {request.limit}; between 0 (for all, page by page) and {LARGEST_LIMIT} is possible"
            )
        if request.after and (request.limit or len(request.dimensions) != 1):
            raise invalid("after: goes with one dimension and without limit")
        await self._feed.refresh()
        board = self._feed.answers
        dimensions = list(request.dimensions) or ([] if where else board.dimensions)
        asked = self._feed.requests.counts(span.first, span.last, where)
        return nps_pb2.GetNpsResponse(
            all=wire.told(figure(*board.counts(span.first, span.last, where)), asked=_asked(asked)),
            by={d: b for d in dimensions if (b := self._breakdown(board, d, span, where, request)) is not None},
            start=timestamp(span.start) if span.start else None,
            end=timestamp(span.end) if span.end else None,
        )

    def _breakdown(
        self, board: Board, dimension: str, span: Span, where: Mapping[str, str], request: nps_pb2.GetNpsRequest
    ) -> nps_pb2.Breakdown | None:
        if not request.limit:
            cells, last = board.page(dimension, span.first, span.last, where, request.after, PAGE)
            told = {v: wire.bare(figure(*cell)) for v, cell in cells.items()}
            return nps_pb2.Breakdown(values=told, next=last) if told else None
        found = {v: figure(*cell) for v, cell in board.by(dimension, span.first, span.last, where).items()}
        found = {v: f for v, f in found.items() if f.n}
        if not found:
            return None
        shown = sorted(found, key=lambda v: (-found[v].n, v))[: request.limit]
        drawn = shrink(found, shown)
        asked = self._feed.requests.by(dimension, span.first, span.last, where)
        return nps_pb2.Breakdown(
            values={v: wire.told(found[v], drawn[v], _asked(asked[v]) if v in asked else None) for v in shown}
        )

    async def GetCustomerNps(  # noqa: N802 (gRPC's name)
        self, request: nps_pb2.GetCustomerNpsRequest, context: Any
    ) -> nps_pb2.GetCustomerNpsResponse:
        """Last standing answers of up to 1,000 customers."""
        check_batch("customer_ids", request.customer_ids)
        response = nps_pb2.GetCustomerNpsResponse()
        for customer_id, (score, moment) in (await store.last_answers(self._reader, request.customer_ids)).items():
            response.customers[customer_id].CopyFrom(nps_pb2.CustomerNps(score=score, answered_at=timestamp(moment)))
        return response

    async def GetChanges(  # noqa: N802 (gRPC's name)
        self, request: nps_pb2.GetChangesRequest, context: Any
    ) -> nps_pb2.GetChangesResponse:
        """What changed in a segment, since when and by how much; or that nothing did."""
        where = wire.where_of(request.where)
        if not 0 <= request.days <= MOST_DAYS:
            raise invalid(f"days: is {request.days}; between 0 (for {DEFAULT_DAYS}) and {MOST_DAYS} is possible")
        at = _moment("at", request.at) if request.HasField("at") else self._clock()
        return await self._watching.changes(where, request.days or DEFAULT_DAYS, at)

    async def GetDrivers(  # noqa: N802 (gRPC's name)
        self, request: nps_pb2.GetDriversRequest, context: Any
    ) -> nps_pb2.GetDriversResponse:
        """What customers complain of, what it costs, and how often they came back about it."""
        where = wire.where_of(request.where)
        at = _moment("at", request.at) if request.HasField("at") else self._clock()
        span = wire.bounded_span(request, at, driving.USUAL_DAYS, driving.MOST_DAYS, self._zone)
        if request.limit < 0:
            raise invalid(f"limit: is {request.limit}; it can't be less than 0")
        if request.dimension in where:
            raise invalid("dimension: is one of those in where; it has one value only")
        await self._feed.refresh()
        return driving.told(driving.drivers(self._feed, span, where, request.dimension), request.limit)

    async def GetReport(  # noqa: N802 (gRPC's name)
        self, request: nps_pb2.GetReportRequest, context: Any
    ) -> nps_pb2.GetReportResponse:
        """The weekly broadcast of what is kept, as a page."""
        scope = tuple(sorted(wire.where_of(request.where).items()))
        if request.language not in ("", "zh", "en"):
            raise invalid("language: is neither zh nor en")
        try:
            first = week.monday(request.week) if request.week else await self._broadcasts.usual(scope)
        except ValueError as error:
            raise invalid(f"week: {error}") from None
        page = await self._broadcasts.page(first, scope, "en" if request.language == "en" else "zh")
        return nps_pb2.GetReportResponse(week=week.named(first), html=page)

    async def GetKpis(  # noqa: N802 (gRPC's name)
        self, request: nps_pb2.GetKpisRequest, context: Any
    ) -> nps_pb2.GetKpisResponse:
        """What service is judged by, for all contacts and by the values of a dimension."""
        where, span = wire.where_of(request.where), wire.span(request, self._zone)
        if len(where) > 1 or (where and request.dimension):
            raise invalid("where: service is counted by one dimension at a time; name one value, or a dimension")
        if request.window == nps_pb2.WINDOW_HOUR and (where or request.dimension):
            raise invalid("window: hours are counted for all contacts only")
        await self._feed.refresh()
        board = self._feed.answers
        counted = await kpi.counts(self._pool, request.window == nps_pb2.WINDOW_HOUR, span, where, self._zone)
        response = nps_pb2.GetKpisResponse(all=kpi.told(kpis(counted, segment_figure(board, span, where))))
        if request.dimension:
            figures = {v: figure(*c) for v, c in board.by(request.dimension, span.first, span.last, {}).items()}
            for value, counts in (await kpi.by(self._pool, span, request.dimension, self._zone)).items():
                response.by[value].CopyFrom(kpi.told(kpis(counts, figures.get(value) or figure(0, 0, 0))))
        return response

    async def ListActions(  # noqa: N802 (gRPC's name)
        self, request: nps_pb2.ListActionsRequest, context: Any
    ) -> nps_pb2.ListActionsResponse:
        """What was promised, those promised last first, and whether it worked."""
        limit = deeds.limit_of(request.limit)
        since = _moment("since", request.since) if request.HasField("since") else None
        await self._feed.refresh()
        found = await deeds.listed(self._pool, request.owner, since, limit)
        return nps_pb2.ListActionsResponse(actions=[deeds.told(a, self._feed.answers, self._clock()) for a in found])

    async def PromiseAction(  # noqa: N802 (gRPC's name)
        self, request: nps_pb2.PromiseActionRequest, context: Any
    ) -> nps_pb2.PromiseActionResponse:
        """Takes a promise down."""
        made = deeds.promise(request)
        return nps_pb2.PromiseActionResponse(action=await self._sent(made, made.action_id))

    async def EndAction(  # noqa: N802 (gRPC's name)
        self, request: nps_pb2.EndActionRequest, context: Any
    ) -> nps_pb2.EndActionResponse:
        """Takes down that an action is done, or won't be."""
        if await deeds.find(self._pool, request.action_id) is None:
            raise not_found("action_id: there is no such action")
        return nps_pb2.EndActionResponse(action=await self._sent(deeds.end(request), request.action_id))

    async def _sent(self, event: Any, action_id: str) -> nps_pb2.Action:
        try:
            action = await deeds.send(self._pool, self._commands, event, action_id, self._clock())
        except Unanswered as error:
            raise refused("DEADLINE_EXCEEDED", str(error)) from None
        await self._feed.refresh()
        return deeds.told(action, self._feed.answers, self._clock())


def _moment(field: str, given: Any) -> datetime:
    try:
        found: datetime = given.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid(f"{field}: is out of range") from None
    return found


def _asked(counts: Cell) -> nps_pb2.Asked | None:
    return nps_pb2.Asked(asked=sum(counts), answered=counts[ANSWERED]) if any(counts) else None


def segment_figure(board: Board, span: Span, where: Mapping[str, str]) -> Figure:
    """The figure of a segment over a window."""
    return figure(*board.counts(span.first, span.last, where))


def servicer(
    pool: Any,
    feed: Feed,
    watching: Watching,
    commands: CommandBus,
    clock: Clock,
    broadcasts: Broadcasts,
    zone: tzinfo,
    reader: Any = None,
) -> Servicer:
    """What the runtime's server is given."""
    answers = NpsAnswers(pool, feed, watching, commands, clock, broadcasts, zone, reader)
    register = nps_pb2_grpc.add_NpsServiceServicer_to_server
    return Servicer(register, answers, "touchline.nps.v1.NpsService", changing=("PromiseAction", "EndAction"))
