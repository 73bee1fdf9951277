"""Who is offered to whom: the queue in order, to the seat that holds least and is idle longest."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from services.router.domain.facts import Candidate, ContactOffered
from services.router.domain.pool import Draft, Offer, Seat, SeatState, Waiting, lacks

CANDIDATES_KEPT = 50
"""Seats recorded with an offer: all that could have taken it first, then others by id."""
WAITING_KEPT = 50
"""Waiting contacts recorded with an offer."""


def offer_all(draft: Draft, now: datetime) -> list[ContactOffered]:
    """Offer until nobody who waits could be served by a seat that is free.

    The first in the queue is offered first, to the eligible seat that holds least
    and is idle longest (ties by seat id). A seat
    that declined a contact isn't rung for it again while a ready seat that could serve it, free or busy, hasn't.
    """
    if not draft.lines:
        return []
    free = sorted(
        (s for s in draft.seats.values() if s.state is SeatState.READY and len(s.holds) < s.capacity), key=_idle_first
    )
    if not free:
        return []
    facts: list[ContactOffered] = []
    lines = {
        need: _Line(draft, need, able)
        for need, line in draft.lines.items()
        if (able := [seat.seat_id for seat in free if _able(seat, draft.waiting[line[0]])])
    }
    while lines:
        heads = [(pick[0].place, need, pick) for need, line in lines.items() if (pick := line.head()) is not None]
        if not heads:
            break
        _, need, (contact, seat_id) = min(heads)
        facts.append(_offer(draft, contact, draft.seats[seat_id], lines[need].able, now))
        lines[need].advance()
        for line in lines.values():
            line.offered(seat_id)
    return facts


def _idle_first(seat: Seat) -> tuple[int, datetime, str]:
    """A seat that holds nothing goes before one that still has room, whoever is longer without a new contact."""
    return len(seat.holds), seat.idle_since, seat.seat_id


def _able(seat: Seat, contact: Waiting) -> bool:
    return not lacks(seat, contact.skills, contact.language)


class _Line:
    """Walks one line of the queue, beside the free seats that can serve it."""

    def __init__(self, draft: Draft, need: str, able: list[str]) -> None:
        self.draft = draft
        self.able = able
        self.todo: Iterator[str] = iter(draft.lines[need])
        self.now: Waiting | None = self._next()
        self.ready: frozenset[str] | None = None

    def _next(self) -> Waiting | None:
        contact_id = next(self.todo, None)
        return None if contact_id is None else self.draft.waiting[contact_id]

    def advance(self) -> None:
        self.now = self._next()

    def offered(self, seat_id: str) -> None:
        """A seat was given a contact: it is full, or behind those that hold less."""
        if seat_id in self.able:
            seats = self.draft.seats
            self.able.remove(seat_id)
            if seats[seat_id].takes:
                insort(self.able, seat_id, key=lambda other: _idle_first(seats[other]))

    def head(self) -> tuple[Waiting, str] | None:
        """Return the first who can be served now, and by whom."""
        while self.able and self.now is not None:
            contact = self.now
            if not contact.declined_by:
                return contact, self.able[0]
            seat_id = next((s for s in self.able if s not in contact.declined_by), None)
            if seat_id is None and self._all_declined(contact):
                seat_id = self.able[0]
            if seat_id is not None:
                return contact, seat_id
            self.now = self._next()
        return None

    def _all_declined(self, contact: Waiting) -> bool:
        if self.ready is None:
            self.ready = frozenset(
                seat.seat_id
                for seat in self.draft.seats.values()
                if seat.state is SeatState.READY and _able(seat, contact)
            )
        return self.ready <= frozenset(contact.declined_by)


def _offer(draft: Draft, contact: Waiting, seat: Seat, able: list[str], now: datetime) -> ContactOffered:
    waiting = draft.first(WAITING_KEPT)
    if contact.contact_id not in waiting:
        waiting[-1] = contact.contact_id
    if seat.seat_id in contact.declined_by:
        contact = replace(contact, declined_by=())  # everybody declined: a new pass begins
    candidates = _candidates(draft, contact, able, now)
    draft.dequeue(contact.contact_id)
    draft.token += 1
    expires_at = now + timedelta(seconds=draft.terms.offer_timeout_s)
    draft.put("offers", contact.contact_id, Offer(contact, seat.seat_id, draft.token, expires_at))
    draft.put("seats", seat.seat_id, replace(seat, holds=(*seat.holds, contact.contact_id)))
    return ContactOffered(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        seat_id=seat.seat_id,
        token=draft.token,
        queued_at=contact.queued_at,
        offered_at=now,
        expires_at=expires_at,
        candidates=candidates,
        waiting=tuple(waiting),
        touchpoint=contact.touchpoint,
    )


def why_not(seat: Seat, contact: Waiting) -> str:
    """Return why a seat can't be offered a contact; empty where it can."""
    if seat.state is not SeatState.READY:
        return seat.state.value
    lack = lacks(seat, contact.skills, contact.language)
    if lack:
        return lack
    if len(seat.holds) >= seat.capacity:
        return "busy"
    return "declined" if seat.seat_id in contact.declined_by else ""


def _candidates(draft: Draft, contact: Waiting, able: list[str], now: datetime) -> tuple[Candidate, ...]:
    """The seats that could have taken it, idle longest first (`able` is in that order), then others by id."""
    could = [seat_id for seat_id in able if seat_id not in contact.declined_by][:CANDIDATES_KEPT]
    taken = frozenset(could)
    others = sorted(seat_id for seat_id in draft.seats if seat_id not in taken)[: CANDIDATES_KEPT - len(could)]
    kept = [draft.seats[seat_id] for seat_id in (*could, *others)]
    return tuple(
        Candidate(
            seat_id=seat.seat_id,
            eligible=seat.seat_id in taken,
            why_not="" if seat.seat_id in taken else why_not(seat, contact),
            idle_s=max(0.0, (now - seat.idle_since).total_seconds()) if not seat.holds else 0.0,
        )
        for seat in kept
    )
