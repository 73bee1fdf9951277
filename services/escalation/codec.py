"""Events and facts of escalation: protobuf on one side, the domain's words on the other."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict

from google.protobuf.message import Message
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.ticket.v1 import events_pb2 as ticket_pb2

from services.escalation.domain import events as domain
from services.runtime.pipeline import Answer, Publish
from services.runtime.records import Incoming, timestamp

_REFUSED = {
    "missing": ("NOT_FOUND", "there is no such follow-up"),
    "closed": ("FAILED_PRECONDITION", "the follow-up is closed already"),
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
    return _of_contact(base, incoming.message) or _of_case(base, incoming.message)


def write(fact: domain.Fact) -> Iterator[Publish | Answer]:
    """The fact as an event on escalation.flagged, or as the answer to a command."""
    match fact:
        case domain.ComplaintFlagged():
            flagged = escalation_pb2.ComplaintFlagged(
                follow_up_id=fact.follow_up_id,
                customer_id=fact.customer_id,
                contact_id=fact.contact_id,
                risk=fact.risk,
                reasons=[reason(r.code, r.weight, r.value) for r in fact.reasons],
                flagged_at=timestamp(fact.flagged_at),
                due_at=timestamp(fact.due_at),
                touchpoint=fact.touchpoint,
                cause=fact.cause,
            )
            yield Publish(flagged, fact.customer_id, fact.flagged_at)
        case domain.FollowUpClosed():
            closed = escalation_pb2.FollowUpClosed(
                follow_up_id=fact.follow_up_id,
                customer_id=fact.customer_id,
                outcome=fact.outcome,
                closed_at=timestamp(fact.closed_at),
            )
            yield Publish(closed, fact.customer_id, fact.closed_at)
        case domain.FollowUpOverdue():
            overdue = escalation_pb2.FollowUpOverdue(
                follow_up_id=fact.follow_up_id, customer_id=fact.customer_id, due_at=timestamp(fact.due_at)
            )
            yield Publish(overdue, fact.customer_id, fact.due_at)
        case domain.CloseAnswered(code=""):
            yield Answer(fact.event_id, fact.source, ok=True)
        case domain.CloseAnswered():
            code, why = _REFUSED[fact.code]
            yield Answer(fact.event_id, fact.source, ok=False, reason=why, code=code)


def reason(code: str, weight: float, value: float) -> escalation_pb2.Reason:
    """A reason in protobuf."""
    return escalation_pb2.Reason(code=code, weight=weight, value=value)


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
    )


def _failed(
    base: _Base, message: Any, failure: Literal["delayed", "spoilt", "refund"], delay_minutes: int = 0
) -> domain.DeliveryFailed:
    return domain.DeliveryFailed(**base, order_id=message.order_id, failure=failure, delay_minutes=delay_minutes)


def _of_contact(base: _Base, message: Message) -> domain.Event | None:
    match message:
        case contact_pb2.ContactRequested():
            return domain.ContactRequested(**base, contact_id=message.contact_id, touchpoint=message.touchpoint)
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
    return None


def _of_case(base: _Base, message: Message) -> domain.Event | None:
    match message:
        case ticket_pb2.TicketOpened():
            return domain.TicketMoved(**base, ticket_id=message.ticket_id, status="opened")
        case ticket_pb2.TicketUpdated():
            reopened = message.status == ticket_pb2.TICKET_STATUS_REOPENED
            return domain.TicketMoved(**base, ticket_id=message.ticket_id, status="reopened" if reopened else "other")
        case ticket_pb2.TicketResolved():
            return domain.TicketMoved(**base, ticket_id=message.ticket_id, status="resolved")
        case order_pb2.DeliveryDelayed():
            return _failed(base, message, "delayed", message.delay_minutes)
        case order_pb2.DeliverySpoilt():
            return _failed(base, message, "spoilt")
        case order_pb2.RefundRequested():
            return _failed(base, message, "refund")
        case escalation_pb2.FollowUpCloseRequested():
            return domain.CloseRequested(**base, follow_up_id=message.follow_up_id, outcome=message.outcome)
    return None
