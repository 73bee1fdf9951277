"""Messages, scores, moods and loads: protobuf on one side, the domain's words on the other."""

from collections.abc import Iterator, Sequence
from typing import Final, cast

from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.router.v1 import events_pb2 as router_pb2
from touchline.seat.v1 import events_pb2 as seat_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2

from services.runtime.errors import Unreadable
from services.runtime.pipeline import Publish
from services.runtime.records import Incoming, timestamp
from services.sentiment.domain import conversation
from services.sentiment.domain.conversation import Direction, Point, Speaker, Talk, Turn
from services.sentiment.domain.events import (
    AngerAbsorbed,
    Commented,
    CommentRead,
    ConversationShifted,
    Corrected,
    Event,
    Fact,
    FeedbackGiven,
    MessageScored,
    Said,
    SeatLeft,
    SeatTook,
    TalkPast,
)
from services.sentiment.domain.load import LoadEvent, SeatOff, SeatOn
from services.sentiment.domain.score import EMOTIONS as FEELINGS
from services.sentiment.domain.score import LABELS as KINDS
from services.sentiment.domain.score import Evidence, Label, Score
from services.sentiment.domain.text import Language
from services.sentiment.store import FeedbackRow

LABELS: Final[dict[str, sentiment_pb2.Label.ValueType]] = {
    "negative": sentiment_pb2.LABEL_NEGATIVE,
    "neutral": sentiment_pb2.LABEL_NEUTRAL,
    "positive": sentiment_pb2.LABEL_POSITIVE,
    "unsure": sentiment_pb2.LABEL_UNSURE,
}
EMOTIONS: Final = {
    "happy": sentiment_pb2.EMOTION_HAPPY,
    "angry": sentiment_pb2.EMOTION_ANGRY,
    "sad": sentiment_pb2.EMOTION_SAD,
    "fear": sentiment_pb2.EMOTION_FEAR,
    "surprise": sentiment_pb2.EMOTION_SURPRISE,
    "neutral": sentiment_pb2.EMOTION_NEUTRAL,
    "unsure": sentiment_pb2.EMOTION_UNSURE,
}
SPEAKERS: Final[dict[Speaker, contact_pb2.Speaker.ValueType]] = {
    "customer": contact_pb2.SPEAKER_CUSTOMER,
    "bot": contact_pb2.SPEAKER_BOT,
    "seat": contact_pb2.SPEAKER_SEAT,
}
_DIRECTIONS: Final[dict[Direction, sentiment_pb2.Direction.ValueType]] = {
    "soured": sentiment_pb2.DIRECTION_SOURED,
    "brightened": sentiment_pb2.DIRECTION_BRIGHTENED,
}
_READINGS: Final = {
    "unread": sentiment_pb2.READING_UNREAD,
    "other": sentiment_pb2.READING_OTHER,
    "staged": sentiment_pb2.READING_STAGED,
}
_LABEL_OF: Final[dict[int, Label]] = {LABELS[label]: label for label in (*KINDS, "unsure")}
_EMOTION_OF: Final = {number: emotion for emotion, number in EMOTIONS.items()}
_SPEAKER_OF: Final = {number: speaker for speaker, number in SPEAKERS.items()}


def language(code: str) -> Language | None:
    """A language that the model knows; None lets it guess."""
    return cast(Language, code) if code in ("zh", "en") else None


def read(incoming: Incoming) -> Event | None:
    """What concerns a customer's mood; None for all other events. Raises Unreadable."""
    match incoming.message:
        case contact_pb2.MessageReceived() as message:
            return _said(incoming, message)
        case router_pb2.ContactAccepted() as message:
            return SeatTook(incoming.key, message.contact_id, message.pool, message.seat_id, incoming.time)
        case router_pb2.ContactClosed(seat_id=seat_id) as message if seat_id:
            return SeatLeft(incoming.key, message.contact_id, seat_id, incoming.time)
        case sentiment_pb2.SentimentCorrected() as message:
            return _corrected(incoming, message)
        case survey_pb2.SurveyAnswered() as message if message.comment.strip():
            return Commented(
                incoming.source, incoming.event_id, incoming.key, message.survey_id, message.comment, incoming.time
            )
        case _:
            return None


def read_load(incoming: Incoming) -> LoadEvent | None:
    """What concerns the load of a pool's seats; None for all other events. Raises Unreadable."""
    message = incoming.message
    match message:
        case seat_pb2.SeatSignedIn() | seat_pb2.SeatSignedOut() | sentiment_pb2.AngerAbsorbed():
            if message.pool != incoming.key:
                raise Unreadable("key", "is not the event's pool")  # another process owns that pool
        case _:
            return None
    match message:
        case seat_pb2.SeatSignedIn():
            return SeatOn(message.pool, message.seat_id, incoming.time)
        case seat_pb2.SeatSignedOut():
            return SeatOff(message.pool, message.seat_id, incoming.time)
        case _:
            return AngerAbsorbed(
                pool=message.pool,
                seat_id=message.seat_id,
                contact_id=message.contact_id,
                customer_id=message.customer_id,
                source=message.message_source,
                message_id=message.message_id,
                time=incoming.time,
                anger=min(max(message.anger, 0.0), 1.0),
            )


def _said(incoming: Incoming, message: contact_pb2.MessageReceived) -> Said | None:
    speaker = _SPEAKER_OF.get(message.speaker)
    if speaker is None:
        return None
    return Said(
        event_id=incoming.event_id,
        source=incoming.source,
        customer_id=incoming.key,
        contact_id=message.contact_id,
        touchpoint=message.touchpoint,
        channel=message.channel,
        language=language(message.language),
        text=message.text,
        time=incoming.time,
        speaker=speaker,
        seat_id=message.seat_id,
    )


def _corrected(incoming: Incoming, message: sentiment_pb2.SentimentCorrected) -> Corrected:
    label = _LABEL_OF.get(message.label)
    if label is None:
        raise Unreadable("data.label", "is not one of the contract's values")
    if not message.text.strip():
        raise Unreadable("data.text", "is blank")
    return Corrected(
        source=message.message_source,
        message_id=message.message_id,
        customer_id=incoming.key,
        contact_id=message.contact_id,
        seat_id=message.seat_id,
        language=language(message.language),
        text=message.text,
        label=label,
        emotion=_EMOTION_OF.get(message.emotion, ""),
        complaint=message.complaint if message.HasField("complaint") else None,
        time=incoming.time,
    )


def score_message(score: Score, evidence: Sequence[Evidence] = ()) -> sentiment_pb2.Score:
    """A score in protobuf, with the evidence that is given."""
    return sentiment_pb2.Score(
        polarity=score.polarity,
        label=LABELS[score.label],
        confidence=score.confidence,
        negative=score.negative,
        neutral=score.neutral,
        positive=score.positive,
        language=score.language,
        emotion=EMOTIONS[score.emotion.label],
        emotion_probability=dict(zip(FEELINGS, score.emotion.probability, strict=True)),
        emotion_strength=score.emotion.strength,
        complaint=score.complaint,
        targets=[sentiment_pb2.Target(area=t.area, stage=t.stage, probability=t.probability) for t in score.targets],
        evidence=[sentiment_pb2.Evidence(start=e.start, end=e.end, weight=e.weight, output=e.output) for e in evidence],
    )


def point_message(point: Point) -> sentiment_pb2.Point:
    """A conversation's point in protobuf."""
    return sentiment_pb2.Point(
        message_id=point.event_id,
        message_source=point.source,
        speaker=SPEAKERS[point.speaker],
        seat_id=point.seat_id,
        said_at=timestamp(point.time),
        polarity=point.polarity,
        label=LABELS[point.label],
        emotion=EMOTIONS.get(point.emotion, sentiment_pb2.EMOTION_UNSPECIFIED),
    )


def turn_message(turn: Turn) -> sentiment_pb2.Turn:
    """A turning point in protobuf."""
    confirmed = conversation.unpack(turn.confirmed)
    return sentiment_pb2.Turn(
        direction=_DIRECTIONS[turn.direction],
        turning=point_message(conversation.unpack(turn.turning)),
        before=[point_message(conversation.unpack(p)) for p in turn.before],
        confirmed_by=confirmed.event_id,
        confirmed_by_source=confirmed.source,
        confirmed_at=timestamp(confirmed.time),
        level_before=turn.level_before,
        level_after=turn.level_after,
    )


def conversation_message(customer_id: str, talk: Talk) -> sentiment_pb2.Conversation:
    """A conversation in protobuf, with the mood of each speaker."""
    return sentiment_pb2.Conversation(
        customer_id=customer_id,
        speakers=[
            sentiment_pb2.SpeakerMood(
                speaker=SPEAKERS[m.speaker],
                mood=m.mood,
                trend=m.trend,
                messages=m.messages,
                last_at=timestamp(m.at) if m.at else None,
            )
            for m in conversation.moods(talk)
        ],
        points=[point_message(conversation.unpack(p)) for p in talk.points],
        last_turn=turn_message(talk.turn) if talk.turn else None,
        turns=talk.turns,
        level=conversation.level(talk),
        brought_along=talk.brought,
    )


def correction_message(row: FeedbackRow) -> sentiment_pb2.Correction:
    """A kept correction in protobuf."""
    said = sentiment_pb2.Score(
        polarity=row.positive - row.negative,
        label=LABELS.get(row.model_label, sentiment_pb2.LABEL_UNSPECIFIED),
        confidence=max(row.negative, row.neutral, row.positive),
        negative=row.negative,
        neutral=row.neutral,
        positive=row.positive,
        language=row.language,
    )
    return sentiment_pb2.Correction(
        number=row.number,
        text=row.text,
        language=row.language,
        label=LABELS.get(row.label, sentiment_pb2.LABEL_UNSPECIFIED),
        emotion=EMOTIONS.get(row.emotion or "", sentiment_pb2.EMOTION_UNSPECIFIED),
        complaint=row.complaint,
        corrected_at=timestamp(row.corrected_at),
        said=said,
        model=row.model,
    )


class Writer:
    """Facts as events; they name the model that scored."""

    def __init__(self, model: str) -> None:
        self._model = model

    def __call__(self, fact: Fact) -> Iterator[Publish]:
        match fact:
            case MessageScored():
                yield Publish(self._scored(fact), fact.customer_id, fact.time)
            case ConversationShifted():
                yield Publish(self._shifted(fact), fact.customer_id, fact.time)
            case AngerAbsorbed():
                yield Publish(_absorbed(fact), fact.customer_id, fact.time)
            case CommentRead():
                yield Publish(self._remarked(fact), fact.comment.customer_id, fact.comment.time)
            case FeedbackGiven() | TalkPast():
                return  # kept by the store alone

    def _scored(self, fact: MessageScored) -> sentiment_pb2.MessageScored:
        return sentiment_pb2.MessageScored(
            customer_id=fact.customer_id,
            contact_id=fact.contact_id,
            message_id=fact.event_id,
            message_source=fact.source,
            said_at=timestamp(fact.time),
            score=score_message(fact.score, fact.evidence),
            contact_mood=fact.contact_mood,
            customer_mood=fact.customer_mood,
            trend=fact.trend,
            touchpoint=fact.touchpoint,
            channel=fact.channel,
            model=self._model,
        )

    def _shifted(self, fact: ConversationShifted) -> sentiment_pb2.ConversationShifted:
        return sentiment_pb2.ConversationShifted(
            customer_id=fact.customer_id,
            contact_id=fact.contact_id,
            turn=turn_message(fact.turn),
            touchpoint=fact.touchpoint,
            channel=fact.channel,
            pool=fact.pool,
            seat_id=fact.seat_id,
            model=self._model,
        )

    def _remarked(self, fact: CommentRead) -> sentiment_pb2.CommentRead:
        given, remark = fact.comment, fact.remark
        return sentiment_pb2.CommentRead(
            customer_id=given.customer_id,
            survey_id=given.survey_id,
            answer_id=given.event_id,
            answer_source=given.source,
            answered_at=timestamp(given.time),
            reading=_READINGS.get(remark.reading, sentiment_pb2.READING_UNREAD),
            language=remark.language,
            named=[sentiment_pb2.Named(stage=n.stage, complains=n.complains, words=n.words) for n in remark.named],
            model=self._model,
        )


def _absorbed(fact: AngerAbsorbed) -> sentiment_pb2.AngerAbsorbed:
    return sentiment_pb2.AngerAbsorbed(
        pool=fact.pool,
        seat_id=fact.seat_id,
        contact_id=fact.contact_id,
        customer_id=fact.customer_id,
        message_id=fact.message_id,
        message_source=fact.source,
        said_at=timestamp(fact.time),
        anger=fact.anger,
    )
