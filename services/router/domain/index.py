"""What follows from a pool's seats and contacts, kept beside them so that no decision looks at all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from services.router.domain.copying import quick
from services.router.domain.persistent import Ordered
from services.router.domain.policy import Terms
from services.router.domain.pool import Debt, Place, Pool, Profile, Seat, SeatState, Waiting, micros

LEVEL_S = 3600.0
"""Where the best skilled is chosen, a level above what is asked is worth this many seconds of idleness."""
SAME_SEAT_S = 86_400.0
"""The customer's last seat is worth this many."""

Group = tuple[Profile, float]
"""Free seats that can do the same and have the same room left."""
Line = tuple[str, float]
"""Those who wait with the same need, and take as much of a seat: need, weight."""
Timer = tuple[int, str, str]
"""When (µs), what ("offer", "ring", …) and whose."""


@quick
@dataclass(frozen=True, slots=True)
class Index:
    """None of it is changed in place."""

    lines: Mapping[Line, Ordered[Place]]
    """Those who wait, in their order."""
    free: Mapping[Group, Ordered[tuple[int, str]]]
    """Seats that can be offered a contact, by rank."""
    ready: Mapping[Profile, int]
    """How many seats of the profile are ready, free or not."""
    timers: Ordered[Timer]
    held: Mapping[Line, Ordered[tuple[int, str]]]
    """Debts not yet called, oldest first: since when the customer waits (µs), contact."""
    called: frozenset[str]
    """Debts of managed mode that were called and are not yet paid."""
    names: Ordered[tuple[str]]
    """All seats."""
    queue: Ordered[Place]
    """All who wait, whatever their need."""
    stands: dict[str, Mapping[str, int]]
    """Need → how ready seats stand to it, as far as somebody asked since `ready` changed."""


def need_of(skills: Mapping[str, int], language: str) -> str:
    """Name a need: the language, and the skills with their least levels."""
    return _need_of(tuple(sorted(skills.items())), language)


@lru_cache(maxsize=4096)
def _need_of(skills: tuple[tuple[str, int], ...], language: str) -> str:
    return json.dumps([language, skills], ensure_ascii=False)


@lru_cache(maxsize=4096)
def _asked(need: str) -> tuple[str, tuple[tuple[str, int], ...]]:
    language, skills = json.loads(need)
    return language, tuple((name, level) for name, level in skills)


@lru_cache(maxsize=4096)
def _has(profile: Profile) -> tuple[tuple[str, ...], dict[str, int]]:
    languages, skills = json.loads(profile)
    return tuple(languages), dict(skills)


@lru_cache(maxsize=65_536)
def lacking(need: str, profile: Profile) -> str:
    """Return what seats of the profile lack for a need: "skill:refund", "language:en", or nothing."""
    language, asked = _asked(need)
    languages, has = _has(profile)
    for name, level in asked:
        if has.get(name, 0) < level:
            return f"skill:{name}"
    return f"language:{language}" if language and languages and language not in languages else ""


@lru_cache(maxsize=65_536)
def surplus(need: str, profile: Profile) -> int:
    """Return the levels that seats of the profile have above what is asked."""
    _, has = _has(profile)
    return sum(has.get(name, 0) - level for name, level in _asked(need)[1])


def line_of(contact: Waiting) -> Line:
    """Return the line that a contact belongs to."""
    return contact.need, contact.weight


def group_of(seat: Seat) -> Group | None:
    """Return the group of a seat that can be offered a contact; None where it can't."""
    return (seat.profile, round(seat.capacity - seat.used, 6)) if seat.takes else None


def bonus_us(terms: Terms, need: str, profile: Profile) -> int:
    """Return what a profile's skills are worth for a need, in microseconds of idleness."""
    return round(LEVEL_S * 1e6) * surplus(need, profile) if terms.choice == "best_skilled" else 0


def timers_of(terms: Terms, contact: Waiting) -> Iterator[Timer]:
    """What time alone brings to a contact that waits."""
    since = contact.place[1]
    if contact.ring < len(terms.rings):
        yield since + round(terms.rings[contact.ring].after_s * 1e6), "ring", contact.contact_id
    if terms.overflow.pool and not contact.from_pool and not contact.promised:
        yield since + round(terms.overflow.after_s * 1e6), "overflow", contact.contact_id


def debt_timers(terms: Terms, debt: Debt) -> Iterator[Timer]:
    """What time alone brings to a debt. While the bot keeps the line, its contact asks less of its seat as any that waits."""
    due, contact = micros(debt.due_at), debt.contact
    if not debt.overdue:
        yield due, "debt", contact.contact_id
    if debt.called_at is not None:
        return
    if not debt.looked:
        yield due - round(terms.managed.call_before_s * 1e6), "call", contact.contact_id
    if contact.ring < len(terms.rings):
        yield micros(contact.queued_at) + round(terms.rings[contact.ring].after_s * 1e6), "ring", contact.contact_id


def seat_timers(seat: Seat) -> Iterator[Timer]:
    """What time alone brings to a seat."""
    if seat.wrap_until is not None:
        yield micros(seat.wrap_until), "wrap", seat.seat_id
    if seat.away_until is not None:
        yield micros(seat.away_until), "away", seat.seat_id


def build(pool: Pool) -> Index:
    """Make the index of a pool."""
    terms = pool.terms
    lines: dict[Line, list[Place]] = {}
    free: dict[Group, list[tuple[int, str]]] = {}
    ready: dict[Profile, int] = {}
    timers: list[Timer] = []
    for contact in pool.waiting.values():
        lines.setdefault(line_of(contact), []).append(contact.place)
        timers += timers_of(terms, contact)
    for seat in pool.seats.values():
        group = group_of(seat)
        if group is not None:
            free.setdefault(group, []).append((seat.rank_us, seat.seat_id))
        if seat.state is SeatState.READY:
            ready[seat.profile] = ready.get(seat.profile, 0) + 1
        timers += seat_timers(seat)
    timers += ((micros(o.expires_at), "offer", key) for key, o in pool.offers.items())
    timers += ((micros(p.until), "parked", key) for key, p in pool.parked.items())
    held: dict[Line, list[tuple[int, str]]] = {}
    for key, debt in pool.debts.items():
        timers += debt_timers(terms, debt)
        if debt.called_at is None:
            held.setdefault(line_of(debt.contact), []).append((micros(debt.contact.queued_at), key))
    return Index(
        {line: Ordered(places) for line, places in lines.items()},
        {group: Ordered(seats) for group, seats in free.items()},
        ready,
        Ordered(timers),
        {line: Ordered(owed) for line, owed in held.items()},
        frozenset(k for k, d in pool.debts.items() if d.called_at is not None and d.kind == "managed"),
        Ordered((seat_id,) for seat_id in pool.seats),
        Ordered(contact.place for contact in pool.waiting.values()),
        {},
    )
