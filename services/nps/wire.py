"""Figures as protobuf tells them, and windows as it asks for them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Protocol

from google.protobuf.timestamp_pb2 import Timestamp
from touchline.nps.v1 import nps_pb2

from services.nps.domain import words
from services.nps.domain.enough import enough
from services.nps.domain.figures import Figure
from services.nps.domain.shrink import Shrunk
from services.nps.domain.span import ALL_TIME, MOST_DAYS, Span, rolling_span, span_of
from services.nps.domain.windows import Window
from services.runtime.rpc import invalid

LARGEST_SELECTION: Final = 16
"""Dimensions that can be asked for: no answer has more."""
_WINDOWS: Final[dict[int, Window]] = {
    nps_pb2.WINDOW_HOUR: "hour",
    nps_pb2.WINDOW_DAY: "day",
    nps_pb2.WINDOW_WEEK: "week",
    nps_pb2.WINDOW_MONTH: "month",
}
_ENOUGH: Final = {
    "none": nps_pb2.ENOUGH_NONE,
    "few": nps_pb2.ENOUGH_FEW,
    "wide": nps_pb2.ENOUGH_WIDE,
    "enough": nps_pb2.ENOUGH_ENOUGH,
}


class Asks(Protocol):
    """A request for a window."""

    @property
    def window(self) -> Any: ...
    @property
    def at(self) -> Timestamp: ...
    @property
    def days(self) -> int: ...


def span(request: Asks, zone: tzinfo) -> Span:
    """The hours of a window of the zone. Raises RpcError, naming the field."""
    if request.window == nps_pb2.WINDOW_UNSPECIFIED:
        return ALL_TIME
    if request.at == Timestamp():
        raise invalid("at: is missing; a window needs a moment within it")
    try:
        at = request.at.ToDatetime(tzinfo=UTC)
        if request.window == nps_pb2.WINDOW_ROLLING:
            if not 1 <= request.days <= MOST_DAYS:
                raise invalid(f"days: is {request.days}; between 1 and {MOST_DAYS} is possible")
            return rolling_span(at, request.days, zone)
        if request.window in _WINDOWS:
            return span_of(_WINDOWS[request.window], at, zone)
    except (ValueError, OverflowError):
        raise invalid("at: is out of range") from None
    raise invalid("window: is not a known window")


def bounded_span(request: Asks, at: datetime, usual: int, most: int, zone: tzinfo) -> Span:
    """The window's hours where it must have an end: without a window, the last `days` days, `usual` where they are not told.

    Raises RpcError, naming the field.
    """
    if not 0 <= request.days <= most:
        raise invalid(f"days: is {request.days}; between 0 (for {usual}) and {most} is possible")
    if request.window in (nps_pb2.WINDOW_UNSPECIFIED, nps_pb2.WINDOW_ROLLING):
        try:
            return rolling_span(at, request.days or usual, zone)
        except (ValueError, OverflowError):
            raise invalid("at: is out of range") from None
    if request.window not in _WINDOWS:
        raise invalid("window: is not a known window")
    try:
        return span_of(_WINDOWS[request.window], at, zone)
    except (ValueError, OverflowError):
        raise invalid("at: is out of range") from None


def where_of(given: Mapping[str, str]) -> dict[str, str]:
    """The segments that are asked for. Raises RpcError, naming the field."""
    check_few("where", given)
    for dimension, value in given.items():
        if not dimension or not value:
            raise invalid("where: has an empty dimension or value")
    return dict(given)


def check_few(field: str, given: Iterable[str]) -> None:
    """Refuses more dimensions than an answer can have."""
    found = len(list(given))
    if found > LARGEST_SELECTION:
        raise invalid(f"{field}: has {found} entries; at most {LARGEST_SELECTION} are answered")


def bare(f: Figure) -> nps_pb2.Figure:
    """Counts, score and interval."""
    return nps_pb2.Figure(
        promoters=f.promoters, passives=f.passives, detractors=f.detractors, n=f.n, nps=f.nps, low=f.low, high=f.high
    )


def told(f: Figure, shrunk: Shrunk | None = None, asked: nps_pb2.Asked | None = None) -> nps_pb2.Figure:
    """The figure with what it is worth, in words."""
    worth = enough(f)
    zh, en = words.scores(f, worth)
    return nps_pb2.Figure(
        promoters=f.promoters, passives=f.passives, detractors=f.detractors, n=f.n, nps=f.nps, low=f.low, high=f.high,
        enough=_ENOUGH[worth.verdict],
        more=worth.more,
        zh=zh,
        en=en,
        shrunk=nps_pb2.Shrunk(nps=shrunk.nps, low=shrunk.low, high=shrunk.high, own=shrunk.own) if shrunk else None,
        asked=asked,
    )  # fmt: skip
