"""A pool as its owner knows it: seats, who waits, who is offered, who is served, who was promised a human.

A contact's place in the queue doesn't depend on the moment: priority plus ageing × waited orders any two contacts
the same way at any time, so a place is computed once. A point of priority is worth 60 / ageing seconds of waiting.
A seat's rank doesn't depend on it either: all are idle a second longer a second later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from services.router.domain.copying import quick
from services.router.domain.policy import Terms

CLOSED_KEPT = 1_000
"""Contacts that are over and remembered, so that a late repeat doesn't bring them back."""
HAND_S = 3600.0
"""A contact in hand counts against a seat like this many seconds of idleness: who holds less goes first."""
HALF_LIFE_S = 1800.0
"""In which the anger that a seat absorbed halves."""

Place = tuple[int, int, str]
"""A contact's place: the smaller goes first. Rank, then since when it waits (µs), then its id."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _US


def moment(us: int) -> datetime:
    """The time of so many microseconds since 1970."""
    return _EPOCH + us * _US


class SeatState(StrEnum):
    """What a seat does."""

    READY = "ready"
    PAUSED = "paused"
    SIGNED_OUT = "signed_out"
    """Gone, but still has contacts in service."""
    DRAINING = "draining"
    """Takes no more, by a supervisor's word, and goes with its last contact."""
    AWAY = "away"
    """Its desktop can't be reached."""


READY = SeatState.READY
"""Looked up once: every decision asks for it dozens of times, and a member of an enumeration is found by a call."""


@quick
@dataclass(frozen=True, slots=True)
class Seat:
    """A human seat."""

    seat_id: str
    skills: Mapping[str, int]
    capacity: int
    languages: tuple[str, ...]
    state: SeatState
    idle_since: datetime
    """Since when it waits for its next contact; after a missed or declined offer it starts anew."""
    holds: tuple[str, ...] = ()
    """The contacts that it serves or is offered."""
    misses: int = 0
    """Offers missed in a row."""
    used: float = 0.0
    """What its contacts take of its capacity."""
    wrap_until: datetime | None = None
    """Until when it is at the work after its last contact."""
    away_until: datetime | None = None
    """Until when its contacts wait for it to come back."""
    comes_back: SeatState = SeatState.READY
    """While it is away: what it does once it can be reached again."""
    anger: float = 0.0
    """What it had absorbed at anger_at; it halves in HALF_LIFE_S."""
    anger_at: datetime | None = None
    profile: str = ""
    """Names what it can do; seats of the same profile can serve the same contacts."""
    rank_us: int = 0
    """Of two free seats the one with the smaller is chosen: since when it is idle, later for what it holds and bears."""

    @property
    def takes(self) -> bool:
        """True where it can be offered one more contact of some kind."""
        return self.state is READY and self.wrap_until is None and self.used < self.capacity

    @property
    def leaves(self) -> bool:
        """True where it goes with its last contact."""
        if self.state is READY:
            return False
        state = self.comes_back if self.state is SeatState.AWAY else self.state
        return state in (SeatState.SIGNED_OUT, SeatState.DRAINING)

    def anger_now(self, now: datetime) -> float:
        """Return what of the anger that it absorbed is left."""
        if not self.anger or self.anger_at is None:
            return 0.0
        return float(self.anger * 0.5 ** (max(0.0, (now - self.anger_at).total_seconds()) / HALF_LIFE_S))


Profile = str
"""Names languages and skills of a seat: `profile_of`."""


def profile_of(languages: tuple[str, ...], skills: Mapping[str, int]) -> Profile:
    """Name what a seat can do."""
    return json.dumps([languages, sorted(skills.items())], ensure_ascii=False)


@quick
@dataclass(frozen=True, slots=True)
class Waiting:
    """A contact that waits, or waited until it was offered."""

    contact_id: str
    customer_id: str
    priority: int
    skills: Mapping[str, int]
    """What is asked of its seat now; rings relax it."""
    language: str
    queued_at: datetime
    place: Place
    need: str
    """Names what its seat must have; contacts of the same need form one line."""
    declined_by: tuple[str, ...] = ()
    """Seats that refused or missed it in this pass."""
    touchpoint: str = ""
    channel: str = ""
    weight: float = 1.0
    """What it takes of its seat's capacity."""
    protected: bool = False
    ring: int = 0
    """How often its requirements were relaxed."""
    call_back: bool = False
    """The customer is not on the line: the seat calls."""
    from_pool: str = ""
    promised: bool = False
    """A debt stands for it: it goes over to no other pool by itself."""
    last_seat: str = ""
    """The seat that served its customer last, where that counts."""
    first_skills: Mapping[str, int] | None = None
    """What was asked before the first ring; None where none was passed."""
    first_language: str = ""
    predicted_s: float = -1.0
    """The wait that was foretold; negative where none was."""
    arrived_at: datetime | None = None
    """Since when it waits in this pool, which may be later than `queued_at`."""


@quick
@dataclass(frozen=True, slots=True)
class Offer:
    """A contact offered to a seat."""

    contact: Waiting
    seat_id: str
    token: int
    expires_at: datetime


@quick
@dataclass(frozen=True, slots=True)
class Service:
    """A contact that a seat serves."""

    contact_id: str
    customer_id: str
    seat_id: str
    token: int
    waited_ms: int
    touchpoint: str = ""
    contact: Waiting | None = None
    """As it waited, to give it on; None in a state from before."""
    began_at: datetime | None = None
    weight: float = 1.0


@quick
@dataclass(frozen=True, slots=True)
class Debt:
    """A promise: a human by then."""

    contact: Waiting
    kind: str
    """"managed" or "call_back"."""
    incurred_at: datetime
    due_at: datetime
    called_at: datetime | None = None
    """Since when it waits for a seat; None while the bot keeps the line."""
    overdue: bool = False
    """It was told that it is."""
    looked: bool = False
    """It has been looked at since it is soon due, and was not called: idle seats went to the oldest debt anyway."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A contact that waits, keeps its place, and can't be offered for now."""

    contact: Waiting
    why: str
    """"cut_off": its customer's line broke; "last_seat": it waits for that seat alone."""
    until: datetime
    held_until: datetime | None = None
    """One that is cut off: until when it waited for its last seat alone; None where it waited for anybody."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How the pool deals with contacts: humans, or the bot keeps the line."""

    managed: bool = False
    since: datetime | None = None
    hand: str = ""
    """"managed" or "human" where a supervisor decided; empty where the load does."""
    by: str = ""
    reason: str = ""
    looked: bool = False
    """It has been looked at since it may change again by load."""


@quick
@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the queue gives contacts to seats: what a wait is foretold by."""

    exits: float = 0.0
    """Contacts that left the queue, older ones counting less."""
    busy_s: float = 0.0
    """Seconds in which somebody waited, likewise."""
    at: datetime | None = None
    """Since when the time that somebody waits is not yet counted; None where nobody does."""
    high: float = 2.0
    """A tenth of the waits were longer than this many times the foretold."""


@quick
@dataclass(frozen=True, slots=True)
class Tally:
    """Contacts since the pool began, by what became of them."""

    arrived: int = 0
    human: int = 0
    bot: int = 0
    """Their debts were released."""
    abandoned: int = 0
    moved: int = 0
    """To another pool."""


@quick
@dataclass(frozen=True, slots=True)
class Pool:
    """The whole state of a pool. A contact is in at most one of waiting, parked, offers, serving and debts not yet called."""

    pool: str
    terms: Terms = field(default_factory=Terms)
    """The terms under which the places were computed."""
    seats: Mapping[str, Seat] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    offers: Mapping[str, Offer] = field(default_factory=dict)
    """By contact."""
    serving: Mapping[str, Service] = field(default_factory=dict)
    """By contact."""
    token: int = 0
    """The last fencing token given."""
    closed: tuple[str, ...] = ()
    """The last contacts that are over."""
    early: Mapping[str, bool] = field(default_factory=dict)
    """Withdrawn before they were queued: contact → abandoned."""
    debts: Mapping[str, Debt] = field(default_factory=dict)
    """By contact, until paid or released."""
    parked: Mapping[str, Parked] = field(default_factory=dict)
    """By contact."""
    mode: Mode = Mode()
    pace: Pace = Pace()
    tally: Tally | None = None
    """None in a state from before: what is there then has arrived."""
    last_seats: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    """Customer → the seat that served last, and until when."""
    gone_to: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    """Contacts given to another pool → which, and when: the last ones, of which may still be said something here."""
    gather_until: datetime | None = None
    """Until when contacts and seats are gathered to be matched together."""
    index: Any = field(default=None, compare=False, repr=False)
    """What follows from the rest (an `index.Index`), for speed; None where it is to be built, and never stored."""


def place_of(terms: Terms, priority: int, queued_at: datetime, contact_id: str) -> Place:
    """Compute a contact's place under the pool's ageing."""
    queued_us = micros(queued_at)
    if terms.ageing <= 0:
        return -priority, queued_us, contact_id
    return queued_us - round(priority * 60_000_000 / terms.ageing), queued_us, contact_id


def effective_priority(terms: Terms, contact: Waiting, now: datetime) -> float:
    """Return the priority plus what waiting has added to it."""
    return contact.priority + terms.ageing * (now - contact.queued_at).total_seconds() / 60


def standing(pool: Pool) -> dict[str, int]:
    """Return where the pool's contacts are: all that arrived, and each place they can be in."""
    tally = pool.tally or Tally()
    if pool.index is not None:
        held = sum(map(len, pool.index.held.values()))
    else:
        held = sum(1 for debt in pool.debts.values() if debt.called_at is None)
    places = {
        "human": tally.human,
        "bot": tally.bot,
        "abandoned": tally.abandoned,
        "moved": tally.moved,
        "queued": len(pool.waiting) + len(pool.parked),
        "offered": len(pool.offers),
        "in_service": len(pool.serving),
        "debts": held,
    }
    before = sum(places.values()) if pool.tally is None else 0
    return {"arrived": tally.arrived + before, **places}


def imbalance(pool: Pool) -> int:
    """Return how many contacts arrived and are nowhere (or are somewhere and never arrived, where negative)."""
    places = standing(pool)
    return places.pop("arrived") - sum(places.values())
