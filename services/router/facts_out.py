"""The domain's facts as events of the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from touchline.router.v1 import events_pb2 as wire

from services.router.domain import facts
from services.runtime.pipeline import Answer, Publish
from services.runtime.records import timestamp

_OUTCOMES = {
    facts.Outcome.BOT: wire.OUTCOME_BOT,
    facts.Outcome.HUMAN: wire.OUTCOME_HUMAN,
    facts.Outcome.ABANDONED: wire.OUTCOME_ABANDONED,
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
            reopens=seen.reopens,
        ),
        requested_at=timestamp(fact.requested_at),
        decided_at=timestamp(fact.decided_at),
        protected=fact.protected,
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
        protected=fact.protected,
        call_back=fact.call_back,
        from_pool=fact.from_pool,
        not_seat=fact.not_seat,
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
            wire.Candidate(seat_id=c.seat_id, eligible=c.eligible, why_not=c.why_not, idle_s=c.idle_s, score=c.score)
            for c in fact.candidates
        ],
        waiting=fact.waiting,
        others=fact.others,
        ring=fact.ring,
        call_back=fact.call_back,
        forced_by=fact.forced_by,
        policy=fact.policy,
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
        predicted_ms=fact.predicted_ms if fact.predicted_ms >= 0 else None,
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


def _line(fact: facts.ContactLine) -> Publish:
    message = wire.ContactLine(pool=fact.pool, contact_id=fact.contact_id, customer_id=fact.customer_id, what=fact.what)
    return Publish(message, fact.customer_id, fact.at)


def _turn(fact: facts.TurnPassed) -> Publish:
    message = wire.TurnPassed(
        pool=fact.pool,
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        waits_for_customer=fact.waits_for_customer,
    )
    return Publish(message, fact.customer_id, fact.at)


def _predicted(fact: facts.WaitPredicted) -> Publish:
    message = wire.WaitPredicted(
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        pool=fact.pool,
        position=fact.position,
        wait_s=fact.wait_s if fact.wait_s >= 0 else None,
        high_s=fact.high_s if fact.high_s >= 0 else None,
        at=timestamp(fact.at),
        seats=fact.seats,
    )
    return Publish(message, fact.customer_id, fact.at)


def _moved(fact: facts.ContactMoved) -> Publish:
    message = wire.ContactMoved(
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        pool=fact.pool,
        to_pool=fact.to_pool,
        seat_id=fact.seat_id,
        token=fact.token,
        cause=fact.cause,
        reason=fact.reason,
        queued_at=timestamp(fact.queued_at),
        moved_at=timestamp(fact.moved_at),
    )
    return Publish(message, fact.customer_id, fact.moved_at)


def _debt(kind: type[Any], *more: str) -> Callable[[Any], Publish]:
    def write(fact: facts.DebtFact) -> Publish:
        message = kind(
            contact_id=fact.contact_id,
            customer_id=fact.customer_id,
            pool=fact.pool,
            kind=fact.kind,
            queued_at=timestamp(fact.queued_at),
            due_at=timestamp(fact.due_at),
            at=timestamp(fact.at),
            **{name: getattr(fact, name) for name in more},
        )
        return Publish(message, fact.customer_id, fact.at)

    return write


def _mode(kind: type[Any]) -> Callable[[Any], Publish]:
    def write(fact: facts.ModeFact) -> Publish:
        message = kind(
            pool=fact.pool,
            cause=fact.cause,
            by=fact.by,
            reason=fact.reason,
            waiting=fact.waiting,
            seats=fact.seats,
            load=fact.load,
            at=timestamp(fact.at),
            debts=fact.debts,
            policy=fact.policy,
        )
        if isinstance(fact, facts.ManagedModeLeft):
            message.entered_at.CopyFrom(timestamp(fact.entered_at))
        return Publish(message, fact.pool, fact.at)

    return write


def _acted(fact: facts.SupervisorActed) -> Publish:
    message = wire.SupervisorActed(
        pool=fact.pool,
        what=fact.what,
        by=fact.by,
        reason=fact.reason,
        seat_id=fact.seat_id,
        contact_id=fact.contact_id,
        ok=fact.ok,
        refused=fact.refused,
        at=timestamp(fact.at),
    )
    return Publish(message, fact.pool, fact.at)


_WRITERS: dict[type[Any], Callable[[Any], Publish]] = {
    facts.ContactTriaged: _triaged,
    facts.ContactQueued: _queued,
    facts.ContactWithdrawn: _withdrawn,
    facts.ContactOffered: _offered,
    facts.OfferReturned: _returned,
    facts.ContactAccepted: _accepted,
    facts.ContactClosed: _closed,
    facts.ContactLine: _line,
    facts.TurnPassed: _turn,
    facts.WaitPredicted: _predicted,
    facts.ContactMoved: _moved,
    facts.DebtIncurred: _debt(wire.DebtIncurred, "policy"),
    facts.DebtCalled: _debt(wire.DebtCalled, "urgent"),
    facts.DebtPaid: _debt(wire.DebtPaid, "seat_id"),
    facts.DebtReleased: _debt(wire.DebtReleased),
    facts.DebtOverdue: _debt(wire.DebtOverdue),
    facts.ManagedModeEntered: _mode(wire.ManagedModeEntered),
    facts.ManagedModeLeft: _mode(wire.ManagedModeLeft),
    facts.SupervisorActed: _acted,
}
