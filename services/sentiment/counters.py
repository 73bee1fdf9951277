"""What a scored message counts, over all and for its touchpoint, in the minute in which it was said."""

from collections.abc import Iterator
from datetime import UTC
from typing import Final

from services.runtime.pipeline import Delta, Metric
from services.sentiment.domain.decide import MessageScored

METRIC: Final = Metric("sentiment", ("negative", "neutral", "positive", "unsure", "polarity_milli"))


def count(fact: MessageScored) -> Iterator[Delta]:
    """One under its label, and its polarity in thousandths."""
    start = fact.time.astimezone(UTC).replace(second=0, microsecond=0)
    counts = {fact.label: 1, "polarity_milli": round(fact.polarity * 1000)}
    yield Delta(METRIC.name, (), "PT1M", start, counts)
    if fact.touchpoint:
        yield Delta(METRIC.name, (("touchpoint", fact.touchpoint),), "PT1M", start, counts)
