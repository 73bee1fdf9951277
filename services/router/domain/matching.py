"""Who is offered to whom: the queue in order, to the seat that scores highest.

A score counts in seconds of idleness: how long the seat is idle, less an hour for each contact in its hands and what the
anger that it absorbed is worth; more for skill above what is asked, where the policy prefers the best skilled, and for
having served the customer last.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import chain, islice

from services.router.domain.copying import changed
from services.router.domain.draft import Draft
from services.router.domain.facts import Candidate, ContactOffered
from services.router.domain.index import SAME_SEAT_S, bonus_us, lacking
from services.router.domain.optimum import assign
from services.router.domain.persistent import Ordered
from services.router.domain.pool import HAND_S, READY, Offer, Place, Seat, SeatState, Waiting, micros
from services.router.domain.room import EPS, Kept, room_for

CANDIDATES_KEPT = 12
"""Seats named with an offer: those that could have taken it first, then others by id; the rest are counted."""
WAITING_KEPT = 20
"""Waiting contacts recorded with an offer."""
TOGETHER = 32
"""Contacts that are matched together at most; those behind them follow at once."""

_COUNTED_AS = {"declined": "free", "kept": "free", "reserved": "free", "": "free", "wrap_up": "busy"} | {
    state.value: "not_ready" for state in SeatState if state is not SeatState.READY
}


def offer_all(draft: Draft) -> list[ContactOffered]:
    """Offer until nobody who waits could be served by a seat that is free.

    A seat that declined a contact isn't rung for it again while a ready seat that could serve it, free or busy, hasn't.
    """
    facts: list[ContactOffered] = []
    while draft.free and draft.lines:
        lines, kept = room_for(draft)
        if not lines:
            break
        if _several(draft):
            heads = _heads(draft, lines, kept)
            first = next(heads, None)
            if first is None:
                break
            facts += _together(draft, chain((first,), heads), kept)
            continue
        contact = draft.waiting[min(line.first for line in lines)[2]]
        seat = best_seat(draft, contact, kept)
        if seat is None:  # it declined: whoever is behind it, then
            contact = next(_heads(draft, lines, kept), contact)
            seat = best_seat(draft, contact, kept)
        if seat is None:
            break
        facts.append(make_offer(draft, contact, seat, kept=_barred(kept, contact)))
    return facts


def _several(draft: Draft) -> bool:
    """Whether more than one seat is free and more than one contact waits."""
    if len(draft.waiting) < 2:
        return False
    seats = 0
    for group in draft.free.values():
        seats += len(group)
        if seats > 1:
            return True
    return False


def _barred(kept: Kept | None, contact: Waiting) -> dict[str, str]:
    """The seat that is kept for somebody before a contact, and for whom."""
    return {kept.seat_id: f"reserved:{kept.place[2]}"} if kept is not None and kept.bars(contact.place) else {}


def _heads(draft: Draft, lines: list[Ordered[Place]], kept: Kept | None) -> Iterator[Waiting]:
    """Those of the lines who can be served now, in the queue's order."""
    for place in lines[0] if len(lines) == 1 else heapq.merge(*lines):
        contact = draft.waiting[place[2]]
        if best_seat(draft, contact, kept) is not None:
            yield contact


def best_seat(draft: Draft, contact: Waiting, kept: Kept | None) -> str | None:
    """Return the free seat with the highest score; None where none can be offered the contact."""
    barred = kept.seat_id if kept is not None and kept.bars(contact.place) else ""
    if contact.last_seat and contact.last_seat not in contact.declined_by:
        seat = draft.seats.get(contact.last_seat)
        if seat is not None and seat.seat_id != barred and fits(seat, contact):
            return contact.last_seat
    best: tuple[int, str] | None = None
    refused: list[tuple[int, str]] = []
    for (profile, room), seats in draft.free.items():
        if room < contact.weight - EPS or lacking(contact.need, profile):
            continue
        bonus = bonus_us(draft.terms, contact.need, profile)
        for rank, seat_id in seats:
            mine = (rank - bonus, seat_id)
            if best is not None and mine >= best:
                break
            if seat_id == barred:
                continue
            if seat_id not in contact.declined_by:
                best = mine
                break
            refused.append(mine)
    if best is not None:
        return best[1]
    return min(refused)[1] if refused and _all_declined(draft, contact) else None


def fits(seat: Seat, contact: Waiting) -> bool:
    """Whether the seat is free for the contact and can serve it."""
    room = seat.capacity - seat.used
    return seat.takes and room >= contact.weight - EPS and not lacking(contact.need, seat.profile)


def _all_declined(draft: Draft, contact: Waiting) -> bool:
    """Whether every ready seat that could serve the contact has declined it."""
    ready = sum(n for profile, n in draft.ready.items() if not lacking(contact.need, profile))
    declined = 0
    for seat_id in contact.declined_by:
        seat = draft.seats.get(seat_id)
        if seat is not None and seat.state is SeatState.READY and not lacking(contact.need, seat.profile):
            declined += 1
    return declined >= ready


def score(draft: Draft, seat: Seat, contact: Waiting) -> float:
    """Return what speaks for the seat, in seconds of idleness."""
    found = (micros(draft.now) - seat.rank_us + bonus_us(draft.terms, contact.need, seat.profile)) / 1e6
    return found + (SAME_SEAT_S if contact.last_seat == seat.seat_id else 0.0)


def _together(draft: Draft, contacts: Iterable[Waiting], kept: Kept | None) -> list[ContactOffered]:
    """Offer several at once, each seat getting one at most: the best assignment that keeps the queue's order."""
    seats = _useful(draft)
    asked: list[Waiting] = []
    rows: list[list[float | None]] = []

    def scores() -> Iterator[list[float | None]]:
        for contact in islice(contacts, TOGETHER):
            asked.append(contact)
            declined = _ruled_out(draft, contact, kept)
            rows.append([
                score(draft, seat, contact) if fits(seat, contact) and seat.seat_id not in declined else None
                for seat in seats
            ])  # fmt: skip
            yield rows[-1]

    found = assign(scores())
    # Whoever would be served better by another's seat, one more in its hands, is matched anew once the others have theirs:
    # else a full seat were filled up beside an empty one.
    while (n := _evenly(draft, seats, asked, found, kept)) < len(found):
        found = assign(rows[:n])
    pairs = [(contact, seats[j].seat_id) for contact, j in zip(asked, found, strict=False) if j >= 0]
    others = {seat_id: f"kept:{contact.contact_id}" for contact, seat_id in pairs}
    facts = []
    for contact, seat_id in pairs:
        del others[seat_id]
        facts.append(make_offer(draft, contact, seat_id, kept={**_barred(kept, contact), **others}))
    return facts


def _evenly(
    draft: Draft, seats: Sequence[Seat], asked: Sequence[Waiting], found: Sequence[int], kept: Kept | None
) -> int:
    """How many contacts there are before the first that one of their seats would then serve better than its own."""
    roomy: list[tuple[Seat, float]] = []
    for n, (contact, j) in enumerate(zip(asked, found, strict=False)):
        if j < 0:
            continue
        seat = seats[j]
        for other, taken in roomy:
            if (
                other.capacity - other.used - taken >= contact.weight - EPS
                and not lacking(contact.need, other.profile)
                and score(draft, other, contact) - HAND_S * taken > score(draft, seat, contact)
                and other.seat_id not in _ruled_out(draft, contact, kept)
            ):
                return n
        if seat.capacity - seat.used > contact.weight:
            roomy.append((seat, contact.weight))
    return len(found)


def _ruled_out(draft: Draft, contact: Waiting, kept: Kept | None) -> tuple[str, ...]:
    """Seats that declined a contact, unless all have, and one that is kept for somebody before it."""
    declined = () if not contact.declined_by or _all_declined(draft, contact) else contact.declined_by
    return (*declined, *_barred(kept, contact))


def _useful(draft: Draft) -> list[Seat]:
    """Free seats that can matter to the first contacts: the first of each group that can serve anybody, and last seats.

    Of a group no more than contacts are matched together, and as many again as their declines could rule out.
    """
    most = min(TOGETHER, len(draft.waiting))
    first = [draft.waiting[contact_id] for contact_id in draft.first(most)]
    declined = {seat_id for contact in first for seat_id in contact.declined_by}
    found: dict[str, Seat] = {}
    for (profile, _), seats in draft.free.items():
        if all(lacking(need, profile) for need, _ in draft.lines):
            continue
        left = most
        for _, seat_id in seats:
            found[seat_id] = draft.seats[seat_id]
            left -= seat_id not in declined
            if not left:
                break
    for contact in first:
        seat = draft.seats.get(contact.last_seat) if contact.last_seat else None
        if seat is not None and fits(seat, contact):
            found[seat.seat_id] = seat
    return sorted(found.values(), key=lambda seat: (seat.rank_us, seat.seat_id))


def make_offer(
    draft: Draft, contact: Waiting, seat_id: str, *, kept: Mapping[str, str] | None = None, forced_by: str = ""
) -> ContactOffered:
    """Offer a contact that waits to a seat. kept: seats that are free but go to another → why not."""
    seat = draft.seats[seat_id]
    waiting: list[str] = []
    if draft.record:
        waiting = draft.first(WAITING_KEPT)
        if contact.contact_id not in waiting:
            waiting[-1] = contact.contact_id
    if seat_id in contact.declined_by:
        contact = changed(contact, declined_by=())  # everybody declined: a new pass begins
    candidates, others = _candidates(draft, contact, seat_id, kept or {}) if draft.record else ((), {})
    draft.dequeue(contact.contact_id)
    draft.token += 1
    expires_at = draft.now + timedelta(seconds=draft.terms.offer_timeout_s)
    draft.put_offer(Offer(contact, seat_id, draft.token, expires_at))
    draft.put_seat(changed(seat, holds=(*seat.holds, contact.contact_id)))
    return ContactOffered(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        seat_id=seat_id,
        token=draft.token,
        queued_at=contact.queued_at,
        offered_at=draft.now,
        expires_at=expires_at,
        candidates=candidates,
        waiting=tuple(waiting),
        touchpoint=contact.touchpoint,
        others=others,
        ring=contact.ring,
        call_back=contact.call_back,
        forced_by=forced_by,
        policy=draft.terms.version,
    )


def why_not(seat: Seat, contact: Waiting, kept: Mapping[str, str]) -> str:
    """Return why a seat can't be offered a contact; empty where it can."""
    if seat.state is not READY:
        return seat.state.value
    lack = lacking(contact.need, seat.profile)
    if lack:
        return lack
    if seat.wrap_until is not None:
        return "wrap_up"
    if seat.capacity - seat.used < contact.weight - EPS:
        return "busy"
    if seat.seat_id in contact.declined_by:
        return "declined"
    return kept.get(seat.seat_id, "")


def _candidates(
    draft: Draft, contact: Waiting, chosen: str, kept: Mapping[str, str]
) -> tuple[tuple[Candidate, ...], dict[str, int]]:
    """The seats that could have taken it, highest score first, then others by id; and how many more for which reason."""
    could = [chosen]
    heads = (
        [
            (rank - bonus_us(draft.terms, contact.need, profile), seat_id)
            for rank, seat_id in seats.head(CANDIDATES_KEPT)
        ]
        for (profile, room), seats in draft.free.items()
        if room >= contact.weight - EPS and not lacking(contact.need, profile)
    )
    for _, seat_id in heapq.merge(*heads):
        if len(could) >= CANDIDATES_KEPT:
            break
        if seat_id != chosen and seat_id not in contact.declined_by:
            could.append(seat_id)
    named = set(could)
    for (seat_id,) in draft.names:
        if len(named) >= CANDIDATES_KEPT:
            break
        if seat_id not in named:
            named.add(seat_id)
            could.append(seat_id)
    made, seats, now = [], draft.seats, draft.now
    more = standing_to(draft, contact)
    for seat_id in could:
        seat = seats[seat_id]
        why = "" if seat_id == chosen else why_not(seat, contact, kept)
        if why and seat.holds:
            made.append(_unable(seat_id, why))
        else:
            idle = 0.0 if seat.holds else max(0.0, (now - seat.idle_since).total_seconds())
            points = 0.0 if why else score(draft, seat, contact)
            made.append(Candidate(seat_id=seat_id, eligible=not why, why_not=why, idle_s=idle, score=points))
        kind = why if why in more else _COUNTED_AS.get(why.partition(":")[0], "")
        if more.get(kind, 0) > 0:
            more[kind] -= 1
    return tuple(made), {why: n for why, n in more.items() if n > 0}


@lru_cache(maxsize=16_384)
def _unable(seat_id: str, why: str) -> Candidate:
    """A seat with contacts in its hands that can't take another: the same is said of it again and again."""
    return Candidate(seat_id=seat_id, eligible=False, why_not=why, idle_s=0.0, score=0.0)


def standing_to(draft: Draft, contact: Waiting) -> dict[str, int]:
    """How the pool's seats stand to a contact: "free", "busy", what they lack, or that they are not ready → how many."""
    need = contact.need
    stands = draft.stands.get(need)
    if stands is None:
        counted: dict[str, int] = {}
        for profile, n in draft.ready.items():
            why = lacking(need, profile) or "busy"
            counted[why] = counted.get(why, 0) + n
        stands = draft.stands[need] = counted
    found = dict(stands)
    ready = sum(stands.values())
    for (profile, room), seats in draft.free.items():
        if room >= contact.weight - EPS and not lacking(need, profile):
            found["free"] = found.get("free", 0) + len(seats)
            found["busy"] -= len(seats)
    if len(draft.seats) > ready:
        found["not_ready"] = len(draft.seats) - ready
    return {why: n for why, n in found.items() if n > 0}
