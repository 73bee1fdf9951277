"""What a survey's change counts: answers by group, over all and by each segment, for all time and the day; over all by the hour."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from services.nps.domain.figures import group
from services.nps.domain.survey import Fact, SurveyCounted
from services.nps.domain.windows import day_of, hour_of
from services.runtime.pipeline import Delta, Metric

METRIC: Final = Metric("nps", ("promoters", "passives", "detractors"))
DAILY: Final = ("region", "channel", "touchpoint")
"""Dimensions whose days are published. Days of every store would be millions of keys a year on a compacted topic: they are
counted all the same, and answered over gRPC."""
ALL_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Where the one window of all time begins."""


def count(fact: Fact) -> Iterator[Delta]:
    """The changed cells: nothing where the answer stays in its group."""
    if not isinstance(fact, SurveyCounted):
        return
    counts: dict[str, int] = {}
    if fact.before is not None:
        counts[group(fact.before)] = -1
    if fact.after is not None:
        counts[group(fact.after)] = counts.get(group(fact.after), 0) + 1
    if not any(counts.values()):
        return
    # Hours of every store would be more cells than answers; they are counted when asked for, from the answers themselves.
    # Days are UTC's: a later correction finds its cell though NPS_ZONE was changed. Those of the zone come from the answers as well.
    hour, day = hour_of(fact.answered_at), day_of(fact.answered_at)
    yield Delta(METRIC.name, (), "PT1H", hour, counts)
    for segment in ((), *(((d, v),) for d, v in fact.segments)):
        yield Delta(METRIC.name, segment, "ALL", ALL_TIME, counts)
        yield Delta(METRIC.name, segment, "P1D", day, counts, publish=not segment or segment[0][0] in DAILY)
