"""What the router counts, by minute of the decision: contacts and where they went, waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from services.router.domain import facts
from services.router.domain.facts import BOT, Outcome
from services.runtime.pipeline import Delta, Metric

ROUTING = Metric(
    "routing",
    (
        "triaged_bot",  # contacts given to the bot
        "triaged_human",  # contacts given to a pool, from the start or by handover
        "handed_over",  # of these, contacts that the bot had
        "queued",  # contacts that began to wait for a human
        "offered",  # offers
        "returned",  # offers that came back
        "accepted",  # offers accepted
        "closed_bot",  # contacts over, served by the bot
        "closed_human",  # contacts over, served by a human
        "abandoned",  # contacts over, left by the customer before a human accepted
        "lookups_missing",  # decisions made without at least one lookup
        "wait_ms_sum",  # waits of the accepted contacts, in milliseconds
        "wait_ms_abandoned_sum",  # waits of those who left, in milliseconds
        "moved",  # contacts that went to another pool or another seat, their clock kept
        "debts_incurred",  # humans promised
        "debts_paid",  # promises kept, late or in time
        "debts_released",  # promises that the customer needs no more
        "debts_overdue",  # promises not kept in time
        "managed_entered",  # times that managed mode was entered
        "managed_left",  # times that it was left
        "predicted",  # accepted contacts whose wait had been foretold
        "prediction_error_ms_sum",  # foretold − actual wait of these, in milliseconds
        "prediction_error_ms_abs_sum",  # the same without sign
        "supervised",  # what supervisors did by hand
    ),
)

_CLOSED = {Outcome.BOT: "closed_bot", Outcome.HUMAN: "closed_human", Outcome.ABANDONED: "abandoned"}

_DEBTS: dict[type[facts.DebtFact], str] = {
    facts.DebtIncurred: "debts_incurred",
    facts.DebtPaid: "debts_paid",
    facts.DebtReleased: "debts_released",
    facts.DebtOverdue: "debts_overdue",
}


def count(fact: facts.TriageFact | facts.PoolFact) -> Iterable[Delta]:
    """Return the cells that a fact changes: for all, for its pool, and for its touchpoint where that is known."""
    match fact:
        case facts.ContactTriaged():
            handed = bool(fact.inputs.handover)
            counts = {
                "triaged_bot" if fact.pool == BOT else "triaged_human": 1,
                "handed_over": int(handed),
                "lookups_missing": int(bool(fact.inputs.missing)),
            }
            return _cells(fact.decided_at, fact.pool, fact.inputs.touchpoint, counts)
        case facts.ContactQueued():
            return _cells(fact.queued_at, fact.pool, fact.touchpoint, {"queued": 1})
        case facts.ContactOffered():
            return _cells(fact.offered_at, fact.pool, fact.touchpoint, {"offered": 1})
        case facts.OfferReturned():
            return _cells(fact.returned_at, fact.pool, "", {"returned": 1})
        case facts.ContactAccepted():
            counts = {"accepted": 1, "wait_ms_sum": fact.waited_ms}
            if fact.predicted_ms >= 0:
                error = fact.predicted_ms - fact.waited_ms
                counts |= {
                    "predicted": 1,
                    "prediction_error_ms_sum": error,
                    "prediction_error_ms_abs_sum": abs(error),
                }
            return _cells(fact.accepted_at, fact.pool, fact.touchpoint, counts)
        case facts.ContactClosed():
            counts = {_CLOSED[fact.outcome]: 1}
            if fact.outcome is Outcome.ABANDONED:
                counts["wait_ms_abandoned_sum"] = fact.waited_ms
            return _cells(fact.closed_at, fact.pool, fact.touchpoint, counts)
        case _:
            return _count_later(fact)


def _count_later(fact: object) -> Iterable[Delta]:
    match fact:
        case facts.ContactMoved():
            return _cells(fact.moved_at, fact.pool, "", {"moved": 1})
        case facts.DebtFact():
            name = _DEBTS.get(type(fact), "")
            return _cells(fact.at, fact.pool, fact.touchpoint, {name: 1}) if name else ()
        case facts.ManagedModeEntered():
            return _cells(fact.at, fact.pool, "", {"managed_entered": 1})
        case facts.ManagedModeLeft():
            return _cells(fact.at, fact.pool, "", {"managed_left": 1})
        case facts.SupervisorActed():
            return _cells(fact.at, fact.pool, "", {"supervised": int(fact.ok)})
        case _:
            return ()


def _cells(at: datetime, pool: str, touchpoint: str, counts: Mapping[str, int]) -> Iterator[Delta]:
    start = at.replace(second=0, microsecond=0)
    told = {name: n for name, n in counts.items() if n}
    yield Delta(ROUTING.name, (), "PT1M", start, told)
    yield Delta(ROUTING.name, (("pool", pool),), "PT1M", start, told)
    if touchpoint:
        yield Delta(ROUTING.name, (("touchpoint", touchpoint),), "PT1M", start, told)
