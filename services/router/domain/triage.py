"""Triage: by customer, bot or human, which pool, what priority.

Events may come twice, late or in the wrong order: nothing raises, and each contact that was requested is
always with the bot, with a pool, or closed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.router.domain.copying import changed, quick
from services.router.domain.events import (
    CallBackCancelled,
    CallBackRequested,
    ContactAbandoned,
    ContactEnded,
    ContactRequested,
    CustomerEvent,
    HandoverRequested,
    Known,
    LineEvent,
    MessageReceived,
)
from services.router.domain.facts import (
    BOT,
    ContactClosed,
    ContactLine,
    ContactQueued,
    ContactTriaged,
    ContactWithdrawn,
    Inputs,
    Outcome,
    TriageFact,
    TurnKept,
    TurnPassed,
)
from services.router.domain.policy import Policy

CALL_BACK = "call_back"
MAX_CONTACTS = 20
"""Contacts remembered per customer, more only of those in pools."""
MAX_IN_POOLS = 200
"""Of those in pools: a customer who has more is a robot, or not one customer."""


class Status(StrEnum):
    """Where triage has a contact."""

    EXPECTED = "expected"
    """Heard of, but its request hasn't come yet."""
    BOT = "bot"
    HUMAN = "human"
    """Given to a pool, which knows the rest."""
    CLOSED = "closed"


_GOES = {Status.CLOSED: 0, Status.EXPECTED: 1, Status.BOT: 2, Status.HUMAN: 3}


@quick
@dataclass(frozen=True, slots=True)
class Visit:
    """One contact of the customer."""

    contact_id: str
    status: Status
    pool: str = ""
    requested_at: datetime | None = None
    inputs: Inputs | None = None
    """What the request said, kept for a handover."""
    handover: str = ""
    """Set where the handover came before the request."""
    ended: Outcome | None = None
    """Set where the end came before the request: BOT for ended, ABANDONED for abandoned."""
    waits_for_customer: bool = False
    """The human spoke last."""


@quick
@dataclass(frozen=True, slots=True)
class Customer:
    """A customer's contacts, oldest first: the last 20, or as many more as are in pools."""

    customer_id: str
    contacts: tuple[Visit, ...] = ()


Result = tuple[Customer, tuple[TriageFact, ...]]


def decide(state: Customer, event: CustomerEvent, now: datetime, policy: Policy) -> Result:
    """Decide one event; events that change no route change nothing."""
    visit = next((known for known in state.contacts if known.contact_id == event.contact_id), None)
    match event:
        case ContactRequested():
            return _requested(state, visit, event, now, policy)
        case HandoverRequested():
            return _handed_over(state, visit, event, now, policy)
        case ContactEnded():
            return _ended(state, visit, event, now, Outcome.BOT)
        case ContactAbandoned():
            return _ended(state, visit, event, now, Outcome.ABANDONED)
        case CallBackRequested():
            return _call_back(state, visit, event, now, policy)
        case CallBackCancelled():
            return _no_call_back(state, visit, event, now)
        case LineEvent():
            human = visit is not None and visit.status is Status.HUMAN
            what = "connected" if event.connected else "cut_off"
            return (state, (_line(visit, event, what, now),)) if human and visit is not None else (state, ())
        case MessageReceived():
            turn = TurnKept(
                contact_id=event.contact_id,
                speaker=event.speaker,
                text=event.text,
                said_at=event.time,
                event_id=event.event_id,
                source=event.source,
            )
            return _spoken(state, visit, event, now, policy, turn)
        case _:
            return state, ()


def _requested(state: Customer, visit: Visit | None, event: ContactRequested, now: datetime, policy: Policy) -> Result:
    if visit is not None and visit.status is not Status.EXPECTED:
        return state, ()  # a second request for the same contact
    handover = visit.handover if visit else ""
    inputs = _inputs(event, policy, handover)
    triaged = _triaged(event, inputs, policy, requested_at=event.time, now=now)
    status = Status.BOT if triaged.pool == BOT else Status.HUMAN
    new = Visit(event.contact_id, status, triaged.pool, event.time, inputs)
    if visit is not None and visit.ended is not None:
        # It was over before we heard of it: no seat is rung for somebody who has gone.
        outcome = Outcome.BOT if triaged.pool == BOT and visit.ended is Outcome.BOT else Outcome.ABANDONED
        closed = _closed(new, state.customer_id, outcome, now)
        return _with(state, changed(new, status=Status.CLOSED), now, (triaged, closed))
    if triaged.pool == BOT:
        return _with(state, new, now, (triaged,))
    queued = _queued(triaged, policy, call_back=handover == CALL_BACK)
    return _with(state, new, now, (triaged, queued))


def _handed_over(
    state: Customer, visit: Visit | None, event: HandoverRequested, now: datetime, policy: Policy
) -> Result:
    reason = event.reason or "unstated"
    if visit is None:
        return _with(state, Visit(event.contact_id, Status.EXPECTED, handover=reason), now, ())
    if visit.status is Status.EXPECTED:
        return _with(state, changed(visit, handover=reason), now, ())
    if visit.status is not Status.BOT or visit.inputs is None or visit.requested_at is None:
        return state, ()  # a human has it already, or it is over
    inputs = replace(
        _looked_up(visit.inputs, event.known),
        handover=reason,
        minute_of_day=_minute(event.time, policy),
    )
    triaged = _triaged(event, inputs, policy, requested_at=visit.requested_at, now=now)
    human = changed(visit, status=Status.HUMAN, pool=triaged.pool, inputs=inputs)
    return _with(state, human, now, (triaged, _queued(triaged, policy, call_back=reason == CALL_BACK)))


def _call_back(state: Customer, visit: Visit | None, event: CallBackRequested, now: datetime, policy: Policy) -> Result:
    """From the bot it is a handover; one who waits keeps the place and is called."""
    if visit is None or visit.status is not Status.HUMAN:
        asked = HandoverRequested(
            event_id=event.event_id,
            source=event.source,
            time=event.time,
            customer_id=event.customer_id,
            contact_id=event.contact_id,
            reason=CALL_BACK,
            known=event.known,
        )
        return _handed_over(state, visit, asked, now, policy)
    return state, (_line(visit, event, CALL_BACK, now),)


def _no_call_back(state: Customer, visit: Visit | None, event: CallBackCancelled, now: datetime) -> Result:
    """Whoever was promised a human needs none any more: also where the line is closed already."""
    if visit is None or visit.pool in ("", BOT) or visit.status not in (Status.HUMAN, Status.CLOSED):
        return state, ()
    return state, (_line(visit, event, "no_call_back", now),)


def _line(visit: Visit, event: CustomerEvent, what: str, now: datetime) -> ContactLine:
    return ContactLine(pool=visit.pool, contact_id=visit.contact_id, customer_id=event.customer_id, what=what, at=now)


def _spoken(
    state: Customer, visit: Visit | None, event: MessageReceived, now: datetime, policy: Policy, turn: TurnKept
) -> Result:
    """Whose turn it is now is told to the pool, where a contact that waits for the customer weighs less."""
    if visit is None or visit.status is not Status.HUMAN or policy.terms(visit.pool).waiting_weight >= 1:
        return state, (turn,)
    waits = event.speaker == "seat"
    if waits == visit.waits_for_customer or event.speaker not in ("seat", "customer"):
        return state, (turn,)
    passed = TurnPassed(
        pool=visit.pool,
        contact_id=event.contact_id,
        customer_id=event.customer_id,
        waits_for_customer=waits,
        at=now,
    )
    return _with(state, changed(visit, waits_for_customer=waits), now, (turn, passed))


def _ended(state: Customer, visit: Visit | None, event: CustomerEvent, now: datetime, how: Outcome) -> Result:
    if visit is None:
        return _with(state, Visit(event.contact_id, Status.EXPECTED, ended=how), now, ())
    match visit.status:
        case Status.EXPECTED:
            return _with(state, changed(visit, ended=visit.ended or how), now, ())
        case Status.BOT:
            closed = _closed(visit, state.customer_id, how, now)
            return _with(state, changed(visit, status=Status.CLOSED), now, (closed,))
        case Status.HUMAN:
            withdrawn = ContactWithdrawn(
                pool=visit.pool,
                contact_id=visit.contact_id,
                customer_id=state.customer_id,
                abandoned=how is Outcome.ABANDONED,
                at=now,
            )
            return _with(state, changed(visit, status=Status.CLOSED), now, (withdrawn,))
        case _:
            return state, ()


def _with(state: Customer, visit: Visit, now: datetime, facts: tuple[TriageFact, ...]) -> Result:
    """Put a contact in its place. Of too many, the oldest that is over goes first, one in a pool but of very many."""
    known = list(state.contacts)
    found = next((i for i, other in enumerate(known) if other.contact_id == visit.contact_id), len(known))
    known[found : found + 1] = [visit]
    while len(known) > MAX_CONTACTS:
        gone = min((other for other in known if other is not visit), key=lambda other: _GOES[other.status])
        if gone.status is Status.HUMAN and len(known) <= MAX_IN_POOLS:
            break  # its end is yet to be told to its pool
        known.remove(gone)
        if gone.status is Status.BOT:  # a pool keeps its own; the bot's would be lost, so it is closed
            facts = (*facts, _closed(gone, state.customer_id, Outcome.BOT, now))
    return changed(state, contacts=tuple(known)), facts


def _inputs(event: ContactRequested, policy: Policy, handover: str) -> Inputs:
    return Inputs(
        channel=event.channel,
        touchpoint=event.touchpoint,
        topic=event.topic,
        language=event.language,
        tier=event.tier,
        vulnerable=event.vulnerable,
        wants_human=event.wants_human,
        mood=event.known.mood,
        nps_score=event.known.nps_score,
        risk=event.known.risk,
        minute_of_day=_minute(event.time, policy),
        missing=event.known.missing,
        handover=handover,
        reopens=event.reopens,
    )


def _looked_up(inputs: Inputs, known: Known) -> Inputs:
    return replace(inputs, mood=known.mood, nps_score=known.nps_score, risk=known.risk, missing=known.missing)


def _minute(time: datetime, policy: Policy) -> int:
    local = time.astimezone(policy.zone)
    return local.hour * 60 + local.minute


def _triaged(
    event: CustomerEvent, inputs: Inputs, policy: Policy, *, requested_at: datetime, now: datetime
) -> ContactTriaged:
    """Where the policy sends a contact, and by which rule."""
    rule, route = policy.route(inputs)
    return ContactTriaged(
        contact_id=event.contact_id,
        customer_id=event.customer_id,
        pool=route.pool,
        priority=route.priority,
        skills=route.skills,
        rule=rule,
        policy=policy.version,
        inputs=inputs,
        requested_at=requested_at,
        decided_at=now,
        protected=route.protected,
    )


def _queued(triaged: ContactTriaged, policy: Policy, *, call_back: bool) -> ContactQueued:
    served = policy.terms(triaged.pool).languages
    language = triaged.inputs.language
    return ContactQueued(
        pool=triaged.pool,
        contact_id=triaged.contact_id,
        customer_id=triaged.customer_id,
        priority=triaged.priority,
        skills=triaged.skills,
        language=language if not served or language in served else "",
        requested_at=triaged.requested_at,
        queued_at=triaged.decided_at,
        channel=triaged.inputs.channel,
        touchpoint=triaged.inputs.touchpoint,
        protected=triaged.protected,
        call_back=call_back,
    )


def _closed(visit: Visit, customer_id: str, outcome: Outcome, now: datetime) -> ContactClosed:
    return ContactClosed(
        contact_id=visit.contact_id,
        customer_id=customer_id,
        pool=visit.pool,
        seat_id="",
        outcome=outcome,
        waited_ms=0,
        closed_at=now,
        touchpoint=visit.inputs.touchpoint if visit.inputs else "",
    )
