"""What the service counts, by the minute in which it was said: over all, for the touchpoint, the pool that bore it, the language."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from services.runtime.pipeline import Delta, Metric
from services.sentiment.domain.events import (
    AngerAbsorbed,
    CommentRead,
    ConversationShifted,
    Fact,
    FeedbackGiven,
    MessageScored,
    TalkPast,
)

METRIC: Final = Metric(
    "sentiment",
    (
        "negative", "neutral", "positive", "unsure", "polarity_milli",
        "soured", "brightened", "anger_milli", "corrected", "corrected_wrong",
        "familiar_n", "unseen_milli",
    ),
)  # fmt: skip


def _minute(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(second=0, microsecond=0)


def count(fact: Fact) -> Iterator[Delta]:
    """A message under its label and its polarity in thousandths; turns by direction; anger by pool; corrections; words unseen in training, by language."""
    segment: tuple[tuple[str, str], ...] = ()
    match fact:
        case MessageScored():
            time = fact.time
            counts = {fact.score.label: 1, "polarity_milli": round(fact.score.polarity * 1000)}
            segment = (("touchpoint", fact.touchpoint),) if fact.touchpoint else ()
            if fact.unseen is not None:
                known = {"familiar_n": 1, "unseen_milli": round(fact.unseen * 1000)}
                yield Delta(METRIC.name, (("language", fact.score.language),), "PT1M", _minute(time), known)
        case ConversationShifted():
            time = fact.time
            counts = {fact.turn.direction: 1}
            segment = (("touchpoint", fact.touchpoint),) if fact.touchpoint else ()
        case AngerAbsorbed():
            time = fact.time
            counts = {"anger_milli": round(fact.anger * 1000)}
            segment = (("pool", fact.pool),)
        case FeedbackGiven():
            time = fact.correction.time
            counts = {"corrected": 1, "corrected_wrong": int(fact.correction.label != fact.score.label)}
        case TalkPast() | CommentRead():
            return
    start = _minute(time)
    yield Delta(METRIC.name, (), "PT1M", start, counts)
    if segment:
        yield Delta(METRIC.name, segment, "PT1M", start, counts)
