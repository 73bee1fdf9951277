"""Who was offered to whom: each offer's recorded inputs, held against the rule and against what the pool was told."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import POOLS, Event, micros

MINUTE_US = 60_000_000
RECORDED = 20
"""Waiting contacts that an offer records; beyond them the offered contact stands in the last place."""
TIE_S = 0.002
"""Seconds of idleness that count as the same: a recorded figure is rounded, and ties go by the seat's name."""


@dataclass(frozen=True, slots=True)
class Shift:
    """What a seat said it can do when it signed in. offset: on pool.events."""

    offset: int
    capacity: int
    skills: Mapping[str, int]
    languages: tuple[str, ...]

    def can(self, skills: Mapping[str, int], language: str) -> bool:
        """Whether it can serve somebody with these needs."""
        speaks = not language or not self.languages or language in self.languages
        return speaks and all(self.skills.get(name, 0) >= level for name, level in skills.items())


Shifts = dict[tuple[str, str], list[Shift]]
"""By pool and seat, in the order of the pool's events."""


def shifts(ledger: Ledger) -> Shifts:
    """Every sign-in."""
    found: Shifts = defaultdict(list)
    terms = ledger.evidence.policy.get("pools", {})
    for event in ledger.facts.get("SeatSignedIn", ()):
        seat = event.message
        capacity = seat.capacity or int(terms.get(seat.pool, {}).get("capacity", 1))
        offset = event.place[2] if event.place else 0
        found[seat.pool, seat.seat_id].append(Shift(offset, capacity, dict(seat.skills), tuple(seat.languages)))
    for mine in found.values():
        mine.sort(key=lambda s: s.offset)
    return found


def _standing(mine: list[Shift], cause: int | None) -> list[Shift]:
    """The shift that stood when an event of the pool was decided; all of them where time alone decided."""
    if cause is None:
        return mine
    return [s for s in mine if s.offset <= cause][-1:]


def _cause(ledger: Ledger, event: Event) -> int | None:
    caused_by = ledger.by_topic[POOLS].get(event.cause) if event.cause else None
    return caused_by.place[2] if caused_by and caused_by.place else None


def check_tokens(ledger: Ledger) -> Check:
    """Each pool's fencing tokens rise with its offers, and none is given twice."""
    findings, right = Findings(), 0
    pools: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for event in ledger.facts.get("ContactOffered", ()):
        fact = event.message
        pools[fact.pool].append((fact.token, micros(fact.offered_at), fact.contact_id))
    for pool, offers in sorted(pools.items()):
        offers.sort()
        right += 1
        for (before, earlier, _), (token, later, contact) in pairwise(offers):
            if token == before:
                findings.add(f"pool {pool}: token {token} was given twice, the second time for contact {contact}")
            elif later < earlier:
                findings.add(f"pool {pool}: token {token} is higher than {before}, but was given earlier")
            else:
                right += 1
    return findings.check("令牌递增", "tokens rise in each pool", sum(map(len, pools.values())), right)


def check_capacity(ledger: Ledger) -> Check:
    """No seat holds more contacts, offered or in service, than the capacity with which it signed in."""
    findings, right = Findings(), 0
    known = shifts(ledger)
    ends: dict[tuple[str, int], int] = {}
    closed: dict[tuple[str, str], int] = {}
    for event in ledger.facts.get("ContactClosed", ()):
        fact = event.message
        closed[fact.pool, fact.contact_id] = micros(fact.closed_at)
    for event in ledger.facts.get("ContactMoved", ()):
        if event.message.token:
            ends[event.message.pool, event.message.token] = micros(event.message.moved_at)
    for event in ledger.facts.get("OfferReturned", ()):
        ends[event.message.pool, event.message.token] = micros(event.message.returned_at)
    held: dict[tuple[str, str], list[tuple[int, int, int, Event]]] = defaultdict(list)
    offers = ledger.facts.get("ContactOffered", ())
    for event in offers:
        fact = event.message
        end = ends.get((fact.pool, fact.token), closed.get((fact.pool, fact.contact_id), 1 << 62))
        held[fact.pool, fact.seat_id].append((micros(fact.offered_at), fact.token, end, event))
    for place, mine in sorted(held.items(), key=lambda item: item[0]):
        mine.sort(key=lambda h: h[:2])
        open_: list[int] = []
        for begin, _, end, event in mine:
            open_ = [e for e in open_ if e > begin]
            if end > begin:
                open_.append(end)
            standing = _standing(known.get(place, []), _cause(ledger, event))
            capacity = max((s.capacity for s in standing), default=0)
            if not standing:
                findings.add(
                    f"seat {place[1]} of {place[0]}: was offered {event.message.contact_id}, but not signed in"
                )
            elif len(open_) > capacity:
                findings.add(
                    f"seat {place[1]} of {place[0]}: holds {len(open_)}, capacity {capacity}, with {event.message.contact_id}"
                )
            else:
                right += 1
    return findings.check("席位容量", "no seat above its capacity", len(offers), right)


def check_offers(ledger: Ledger) -> Check:
    """Each offer went to the eligible seat that scored highest, and to the first contact that it could serve."""
    findings = Findings()
    known = shifts(ledger)
    queued = {(e.message.pool, e.message.contact_id): e.message for e in ledger.facts.get("ContactQueued", ())}
    refused: dict[tuple[str, str, str], int] = {}
    for event in ledger.facts.get("OfferReturned", ()):
        fact = event.message
        place = fact.pool, fact.contact_id, fact.seat_id
        refused[place] = min(refused.get(place, fact.token), fact.token)
    for event in ledger.facts.get("ContactMoved", ()):
        fact = event.message
        if fact.seat_id:  # who gave it on is not rung for it at once
            refused[fact.to_pool, fact.contact_id, fact.seat_id] = 0
    offers = ledger.facts.get("ContactOffered", ())
    terms = ledger.evidence.policy.get("pools", {})
    right = 0
    for event in offers:
        fact = event.message
        wrong = _seat(fact)
        wrong += _queue(fact, queued, float(terms.get(fact.pool, {}).get("ageing", 1.0)))
        seat = _standing(known.get((fact.pool, fact.seat_id), []), _cause(ledger, event))
        if not fact.forced_by:  # a supervisor's word goes before the queue
            wrong += _turn(fact, queued, seat, refused)
        for what in wrong:
            findings.add(f"offer {fact.token} of {fact.pool}: {what}")
        right += not wrong
    return findings.check("派席重演", "offers replayed: seat and turn", len(offers), right)


def _seat(fact: Any) -> list[str]:
    eligible = {c.seat_id: c.idle_s for c in fact.candidates if c.eligible}
    if fact.seat_id not in eligible:
        return [f"seat {fact.seat_id} was not eligible"]
    scores = {c.seat_id: c.score for c in fact.candidates if c.eligible}
    if any(scores.values()):
        best = max(scores, key=lambda s: scores[s])
        if fact.forced_by or scores[fact.seat_id] >= scores[best] - TIE_S:
            return []
        return [f"seat {fact.seat_id} scores {scores[fact.seat_id]:.1f}, but {best} {scores[best]:.1f}"]
    longest = max(eligible.values())
    if eligible[fact.seat_id] < longest - TIE_S:
        best = max(eligible, key=lambda s: eligible[s])
        return [f"seat {fact.seat_id} idle for {eligible[fact.seat_id]:.1f} s, but {best} for {longest:.1f} s"]
    return []


def _place(contact: Any, ageing: float) -> tuple[float, int, str]:
    """A contact's place: priority plus ageing by the minute orders any two the same way at any time."""
    since = micros(contact.queued_at)
    if ageing <= 0:
        return -contact.priority, since, contact.contact_id
    return since - round(contact.priority * MINUTE_US / ageing), since, contact.contact_id


def _queue(fact: Any, queued: Mapping[tuple[str, str], Any], ageing: float) -> list[str]:
    waiting = list(fact.waiting)
    if fact.contact_id not in waiting:
        return ["the contact was not in the queue"]
    if len(waiting) >= RECORDED:
        waiting.pop()
    unknown = [w for w in waiting if (fact.pool, w) not in queued]
    if unknown:
        return [f"contact {unknown[0]} waited, but was never queued"]
    places = [_place(queued[fact.pool, w], ageing) for w in waiting]
    return [f"contact {b[2]} stood behind {a[2]}, but goes first" for a, b in pairwise(places) if b < a][:1]


def _turn(
    fact: Any, queued: Mapping[tuple[str, str], Any], seat: list[Shift], refused: Mapping[tuple[str, str, str], int]
) -> list[str]:
    for earlier in fact.waiting:
        if earlier == fact.contact_id:
            break
        contact = queued.get((fact.pool, earlier))
        if contact is None or not seat:
            continue
        if refused.get((fact.pool, earlier, fact.seat_id), 1 << 62) < fact.token:
            continue  # it had refused that one: it is only rung again when everybody has
        if all(shift.can(contact.skills, contact.language) for shift in seat):
            return [f"contact {earlier} stood before {fact.contact_id}, and seat {fact.seat_id} could serve it"]
    return []
