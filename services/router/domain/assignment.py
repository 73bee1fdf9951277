"""Assignment: by pool, who serves whom. The pool's owner is the only writer, so nothing is assigned twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.router.domain import offers
from services.router.domain.events import (
    ContactQueued,
    ContactWithdrawn,
    OfferAccepted,
    OfferDeclined,
    PoolEvent,
    SeatEvent,
    SeatPaused,
    SeatResumed,
    SeatSignedIn,
    SeatSignedOut,
    ServiceFinished,
)
from services.router.domain.facts import Answer, ContactClosed, Outcome, PoolFact
from services.router.domain.matching import offer_all
from services.router.domain.policy import Terms
from services.router.domain.pool import CLOSED_KEPT, Draft, Pool, Seat, SeatState, Waiting, need_of

Result = tuple[Pool, tuple[PoolFact, ...]]


def decide(state: Pool, event: PoolEvent, now: datetime, terms: Terms | None = None) -> Result:
    """Decide one event. Offers that have run out by now come back first; then free seats are offered contacts.

    A seat's command is always answered; one that can't be done changes nothing.
    """
    draft = Draft(state)
    if terms is not None:
        draft.under(terms)
    came_back = offers.expire(draft, now) if _overdue(draft, now) else []
    facts: list[PoolFact] = [*came_back]
    match event:
        case ContactQueued():
            facts += _queued(draft, event, now)
        case ContactWithdrawn():
            facts += _withdrawn(draft, event, now)
        case SeatEvent():
            facts += _seat(draft, event, now)
        case _:
            pass
    if isinstance(event, OfferAccepted) and not came_back:
        return draft.freeze(), tuple(facts)  # an acceptance frees nobody
    facts += offer_all(draft, now)
    return draft.freeze(), tuple(facts)


def tick(state: Pool, now: datetime, terms: Terms | None = None) -> Result:
    """Take back the offers that have run out, and offer again."""
    draft = Draft(state)
    if terms is not None:
        draft.under(terms)
    facts: list[PoolFact] = [*offers.expire(draft, now)]
    facts += offer_all(draft, now)
    return draft.freeze(), tuple(facts)


def due(state: Pool) -> datetime | None:
    """Return when the next offer runs out; None where none is out."""
    return min((offer.expires_at for offer in state.offers.values()), default=None)


def _overdue(draft: Draft, now: datetime) -> bool:
    return any(offer.expires_at <= now for offer in draft.offers.values())


def _queued(draft: Draft, event: ContactQueued, now: datetime) -> list[PoolFact]:
    contact_id = event.contact_id
    if contact_id in draft.waiting or contact_id in draft.offers or contact_id in draft.serving:
        return []
    if contact_id in draft.early:
        draft.drop("early", contact_id)
        draft.close(contact_id)
        return [_gone(draft, event, now)]
    if contact_id in draft.closed:
        return []
    draft.enqueue(
        Waiting(
            contact_id=contact_id,
            customer_id=event.customer_id,
            priority=event.priority,
            skills=event.skills,
            language=event.language,
            queued_at=event.queued_at,
            place=(0, 0, ""),
            need=need_of(event.skills, event.language),
            touchpoint=event.touchpoint,
        )
    )
    return []


def _withdrawn(draft: Draft, event: ContactWithdrawn, now: datetime) -> list[PoolFact]:
    contact_id = event.contact_id
    held = draft.serving.get(contact_id)
    if held is not None:
        return [offers.served(draft, held, now)]  # a human has it, so a human served it, whoever hung up
    offer = draft.offers.get(contact_id)
    if offer is not None:
        draft.drop("offers", contact_id)
        offers.release(draft, offer.seat_id, contact_id, now)
        contact = offer.contact
    elif contact_id in draft.waiting:
        contact = draft.dequeue(contact_id)
    else:
        if contact_id not in draft.closed and contact_id not in draft.early:
            draft.put("early", contact_id, event.abandoned)
            if len(draft.early) > CLOSED_KEPT:
                draft.drop("early", next(iter(draft.early)))
        return []
    draft.close(contact_id)
    return [_gone(draft, contact, now)]


def _gone(draft: Draft, contact: ContactQueued | Waiting, now: datetime) -> ContactClosed:
    return ContactClosed(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        seat_id="",
        outcome=Outcome.ABANDONED,
        waited_ms=max(0, int((now - contact.queued_at).total_seconds() * 1000)),
        closed_at=now,
        touchpoint=contact.touchpoint,
    )


def _seat(draft: Draft, event: SeatEvent, now: datetime) -> list[PoolFact]:
    facts: list[PoolFact] = []
    reason = ""
    seat = draft.seats.get(event.seat_id)
    match event:
        case SeatSignedIn():
            draft.put("seats", event.seat_id, _signed_in(draft, event, seat, now))
        case OfferAccepted() | OfferDeclined() | ServiceFinished():
            reason = _answered(draft, event, facts, now)
        case _ if seat is None or (seat.state is SeatState.SIGNED_OUT and not isinstance(event, SeatSignedOut)):
            reason = f"seat {event.seat_id} is not signed in to pool {draft.pool}"
        case SeatPaused():
            draft.put("seats", event.seat_id, replace(seat, state=SeatState.PAUSED))
        case SeatResumed() if seat.state is not SeatState.READY:
            draft.put("seats", event.seat_id, replace(seat, state=SeatState.READY, misses=0, idle_since=now))
        case SeatSignedOut():
            facts += _signed_out(draft, seat, now)
        case _:
            pass
    answer = Answer(event_source=event.source, event_id=event.event_id, ok=not reason, reason=reason, at=now)
    return [*facts, answer]


def _answered(
    draft: Draft, event: OfferAccepted | OfferDeclined | ServiceFinished, facts: list[PoolFact], now: datetime
) -> str:
    done: object
    match event:
        case OfferAccepted():
            done = offers.accept(draft, event, now)
        case OfferDeclined():
            done = offers.decline(draft, event, now)
        case _:
            done = offers.finish(draft, event, now)
    if isinstance(done, str):
        return done
    if done is not None:
        facts.append(done)
    return ""


def _signed_in(draft: Draft, event: SeatSignedIn, seat: Seat | None, now: datetime) -> Seat:
    ready = seat is not None and seat.state is SeatState.READY
    return Seat(
        seat_id=event.seat_id,
        skills=event.skills,
        capacity=event.capacity or draft.terms.capacity,
        languages=event.languages,
        state=SeatState.READY,
        idle_since=seat.idle_since if seat is not None and ready else now,
        holds=seat.holds if seat is not None else (),
        misses=seat.misses if seat is not None and ready else 0,
    )


def _signed_out(draft: Draft, seat: Seat, now: datetime) -> list[PoolFact]:
    draft.put("seats", seat.seat_id, replace(seat, state=SeatState.SIGNED_OUT))
    mine = [offer for held in seat.holds if (offer := draft.offers.get(held)) is not None]
    facts: list[PoolFact] = [offers.give_back(draft, offer, "signed_out", now) for offer in mine]
    left = draft.seats.get(seat.seat_id)
    if left is not None and not left.holds:
        draft.drop("seats", seat.seat_id)
    return facts
