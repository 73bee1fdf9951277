"""What becomes of an offer: accepted, declined, run out or taken back; and of the service after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.router.domain.events import OfferAccepted, OfferDeclined, OfferEvent, ServiceFinished
from services.router.domain.facts import ContactAccepted, ContactClosed, OfferReturned, Outcome
from services.router.domain.pool import Draft, Offer, Seat, SeatState, Service


def accept(draft: Draft, event: OfferAccepted, now: datetime) -> str | ContactAccepted | None:
    """Give the contact to the seat. Returns the reason where it is refused, None where it was accepted before."""
    held = draft.serving.get(event.contact_id)
    if held is not None and (held.seat_id, held.token) == (event.seat_id, event.token):
        return None
    offer = draft.offers.get(event.contact_id)
    if offer is None or (offer.seat_id, offer.token) != (event.seat_id, event.token):
        return stale(draft, event)
    contact = offer.contact
    waited_ms = max(0, (now - contact.queued_at) // timedelta(milliseconds=1))
    draft.drop("offers", event.contact_id)
    service = Service(
        contact.contact_id, contact.customer_id, offer.seat_id, offer.token, waited_ms, contact.touchpoint
    )
    draft.put("serving", event.contact_id, service)
    draft.put("seats", offer.seat_id, replace(draft.seats[offer.seat_id], misses=0))
    return ContactAccepted(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        seat_id=offer.seat_id,
        token=offer.token,
        waited_ms=waited_ms,
        accepted_at=now,
        touchpoint=contact.touchpoint,
    )


def decline(draft: Draft, event: OfferDeclined, now: datetime) -> str | OfferReturned:
    """Take the offer back at the seat's wish. Returns the reason where it is refused."""
    offer = draft.offers.get(event.contact_id)
    if offer is None or (offer.seat_id, offer.token) != (event.seat_id, event.token):
        return stale(draft, event)
    fact = give_back(draft, offer, "declined", now)
    draft.put("seats", offer.seat_id, replace(draft.seats[offer.seat_id], misses=0))
    return fact


def finish(draft: Draft, event: ServiceFinished, now: datetime) -> str | ContactClosed:
    """Close the contact and free the seat. Returns the reason where it is refused."""
    held = draft.serving.get(event.contact_id)
    if held is None or held.seat_id != event.seat_id:
        return f"seat {event.seat_id} doesn't serve contact {event.contact_id}"
    if held.token != event.token:
        return f"token {event.token} is stale: seat {held.seat_id} serves the contact by token {held.token}"
    return served(draft, held, now)


def served(draft: Draft, held: Service, now: datetime) -> ContactClosed:
    """Close a contact that a human served."""
    draft.drop("serving", held.contact_id)
    release(draft, held.seat_id, held.contact_id, now)
    draft.close(held.contact_id)
    return ContactClosed(
        contact_id=held.contact_id,
        customer_id=held.customer_id,
        pool=draft.pool,
        seat_id=held.seat_id,
        outcome=Outcome.HUMAN,
        waited_ms=held.waited_ms,
        closed_at=now,
        touchpoint=held.touchpoint,
    )


def expire(draft: Draft, now: datetime) -> list[OfferReturned]:
    """Take back the offers that ran out; a seat that missed too many in a row is paused."""
    due = [offer for offer in draft.offers.values() if offer.expires_at <= now]
    facts = []
    for offer in sorted(due, key=lambda offer: (offer.expires_at, offer.token)):
        facts.append(give_back(draft, offer, "timeout", now))
        seat = draft.seats[offer.seat_id]
        misses = seat.misses + 1
        state = SeatState.PAUSED if misses >= draft.terms.max_misses else seat.state
        draft.put("seats", seat.seat_id, replace(seat, misses=misses, state=state))
    return facts


def give_back(draft: Draft, offer: Offer, reason: str, now: datetime) -> OfferReturned:
    """Let the contact wait on at its original place."""
    contact = offer.contact
    draft.drop("offers", contact.contact_id)
    release(draft, offer.seat_id, contact.contact_id, now)
    if reason != "signed_out" and offer.seat_id not in contact.declined_by:
        contact = replace(contact, declined_by=(*contact.declined_by, offer.seat_id))
    draft.enqueue(contact)
    return OfferReturned(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        seat_id=offer.seat_id,
        token=offer.token,
        reason=reason,
        returned_at=now,
    )


def release(draft: Draft, seat_id: str, contact_id: str, now: datetime) -> None:
    """Free the seat of a contact; a seat that signed out goes with its last one."""
    seat: Seat = draft.seats[seat_id]
    holds = tuple(held for held in seat.holds if held != contact_id)
    if not holds and seat.state is SeatState.SIGNED_OUT:
        draft.drop("seats", seat_id)
    else:
        draft.put("seats", seat_id, replace(seat, holds=holds, idle_since=now))


def stale(draft: Draft, event: OfferEvent) -> str:
    """Say why an answer to an offer is too late."""
    what = f"token {event.token} is stale: "
    offer = draft.offers.get(event.contact_id)
    if offer is not None:
        return what + f"contact {event.contact_id} is offered to seat {offer.seat_id} by token {offer.token}"
    held = draft.serving.get(event.contact_id)
    if held is not None:
        return what + f"contact {event.contact_id} is served by seat {held.seat_id} by token {held.token}"
    if event.contact_id in draft.waiting:
        return what + f"the offer came back, contact {event.contact_id} waits"
    if event.contact_id in draft.closed:
        return what + f"contact {event.contact_id} is over"
    return what + f"pool {draft.pool} has no contact {event.contact_id}"
