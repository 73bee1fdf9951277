"""Messages, scores and moods: protobuf on one side, the domain's words on the other."""

from collections.abc import Iterator
from typing import cast

from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.sentiment.v1 import sentiment_pb2

from services.runtime.pipeline import Publish
from services.runtime.records import Incoming, timestamp
from services.sentiment.domain.decide import CustomerMessage, MessageScored
from services.sentiment.domain.model import Label, Score
from services.sentiment.domain.text import Language

LABELS: dict[Label, sentiment_pb2.Label.ValueType] = {
    "negative": sentiment_pb2.LABEL_NEGATIVE,
    "neutral": sentiment_pb2.LABEL_NEUTRAL,
    "positive": sentiment_pb2.LABEL_POSITIVE,
    "unsure": sentiment_pb2.LABEL_UNSURE,
}


def language(code: str) -> Language | None:
    """A language that the model knows; None lets it guess."""
    return cast(Language, code) if code in ("zh", "en") else None


def read(incoming: Incoming) -> CustomerMessage | None:
    """What a customer said; None for all other events, and for what bots and seats say."""
    message = incoming.message
    if not isinstance(message, contact_pb2.MessageReceived) or message.speaker != contact_pb2.SPEAKER_CUSTOMER:
        return None
    return CustomerMessage(
        event_id=incoming.event_id,
        source=incoming.source,
        customer_id=incoming.key,
        contact_id=message.contact_id,
        touchpoint=message.touchpoint,
        channel=message.channel,
        language=language(message.language),
        text=message.text,
        time=incoming.time,
    )


def score_message(score: Score | MessageScored) -> sentiment_pb2.Score:
    """A score, or a fact's, in protobuf."""
    return sentiment_pb2.Score(
        polarity=score.polarity,
        label=LABELS[score.label],
        confidence=score.confidence,
        negative=score.negative,
        neutral=score.neutral,
        positive=score.positive,
        language=score.language,
    )


class Writer:
    """Facts as events; they name the model that scored."""

    def __init__(self, model: str) -> None:
        self._model = model

    def __call__(self, fact: MessageScored) -> Iterator[Publish]:
        message = sentiment_pb2.MessageScored(
            customer_id=fact.customer_id,
            contact_id=fact.contact_id,
            message_id=fact.event_id,
            message_source=fact.source,
            said_at=timestamp(fact.time),
            score=score_message(fact),
            contact_mood=fact.contact_mood,
            customer_mood=fact.customer_mood,
            trend=fact.trend,
            touchpoint=fact.touchpoint,
            channel=fact.channel,
            model=self._model,
        )
        yield Publish(message, fact.customer_id, fact.time)
