"""The words of a planned day. Times are seconds after the day's local midnight unless said otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, Literal

# The retailer serves China, which has one time zone and no summer time.
LOCAL = timezone(timedelta(hours=8))
BOT = "bot"

CloudEvent = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shopper:
    """A customer as the retailer's channels know them. `language` is "zh" or "en"."""

    id: str
    tier: str
    vulnerable: bool
    language: str
    region: str
    store: str


@dataclass(frozen=True, slots=True)
class SurveyPlan:
    """What the customer will answer when asked.

    score: 0 to 10, before the contact's course moves it. fixed: nothing moves it (a real answer).
    delay_s: how long after the contact. corrected: the score that the customer puts right later, or None.
    """

    survey_id: str
    score: int
    delay_s: float
    comment: str = ""
    fixed: bool = False
    corrected: int | None = None
    retracted: bool = False


@dataclass(frozen=True, slots=True)
class TicketPlan:
    """A case that comes of a contact; resolved after `resolve_s`, and brought back once where `reopened`."""

    ticket_id: str
    topic: str
    priority: int
    resolve_s: float
    reopened: bool = False
    resolved: bool = True


MovedBy = Literal["follow_up", "outreach"]
"""What may spare a contact: that somebody followed up, or that the customer was told of trouble before asking."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A contact that may not come, drawn beforehand for both cases, so that what is prevented is known and not guessed.

    alone: whether the customer comes where nobody was quicker. reached: whether they come where somebody was; only where `alone`.
    """

    moved_by: MovedBy
    alone: bool
    reached: bool


@dataclass(frozen=True, slots=True)
class ContactPlan:
    """A contact before anybody has decided who takes it.

    at: when it is requested. opening: what the customer says at once; later: as it goes on.
    replies: what the seat or bot answers, in order (short ones are made up where there are fewer).
    patience_s: how long the customer waits for a human before giving up. service_s: how long a seat needs.
    handover: why a bot would fail with it ("customer_asked", "bot_failed", "mood"), or "" where it succeeds.
    doubt: whether the customer comes at all; None for certain.
    """

    contact_id: str
    shopper: Shopper
    at: float
    channel: str
    touchpoint: str
    topic: str
    product: str
    wants_human: bool
    opening: tuple[str, ...]
    later: tuple[str, ...]
    patience_s: float
    service_s: float
    handover: str = ""
    replies: tuple[str, ...] = ()
    survey: SurveyPlan | None = None
    ticket: TicketPlan | None = None
    traceparent: str = ""
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class SeatPlan:
    """A human seat's shift: `breaks` are (start, end). skills: skill → level, 1 to 5."""

    seat_id: str
    pool: str
    skills: Mapping[str, int]
    languages: tuple[str, ...]
    capacity: int
    start: float
    end: float
    breaks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Outside:
    """An event that no decision changes: sent at `at` (its own time may be earlier)."""

    at: float
    event: CloudEvent


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that somebody puts straight on Kafka and nobody can read. kind: what is wrong with it."""

    at: float
    kind: str
    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The hours played: [start, end) in seconds after midnight, and the incident's place within."""

    start: float
    end: float
    incident: tuple[float, float] | None

    def at(self, share: float) -> float:
        """The moment at this share (0 to 1) of the window."""
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Noise:
    """How the world disturbs what is sent, as shares of all events (late: of those that can be late)."""

    duplicates: float = 0.015
    late: float = 0.06


@dataclass(frozen=True, slots=True)
class Day:
    """A planned day: the same seed gives the same day."""

    seed: int
    midnight: datetime
    window: Window
    contacts: tuple[ContactPlan, ...]
    seats: tuple[SeatPlan, ...]
    outside: tuple[Outside, ...]
    unreadable: tuple[Unreadable, ...]
    noise: Noise = field(default_factory=Noise)

    def moment(self, at: float) -> datetime:
        """The date and time of a second of this day."""
        return self.midnight + timedelta(seconds=at)


def window_of(hours: float) -> Window:
    """The hours played. The whole day is 08:00–22:00 with the incident at 14:00; a shorter one lies around the incident."""
    if not 0.1 <= hours <= 14:
        raise ValueError("hours must be between 0.1 and 14")
    share = (14 - 8) / 14
    start = (14 - share * hours) * 3600
    end = start + hours * 3600
    return Window(start, end, (14 * 3600.0, 14 * 3600 + min(2700.0, 0.2 * hours * 3600)))


def dice(seed: int, *what: object) -> Random:
    """A generator of its own for one thing, so that what happens elsewhere does not change it."""
    return Random(f"{seed}/" + "/".join(map(str, what)))
