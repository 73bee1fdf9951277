"""What a call log tells of a day. Times are seconds after the day's midnight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NO_SEAT = ""
"""The seat of a call that hung up, or that was answered without taking up anybody."""


@dataclass(frozen=True, slots=True)
class Call:
    """One contact: a call that asked for a seat, and was answered or hung up while it waited."""

    at: float
    """When it asked for a seat."""
    kind: str
    """The log's type of call."""
    group: str
    """The log's priority: what figures are grouped by."""
    tier: str
    """The same where it is known to be the caller's, else empty: the log fills it in for those who queued only."""
    waited_s: float
    answered: bool
    seat: str = NO_SEAT
    service_s: float | None = None
    """How long it was served; None where it hung up, or where the log's figure can't be."""

    called_back: bool = False
    """True where the seat itself rang the caller: it was taken at once, whoever waited."""

    call_id: str = ""
    """What the log calls it."""

    @property
    def off_queue(self) -> bool:
        """True where it was answered without queueing for a seat: called back, or by nobody of the floor."""
        return self.called_back or (self.answered and self.seat == NO_SEAT and self.waited_s == 0)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to before `end` a seat takes calls of these types."""

    start: float
    end: float
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shift:
    """A seat on one day: the spans in which it takes calls, by time; between them it is on a break or rings somebody."""

    seat: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class RecordedDay:
    """A day of the log, its calls by time, and the seats on duty as they were rebuilt from it."""

    name: str
    calls: tuple[Call, ...]
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """Whose patience or service: a type of call and a tier; either may be empty, for any."""

    kind: str
    tier: str


Shares = Mapping[str, Mapping[str, float]]
"""Type → tier → its share of the callers."""
