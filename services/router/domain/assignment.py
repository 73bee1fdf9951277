"""Assignment: by pool, who serves whom. The pool's owner is the only writer, so nothing is assigned twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from services.router.domain import debts, forecast, moves, offers
from services.router.domain.copying import changed
from services.router.domain.draft import Draft, live
from services.router.domain.events import (
    AngerAbsorbed,
    AssignmentRequested,
    ContactLine,
    ContactQueued,
    ContactWithdrawn,
    DrainRequested,
    ModeRequested,
    OfferAccepted,
    OfferDeclined,
    OfferEvent,
    PoolEvent,
    SeatDisconnected,
    SeatEvent,
    SeatPaused,
    SeatReconnected,
    SeatResumed,
    SeatSignedIn,
    SeatSignedOut,
    ServiceFinished,
    ServiceTransferred,
    SupervisorEvent,
    TurnPassed,
)
from services.router.domain.facts import Answer, ContactOffered, PoolFact, SupervisorActed
from services.router.domain.facts import ContactWithdrawn as WithdrawnElsewhere
from services.router.domain.index import Index, need_of
from services.router.domain.matching import make_offer, offer_all
from services.router.domain.policy import Terms
from services.router.domain.pool import (
    CLOSED_KEPT,
    Pool,
    Seat,
    SeatState,
    Waiting,
    micros,
    moment,
    place_of,
    profile_of,
)
from services.router.domain.room import EPS

Result = tuple[Pool, tuple[PoolFact, ...]]


def decide(state: Pool, event: PoolEvent, now: datetime, terms: Terms | None = None, *, record: bool = True) -> Result:
    """Decide one event. What has fallen due by now comes first; then free seats are offered contacts.

    A command is always answered; one that can't be done changes nothing. record: whether offers say who else was
    considered, and waits are foretold; a replay that nobody asks for reasons goes without.
    """
    draft = Draft(state, now, record=record)
    if terms is not None:
        draft.under(terms)
    facts = _fallen_due(draft)
    match event:
        case ContactQueued():
            facts += _queued(draft, event)
        case ContactWithdrawn():
            facts += _withdrawn(draft, event)
        case ContactLine():
            facts += moves.line(draft, event)
        case TurnPassed():
            facts += moves.turn_passed(draft, event)
        case AngerAbsorbed():
            _bears(draft, event)
        case SupervisorEvent():
            facts += _supervised(draft, event)
        case SeatEvent():
            facts += _seat(draft, event)
        case _:
            pass
    facts += _settle(draft)
    if record and isinstance(event, ContactQueued) and event.contact_id in draft.waiting:
        facts.append(forecast.predicted(draft, draft.waiting[event.contact_id]))
    return draft.freeze(), tuple(facts)


def tick(state: Pool, now: datetime, terms: Terms | None = None, *, record: bool = True) -> Result:
    """Decide what time alone brings, and offer again. record: as in `decide`."""
    draft = Draft(state, now, record=record)
    if terms is not None:
        draft.under(terms)
    facts = _settle(draft)
    return draft.freeze(), tuple(facts)


def due(state: Pool) -> datetime | None:
    """Return when time alone brings something next; None where nothing is to come."""
    timers = _index(state).timers
    times = [moment(timers.first[0])] if len(timers) else []
    times += [at for at in (debts.mode_due(state), state.gather_until) if at is not None]
    return min(times, default=None)


def _index(state: Pool) -> Index:
    found: Index = live(state).index
    return found


def _fallen_due(draft: Draft) -> list[PoolFact]:
    """What has fallen due, in the order of its time."""
    facts: list[PoolFact] = []
    now = micros(draft.now)
    while len(draft.timers):
        timer = draft.timers.first
        if timer[0] > now:
            break
        draft.timers = draft.timers.remove(timer)  # whatever it leads to, it has run
        facts += _DUE[timer[1]](draft, timer[2])
    return facts


def _settle(draft: Draft) -> list[PoolFact]:
    """Follow the load, call debts in, and offer what can be."""
    facts = _fallen_due(draft)  # what the event brought may be due at once
    facts += debts.follow_load(draft)
    moves.wake(draft)
    facts += debts.call_in(draft)
    gather_s = draft.terms.gather_s
    if gather_s > 0 and draft.free and draft.lines:
        latest = draft.now + timedelta(seconds=gather_s)
        draft.gather_until = min(draft.gather_until or latest, latest)  # the clock may have gone back
        if draft.now < draft.gather_until:
            return facts
    facts += offer_all(draft)
    while called := debts.call_to_idle(draft):
        facts += [*called, *offer_all(draft)]
    draft.gather_until = None
    return facts


# -- contacts -----------------------------------------------------------------------------------------------------


def _queued(draft: Draft, event: ContactQueued) -> list[PoolFact]:
    contact_id = event.contact_id
    if (
        contact_id in draft.waiting
        or contact_id in draft.parked
        or contact_id in draft.offers
        or contact_id in draft.serving
        or contact_id in draft.debts
    ):
        return []
    if contact_id in draft.closed or (draft.went_to(contact_id) and not event.from_pool):
        return []  # what triage said before it was over, or before it moved
    draft.count("arrived")
    draft.gone_to = draft.gone_to.drop(contact_id)  # it is back, by whichever way
    contact = _waiting(draft, event)
    if contact_id in draft.early:
        draft.early = {key: left for key, left in draft.early.items() if key != contact_id}
        draft.close(contact_id)
        draft.count("abandoned")
        return [moves.gone(draft, contact)]
    if debts.keeps_line(draft, contact):
        return [debts.incur(draft, contact, "managed")]
    if moves.held_for(draft, contact):
        draft.park(contact, "last_seat", draft.now + timedelta(seconds=draft.terms.last_seat_hold_s))
    else:
        draft.enqueue(contact)
    return [debts.incur(draft, contact, "call_back")] if event.call_back else []


def _waiting(draft: Draft, event: ContactQueued) -> Waiting:
    seat_id, until = draft.last_seats.get(event.customer_id) or ("", draft.now)
    return Waiting(
        contact_id=event.contact_id,
        customer_id=event.customer_id,
        priority=event.priority,
        skills=event.skills,
        language=event.language,
        queued_at=event.queued_at,
        place=place_of(draft.terms, event.priority, event.queued_at, event.contact_id),
        need=need_of(event.skills, event.language),
        declined_by=(event.not_seat,) if event.not_seat in draft.seats else (),
        touchpoint=event.touchpoint,
        channel=event.channel,
        weight=draft.terms.weight(event.channel),
        protected=event.protected,
        call_back=event.call_back,
        promised=event.call_back,
        from_pool=event.from_pool,
        last_seat=seat_id if until > draft.now and seat_id != event.not_seat else "",
        arrived_at=draft.now,
    )


def _withdrawn(draft: Draft, event: ContactWithdrawn) -> list[PoolFact]:
    contact_id = event.contact_id
    held = draft.serving.get(contact_id)
    if held is not None:
        return [offers.served(draft, held)]  # a human has it, so a human served it, whoever hung up
    if moves.off_line(draft, contact_id):
        return []
    contact = offers.taken_out(draft, contact_id)
    if contact is not None:
        draft.close(contact_id)
        draft.count("abandoned")
        return [moves.gone(draft, contact)]
    if other := draft.went_to(contact_id):
        return [
            WithdrawnElsewhere(
                pool=other,
                contact_id=contact_id,
                customer_id=event.customer_id,
                abandoned=event.abandoned,
                at=draft.now,
            )
        ]
    if contact_id not in draft.closed and contact_id not in draft.early:
        early = {**draft.early, contact_id: event.abandoned}
        if len(early) > CLOSED_KEPT:
            del early[next(iter(early))]
        draft.early = early
    return []


# -- seats --------------------------------------------------------------------------------------------------------


def _seat(draft: Draft, event: SeatEvent) -> list[PoolFact]:
    facts: list[PoolFact] = []
    reason = ""
    seat = draft.seats.get(event.seat_id)
    # One that signed out and still serves may be cut off like any other.
    gone = seat is None or (
        seat.state is SeatState.SIGNED_OUT and not isinstance(event, SeatSignedOut | SeatDisconnected)
    )
    if isinstance(event, OfferEvent):
        done = _answered(draft, event)
        reason, facts = (done, []) if isinstance(done, str) else ("", done)
    elif isinstance(event, SeatSignedIn):
        draft.put_seat(_signed_in(draft, event, seat))
    elif gone or seat is None:
        reason = f"seat {event.seat_id} is not signed in to pool {draft.pool}"
    elif seat.leaves and isinstance(event, SeatResumed):
        reason = f"seat {event.seat_id} is to take no more; sign in anew"
    else:
        facts = _moved(draft, event, seat)
    answer = Answer(event_source=event.source, event_id=event.event_id, ok=not reason, reason=reason, at=draft.now)
    return [*facts, answer]


def _moved(draft: Draft, event: SeatEvent, seat: Seat) -> list[PoolFact]:
    """A seat that is there pauses, comes back, or goes."""
    match event:
        case SeatPaused() if seat.state is SeatState.READY:
            draft.put_seat(changed(seat, state=SeatState.PAUSED, wrap_until=None))
        case SeatPaused() if seat.state is SeatState.AWAY and seat.comes_back is SeatState.READY:
            draft.put_seat(changed(seat, comes_back=SeatState.PAUSED))
        case SeatResumed() if seat.state is not SeatState.READY or seat.wrap_until is not None:
            draft.put_seat(_resumed(draft, seat))
        case SeatReconnected() if seat.state is SeatState.AWAY:
            draft.put_seat(_back(draft, seat))
        case SeatSignedOut():
            return _left(draft, seat, SeatState.SIGNED_OUT, "signed_out")
        case SeatDisconnected() if seat.state is not SeatState.AWAY:
            return _cut_off(draft, seat)
        case _:
            pass
    return []


def _answered(draft: Draft, event: OfferEvent) -> str | list[PoolFact]:
    match event:
        case OfferAccepted():
            return offers.accept(draft, event)
        case OfferDeclined():
            return offers.decline(draft, event)
        case ServiceFinished():
            return offers.finish(draft, event)
        case ServiceTransferred():
            return moves.transfer(draft, event)
        case _:
            return "is no answer to an offer"


def _resumed(draft: Draft, seat: Seat) -> Seat:
    return changed(
        seat,
        state=SeatState.READY,
        misses=0,
        idle_since=draft.now,
        wrap_until=None,
        away_until=None,
        comes_back=SeatState.READY,
    )


def _back(draft: Draft, seat: Seat) -> Seat:
    """A seat that can be reached again does what it did before."""
    if seat.comes_back is SeatState.READY:
        return _resumed(draft, seat)
    return changed(seat, state=seat.comes_back, comes_back=SeatState.READY, away_until=None)


def _signed_in(draft: Draft, event: SeatSignedIn, seat: Seat | None) -> Seat:
    ready = seat is not None and seat.state is SeatState.READY
    return Seat(
        seat_id=event.seat_id,
        skills=event.skills,
        capacity=event.capacity or draft.terms.capacity,
        languages=event.languages,
        state=SeatState.READY,
        idle_since=seat.idle_since if seat is not None and ready else draft.now,
        holds=seat.holds if seat is not None else (),
        misses=seat.misses if seat is not None and ready else 0,
        wrap_until=seat.wrap_until if seat is not None and ready else None,
        profile=profile_of(event.languages, event.skills),
        anger=seat.anger if seat is not None else 0.0,
        anger_at=seat.anger_at if seat is not None else None,
    )


def _left(draft: Draft, seat: Seat, state: SeatState, why: str) -> list[PoolFact]:
    """A seat takes no more: its offers go back to the queue; with its last contact it is gone.

    One that is away: where it drains, its contacts wait for it as long as any seat's; where it signs out, no longer.
    """
    if seat.state is SeatState.AWAY:
        if state is SeatState.DRAINING and seat.holds:
            draft.put_seat(changed(seat, comes_back=state))
            return []
        return moves.seat_gone(draft, seat.seat_id)
    draft.put_seat(changed(seat, state=state, wrap_until=None, away_until=None))
    mine = [offer for held in seat.holds if (offer := draft.offers.get(held)) is not None]
    facts: list[PoolFact] = [offers.give_back(draft, offer, why) for offer in mine]
    left = draft.seats.get(seat.seat_id)
    if left is not None and not left.holds:
        draft.drop_seat(seat.seat_id)
    return facts


def _cut_off(draft: Draft, seat: Seat) -> list[PoolFact]:
    until = draft.now + timedelta(seconds=draft.terms.reconnect_s)
    draft.put_seat(changed(seat, state=SeatState.AWAY, comes_back=seat.state, wrap_until=None, away_until=until))
    mine = [offer for held in seat.holds if (offer := draft.offers.get(held)) is not None]
    return [offers.give_back(draft, offer, "disconnected") for offer in mine]


def _wrapped_up(draft: Draft, seat_id: str) -> list[PoolFact]:
    seat = draft.seats.get(seat_id)
    if seat is not None and seat.wrap_until is not None:
        draft.put_seat(changed(seat, wrap_until=None, idle_since=draft.now))
    return []


def _bears(draft: Draft, event: AngerAbsorbed) -> None:
    seat = draft.seats.get(event.seat_id)
    if seat is not None:
        anger = seat.anger_now(draft.now) + max(0.0, event.weight)
        draft.put_seat(changed(seat, anger=anger, anger_at=draft.now))


# -- supervisors --------------------------------------------------------------------------------------------------


def _supervised(draft: Draft, event: SupervisorEvent) -> list[PoolFact]:
    """Do as a supervisor says, answer, and write it down."""
    done: str | list[PoolFact]
    seat_id = contact_id = ""
    match event:
        case ModeRequested():
            what, done = f"mode:{event.mode}", debts.by_hand(draft, event)
        case AssignmentRequested():
            seat_id, contact_id = event.seat_id, event.contact_id
            what, done = "assign", _forced(draft, event)
        case DrainRequested():
            seat_id = event.seat_id
            what, done = "drain", _drained(draft, event)
        case _:
            what, done = "unknown", "is no command of a supervisor"
    refused = done if isinstance(done, str) else ""
    acted = SupervisorActed(
        pool=draft.pool,
        what=what,
        by=event.by,
        reason=event.reason,
        seat_id=seat_id,
        contact_id=contact_id,
        ok=not refused,
        refused=refused,
        at=draft.now,
    )
    answer = Answer(event_source=event.source, event_id=event.event_id, ok=not refused, reason=refused, at=draft.now)
    return [*(() if isinstance(done, str) else done), acted, answer]


def _forced(draft: Draft, event: AssignmentRequested) -> str | list[PoolFact]:
    seat = draft.seats.get(event.seat_id)
    if seat is None or seat.state is not SeatState.READY:
        return f"seat {event.seat_id} is not ready in pool {draft.pool}"
    facts: list[PoolFact] = []
    contact_id = event.contact_id
    debt, parked = draft.debts.get(contact_id), draft.parked.get(contact_id)
    held = debt is not None and debt.called_at is None
    contact = debt.contact if debt is not None and held else parked.contact if parked else draft.waiting.get(contact_id)
    if contact is None:
        return f"contact {contact_id} doesn't wait in pool {draft.pool}"
    if seat.capacity - seat.used < contact.weight - EPS:
        return f"seat {event.seat_id} has no room: it holds {', '.join(seat.holds)}"
    if held:
        facts.append(debts.call(draft, contact_id, urgent=True))
    elif parked is not None:
        draft.enqueue(draft.unpark(contact_id))
    contact = draft.waiting[contact_id]
    offer: ContactOffered = make_offer(draft, contact, event.seat_id, forced_by=event.by)
    return [*facts, offer]


def _drained(draft: Draft, event: DrainRequested) -> str | list[PoolFact]:
    seat = draft.seats.get(event.seat_id)
    if seat is None or seat.state is SeatState.SIGNED_OUT:
        return f"seat {event.seat_id} is not signed in to pool {draft.pool}"
    return _left(draft, seat, SeatState.DRAINING, "signed_out")


_DUE: dict[str, Callable[[Draft, str], list[PoolFact]]] = {
    "offer": offers.ran_out,
    "ring": moves.relax,
    "overflow": moves.overflow,
    "parked": moves.parked_long,
    "debt": debts.overdue,
    "call": debts.soon_due,
    "away": moves.seat_gone,
    "wrap": _wrapped_up,
}
