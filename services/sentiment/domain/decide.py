"""The service's decision: one customer message in; the new mood and the scored fact out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.sentiment.domain.model import Label, Score
from services.sentiment.domain.mood import CustomerMood, fold_message
from services.sentiment.domain.text import Language

Scorer = Callable[[str, Language | None], Score]
"""Scores one text in a language, or in the one it guesses."""


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    """What a customer said. `source` and `event_id` name the event; `time` is the event's own, with a zone."""

    event_id: str
    source: str
    customer_id: str
    contact_id: str
    touchpoint: str
    channel: str
    language: Language | None
    text: str
    time: datetime


@dataclass(frozen=True, slots=True)
class MessageScored:
    """Fact: a message was scored. Moods and trend are as they stand after this message."""

    source: str
    event_id: str
    contact_id: str
    customer_id: str
    touchpoint: str
    channel: str
    language: Language
    label: Label
    polarity: float
    """P(positive) - P(negative), -1 … 1."""
    confidence: float
    negative: float
    neutral: float
    positive: float
    contact_mood: float
    customer_mood: float
    trend: float
    """Half the distance of the recent mood from the lasting one, -1 (souring) … 1 (brightening)."""
    time: datetime


def decide(
    state: CustomerMood, event: CustomerMessage, now: datetime, score: Scorer
) -> tuple[CustomerMood, tuple[MessageScored]]:
    """Score the message, and fold it into its customer's mood.

    A message from the future (by `now`) counts in its minute all the same, but its mood is dated `now`,
    so that a wrong clock can't make the customer's later messages look old.
    """
    scored = score(event.text, event.language)
    after, contact = fold_message(state, event.contact_id, event.touchpoint, scored.polarity, min(event.time, now))
    fact = MessageScored(
        source=event.source,
        event_id=event.event_id,
        contact_id=event.contact_id,
        customer_id=event.customer_id,
        touchpoint=event.touchpoint,
        channel=event.channel,
        language=scored.language,
        label=scored.label,
        polarity=scored.polarity,
        confidence=scored.confidence,
        negative=scored.negative,
        neutral=scored.neutral,
        positive=scored.positive,
        contact_mood=contact.value,
        customer_mood=after.value,
        trend=after.trend,
        time=event.time,
    )
    return after, (fact,)
