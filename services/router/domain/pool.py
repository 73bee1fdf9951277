"""A pool as its owner knows it: seats, who waits, who is offered, who is served.

A contact's place in the queue doesn't depend on the moment: priority plus ageing × waited orders any two contacts
the same way at any time, so a place is computed once. A point of priority is worth 60 / ageing seconds of waiting.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice

from services.router.domain.policy import Terms

CLOSED_KEPT = 1_000
"""Contacts that are over and remembered, so that a late repeat doesn't bring them back."""

Place = tuple[int, int, str]
"""A contact's place: the smaller goes first. Rank, then since when it waits (µs), then its id."""


class SeatState(StrEnum):
    """What a seat does."""

    READY = "ready"
    PAUSED = "paused"
    SIGNED_OUT = "signed_out"
    """Gone, but still has contacts in service."""


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

    @property
    def takes(self) -> bool:
        """True where it can be offered one more contact."""
        return self.state is SeatState.READY and len(self.holds) < self.capacity


@dataclass(frozen=True, slots=True)
class Waiting:
    """A contact that waits, or waited until it was offered."""

    contact_id: str
    customer_id: str
    priority: int
    skills: Mapping[str, int]
    language: str
    queued_at: datetime
    place: Place
    need: str
    """Names what its seat must have; contacts of the same need form one line."""
    declined_by: tuple[str, ...] = ()
    """Seats that refused or missed it in this pass."""
    touchpoint: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A contact offered to a seat."""

    contact: Waiting
    seat_id: str
    token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Service:
    """A contact that a seat serves."""

    contact_id: str
    customer_id: str
    seat_id: str
    token: int
    waited_ms: int
    touchpoint: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    """The whole state of a pool. A contact is in at most one of waiting, offers and serving."""

    pool: str
    terms: Terms = field(default_factory=Terms)
    """The terms under which the places were computed."""
    seats: Mapping[str, Seat] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Need → the ids of those who wait with it, by place."""
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


def place_of(terms: Terms, priority: int, queued_at: datetime, contact_id: str) -> Place:
    """Compute a contact's place under the pool's ageing."""
    queued_us = (queued_at - _EPOCH) // timedelta(microseconds=1)
    if terms.ageing <= 0:
        return -priority, queued_us, contact_id
    return queued_us - round(priority * 60_000_000 / terms.ageing), queued_us, contact_id


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def effective_priority(terms: Terms, contact: Waiting, now: datetime) -> float:
    """Return the priority plus what waiting has added to it."""
    return contact.priority + terms.ageing * (now - contact.queued_at).total_seconds() / 60


def need_of(skills: Mapping[str, int], language: str) -> str:
    """Name a need: the skills with their least levels, and the language."""
    return "|".join((language, *(f"{name}:{level}" for name, level in sorted(skills.items()))))


def lacks(seat: Seat, skills: Mapping[str, int], language: str) -> str:
    """Return what the seat lacks for a need, "skill:refund" or "language:en"; empty where it lacks nothing."""
    for name, level in skills.items():
        if seat.skills.get(name, 0) < level:
            return f"skill:{name}"
    if language and seat.languages and language not in seat.languages:
        return f"language:{language}"
    return ""


class Draft:
    """A pool being changed by one decision: each part is copied when it is first written, and frozen at the end."""

    def __init__(self, pool: Pool) -> None:
        """Begin with the pool as it is."""
        self.was = pool
        self.pool = pool.pool
        self.terms = pool.terms
        self.seats: Mapping[str, Seat] = pool.seats
        self.waiting: Mapping[str, Waiting] = pool.waiting
        self.lines: Mapping[str, tuple[str, ...]] = pool.lines
        self.offers: Mapping[str, Offer] = pool.offers
        self.serving: Mapping[str, Service] = pool.serving
        self.early: Mapping[str, bool] = pool.early
        self.token = pool.token
        self.closed = pool.closed
        self._own: dict[str, dict[str, object]] = {}

    def _mine(self, part: str) -> dict[str, object]:
        own = self._own.get(part)
        if own is None:
            own = self._own[part] = dict(getattr(self, part))
            setattr(self, part, own)
        return own

    def put(self, part: str, key: str, value: object) -> None:
        """Set one entry of a part."""
        self._mine(part)[key] = value

    def drop(self, part: str, key: str) -> None:
        """Remove one entry of a part."""
        self._mine(part).pop(key, None)

    def enqueue(self, contact: Waiting) -> None:
        """Let a contact wait, at the place that its priority and its waiting give it."""
        place = place_of(self.terms, contact.priority, contact.queued_at, contact.contact_id)
        if place != contact.place:
            contact = replace(contact, place=place)
        self.put("waiting", contact.contact_id, contact)
        line = self.lines.get(contact.need, ())
        i = bisect_left(line, place, key=self._place)
        self.put("lines", contact.need, (*line[:i], contact.contact_id, *line[i:]))

    def dequeue(self, contact_id: str) -> Waiting:
        """Take a contact out of the queue."""
        contact = self.waiting[contact_id]
        line = self.lines[contact.need]
        i = bisect_left(line, contact.place, key=self._place)
        left = line[:i] + line[i + 1 :]
        if left:
            self.put("lines", contact.need, left)
        else:
            self.drop("lines", contact.need)
        self.drop("waiting", contact_id)
        return contact

    def _place(self, contact_id: str) -> Place:
        return self.waiting[contact_id].place

    def first(self, n: int) -> list[str]:
        """Return the first n of the queue, over all needs."""
        heads = [islice(line, n) for line in self.lines.values()]
        return list(islice(heapq.merge(*heads, key=self._place), n))

    def close(self, contact_id: str) -> None:
        """Remember that a contact is over."""
        self.closed = (*self.closed[-(CLOSED_KEPT - 1) :], contact_id)

    def under(self, terms: Terms) -> None:
        """Take on the pool's terms; where they changed, everybody's place is computed anew."""
        if terms == self.terms:
            return
        again = terms.ageing != self.terms.ageing
        self.terms = terms
        if not again:
            return
        contacts = list(self.waiting.values())
        self._own["waiting"], self._own["lines"] = {}, {}
        self.waiting, self.lines = self._own["waiting"], self._own["lines"]  # type: ignore[assignment]
        for contact in contacts:
            self.enqueue(contact)

    def freeze(self) -> Pool:
        """Return the pool as it is now."""
        return Pool(
            self.pool, self.terms, self.seats, self.waiting, self.lines, self.offers, self.serving,
            self.token, self.closed, self.early,
        )  # fmt: skip
