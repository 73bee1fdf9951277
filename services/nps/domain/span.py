"""A question for figures: which hours a window has."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from services.nps.domain.board import EVER, hour_number
from services.nps.domain.windows import Window, end_of, rolling, start_of

MOST_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class Span:
    """Hours from `first` up to `last`; start and end are the same as moments, None for all time."""

    first: int
    last: int
    start: datetime | None = None
    end: datetime | None = None


ALL_TIME: Final = Span(*EVER)


def between(start: datetime, end: datetime) -> Span:
    """The whole hours from the one in which `start` lies up to that of `end`."""
    return Span(hour_number(start), hour_number(end), start, end)


def span_of(window: Window, moment: datetime, zone: tzinfo = UTC) -> Span:
    """The window of the zone in which the moment lies. Raises OverflowError where the calendar ends."""
    return between(start_of(window, moment, zone), end_of(window, moment, zone))


def rolling_span(moment: datetime, days: int, zone: tzinfo = UTC) -> Span:
    """The last so many days of the zone, the moment's own among them. Raises OverflowError where the calendar ends."""
    return between(rolling(moment, days, zone)[0], end_of("day", moment, zone))
