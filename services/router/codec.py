"""Events of the wire as the domain's; its facts as events of the wire are in facts_out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp
from touchline.contact.v1 import events_pb2 as contact
from touchline.router.v1 import events_pb2 as wire
from touchline.seat.v1 import events_pb2 as seat
from touchline.sentiment.v1 import sentiment_pb2 as sentiment

from services.router.domain import events
from services.router.facts_out import from_fact
from services.runtime.errors import Unreadable
from services.runtime.records import Incoming
from services.runtime.validate import check

_SPEAKERS = {contact.SPEAKER_CUSTOMER: "customer", contact.SPEAKER_BOT: "bot", contact.SPEAKER_SEAT: "seat"}


class _Head(TypedDict):
    event_id: str
    source: str
    time: datetime


def moment(stamped: Timestamp) -> datetime:
    """A time of the wire, in UTC."""
    return stamped.ToDatetime(tzinfo=UTC)


def language_of(tag: str) -> str:
    """The language of a tag: "zh" of "zh-CN"."""
    return tag.replace("_", "-").partition("-")[0].strip().lower()


def to_triage(incoming: Incoming) -> events.CustomerEvent | None:
    """Read a touchpoint event; None where it doesn't concern triage. Raises Unreadable, naming the field."""
    message = incoming.message
    head = _Head(event_id=incoming.event_id, source=incoming.source, time=incoming.time)
    customer = incoming.key
    match message:
        case contact.ContactRequested():
            check(message)
            return events.ContactRequested(
                **head,
                customer_id=customer,
                contact_id=message.contact_id,
                channel=message.channel,
                touchpoint=message.touchpoint,
                topic=message.topic,
                language=language_of(message.language),
                tier=message.customer.tier.lower(),
                vulnerable=message.customer.vulnerable,
                wants_human=message.wants_human,
                reopens=message.reopens,
            )
        case contact.HandoverRequested():
            check(message)
            return events.HandoverRequested(
                **head, customer_id=customer, contact_id=message.contact_id, reason=message.reason
            )
        case contact.ContactEnded():
            check(message)
            return events.ContactEnded(**head, customer_id=customer, contact_id=message.contact_id)
        case contact.ContactAbandoned():
            check(message)
            return events.ContactAbandoned(**head, customer_id=customer, contact_id=message.contact_id)
        case contact.CallBackRequested():
            check(message)
            return events.CallBackRequested(**head, customer_id=customer, contact_id=message.contact_id)
        case contact.CallBackCancelled():
            check(message)
            return events.CallBackCancelled(**head, customer_id=customer, contact_id=message.contact_id)
        case contact.ContactDisconnected() | contact.ContactReconnected():
            check(message)
            connected = isinstance(message, contact.ContactReconnected)
            return events.LineEvent(**head, customer_id=customer, contact_id=message.contact_id, connected=connected)
        case contact.MessageReceived():
            check(message)
            return events.MessageReceived(
                **head,
                customer_id=customer,
                contact_id=message.contact_id,
                speaker=_SPEAKERS.get(message.speaker, "customer"),
                text=message.text,
            )
        case _:
            return None


def to_assignment(incoming: Incoming) -> events.PoolEvent | None:
    """Read an event of a pool; None where it doesn't concern assignment. Raises Unreadable, naming the field."""
    message = incoming.message
    if getattr(message, "pool", incoming.key) != incoming.key:
        raise Unreadable("key", "is not the event's pool")  # another process owns that pool
    head = _Head(event_id=incoming.event_id, source=incoming.source, time=incoming.time)
    match message:
        case wire.ContactQueued():
            return events.ContactQueued(
                **head,
                pool=message.pool,
                contact_id=message.contact_id,
                customer_id=message.customer_id,
                priority=message.priority,
                skills=dict(message.skills),
                language=message.language,
                queued_at=moment(message.queued_at),
                touchpoint=message.touchpoint,
                channel=message.channel,
                protected=message.protected,
                call_back=message.call_back,
                from_pool=message.from_pool,
                not_seat=message.not_seat,
            )
        case wire.ContactWithdrawn():
            return events.ContactWithdrawn(
                **head,
                pool=message.pool,
                contact_id=message.contact_id,
                customer_id=message.customer_id,
                abandoned=message.abandoned,
            )
        case seat.SeatSignedIn():
            check(message)
            return events.SeatSignedIn(
                **head,
                pool=message.pool,
                seat_id=message.seat_id,
                skills=dict(message.skills),
                capacity=message.capacity,
                languages=tuple(language_of(tag) for tag in message.languages),
            )
        case (
            seat.SeatPaused()
            | seat.SeatResumed()
            | seat.SeatSignedOut()
            | seat.SeatDisconnected()
            | seat.SeatReconnected()
        ):
            check(message)
            return _MOVES[type(message)](**head, pool=message.pool, seat_id=message.seat_id)
        case seat.ServiceTransferred():
            check(message)
            return events.ServiceTransferred(
                **head,
                pool=message.pool,
                seat_id=message.seat_id,
                contact_id=message.contact_id,
                token=message.token,
                to_pool=message.to_pool,
                reason=message.reason,
            )
        case seat.OfferAccepted() | seat.OfferDeclined() | seat.ServiceFinished():
            check(message)
            return _ANSWERS[type(message)](
                **head,
                pool=message.pool,
                seat_id=message.seat_id,
                contact_id=message.contact_id,
                token=message.token,
            )
        case _:
            return _of_pool(message, head)


def _of_pool(message: Any, head: _Head) -> events.PoolEvent | None:
    """What other parts of the house, and supervisors, say of a pool."""
    match message:
        case wire.ContactLine():
            return events.ContactLine(
                **head,
                pool=message.pool,
                contact_id=message.contact_id,
                customer_id=message.customer_id,
                what=message.what,
            )
        case wire.TurnPassed():
            return events.TurnPassed(
                **head,
                pool=message.pool,
                contact_id=message.contact_id,
                customer_id=message.customer_id,
                waits_for_customer=message.waits_for_customer,
            )
        case sentiment.AngerAbsorbed():
            return events.AngerAbsorbed(**head, pool=message.pool, seat_id=message.seat_id, weight=message.anger)
        case wire.ModeRequested():
            return events.ModeRequested(
                **head, pool=message.pool, by=message.by, reason=message.reason, mode=message.mode
            )
        case wire.AssignmentRequested():
            return events.AssignmentRequested(
                **head,
                pool=message.pool,
                by=message.by,
                reason=message.reason,
                seat_id=message.seat_id,
                contact_id=message.contact_id,
            )
        case wire.DrainRequested():
            return events.DrainRequested(
                **head, pool=message.pool, by=message.by, reason=message.reason, seat_id=message.seat_id
            )
        case _:
            return None


_MOVES: dict[type[Any], type[events.SeatEvent]] = {
    seat.SeatPaused: events.SeatPaused,
    seat.SeatResumed: events.SeatResumed,
    seat.SeatSignedOut: events.SeatSignedOut,
    seat.SeatDisconnected: events.SeatDisconnected,
    seat.SeatReconnected: events.SeatReconnected,
}
_ANSWERS: dict[type[Any], type[events.OfferEvent]] = {
    seat.OfferAccepted: events.OfferAccepted,
    seat.OfferDeclined: events.OfferDeclined,
    seat.ServiceFinished: events.ServiceFinished,
}


__all__ = ["from_fact", "language_of", "moment", "to_assignment", "to_triage"]
