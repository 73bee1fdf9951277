"""What escalation counts: flags, follow-ups closed and overdue, by the minute, over all and by touchpoint."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from services.escalation.domain.events import ComplaintFlagged, Fact, FollowUpClosed, FollowUpOverdue
from services.runtime.pipeline import Delta, Metric

METRIC: Final = Metric("escalation", ("flagged", "closed", "overdue"))


def count(fact: Fact) -> Iterator[Delta]:
    """One more of what happened, in the minute of its own time."""
    match fact:
        case ComplaintFlagged():
            yield from _one("flagged", fact.flagged_at, fact.touchpoint)
        case FollowUpClosed():
            yield from _one("closed", fact.closed_at, fact.touchpoint)
        case FollowUpOverdue():
            yield from _one("overdue", fact.due_at, fact.touchpoint)


def _one(name: str, at: datetime, touchpoint: str) -> Iterator[Delta]:
    start = at.replace(second=0, microsecond=0)
    yield Delta(METRIC.name, (), "PT1M", start, {name: 1})
    if touchpoint:
        yield Delta(METRIC.name, (("touchpoint", touchpoint),), "PT1M", start, {name: 1})
