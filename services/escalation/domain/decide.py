"""The decision: evidence in, risk re-assessed, flags raised and follow-ups closed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid5

from services.escalation.domain.events import (
    CloseAnswered,
    CloseRequested,
    ComplaintFlagged,
    Event,
    Fact,
    FollowUpClosed,
    FollowUpOverdue,
    MessageScored,
    TicketMoved,
)
from services.escalation.domain.evidence import learn, prune
from services.escalation.domain.risk import WAITING, Assessment, assess, by_time
from services.escalation.domain.state import WINDOW, Closed, Contact, Customer, FollowUp, Said

NAMESPACE: Final = UUID("6c1d6c0e-6f0b-5b52-9d53-8f6d3f1f2b0e")
MAX_CLOSED: Final = 20
"""Closed follow-ups that are remembered, to answer a second request to close."""
WAITING_STEP: Final = timedelta(minutes=10)
"""While a customer waits, the risk is looked at this often, until waiting weighs its most."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers that a manager sets.

    threshold: the risk from which a customer is flagged. due_in: how long there is to follow up (service clock).
    quiet: after a close no new flag is raised for so long, unless the risk has risen by `rise` since.
    recovered: the mood from which the last two messages count as happy again.
    """

    threshold: float = 0.6
    due_in: timedelta = timedelta(hours=2)
    quiet: timedelta = timedelta(hours=24)
    rise: float = 0.15
    recovered: float = 0.25


DEFAULT: Final = Policy()
Decision = tuple[Customer, tuple[Fact, ...]]


def decide(state: Customer, event: Event, now: datetime, policy: Policy = DEFAULT) -> Decision:
    """The state after the event, and what was decided.

    A message and its score may come in either order: each is evidence by itself, and the one that comes late decides
    again on both. Events about the past count in the past: one older than the window changes nothing.
    """
    # What fell due before now is overdue, even where this event is quicker than the tick.
    state, overdue = _overdue(state, now)
    if isinstance(event, CloseRequested):
        state, answered = _close_by_request(state, event, now)
        return state, overdue + answered
    at = min(event.time, now)
    if state.latest is None or at >= state.latest:
        state = replace(state, latest=at, seen_at=now)
    state = prune(learn(state, event, now), now)
    state, closed = _close_by_events(state, event, now, policy)
    state = _assessed(state, assess(state, now))
    state, flagged = _flag(state, _cause(event), at, now, policy)
    return state, overdue + closed + flagged


def tick(state: Customer, now: datetime, policy: Policy = DEFAULT) -> Decision:
    """What time alone brings: a follow-up falls due, waiting raises the risk, evidence grows old."""
    state, overdue = _overdue(state, now)
    state = prune(state, now)
    state = _assessed(state, assess(state, now))
    waiting = _longest_waiting(state)
    if waiting is None:
        return state, overdue
    state, flagged = _flag(state, waiting.waits_for, state.moment(now), now, policy)
    return state, overdue + flagged


def due(state: Customer) -> datetime | None:
    """When the next tick has something to do, by the service clock; None for never."""
    moments = []
    if state.follow_up and not state.follow_up.overdue:
        moments.append(state.follow_up.due_at)
    waiting = _longest_waiting(state)
    if waiting and waiting.waiting_since and state.follow_up is None:
        steps = _looked_at(state) + 1
        if timedelta(minutes=WAITING.high) >= steps * WAITING_STEP:
            moments.append(waiting.waiting_since + steps * WAITING_STEP)
    oldest = min((x.at for kept in state.evidence for x in kept), default=None)
    if oldest and state.latest and state.seen_at:
        moments.append(max(state.seen_at, state.seen_at + (oldest + WINDOW - state.latest)) + timedelta(seconds=1))
    return min(moments, default=None)


def _looked_at(state: Customer) -> int:
    """How many steps of waiting the risk already holds, read from its own reason."""
    minutes = next((r.value for r in state.reasons if r.code == "waiting"), 0.0)
    return max(1, int(minutes * 60 // WAITING_STEP.total_seconds()))


def _longest_waiting(state: Customer) -> Contact | None:
    waiting = [(c.waiting_since, c.contact_id, c) for c in state.contacts if c.waiting_since]
    return min(waiting, key=lambda x: x[:2])[2] if waiting else None


def _assessed(state: Customer, found: Assessment) -> Customer:
    return replace(state, risk=found.risk, reasons=found.reasons)


def _cause(event: Event) -> str:
    """The touchpoint event behind it: for a score, the message that was scored."""
    return event.message if isinstance(event, MessageScored) else event.name


def _flag(state: Customer, cause: str, at: datetime, now: datetime, policy: Policy) -> Decision:
    if state.follow_up or state.risk < policy.threshold:
        return state, ()
    last = state.closed[-1] if state.closed else None
    if last and now - last.at < policy.quiet and state.risk < last.risk + policy.rise:
        return state, ()
    contact_id, touchpoint = _about(state)
    # The count makes the name differ where one event raises a second flag; a repeat of the batch gives the same.
    follow_up_id = str(uuid5(NAMESPACE, f"{state.customer_id}\0{cause}\0{state.flags}"))
    due_at = now + policy.due_in
    fact = ComplaintFlagged(
        follow_up_id, state.customer_id, contact_id, touchpoint, state.risk, state.reasons, at, due_at, cause
    )
    follow_up = FollowUp(follow_up_id, touchpoint, state.risk, at, due_at)
    return replace(state, follow_up=follow_up, flags=state.flags + 1), (fact,)


def _about(state: Customer) -> tuple[str, str]:
    """Contact and touchpoint of what the customer did last: a message, or else a contact's beginning."""
    found: list[Said | Contact] = [
        *sorted(state.contacts, key=lambda c: (c.at, c.contact_id)),
        *sorted(state.said, key=by_time),
    ]
    last = max(reversed(found), key=lambda x: x.at, default=None)  # of the same moment, what was said
    if last is None:
        return "", ""
    known = next((c.touchpoint for c in state.contacts if c.contact_id == last.contact_id), "")
    return last.contact_id, last.touchpoint or known


def _overdue(state: Customer, now: datetime) -> Decision:
    f = state.follow_up
    if f is None or f.overdue or now < f.due_at:
        return state, ()
    fact = FollowUpOverdue(f.follow_up_id, state.customer_id, f.touchpoint, f.due_at)
    return replace(state, follow_up=replace(f, overdue=True)), (fact,)


def _close(state: Customer, outcome: str, now: datetime) -> Decision:
    f = state.follow_up
    if f is None:
        return state, ()
    fact = FollowUpClosed(f.follow_up_id, state.customer_id, f.touchpoint, outcome, now)
    closed = (*state.closed, Closed(f.follow_up_id, now, max(f.risk, state.risk)))[-MAX_CLOSED:]
    return replace(state, follow_up=None, closed=closed), (fact,)


def _close_by_events(state: Customer, event: Event, now: datetime, policy: Policy) -> Decision:
    f = state.follow_up
    if f is None:
        return state, ()
    resolved = isinstance(event, TicketMoved) and event.status == "resolved" and event.time > f.flagged_at
    if resolved and not any(t.is_open for t in state.tickets):
        return _close(state, "ticket_resolved", now)
    since = [s for s in sorted(state.said, key=by_time) if s.at > f.flagged_at]
    last = [s.polarity for s in since[-2:]]
    if len(last) == 2 and all(p is not None and p >= policy.recovered for p in last):
        return _close(state, "mood_recovered", now)
    return state, ()


def _close_by_request(state: Customer, event: CloseRequested, now: datetime) -> Decision:
    def answer(state: Customer, facts: tuple[Fact, ...] = (), code: Literal["", "missing", "closed"] = "") -> Decision:
        return state, (*facts, CloseAnswered(event.source, event.event_id, event.follow_up_id, code, now))

    if state.follow_up and state.follow_up.follow_up_id == event.follow_up_id:
        return answer(*_close(state, event.outcome, now))
    known = any(c.follow_up_id == event.follow_up_id for c in state.closed)
    return answer(state, code="closed" if known else "missing")
