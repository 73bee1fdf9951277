"""Events of the wire as the domain's, and the domain's facts as events of the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp
from touchline.contact.v1 import events_pb2 as contact
from touchline.router.v1 import events_pb2 as wire
from touchline.seat.v1 import events_pb2 as seat

from services.router.domain import events, facts
from services.runtime.errors import Unreadable
from services.runtime.pipeline import Answer, Publish
from services.runtime.records import Incoming, timestamp
from services.runtime.validate import check

_SPEAKERS = {contact.SPEAKER_CUSTOMER: "customer", contact.SPEAKER_BOT: "bot", contact.SPEAKER_SEAT: "seat"}
_OUTCOMES = {
    facts.Outcome.BOT: wire.OUTCOME_BOT,
    facts.Outcome.HUMAN: wire.OUTCOME_HUMAN,
    facts.Outcome.ABANDONED: wire.OUTCOME_ABANDONED,
}


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
        case seat.SeatPaused() | seat.SeatResumed() | seat.SeatSignedOut():
            check(message)
            return _MOVES[type(message)](**head, pool=message.pool, seat_id=message.seat_id)
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
            return None


_MOVES: dict[type[Any], type[events.SeatEvent]] = {
    seat.SeatPaused: events.SeatPaused,
    seat.SeatResumed: events.SeatResumed,
    seat.SeatSignedOut: events.SeatSignedOut,
}
_ANSWERS: dict[type[Any], type[events.OfferEvent]] = {
    seat.OfferAccepted: events.OfferAccepted,
    seat.OfferDeclined: events.OfferDeclined,
    seat.ServiceFinished: events.ServiceFinished,
}


def from_fact(fact: facts.TriageFact | facts.PoolFact) -> Iterable[Publish | Answer]:
    """Say what becomes of a fact on the wire: an event, an answer to a command, or nothing."""
    if isinstance(fact, facts.Answer):
        return (
            Answer(
                event_id=fact.event_id,
                source=fact.event_source,
                ok=fact.ok,
                reason=fact.reason,
                body={"at": fact.at.isoformat()},
            ),
        )
    write = _WRITERS.get(type(fact))
    return (write(fact),) if write is not None else ()


def _triaged(fact: facts.ContactTriaged) -> Publish:
    seen = fact.inputs
    message = wire.ContactTriaged(
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        pool=fact.pool,
        priority=fact.priority,
        skills=fact.skills,
        rule=fact.rule,
        policy=fact.policy,
        inputs=wire.TriageInputs(
            channel=seen.channel,
            touchpoint=seen.touchpoint,
            topic=seen.topic,
            language=seen.language,
            tier=seen.tier,
            vulnerable=seen.vulnerable,
            wants_human=seen.wants_human,
            mood=seen.mood,
            nps_score=seen.nps_score,
            risk=seen.risk,
            minute_of_day=seen.minute_of_day,
            missing=seen.missing,
            handover=seen.handover,
        ),
        requested_at=timestamp(fact.requested_at),
        decided_at=timestamp(fact.decided_at),
    )
    return Publish(message, fact.customer_id, fact.decided_at)


def _queued(fact: facts.ContactQueued) -> Publish:
    message = wire.ContactQueued(
        pool=fact.pool,
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        priority=fact.priority,
        skills=fact.skills,
        language=fact.language,
        requested_at=timestamp(fact.requested_at),
        queued_at=timestamp(fact.queued_at),
        channel=fact.channel,
        touchpoint=fact.touchpoint,
    )
    return Publish(message, fact.customer_id, fact.queued_at)


def _withdrawn(fact: facts.ContactWithdrawn) -> Publish:
    message = wire.ContactWithdrawn(
        pool=fact.pool, contact_id=fact.contact_id, customer_id=fact.customer_id, abandoned=fact.abandoned
    )
    return Publish(message, fact.customer_id, fact.at)


def _offered(fact: facts.ContactOffered) -> Publish:
    message = wire.ContactOffered(
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        pool=fact.pool,
        seat_id=fact.seat_id,
        token=fact.token,
        queued_at=timestamp(fact.queued_at),
        offered_at=timestamp(fact.offered_at),
        expires_at=timestamp(fact.expires_at),
        candidates=[
            wire.Candidate(seat_id=c.seat_id, eligible=c.eligible, why_not=c.why_not, idle_s=c.idle_s)
            for c in fact.candidates
        ],
        waiting=fact.waiting,
    )
    return Publish(message, fact.customer_id, fact.offered_at)


def _returned(fact: facts.OfferReturned) -> Publish:
    message = wire.OfferReturned(
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        pool=fact.pool,
        seat_id=fact.seat_id,
        token=fact.token,
        reason=fact.reason,
        returned_at=timestamp(fact.returned_at),
    )
    return Publish(message, fact.customer_id, fact.returned_at)


def _accepted(fact: facts.ContactAccepted) -> Publish:
    message = wire.ContactAccepted(
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        pool=fact.pool,
        seat_id=fact.seat_id,
        token=fact.token,
        waited_ms=fact.waited_ms,
        accepted_at=timestamp(fact.accepted_at),
    )
    return Publish(message, fact.customer_id, fact.accepted_at)


def _closed(fact: facts.ContactClosed) -> Publish:
    message = wire.ContactClosed(
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        pool=fact.pool,
        seat_id=fact.seat_id,
        outcome=_OUTCOMES[fact.outcome],
        waited_ms=fact.waited_ms,
        closed_at=timestamp(fact.closed_at),
    )
    return Publish(message, fact.customer_id, fact.closed_at)


_WRITERS: dict[type[Any], Callable[[Any], Publish]] = {
    facts.ContactTriaged: _triaged,
    facts.ContactQueued: _queued,
    facts.ContactWithdrawn: _withdrawn,
    facts.ContactOffered: _offered,
    facts.OfferReturned: _returned,
    facts.ContactAccepted: _accepted,
    facts.ContactClosed: _closed,
}
