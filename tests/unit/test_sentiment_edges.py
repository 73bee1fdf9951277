"""Sentiment on the wire: what is read, what is said, what a correction and a state look like."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.router.v1 import events_pb2 as router_pb2
from touchline.seat.v1 import events_pb2 as seat_pb2
from touchline.sentiment.v1 import sentiment_pb2

from services.cli.feedback import line
from services.runtime import catalogue
from services.runtime.errors import Unreadable
from services.runtime.records import Incoming
from services.sentiment import codec, rpc
from services.sentiment.domain import conversation
from services.sentiment.domain.conversation import Point, Stint, begin, say
from services.sentiment.domain.events import (
    AngerAbsorbed,
    ConversationShifted,
    Corrected,
    FeedbackGiven,
    MessageScored,
    Said,
    SeatLeft,
    SeatTook,
)
from services.sentiment.domain.load import SeatOff, SeatOn
from services.sentiment.domain.score import EMOTIONS, LABELS, Emotion, Evidence, Score, Target
from services.sentiment.store import FeedbackRow
from services.sentiment.training.feedback import parse

AT = datetime(2026, 11, 18, 23, 59, 30, tzinfo=UTC)
ANGRY = Emotion("angry", (0.0, 0.9, 0.05, 0.0, 0.0, 0.05), 0.8)
SCORE = Score("zh", "negative", -0.8, 0.85, 0.85, 0.1, 0.05, ANGRY, 0.7, (Target("delivery", "delivery.late", 0.6),))


def incoming(message, key: str = "hu") -> Incoming:
    return Incoming("e", "s", "", key, key, AT, message, "")


@pytest.mark.parametrize("speaker", ["customer", "bot", "seat"])
def test_everybodys_words_are_read(speaker: str) -> None:
    number = contact_pb2.Speaker.Value(f"SPEAKER_{speaker.upper()}")
    message = contact_pb2.MessageReceived(
        contact_id="c", speaker=number, text="好", channel="app", touchpoint="delivery", language="zh-CN", seat_id="s1"
    )
    assert codec.read(incoming(message)) == Said("e", "s", "hu", "c", "delivery", "app", None, "好", AT, speaker, "s1")
    assert codec.read(incoming(contact_pb2.MessageReceived(contact_id="c", text="?"))) is None


def test_who_serves_is_read_of_what_the_router_decided() -> None:
    accepted = router_pb2.ContactAccepted(contact_id="c", customer_id="hu", pool="care", seat_id="s1")
    assert codec.read(incoming(accepted)) == SeatTook("hu", "c", "care", "s1", AT)
    closed = router_pb2.ContactClosed(contact_id="c", customer_id="hu", pool="care", seat_id="s1")
    assert codec.read(incoming(closed)) == SeatLeft("hu", "c", "s1", AT)
    assert codec.read(incoming(router_pb2.ContactClosed(contact_id="c", pool="bot"))) is None
    assert codec.read(incoming(order_pb2.OrderPlaced(order_id="o"))) is None


def test_a_correction_is_read_and_one_without_a_known_label_is_refused() -> None:
    message = sentiment_pb2.SentimentCorrected(
        message_id="m", message_source="app", text="还行", label=sentiment_pb2.LABEL_NEUTRAL, seat_id="s1"
    )
    assert codec.read(incoming(message)) == Corrected("app", "m", "hu", "", "s1", None, "还行", "neutral", "", None, AT)
    message.emotion, message.complaint = sentiment_pb2.EMOTION_SAD, False
    found = codec.read(incoming(message))
    assert isinstance(found, Corrected)
    assert (found.emotion, found.complaint) == ("sad", False)
    message.label = 17  # type: ignore[assignment]
    with pytest.raises(Unreadable, match=r"data\.label"):
        codec.read(incoming(message))
    message.label, message.text = sentiment_pb2.LABEL_NEUTRAL, " \n"
    with pytest.raises(Unreadable, match=r"data\.text"):
        codec.read(incoming(message))


def test_what_concerns_a_seats_load_is_read_by_its_pools_owner_alone() -> None:
    assert codec.read_load(incoming(seat_pb2.SeatSignedIn(pool="care", seat_id="s1"), "care")) == SeatOn(
        "care", "s1", AT
    )
    assert codec.read_load(incoming(seat_pb2.SeatSignedOut(pool="care", seat_id="s1"), "care")) == SeatOff(
        "care", "s1", AT
    )
    assert codec.read_load(incoming(seat_pb2.SeatPaused(pool="care", seat_id="s1"), "care")) is None
    fact = AngerAbsorbed("care", "s1", "c", "hu", "app", "m", AT, 0.7)
    (publish,) = codec.Writer("model")(fact)
    assert catalogue.of(publish.message).topic == "pool.events"
    assert codec.read_load(incoming(publish.message, "care")) == fact
    with pytest.raises(Unreadable, match="key"):
        codec.read_load(incoming(publish.message, "repair"))


def test_a_scored_message_says_everything_that_the_model_made_of_it() -> None:
    pieces = (Evidence(0, 2, -1.5, "polarity"), Evidence(2, 4, 0.7, "complaint"))
    fact = MessageScored("app", "m", "c", "hu", "delivery", "app", SCORE, pieces, None, -0.5, -0.4, -0.1, AT)
    (publish,) = codec.Writer("model 2")(fact)
    message = publish.message
    assert isinstance(message, sentiment_pb2.MessageScored)
    assert (message.message_source, message.message_id, message.model, publish.subject) == ("app", "m", "model 2", "hu")
    score = message.score
    assert (score.label, score.emotion) == (sentiment_pb2.LABEL_NEGATIVE, sentiment_pb2.EMOTION_ANGRY)
    assert dict(score.emotion_probability) == dict(zip(EMOTIONS, ANGRY.probability, strict=True))
    assert (score.emotion_strength, score.complaint) == (0.8, 0.7)
    assert [(t.area, t.stage, t.probability) for t in score.targets] == [("delivery", "delivery.late", 0.6)]
    assert [(e.start, e.end, e.weight, e.output) for e in score.evidence] == [
        (0, 2, -1.5, "polarity"),
        (2, 4, 0.7, "complaint"),
    ]
    assert not codec.score_message(SCORE).evidence


def talk() -> conversation.Talk:
    made = conversation.serve(begin("c", AT), Stint("care", "s1", AT))
    words = [("customer", 0.5), ("customer", 0.6), ("seat", -0.1), ("customer", -0.8), ("customer", -0.9)]
    for number, (speaker, polarity) in enumerate(words):
        at = AT + timedelta(seconds=number)
        seat = "s1" if speaker == "seat" else ""
        made, _ = say(made, Point("app", f"m{number}", speaker, seat, at, polarity, "neutral", "angry"))  # type: ignore[arg-type]
    return made


def test_a_shift_names_its_messages_and_says_no_text() -> None:
    turn = talk().turn
    assert turn is not None
    (publish,) = codec.Writer("model")(ConversationShifted("hu", "c", turn, "delivery", "app", "care", "s1", AT))
    message = publish.message
    assert isinstance(message, sentiment_pb2.ConversationShifted)
    assert catalogue.of(message).topic == "sentiment.shifted"
    assert message.turn.direction == sentiment_pb2.DIRECTION_SOURED
    assert (message.turn.turning.message_id, message.turn.confirmed_by, message.turn.confirmed_by_source) == (
        "m3",
        "m4",
        "app",
    )
    assert [(p.message_id, p.speaker, p.seat_id) for p in message.turn.before] == [
        ("m0", contact_pb2.SPEAKER_CUSTOMER, ""),
        ("m1", contact_pb2.SPEAKER_CUSTOMER, ""),
        ("m2", contact_pb2.SPEAKER_SEAT, "s1"),
    ]
    assert message.turn.turning.emotion == sentiment_pb2.EMOTION_ANGRY
    assert message.turn.level_before == pytest.approx(0.55)
    assert message.turn.level_after == pytest.approx(-0.85)


def test_a_conversation_is_told_by_speaker() -> None:
    message = codec.conversation_message("hu", talk())
    assert (message.customer_id, len(message.points), message.turns) == ("hu", 5, 1)
    assert [(m.speaker, m.messages) for m in message.speakers] == [
        (contact_pb2.SPEAKER_CUSTOMER, 4),
        (contact_pb2.SPEAKER_SEAT, 1),
    ]
    assert message.last_turn.turning.message_id == "m3"
    assert message.level == pytest.approx(-0.85)
    assert not codec.conversation_message("hu", begin("c", AT)).HasField("last_turn")


def test_a_correction_is_nobodys_event() -> None:
    corrected = Corrected("app", "m", "hu", "c", "s1", None, "还行", "neutral", "", None, AT)
    assert list(codec.Writer("model")(FeedbackGiven(corrected, SCORE))) == []


def test_a_conversation_comes_back_from_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(talk()), type=conversation.Talk) == talk()


def test_a_kept_correction_becomes_a_line_that_training_reads() -> None:
    row = FeedbackRow(7, "还行", "zh", "neutral", None, None, AT, "model 2", "negative", 0.6, 0.3, 0.1)
    assert line(codec.correction_message(row)) == {
        "number": 7,
        "text": "还行",
        "lang": "zh",
        "label": "neutral",
        "at": "2026-11-18T23:59:30Z",
        "said": {"label": "negative", "probability": {"negative": 0.6, "neutral": 0.3, "positive": 0.1}},
        "model": "model 2",
    }
    more = line(codec.correction_message(replace(row, emotion="sad", complaint=False)))
    assert (more["emotion"], more["complaint"]) == ("sad", False)
    learnt = parse(more)
    assert (learnt.text, learnt.language, learnt.said) == ("还行", "zh", (0.6, 0.3, 0.1))
    assert learnt.label is not None
    assert learnt.emotion is not None
    assert (LABELS[learnt.label], EMOTIONS[learnt.emotion], learnt.complaint) == ("neutral", "sad", False)


def test_corrections_with_their_texts_are_for_those_alone_who_may_change_things() -> None:
    assert rpc.servicer(None, None, "model", lambda: AT).changing == ("ExportCorrections",)  # type: ignore[arg-type]
