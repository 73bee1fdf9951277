"""What escalation counts: flags and what became of their follow-ups, by the minute, over all and by touchpoint."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from services.escalation.domain.tasks import (
    ComplaintFlagged,
    FollowUpClaimed,
    FollowUpClosed,
    FollowUpOverdue,
    FollowUpOverflowed,
    FollowUpReleased,
    FollowUpReminded,
    TeamFact,
)
from services.runtime.pipeline import Delta, Metric

METRIC: Final = Metric(
    "escalation",
    (
        "flagged", "closed", "overdue",
        "claimed", "done", "failed", "overtaken", "displaced", "reminded", "overflowed", "held_out", "released",
    ),
)  # fmt: skip


def count(fact: TeamFact) -> Iterator[Delta]:
    """One more of what happened, in the minute of its own time. A closed one counts by its result as well."""
    match fact:
        case ComplaintFlagged():
            held_out = {"held_out": 1} if fact.arm == "held_out" else {}
            yield from _one({"flagged": 1, **held_out}, fact.flagged_at, fact.touchpoint)
        case FollowUpClosed():
            yield from _one({"closed": 1, fact.result: 1}, fact.closed_at, fact.touchpoint)
        case FollowUpOverdue():
            yield from _one({"overdue": 1}, fact.due_at, fact.touchpoint)
        case FollowUpClaimed():
            yield from _one({"claimed": 1}, fact.claimed_at)
        case FollowUpReleased():
            yield from _one({"released": 1}, fact.released_at)
        case FollowUpReminded():
            yield from _one({"reminded": 1}, fact.reminded_at)
        case FollowUpOverflowed():
            yield from _one({"overflowed": 1}, fact.overflowed_at)


def _one(counts: dict[str, int], at: datetime, touchpoint: str = "") -> Iterator[Delta]:
    start = at.replace(second=0, microsecond=0)
    yield Delta(METRIC.name, (), "PT1M", start, counts)
    if touchpoint:
        yield Delta(METRIC.name, (("touchpoint", touchpoint),), "PT1M", start, counts)
