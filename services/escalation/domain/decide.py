"""The decision for a customer: evidence in, risk re-assessed, and a case raised, told anew or ended for the team's owner."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final
from uuid import UUID, uuid5

from services.escalation.domain import credit, outreach
from services.escalation.domain.causes import Reported
from services.escalation.domain.events import (
    Affected,
    Bought,
    ContactRequested,
    DeliveryFailed,
    Event,
    FollowUpBegun,
    FollowUpOver,
    MessageScored,
    OptedOut,
    ReturnChecked,
    ReturnSent,
    TicketMoved,
)
from services.escalation.domain.evidence import learn, prune
from services.escalation.domain.risk import Assessment, assess, by_time, silent_since
from services.escalation.domain.state import WINDOW, Closed, Contact, Customer, OpenCase, Traits, changed
from services.escalation.domain.tasks import (
    CaseChanged,
    CaseFact,
    Escalated,
    OutreachStarted,
    Purchased,
    RefundDecided,
    RefundSettled,
)
from services.escalation.domain.team import ONE_TEAM, FollowUpPolicy

NAMESPACE: Final = UUID("6c1d6c0e-6f0b-5b52-9d53-8f6d3f1f2b0e")
MAX_ENDED: Final = 5
"""Cases that are over and remembered."""
WAITING_STEP: Final = timedelta(minutes=10)
"""While a customer waits, the risk is looked at this often, until waiting weighs its most."""
SILENCE_STEP: Final = 12.0
"""While an open ticket rests, the risk is looked at after so many hours, and so on until silence weighs its most."""
STEP: Final = 0.02
"""A case's risk is told to the team's owner when it has moved by so much."""
LATE_MINUTES: Final = 60
"""From how late on a delivery counts among what may have one cause."""
SAME_TEAM: Final = timedelta(hours=24)
"""A new case goes to the team of the one before, when that ended less than so long ago: one team at a time knows a customer."""
_OF_ORDERS: Final = (Bought, ReturnSent, ReturnChecked, DeliveryFailed)
_OF_OUTREACH: Final = (OptedOut, Affected)
_BEGINNING: Final[Callable[[Contact], tuple[datetime, str]]] = attrgetter("at", "contact_id")


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers that a manager sets.

    threshold: the risk from which a case competes for a follow-up, unless its team says otherwise. due_in: how long there
    is to follow up (service clock), unless the team says otherwise. quiet: after a case has ended no new one is raised for
    so long, unless the risk has risen by `rise` since. recovered: the mood from which the last two messages count as happy again.
    """

    threshold: float = 0.6
    due_in: timedelta = timedelta(hours=2)
    quiet: timedelta = timedelta(hours=24)
    rise: float = 0.15
    recovered: float = 0.25


DEFAULT: Final = Policy()
Decision = tuple[Customer, tuple[CaseFact, ...]]


def decide(
    state: Customer, event: Event, now: datetime, policy: Policy = DEFAULT, teams: FollowUpPolicy = ONE_TEAM
) -> Decision:
    """The state after the event, and what was decided.

    A message and its score may come in either order: each is evidence by itself, and the one that comes late decides
    again on both. Events about the past count in the past: one older than the window changes nothing.
    """
    if isinstance(event, FollowUpBegun | FollowUpOver):
        return _followed_up(state, event, now), ()
    at = min(event.time, now)
    facts: tuple[CaseFact, ...] = ()
    also: dict[str, Any] = {}
    if isinstance(event, _OF_ORDERS):
        state, refunds = _refunds(state, event, at, teams)
        facts = (*refunds, *_reports(state, event, at))
    if isinstance(event, ContactRequested):
        also["traits"] = _traits(state.traits, event, at)
    escalated = _escalated(state, event, at)
    if state.latest is None or at >= state.latest:
        also["latest"], also["seen_at"] = at, now
    state = prune(learn(state, event, now, **also), now)
    found = assess(state, now, teams.weights)
    if isinstance(event, _OF_OUTREACH):
        state = _assessed(state, found)
        state, reached = _outreach(state, event, now, teams)
        facts = (*facts, *reached)
    case = state.case
    if case is not None and (over := _overtaken(state, case, event, policy)):
        state = _assessed(state, found)
        told = _told(state, case, at, ended=over)
        return _ended(state, case, now), (*facts, *escalated, told)
    state, cases = _case(state, found, _cause(event), at, now, policy, teams)
    return state, (*facts, *escalated, *cases)


def tick(state: Customer, now: datetime, policy: Policy = DEFAULT, teams: FollowUpPolicy = ONE_TEAM) -> Decision:
    """What time alone brings: waiting raises the risk, evidence grows old."""
    state = prune(state, now)
    waiting = _longest_waiting(state)
    silent = [t for t in state.tickets if t.is_open]
    cause = waiting.waits_for if waiting else f"ticket {max(silent, key=lambda t: t.at).ticket_id}" if silent else ""
    return _case(state, assess(state, now, teams.weights), cause, state.moment(now), now, policy, teams)


def due(state: Customer, teams: FollowUpPolicy = ONE_TEAM) -> datetime | None:
    """When the next tick has something to do, by the service clock; None for never."""
    moments = []
    waiting = _longest_waiting(state)
    if waiting and waiting.waiting_since:
        steps = _looked_at(state) + 1
        if timedelta(minutes=teams.weights.waiting.high) >= steps * WAITING_STEP:
            moments.append(waiting.waiting_since + steps * WAITING_STEP)
    silent = silent_since(state)
    if silent and state.latest and state.seen_at:
        steps = int(_value(state, "silence") // SILENCE_STEP) + 1
        if steps * SILENCE_STEP <= teams.weights.silence.high:
            at = silent + timedelta(hours=steps * SILENCE_STEP, seconds=1)
            moments.append(max(state.seen_at, state.seen_at + (at - state.latest)))
    oldest = min([x.at for kept in state.evidence if kept for x in kept], default=None)
    if oldest and state.latest and state.seen_at:
        moments.append(max(state.seen_at, state.seen_at + (oldest + WINDOW - state.latest)) + timedelta(seconds=1))
    return min(moments, default=None)


def _looked_at(state: Customer) -> int:
    """How many steps of waiting the risk already holds, read from its own reason."""
    return max(1, int(_value(state, "waiting") * 60 // WAITING_STEP.total_seconds()))


def _value(state: Customer, code: str) -> float:
    """The figure behind a reason as it was last assessed; 0 where it is none."""
    for r in state.reasons:
        if r.code == code:
            return r.value
    return 0.0


def _longest_waiting(state: Customer) -> Contact | None:
    waiting = [(c.waiting_since, c.contact_id, c) for c in state.contacts if c.waiting_since]
    return min(waiting)[2] if waiting else None  # no two are alike in the first two


def _assessed(state: Customer, found: Assessment, case: OpenCase | None = None) -> Customer:
    """The state with its risk as it was found, and the case as it is now, where one is given."""
    case = case or state.case
    if found.risk == state.risk and found.reasons == state.reasons:
        return state if case is state.case else changed(state, case=case)
    return changed(state, risk=found.risk, reasons=found.reasons, case=case)


def _cause(event: Event) -> str:
    """The touchpoint event behind it: for a score, the message that was scored."""
    return event.message if isinstance(event, MessageScored) else event.name


def group_of(state: Customer, teams: FollowUpPolicy) -> str:
    """The customer's group, as the policy draws them."""
    return "vulnerable" if state.traits.vulnerable else str(getattr(state.traits, teams.group_by))


def _refunds(
    state: Customer, event: Event, at: datetime, teams: FollowUpPolicy
) -> tuple[Customer, tuple[RefundDecided | RefundSettled, ...]]:
    """The customer's account: what was bought, is on its way back, and was found in the parcel."""
    match event:
        case Bought():
            known = next((o for o in state.orders if o.order_id == event.order_id), None)
            if known is None:
                return changed(state, account=credit.bought(state.account, event.cents, at)), ()
            # What was told before it by event time leaves the price as it is known.
            more = event.cents - known.cents if (at, event.cents) >= (known.at, known.cents) else 0
            return changed(state, account=credit.repriced(state.account, more, at)), ()
        case ReturnSent():
            paid = next((o.cents for o in state.orders if o.order_id == event.order_id), None)
            made = credit.decide(state.account, event.order_id, event.parcel, event.cents, paid, at, teams.credit)
            if made is None:
                return state, ()
            account, decision = made
            fact = RefundDecided(state.customer_id, event.order_id, event.parcel, decision, group_of(state, teams), at)
            worth = credit.opened(account, event.order_id)
            state = changed(state, account=account)
            if worth is None:
                return state, (fact,)
            state, settled = _settled(state, event.order_id, worth, at)
            return state, (fact, *settled)
        case ReturnChecked():
            return _settled(state, event.order_id, event.worth_cents, at)
    return state, ()


def _settled(
    state: Customer, order_id: str, worth_cents: int, at: datetime
) -> tuple[Customer, tuple[RefundSettled, ...]]:
    """What follows from an opened parcel."""
    done = credit.checked(state.account, order_id, worth_cents)
    if done is None:
        return changed(state, account=credit.checked_early(state.account, order_id, worth_cents)), ()
    account, paid_out, lost = done
    return changed(state, account=account), (RefundSettled(state.customer_id, order_id, paid_out, lost, at),)


def _reports(state: Customer, event: Event, at: datetime) -> tuple[Purchased | Reported, ...]:
    """What other customers may share: an order, and what went wrong with one."""
    if isinstance(event, Bought):
        return (Purchased(state.customer_id, event.order_id, event.causes, at),) if event.causes else ()
    bad = isinstance(event, DeliveryFailed) and (event.failure != "delayed" or event.delay_minutes >= LATE_MINUTES)
    if not isinstance(event, DeliveryFailed) or not bad:
        return ()
    order = next((o for o in state.orders if o.order_id == event.order_id), None)
    return tuple(Reported(cause, state.customer_id, at) for cause in order.causes) if order else ()


def _outreach(
    state: Customer, event: Event, now: datetime, teams: FollowUpPolicy
) -> tuple[Customer, tuple[OutreachStarted, ...]]:
    """Whether a customer whom a wave may hit is told of it before they call."""
    if isinstance(event, OptedOut):
        return changed(state, reach=changed(state.reach, opted_out=True)), ()
    if not isinstance(event, Affected):
        return state, ()
    followed = state.case is not None and state.case.seen  # a case may wait without room, or be held out
    kind, why = outreach.choose(state.reach, state.risk, state.traits.vulnerable, followed, now, teams.quiet)
    fact = OutreachStarted(state.customer_id, event.cause, event.wave, kind, why, now)
    return (state if why else changed(state, reach=changed(state.reach, last=now))), (fact,)


def _escalated(state: Customer, event: Event, at: datetime) -> tuple[Escalated, ...]:
    """What following up should prevent: the customer asks for the complaint desk."""
    match event:
        case ContactRequested(topic="complaint"):
            return (Escalated(state.customer_id, event.contact_id, at, state.risk),)
        case TicketMoved(status="opened", topic="complaint"):
            return (Escalated(state.customer_id, event.ticket_id, at, state.risk),)
    return ()


def _traits(known: Traits, event: ContactRequested, at: datetime) -> Traits:
    """What is known of the customer: what comes late fills in what is not known, and changes nothing else."""
    vulnerable = event.vulnerable or known.vulnerable
    told = Traits(event.tier, event.language, event.channel, vulnerable, at)
    before, after = (known, told) if known.at is None or at >= known.at else (told, known)
    return Traits(
        after.tier or before.tier,
        after.language or before.language,
        after.channel or before.channel,
        vulnerable,
        after.at,
    )


def _case(
    state: Customer, found: Assessment, cause: str, at: datetime, now: datetime, policy: Policy, teams: FollowUpPolicy
) -> Decision:
    """The state with its risk as it was found. Raises a case where there is reason to, or tells how the one that stands
    has moved."""
    case = state.case
    if case is None and (not cause or found.risk < teams.lowest):
        # Evidence that only grows old raises nothing; and hardly anybody is near any team's least.
        return _assessed(state, found), ()
    contact_id, touchpoint = _about(state)
    if case is not None:
        highest = max(case.highest, found.risk)
        if abs(found.risk - case.told) < STEP and case.contact_id == contact_id:
            return _assessed(state, found, case if highest == case.highest else changed(case, highest=highest)), ()
        case = changed(
            case,
            highest=highest,
            told=found.risk,
            contact_id=contact_id,
            touchpoint=touchpoint,
            cause=cause or case.cause,
        )
        state = _assessed(state, found, case)
        return state, (_told(state, case, at),)
    state = _assessed(state, found)
    last = state.ended[-1] if state.ended else None
    team = last.team if last and last.team and now - last.at < SAME_TEAM else teams.team_of(touchpoint)
    if state.risk < teams.terms_of(team).least:
        return state, ()
    if last and now - last.at < policy.quiet and state.risk < last.risk + policy.rise:
        return state, ()
    group = group_of(state, teams)
    # The count makes the name differ where one event raises a second case; a repeat of the batch gives the same.
    case_id = str(uuid5(NAMESPACE, f"{state.customer_id}\0{cause}\0{state.cases}"))
    case = OpenCase(case_id, team, group, at, state.risk, state.risk, contact_id, touchpoint, cause, seen=False)
    return changed(state, case=case, cases=state.cases + 1), (_told(state, case, at),)


def _told(state: Customer, case: OpenCase, at: datetime, ended: str = "") -> CaseChanged:
    return CaseChanged(
        team=case.team,
        case_id=case.case_id,
        customer_id=state.customer_id,
        group=case.group,
        contact_id=case.contact_id,
        touchpoint=case.touchpoint,
        risk=state.risk,
        reasons=state.reasons,
        at=at,
        cause=case.cause,
        ended=ended,
    )


def _ended(state: Customer, case: OpenCase, now: datetime) -> Customer:
    closed = Closed(case.case_id, now, max(case.highest, state.risk), case.team)
    return changed(state, case=None, ended=(*state.ended, closed)[-MAX_ENDED:])


def _followed_up(state: Customer, event: FollowUpBegun | FollowUpOver, now: datetime) -> Customer:
    """The state after what the team's owner says of the case that stands."""
    case = state.case
    if case is None or case.case_id != event.case_id:
        return state
    if isinstance(event, FollowUpOver) and event.case_over:
        return _ended(state, case, now)
    seen = isinstance(event, FollowUpBegun) and event.seen
    return state if seen == case.seen else changed(state, case=changed(case, seen=seen))


def _about(state: Customer) -> tuple[str, str]:
    """Contact and touchpoint of what the customer did last: a message, or else a contact's beginning."""
    said = max(state.said, key=by_time, default=None)
    contact = max(state.contacts, key=_BEGINNING, default=None)
    if said is not None and (contact is None or said.at >= contact.at):  # of the same moment, what was said
        if said.touchpoint:
            return said.contact_id, said.touchpoint
        return said.contact_id, next((c.touchpoint for c in state.contacts if c.contact_id == said.contact_id), "")
    return (contact.contact_id, contact.touchpoint) if contact is not None else ("", "")


def _overtaken(state: Customer, case: OpenCase, event: Event, policy: Policy) -> str:
    """Why the case is over by what has happened since; empty where it is not."""
    resolved = isinstance(event, TicketMoved) and event.status == "resolved" and event.time > case.raised_at
    if resolved and not any(t.is_open for t in state.tickets):
        return "ticket_resolved"
    since = sorted([s for s in state.said if s.at > case.raised_at], key=by_time)
    last = [s.polarity for s in since[-2:]]
    if len(last) == 2 and all(p is not None and p >= policy.recovered for p in last):
        return "mood_recovered"
    return ""
