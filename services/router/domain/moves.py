"""Contacts that move while they wait or are served: relaxed, over to another pool, given on, cut off, called back.

Wherever a contact goes, its clock goes on: it takes the place that its whole wait gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from services.router.domain import debts, offers
from services.router.domain.copying import changed
from services.router.domain.draft import Draft
from services.router.domain.events import ContactLine, ServiceTransferred, TurnPassed
from services.router.domain.facts import ContactClosed, ContactMoved, ContactQueued, Outcome, PoolFact
from services.router.domain.facts import ContactLine as LineElsewhere
from services.router.domain.facts import TurnPassed as TurnElsewhere
from services.router.domain.index import need_of
from services.router.domain.policy import Ring
from services.router.domain.pool import SeatState, Service, Waiting
from services.router.domain.room import EPS

# -- rings --------------------------------------------------------------------------------------------------------


def relaxed(contact: Waiting, ring: Ring) -> Waiting:
    """Ask less of the seat, as the ring says; the place stays."""
    skills: Mapping[str, int] = {
        name: level - ring.lower
        for name, level in contact.skills.items()
        if name not in ring.drop and level > ring.lower
    }
    language = "" if ring.any_language else contact.language
    first = contact.first_skills is None
    return changed(
        contact,
        skills=skills,
        language=language,
        need=need_of(skills, language),
        ring=contact.ring + 1,
        first_skills=contact.skills if first else contact.first_skills,
        first_language=contact.language if first else contact.first_language,
    )


def relax(draft: Draft, contact_id: str) -> list[PoolFact]:
    """Let a contact that waits ask less of its seat: the next ring has come. So does one that the bot keeps."""
    contact, rings = draft.waiting.get(contact_id), draft.terms.rings
    debt = draft.debts.get(contact_id)
    if contact is None and debt is not None and debt.called_at is None and debt.contact.ring < len(rings):
        draft.put_debt(changed(debt, contact=relaxed(debt.contact, rings[debt.contact.ring])))
    if contact is None or contact.ring >= len(rings):
        return []
    draft.dequeue(contact_id)
    draft.enqueue(relaxed(contact, rings[contact.ring]))
    return []


# -- to another pool ----------------------------------------------------------------------------------------------


def overflow(draft: Draft, contact_id: str) -> list[PoolFact]:
    """Send a contact that waited too long here to wait in the pool for that."""
    contact = draft.waiting.get(contact_id)
    if contact is None or contact.promised or not draft.terms.overflow.pool:
        return []
    draft.dequeue(contact_id)
    draft.left_queue()
    return _move(draft, contact, draft.terms.overflow.pool, "overflow", f"after {draft.terms.overflow.after_s:g} s")


def transfer(draft: Draft, event: ServiceTransferred) -> str | list[PoolFact]:
    """Give a served contact on, to another pool or to another seat of this one. Returns the reason where it is refused."""
    held = offers.held_by(draft, event)
    if isinstance(held, str):
        return held
    if held.contact is None:
        return f"contact {event.contact_id} was accepted before this version and can't be given on; finish it"
    if draft.terms.pools and event.to_pool and event.to_pool not in draft.terms.pools:
        return f"pool {event.to_pool} is not in the policy"
    draft.drop_service(held.contact_id)
    offers.release(draft, held.seat_id, held.contact_id, wrap_up=True)
    contact = changed(held.contact, declined_by=(held.seat_id,), call_back=False, promised=False)
    return _move(draft, contact, event.to_pool or draft.pool, "transfer", event.reason, held)


def _move(
    draft: Draft, contact: Waiting, to_pool: str, cause: str, reason: str, held: Service | None = None
) -> list[PoolFact]:
    moved = ContactMoved(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        to_pool=to_pool,
        seat_id=held.seat_id if held else "",
        token=held.token if held else 0,
        cause=cause,
        reason=reason,
        queued_at=contact.queued_at,
        moved_at=draft.now,
    )
    if to_pool == draft.pool:
        draft.enqueue(contact)
        return [moved]
    draft.count("moved")
    draft.forward(contact.contact_id, to_pool)
    queued = ContactQueued(
        pool=to_pool,
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        priority=contact.priority,
        skills=contact.skills if contact.first_skills is None else contact.first_skills,
        language=contact.language if contact.first_skills is None else contact.first_language,
        requested_at=contact.queued_at,
        queued_at=contact.queued_at,
        channel=contact.channel,
        touchpoint=contact.touchpoint,
        protected=True,  # it was with a human, or has waited for one long enough
        call_back=contact.call_back,
        from_pool=draft.pool,
        not_seat=held.seat_id if held else "",
    )
    return [moved, queued]


# -- lines that break ---------------------------------------------------------------------------------------------


def seat_gone(draft: Draft, seat_id: str) -> list[PoolFact]:
    """A seat that was cut off didn't come back: those it served wait again, at the place of their whole wait."""
    seat = draft.seats.get(seat_id)
    if seat is None or seat.state is not SeatState.AWAY:
        return []
    facts: list[PoolFact] = []
    draft.put_seat(changed(seat, state=SeatState.SIGNED_OUT, comes_back=SeatState.READY, away_until=None))
    for contact_id in seat.holds:
        held = draft.serving.get(contact_id)
        if held is None or held.contact is None:
            continue  # one from before: its customer or the seat will end it
        draft.drop_service(contact_id)
        offers.release(draft, seat_id, contact_id)
        contact = changed(held.contact, call_back=False, promised=False)
        facts += _move(draft, contact, draft.pool, "disconnected", "", held)
    left = draft.seats.get(seat_id)
    if left is not None and not left.holds:
        draft.drop_seat(seat_id)
    return facts


def line(draft: Draft, event: ContactLine) -> list[PoolFact]:
    """What became of a contact's line. What triage says of one that went to another pool is told on to it."""
    if other := draft.went_to(event.contact_id):
        return [
            LineElsewhere(
                pool=other,
                contact_id=event.contact_id,
                customer_id=event.customer_id,
                what=event.what,
                at=draft.now,
            )
        ]
    match event.what:
        case "call_back":
            return call_back(draft, event.contact_id)
        case "no_call_back":
            return _no_call_back(draft, event.contact_id)
        case "cut_off":
            return _cut_off(draft, event.contact_id)
        case "connected":
            return _connected(draft, event.contact_id)
        case _:
            return []


def call_back(draft: Draft, contact_id: str) -> list[PoolFact]:
    """The customer doesn't wait on the line: the contact keeps its place, and a human calls when its turn has come."""
    if contact_id in draft.debts:
        return []
    if contact_id in draft.waiting:
        contact = changed(draft.dequeue(contact_id), call_back=True, promised=True)
        draft.enqueue(contact)
    elif contact_id in draft.parked:
        contact = changed(draft.unpark(contact_id), call_back=True, promised=True)
        draft.enqueue(contact)
    elif contact_id in draft.offers:
        offer = draft.offers[contact_id]
        contact = changed(offer.contact, call_back=True, promised=True)
        draft.put_offer(changed(offer, contact=contact))
    else:
        return []
    return [debts.incur(draft, contact, "call_back")]


def _no_call_back(draft: Draft, contact_id: str) -> list[PoolFact]:
    """The customer needs no call any more: where one was promised, no seat is rung for it either."""
    if contact_id not in draft.debts:
        return []
    offers.taken_out(draft, contact_id)
    return debts.released(draft, contact_id)


def off_line(draft: Draft, contact_id: str) -> bool:
    """The customer hung up. Whether a debt stands, so that the customer is called back, by whichever seat takes it."""
    debt = draft.debts.get(contact_id)
    if debt is None:
        return False
    if not debt.contact.call_back:
        draft.put_debt(changed(debt, contact=changed(debt.contact, call_back=True)))
        offer = draft.offers.get(contact_id)
        if contact_id in draft.waiting:
            draft.enqueue(changed(draft.dequeue(contact_id), call_back=True))
        elif offer is not None:
            draft.put_offer(changed(offer, contact=changed(offer.contact, call_back=True)))
    return True


def _cut_off(draft: Draft, contact_id: str) -> list[PoolFact]:
    until = draft.now + timedelta(seconds=draft.terms.reconnect_s)
    facts: list[PoolFact] = []
    offer = draft.offers.get(contact_id)
    if offer is not None and contact_id not in draft.debts:
        facts.append(offers.give_back(draft, offer, "disconnected"))
    if contact_id in draft.debts:
        return facts  # it is called back, whatever becomes of its line
    parked = draft.parked.get(contact_id)
    if contact_id in draft.waiting:
        draft.park(draft.dequeue(contact_id), "cut_off", until)
    elif parked is not None and parked.why == "last_seat":
        draft.park(draft.unpark(contact_id), "cut_off", until, parked.until)
    return facts


def _connected(draft: Draft, contact_id: str) -> list[PoolFact]:
    parked = draft.parked.get(contact_id)
    if parked is None or parked.why != "cut_off":
        return []
    contact, until = draft.unpark(contact_id), parked.held_until
    if until is not None and until > draft.now and held_for(draft, contact):
        draft.park(contact, "last_seat", until)
    else:
        draft.enqueue(contact)
    return []


def parked_long(draft: Draft, contact_id: str) -> list[PoolFact]:
    """The time is over for which a contact was parked: it waits for anybody, or its customer is gone."""
    parked = draft.parked.get(contact_id)
    if parked is None:
        return []
    contact = draft.unpark(contact_id)
    if parked.why == "last_seat":
        draft.enqueue(contact)
        return []
    draft.close(contact_id)
    draft.count("abandoned")
    draft.left_queue()
    return [gone(draft, contact)]


def gone(draft: Draft, contact: Waiting) -> ContactClosed:
    """The customer left before a human had the contact."""
    return ContactClosed(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        seat_id="",
        outcome=Outcome.ABANDONED,
        waited_ms=max(0, int((draft.now - contact.queued_at).total_seconds() * 1000)),
        closed_at=draft.now,
        touchpoint=contact.touchpoint,
    )


# -- last seats, turns --------------------------------------------------------------------------------------------


def held_for(draft: Draft, contact: Waiting) -> bool:
    """Whether the contact waits for the seat that served its customer last: it is there, but busy."""
    seat = draft.seats.get(contact.last_seat) if contact.last_seat else None
    if seat is None or seat.state is not SeatState.READY or draft.terms.last_seat_hold_s <= 0:
        return False
    return not seat.takes or seat.capacity - seat.used < contact.weight - EPS


def wake(draft: Draft) -> None:
    """Let those wait for anybody whose last seat is free now, or will not be."""
    if draft.terms.last_seat_hold_s <= 0 or not draft.touched or not draft.parked:
        return
    woken = [
        contact_id
        for contact_id, parked in draft.parked.items()
        if parked.why == "last_seat"
        and parked.contact.last_seat in draft.touched
        and not held_for(draft, parked.contact)
    ]
    for contact_id in sorted(woken, key=lambda c: (draft.parked[c].contact.queued_at, c)):
        draft.enqueue(draft.unpark(contact_id))


def turn_passed(draft: Draft, event: TurnPassed) -> list[PoolFact]:
    """A contact takes less of its seat while the customer is to answer, whichever pool's seat that is."""
    if other := draft.went_to(event.contact_id):
        return [
            TurnElsewhere(
                pool=other,
                contact_id=event.contact_id,
                customer_id=event.customer_id,
                waits_for_customer=event.waits_for_customer,
                at=draft.now,
            )
        ]
    held = draft.serving.get(event.contact_id)
    if held is None or held.contact is None:
        return []
    weight = draft.terms.weight(held.contact.channel, event.waits_for_customer)
    if weight != held.weight:
        draft.put_service(changed(held, weight=weight))
        draft.put_seat(draft.seats[held.seat_id])
    return []
