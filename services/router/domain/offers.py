"""What becomes of an offer: accepted, declined, run out or taken back; and of the service after it."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.router.domain import debts
from services.router.domain.copying import changed
from services.router.domain.draft import Draft
from services.router.domain.events import OfferAccepted, OfferDeclined, OfferEvent, ServiceFinished
from services.router.domain.facts import ContactAccepted, ContactClosed, OfferReturned, Outcome, PoolFact
from services.router.domain.forecast import learned
from services.router.domain.pool import Offer, Seat, SeatState, Service, Waiting


def accept(draft: Draft, event: OfferAccepted) -> str | list[PoolFact]:
    """Give the contact to the seat. Returns the reason where it is refused, nothing where it was accepted before."""
    held = draft.serving.get(event.contact_id)
    if held is not None and (held.seat_id, held.token) == (event.seat_id, event.token):
        return []
    offer = draft.offers.get(event.contact_id)
    if offer is None or (offer.seat_id, offer.token) != (event.seat_id, event.token):
        return stale(draft, event)
    contact, now = offer.contact, draft.now
    waited_ms = max(0, (now - contact.queued_at) // timedelta(milliseconds=1))
    draft.drop_offer(event.contact_id)
    draft.left_queue()
    draft.put_service(
        Service(
            contact.contact_id, contact.customer_id, offer.seat_id, offer.token, waited_ms, contact.touchpoint,
            contact, now, contact.weight,
        )
    )  # fmt: skip
    seat = draft.seats[offer.seat_id]
    if seat.misses or seat.anger:  # else it stands as it stood: the contact weighs the same in its hands
        draft.put_seat(changed(seat, misses=0))
    learned(draft, contact)
    accepted = ContactAccepted(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        seat_id=offer.seat_id,
        token=offer.token,
        waited_ms=waited_ms,
        accepted_at=now,
        touchpoint=contact.touchpoint,
        predicted_ms=round(contact.predicted_s * 1000) if contact.predicted_s >= 0 else -1,
    )
    return [accepted, *debts.paid(draft, contact.contact_id, offer.seat_id)]


def decline(draft: Draft, event: OfferDeclined) -> str | list[PoolFact]:
    """Take the offer back at the seat's wish. Returns the reason where it is refused."""
    offer = draft.offers.get(event.contact_id)
    if offer is None or (offer.seat_id, offer.token) != (event.seat_id, event.token):
        return stale(draft, event)
    fact = give_back(draft, offer, "declined")
    draft.put_seat(changed(draft.seats[offer.seat_id], misses=0))
    return [fact]


def finish(draft: Draft, event: ServiceFinished) -> str | list[PoolFact]:
    """Close the contact and free the seat. Returns the reason where it is refused."""
    held = held_by(draft, event)
    return held if isinstance(held, str) else [served(draft, held)]


def held_by(draft: Draft, event: OfferEvent) -> Service | str:
    """Return the service that a seat speaks of; the reason where it doesn't hold it."""
    held: Service | None = draft.serving.get(event.contact_id)
    if held is None or held.seat_id != event.seat_id:
        return f"seat {event.seat_id} doesn't serve contact {event.contact_id}"
    if held.token != event.token:
        return f"token {event.token} is stale: seat {held.seat_id} serves the contact by token {held.token}"
    return held


def served(draft: Draft, held: Service) -> ContactClosed:
    """Close a contact that a human served."""
    draft.drop_service(held.contact_id)
    draft.remember_seat(held.customer_id, held.seat_id)
    release(draft, held.seat_id, held.contact_id, wrap_up=True)
    draft.close(held.contact_id)
    draft.count("human")
    return ContactClosed(
        contact_id=held.contact_id,
        customer_id=held.customer_id,
        pool=draft.pool,
        seat_id=held.seat_id,
        outcome=Outcome.HUMAN,
        waited_ms=held.waited_ms,
        closed_at=draft.now,
        touchpoint=held.touchpoint,
    )


def ran_out(draft: Draft, contact_id: str) -> list[PoolFact]:
    """Take back an offer that ran out; a seat that missed too many in a row is paused."""
    offer = draft.offers[contact_id]
    fact = give_back(draft, offer, "timeout")
    seat = draft.seats.get(offer.seat_id)
    if seat is not None:
        misses = seat.misses + 1
        paused = misses >= draft.terms.max_misses and seat.state is SeatState.READY
        draft.put_seat(changed(seat, misses=misses, state=SeatState.PAUSED if paused else seat.state))
    return [fact]


def give_back(draft: Draft, offer: Offer, reason: str) -> OfferReturned:
    """Let the contact wait on at its original place."""
    contact = offer.contact
    draft.drop_offer(contact.contact_id)
    release(draft, offer.seat_id, contact.contact_id)
    if reason in ("declined", "timeout") and offer.seat_id not in contact.declined_by:
        contact = changed(contact, declined_by=(*contact.declined_by, offer.seat_id))
    draft.enqueue(contact)
    return OfferReturned(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        seat_id=offer.seat_id,
        token=offer.token,
        reason=reason,
        returned_at=draft.now,
    )


def taken_out(draft: Draft, contact_id: str) -> Waiting | None:
    """Take a contact out of where it waits: off the seat that it is offered to, or out of the queue. None where it doesn't."""
    offer = draft.offers.get(contact_id)
    contact: Waiting
    if offer is not None:
        draft.drop_offer(contact_id)
        release(draft, offer.seat_id, contact_id)
        contact = offer.contact
    elif contact_id in draft.waiting:
        contact = draft.dequeue(contact_id)
    elif contact_id in draft.parked:
        contact = draft.unpark(contact_id)
    else:
        return None
    draft.left_queue()
    return contact


def release(draft: Draft, seat_id: str, contact_id: str, *, wrap_up: bool = False) -> None:
    """Free the seat of a contact; a seat that signed out or drains goes with its last one."""
    seat: Seat = draft.seats[seat_id]
    holds = tuple(held for held in seat.holds if held != contact_id)
    if not holds and seat.leaves:
        draft.drop_seat(seat_id)
        return
    until: datetime | None = seat.wrap_until
    if wrap_up and draft.terms.wrap_up_s > 0 and seat.state is not SeatState.SIGNED_OUT:
        until = draft.now + timedelta(seconds=draft.terms.wrap_up_s)
    draft.put_seat(changed(seat, holds=holds, idle_since=draft.now, wrap_until=until))


def stale(draft: Draft, event: OfferEvent) -> str:
    """Say why an answer to an offer is too late."""
    what = f"token {event.token} is stale: "
    offer = draft.offers.get(event.contact_id)
    if offer is not None:
        return what + f"contact {event.contact_id} is offered to seat {offer.seat_id} by token {offer.token}"
    held = draft.serving.get(event.contact_id)
    if held is not None:
        return what + f"contact {event.contact_id} is served by seat {held.seat_id} by token {held.token}"
    if event.contact_id in draft.waiting or event.contact_id in draft.parked:
        return what + f"the offer came back, contact {event.contact_id} waits"
    if event.contact_id in draft.closed:
        return what + f"contact {event.contact_id} is over"
    return what + f"pool {draft.pool} has no contact {event.contact_id}"
