"""Events and facts of escalation: protobuf on one side, the domain's words on the other."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict

from google.protobuf.message import Message
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.router.v1 import events_pb2 as router_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.ticket.v1 import events_pb2 as ticket_pb2

from services.escalation.domain import events as domain
from services.escalation.domain import tasks
from services.escalation.domain.causes import CauseHeated, Reported
from services.escalation.domain.credit import Check, told
from services.escalation.domain.followups import HELD_OUT
from services.escalation.domain.opening import opening
from services.escalation.domain.outreach import words
from services.runtime.pipeline import Answer, Publish
from services.runtime.records import Incoming, timestamp

CAUSES = ("product", "store", "batch", "route")
"""What orders share, and a wave of complaints may have as its cause: fields of OrderPlaced."""
_REFUSED: dict[tasks.Refused, tuple[str, str]] = {
    "missing": ("FAILED_PRECONDITION", "the follow-up is closed already"),
    "claimed": ("FAILED_PRECONDITION", "somebody else has started the follow-up"),
}
_RESULTS: dict[tasks.Result, escalation_pb2.Result.ValueType] = {
    "done": escalation_pb2.RESULT_DONE,
    "failed": escalation_pb2.RESULT_FAILED,
    "overtaken": escalation_pb2.RESULT_OVERTAKEN,
    "displaced": escalation_pb2.RESULT_DISPLACED,
}


class _Base(TypedDict):
    source: str
    event_id: str
    customer_id: str
    time: datetime


def read(incoming: Incoming) -> domain.Event | None:
    """The event in the domain's words, or None where it does not concern escalation."""
    base: _Base = {
        "source": incoming.source,
        "event_id": incoming.event_id,
        "customer_id": incoming.key,
        "time": incoming.time,
    }
    message = incoming.message
    return _of_contact(base, message) or _of_case(base, message) or _of_follow_up(base, message)


def read_cause(incoming: Incoming) -> Reported | None:
    """A customer's report of what may be one cause of many complaints."""
    message = incoming.message
    if not isinstance(message, escalation_pb2.CauseReported):
        return None
    at = message.reported_at.ToDatetime(tzinfo=UTC) if message.HasField("reported_at") else incoming.time
    return Reported(message.cause, message.customer_id, at)


def write_wave(fact: CauseHeated) -> Iterator[Publish | Answer]:
    """A wave as an event."""
    heated = escalation_pb2.CauseHeated(
        cause=fact.cause,
        wave=fact.wave,
        customers=fact.customers,
        expected=fact.expected,
        since=timestamp(fact.since),
        heated_at=timestamp(fact.at),
    )
    yield Publish(heated, fact.cause, fact.at)


def read_team(incoming: Incoming) -> tasks.TeamEvent | None:
    """The event in the words of a team's follow-ups."""
    message = incoming.message
    match message:
        case escalation_pb2.CaseChanged():
            return tasks.CaseChanged(
                team=message.team,
                case_id=message.case_id,
                customer_id=message.customer_id,
                group=message.group,
                contact_id=message.contact_id,
                touchpoint=message.touchpoint,
                risk=message.risk,
                reasons=tuple(domain.Reason(r.code, r.weight, r.value) for r in message.reasons),
                at=message.changed_at.ToDatetime(tzinfo=UTC) if message.HasField("changed_at") else incoming.time,
                cause=message.cause,
                ended=message.ended,
            )
        case escalation_pb2.FollowUpClaimRequested():
            return tasks.ClaimRequested(
                source=incoming.source,
                event_id=incoming.event_id,
                follow_up_id=message.follow_up_id,
                owner=message.owner,
            )
        case escalation_pb2.FollowUpReleaseRequested():
            return tasks.ReleaseRequested(
                source=incoming.source,
                event_id=incoming.event_id,
                follow_up_id=message.follow_up_id,
                owner=message.owner,
            )
        case escalation_pb2.FollowUpCloseRequested():
            return tasks.CloseRequested(
                source=incoming.source,
                event_id=incoming.event_id,
                follow_up_id=message.follow_up_id,
                outcome=message.outcome,
                owner=message.owner,
                failed=message.failed,
            )
    return None


def write_case(fact: tasks.CaseFact) -> Iterator[Publish | Answer]:
    """A case as an event for its team's owner; escalations and quick refunds for everyone."""
    if isinstance(fact, tasks.Escalated):
        escalated = escalation_pb2.ComplaintEscalated(
            customer_id=fact.customer_id,
            about=fact.about,
            escalated_at=timestamp(fact.at),
            risk_before=fact.risk_before,
        )
        yield Publish(escalated, fact.customer_id, fact.at)
        return
    if isinstance(fact, tasks.RefundDecided):
        d = fact.decision
        decided = escalation_pb2.QuickRefundDecided(
            customer_id=fact.customer_id,
            order_id=fact.order_id,
            parcel=fact.parcel,
            started=d.started,
            amount_cents=d.cents,
            limit_cents=d.limit_cents,
            used_cents=d.used_cents,
            checks=[check(c) for c in d.checks],
            group=fact.group,
            decided_at=timestamp(fact.at),
        )
        yield Publish(decided, fact.customer_id, fact.at)
        return
    if isinstance(fact, tasks.RefundSettled):
        settled = escalation_pb2.QuickRefundSettled(
            customer_id=fact.customer_id,
            order_id=fact.order_id,
            paid_cents=fact.paid_cents,
            lost_cents=fact.lost_cents,
            settled_at=timestamp(fact.at),
        )
        yield Publish(settled, fact.customer_id, fact.at)
        return
    if not isinstance(fact, tasks.CaseChanged):
        yield from _shared(fact)
        return
    changed = escalation_pb2.CaseChanged(
        team=fact.team,
        case_id=fact.case_id,
        customer_id=fact.customer_id,
        group=fact.group,
        contact_id=fact.contact_id,
        touchpoint=fact.touchpoint,
        risk=fact.risk,
        reasons=[reason(r.code, r.weight, r.value) for r in fact.reasons],
        changed_at=timestamp(fact.at),
        cause=fact.cause,
        ended=fact.ended,
    )
    yield Publish(changed, fact.customer_id, fact.at)


def _shared(fact: tasks.Purchased | Reported | tasks.OutreachStarted) -> Iterator[Publish]:
    match fact:
        case Reported():
            reported = escalation_pb2.CauseReported(
                cause=fact.cause, customer_id=fact.customer_id, reported_at=timestamp(fact.at)
            )
            yield Publish(reported, fact.customer_id, fact.at)
        case tasks.OutreachStarted():
            zh, en = words(fact.cause)
            started = escalation_pb2.OutreachStarted(
                customer_id=fact.customer_id,
                cause=fact.cause,
                wave=fact.wave,
                kind=fact.kind,
                withheld=fact.withheld,
                zh=zh,
                en=en,
                started_at=timestamp(fact.at),
            )
            yield Publish(started, fact.customer_id, fact.at)


def write_team(fact: tasks.TeamFact) -> Iterator[Publish | Answer]:
    """The fact as an event on escalation.flagged, or as the answer to a command."""
    match fact:
        case tasks.ComplaintFlagged():
            yield Publish(_flagged(fact), fact.customer_id, fact.flagged_at)
        case tasks.FollowUpClosed():
            closed = escalation_pb2.FollowUpClosed(
                follow_up_id=fact.follow_up_id,
                customer_id=fact.customer_id,
                outcome=fact.outcome,
                closed_at=timestamp(fact.closed_at),
                result=_RESULTS[fact.result],
                team=fact.team,
                owner=fact.owner,
                displaced_by=fact.displaced_by,
                case_id=fact.case_id,
            )
            yield Publish(closed, fact.customer_id, fact.closed_at)
        case tasks.CommandAnswered(code=""):
            yield Answer(fact.event_id, fact.source, ok=True)
        case tasks.CommandAnswered():
            code, why = _REFUSED[fact.code]
            yield Answer(fact.event_id, fact.source, ok=False, reason=why, code=code)
        case _:
            yield from _on_the_way(fact)


def _on_the_way(fact: tasks.TeamFact) -> Iterator[Publish]:
    match fact:
        case tasks.FollowUpClaimed():
            claimed = escalation_pb2.FollowUpClaimed(
                follow_up_id=fact.follow_up_id,
                customer_id=fact.customer_id,
                team=fact.team,
                owner=fact.owner,
                claimed_at=timestamp(fact.claimed_at),
            )
            yield Publish(claimed, fact.customer_id, fact.claimed_at)
        case tasks.FollowUpReleased():
            released = escalation_pb2.FollowUpReleased(
                follow_up_id=fact.follow_up_id,
                customer_id=fact.customer_id,
                team=fact.team,
                owner=fact.owner,
                released_at=timestamp(fact.released_at),
            )
            yield Publish(released, fact.customer_id, fact.released_at)
        case tasks.FollowUpReminded():
            reminded = escalation_pb2.FollowUpReminded(
                follow_up_id=fact.follow_up_id,
                customer_id=fact.customer_id,
                team=fact.team,
                owner=fact.owner,
                due_at=timestamp(fact.due_at),
                reminded_at=timestamp(fact.reminded_at),
            )
            yield Publish(reminded, fact.customer_id, fact.reminded_at)
        case tasks.FollowUpOverdue():
            overdue = escalation_pb2.FollowUpOverdue(
                follow_up_id=fact.follow_up_id, customer_id=fact.customer_id, due_at=timestamp(fact.due_at)
            )
            yield Publish(overdue, fact.customer_id, fact.due_at)
        case tasks.FollowUpOverflowed():
            overflowed = escalation_pb2.FollowUpOverflowed(
                follow_up_id=fact.follow_up_id,
                customer_id=fact.customer_id,
                team=fact.team,
                supervisor=fact.supervisor,
                overflowed_at=timestamp(fact.overflowed_at),
            )
            yield Publish(overflowed, fact.customer_id, fact.overflowed_at)


def _flagged(fact: tasks.ComplaintFlagged) -> escalation_pb2.ComplaintFlagged:
    zh, en = opening(fact.reasons)
    return escalation_pb2.ComplaintFlagged(
        follow_up_id=fact.follow_up_id,
        customer_id=fact.customer_id,
        contact_id=fact.contact_id,
        risk=fact.risk,
        reasons=[reason(r.code, r.weight, r.value) for r in fact.reasons],
        flagged_at=timestamp(fact.flagged_at),
        due_at=timestamp(fact.due_at),
        touchpoint=fact.touchpoint,
        cause=fact.cause,
        team=fact.team,
        case_id=fact.case_id,
        group=fact.group,
        threshold=fact.threshold,
        arm=fact.arm,
        opening_zh=zh,
        opening_en=en,
    )


def reason(code: str, weight: float, value: float) -> escalation_pb2.Reason:
    """A reason in protobuf."""
    return escalation_pb2.Reason(code=code, weight=weight, value=value)


def check(c: Check) -> escalation_pb2.CreditCheck:
    """A rule of quick refunds in protobuf, with its words."""
    zh, en = told(c)
    return escalation_pb2.CreditCheck(code=c.code, value=c.value, bound=c.bound, kept=c.kept, zh=zh, en=en)


def _scored(base: _Base, message: sentiment_pb2.MessageScored) -> domain.MessageScored | None:
    if message.score.label == sentiment_pb2.LABEL_UNSURE:
        return None  # what the model does not know is no evidence
    return domain.MessageScored(
        **base,
        message=f"{message.message_source} {message.message_id}",
        contact_id=message.contact_id,
        touchpoint=message.touchpoint,
        said_at=message.said_at.ToDatetime(tzinfo=UTC) if message.HasField("said_at") else base["time"],
        polarity=min(1.0, max(-1.0, message.score.polarity)),
        complaint=min(1.0, max(0.0, message.score.complaint)),
    )


def _failed(
    base: _Base, message: Any, failure: Literal["delayed", "spoilt", "refund"], delay_minutes: int = 0
) -> domain.DeliveryFailed:
    return domain.DeliveryFailed(**base, order_id=message.order_id, failure=failure, delay_minutes=delay_minutes)


def _of_contact(base: _Base, message: Message) -> domain.Event | None:
    match message:
        case contact_pb2.ContactRequested():
            return domain.ContactRequested(
                **base,
                contact_id=message.contact_id,
                touchpoint=message.touchpoint,
                channel=message.channel,
                language=message.language,
                tier=message.customer.tier,
                vulnerable=message.customer.vulnerable,
                topic=message.topic,
            )
        case contact_pb2.MessageReceived(speaker=contact_pb2.SPEAKER_CUSTOMER):
            return domain.CustomerSaid(
                **base, contact_id=message.contact_id, touchpoint=message.touchpoint, text=message.text
            )
        case contact_pb2.MessageReceived():
            return domain.Replied(**base, contact_id=message.contact_id)
        case contact_pb2.ContactEnded():
            return domain.ContactOver(**base, contact_id=message.contact_id, abandoned=False)
        case contact_pb2.ContactAbandoned():
            return domain.ContactOver(**base, contact_id=message.contact_id, abandoned=True)
        case sentiment_pb2.MessageScored():
            return _scored(base, message)
        case sentiment_pb2.ConversationShifted():
            point = message.turn.turning
            return domain.Turned(
                **base,
                contact_id=message.contact_id,
                turning=f"{point.message_source} {point.message_id}",
                soured=message.turn.direction == sentiment_pb2.DIRECTION_SOURED,
                turned_at=point.said_at.ToDatetime(tzinfo=UTC) if point.HasField("said_at") else base["time"],
            )
        case router_pb2.ContactAccepted():
            waited = message.waited_ms / 60_000
            return domain.Handed(
                **base, contact_id=message.contact_id, how="taken", to=message.seat_id, waited_minutes=waited
            )
        case router_pb2.OfferReturned():
            return domain.Handed(**base, contact_id=message.contact_id, how="returned", to=str(message.token))
    return None


def _causes(message: order_pb2.OrderPlaced) -> tuple[str, ...]:
    return tuple(f"{kind}:{name}" for kind in CAUSES if (name := getattr(message, kind)))


def _of_case(base: _Base, message: Message) -> domain.Event | None:
    match message:
        case ticket_pb2.TicketOpened():
            return domain.TicketMoved(**base, ticket_id=message.ticket_id, status="opened", topic=message.topic)
        case ticket_pb2.TicketUpdated():
            reopened = message.status == ticket_pb2.TICKET_STATUS_REOPENED
            return domain.TicketMoved(**base, ticket_id=message.ticket_id, status="reopened" if reopened else "other")
        case ticket_pb2.TicketResolved():
            return domain.TicketMoved(**base, ticket_id=message.ticket_id, status="resolved")
        case order_pb2.OrderPlaced():
            return domain.Bought(**base, order_id=message.order_id, cents=message.amount_cents, causes=_causes(message))
        case order_pb2.ReturnSent():
            return domain.ReturnSent(
                **base, order_id=message.order_id, parcel=message.parcel, cents=message.amount_cents
            )
        case order_pb2.ReturnChecked():
            return domain.ReturnChecked(**base, order_id=message.order_id, worth_cents=message.worth_cents)
        case order_pb2.DeliveryDelayed():
            return _failed(base, message, "delayed", message.delay_minutes)
        case order_pb2.DeliverySpoilt():
            return _failed(base, message, "spoilt")
        case order_pb2.RefundRequested():
            return _failed(base, message, "refund")
        case escalation_pb2.CustomerAffected():
            return domain.Affected(**base, cause=message.cause, wave=message.wave)
        case contact_pb2.OutreachOptedOut():
            return domain.OptedOut(**base)
    return None


def _of_follow_up(base: _Base, message: Message) -> domain.Event | None:
    """What the team's owner says of the customer's case."""
    match message:
        case escalation_pb2.ComplaintFlagged():
            return domain.FollowUpBegun(**base, case_id=message.case_id, seen=message.arm != "held_out")
        case escalation_pb2.FollowUpClosed():
            over = message.result in (escalation_pb2.RESULT_DONE, escalation_pb2.RESULT_FAILED)
            return domain.FollowUpOver(**base, case_id=message.case_id, case_over=over or message.outcome == HELD_OUT)
    return None
