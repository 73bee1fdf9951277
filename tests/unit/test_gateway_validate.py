"""The rules of proto/ kept, and data read from JSON, with the field named."""

import contextlib
import json
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from touchline.contact.v1 import events_pb2 as contact
from touchline.nps.v1 import nps_pb2 as nps
from touchline.order.v1 import events_pb2 as order
from touchline.seat.v1 import events_pb2 as seat
from touchline.sentiment.v1 import sentiment_pb2 as sentiment
from touchline.survey.v1 import events_pb2 as survey
from touchline.ticket.v1 import events_pb2 as ticket

from services.runtime import catalogue, validate
from services.runtime.errors import Unreadable

ANSWER = survey.SurveyAnswered(survey_id="s1", score=9, segments={"region": "华东"}, comment="好")


def test_rules_of_every_event_compile() -> None:
    for event in catalogue.by_name().values():
        with contextlib.suppress(Unreadable):
            validate.check(event.message())


def test_what_keeps_the_rules_passes() -> None:
    validate.check(ANSWER)
    validate.check(survey.SurveyAnswered(survey_id="s", score=0))
    validate.check(contact.ContactRequested(contact_id="c", channel="app", customer=contact.Customer(tier="vip")))
    validate.check(order.OrderPlaced(order_id="o", promised_at=Timestamp(seconds=1_800_000_000)))


@pytest.mark.parametrize(
    ("message", "field", "reason"),
    [
        (survey.SurveyAnswered(score=9), "data.surveyId", "is missing"),
        (survey.SurveyAnswered(survey_id="s"), "data.score", "is missing"),
        (survey.SurveyAnswered(survey_id="s", score=11), "data.score", "is more than 10"),
        (survey.SurveyAnswered(survey_id="s", score=-1), "data.score", "is less than 0"),
        (survey.SurveyAnswered(survey_id="s" * 129, score=1), "data.surveyId", "is longer than 128 characters"),
        (survey.SurveyAnswered(survey_id="s\0", score=1), "data.surveyId", "holds a NUL character"),
        (survey.SurveyAnswered(survey_id="s", score=1, comment="a\0b"), "data.comment", "holds a NUL character"),
        (
            survey.SurveyAnswered(survey_id="s", score=1, segments={str(i): "x" for i in range(17)}),
            "data.segments",
            "has more than 16 entries",
        ),
        (
            survey.SurveyAnswered(survey_id="s", score=1, segments={"region": "\0"}),
            "data.segments",
            "holds a NUL character",
        ),
        (
            survey.SurveyAnswered(survey_id="s", score=1, segments={"a\0": "x"}),
            "data.segments",
            "holds a NUL character",
        ),
        (
            survey.SurveyAnswered(survey_id="s", score=1, segments={"region": "x" * 201}),
            "data.segments",
            "holds a text longer than 200 characters",
        ),
        (contact.MessageReceived(contact_id="c", text="x"), "data.speaker", "is missing, or not a known Speaker"),
        (
            contact.MessageReceived(contact_id="c", text="x", speaker=99),
            "data.speaker",
            "is missing, or not a known Speaker",
        ),
        (ticket.TicketUpdated(ticket_id="t"), "data.status", "is missing, or not a known TicketStatus"),
        (
            contact.ContactRequested(contact_id="c", channel="app", customer=contact.Customer(tier="\0")),
            "data.customer.tier",
            "holds a NUL character",
        ),
        (
            contact.ContactRequested(contact_id="c", channel="app", customer=contact.Customer(region="x" * 65)),
            "data.customer.region",
            "is longer than 64 characters",
        ),
        (seat.OfferAccepted(pool="p", seat_id="s", contact_id="c"), "data.token", "is less than 1"),
        (seat.SeatSignedIn(pool="p", seat_id="s", languages=["zh", "\0"]), "data.languages", "holds a NUL character"),
        (seat.SeatSignedIn(pool="p", seat_id="s", skills={"\0": 1}), "data.skills", "holds a NUL character"),
        (
            seat.SeatSignedIn(pool="p", seat_id="s", languages=["x"] * 17),
            "data.languages",
            "has more than 16 entries",
        ),
        (order.OrderPlaced(order_id="o", promised_at=Timestamp(seconds=1 << 60)), "data.promisedAt", "is out of range"),
        (order.OrderPlaced(order_id="o", promised_at=Timestamp(nanos=-1)), "data.promisedAt", "is out of range"),
        # The calendar's ends would stand in Postgres as infinite.
        (
            nps.ActionPromised(
                action_id="a",
                owner="o",
                promise="p",
                segments={"region": "r"},
                due_at=Timestamp(seconds=-62_135_596_800),
            ),
            "data.dueAt",
            "is out of range",
        ),
        (
            nps.ActionPromised(
                action_id="a",
                owner="o",
                promise="p",
                segments={"region": "r"},
                due_at=Timestamp(seconds=253_402_300_799, nanos=999_999_999),
            ),
            "data.dueAt",
            "is out of range",
        ),
        (sentiment.MessageScored(trend=math.nan), "data.trend", "is not a finite number"),
        (
            sentiment.MessageScored(score=sentiment.Score(polarity=math.inf)),
            "data.score.polarity",
            "is not a finite number",
        ),
    ],
)
def test_what_breaks_a_rule_is_named(message: Any, field: str, reason: str) -> None:
    for wire in ((), (message.SerializeToString(),)):
        with pytest.raises(Unreadable) as caught:
            validate.check(message, *wire)
        assert (caught.value.field, caught.value.reason) == (field, reason)


def test_knowing_the_bytes_spares_work_and_changes_no_verdict() -> None:
    texts = st.sampled_from(["", "s", "a\0", "x" * 128, "x" * 129, "好" * 70, "y" * 201])
    answers = st.builds(
        survey.SurveyAnswered,
        survey_id=texts,
        score=st.none() | st.integers(-1, 11),
        segments=st.dictionaries(texts, texts, max_size=3) | st.just({str(i): "x" for i in range(17)}),
        comment=texts,
    )
    customers = st.builds(contact.Customer, tier=texts, region=texts)
    contacts = st.builds(contact.ContactRequested, contact_id=texts, channel=texts, customer=st.none() | customers)

    @given(answers | contacts)
    def judge(message: Any) -> None:
        assert _verdict(message) == _verdict(message, message.SerializeToString())

    judge()


def _verdict(message: Any, *wire: bytes) -> tuple[str, str] | None:
    try:
        validate.check(message, *wire)
    except Unreadable as found:
        return found.field, found.reason
    return None


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        (survey.SurveyAnswered, {"surveyId": "s", "score": "nine"}, "data.score"),
        (survey.SurveyAnswered, {"score": 1.5}, "data.score"),
        (survey.SurveyAnswered, {"score": True}, "data.score"),
        (survey.SurveyAnswered, {"score": 1 << 40}, "data.score"),
        (survey.SurveyAnswered, {"surveyId": 7}, "data.surveyId"),
        (survey.SurveyAnswered, {"surveyId": "\ud800"}, "data.surveyId"),
        (survey.SurveyAnswered, {"segments": {"region": "\udfff"}}, "data.segments.region"),
        (survey.SurveyAnswered, {"segments": {"region": 5}}, "data.segments.region"),
        (survey.SurveyAnswered, {"segments": {"some customer's words": 5}}, "data.segments.?"),
        (survey.SurveyAnswered, {"segments": ["x"]}, "data.segments"),
        (survey.SurveyAnswered, {"surveyId": "s", "skore": 9}, "data.skore"),
        (survey.SurveyAnswered, {"some customer's words": 9}, "data.?"),
        (survey.SurveyAnswered, [], "data"),
        (survey.SurveyAnswered, "x", "data"),
        (survey.SurveyAnswered, None, "data"),
        (contact.ContactRequested, {"customer": {"tier": 5}}, "data.customer.tier"),
        (contact.ContactRequested, {"customer": {"age": 5}}, "data.customer.age"),
        (contact.ContactRequested, {"customer": 5}, "data.customer"),
        (contact.ContactRequested, {"wantsHuman": "yes"}, "data.wantsHuman"),
        (contact.MessageReceived, {"speaker": "SPEAKER_DOG"}, "data.speaker"),
        (contact.MessageReceived, {"speaker": "\ud800"}, "data.speaker"),
        (contact.MessageReceived, {"speaker": math.inf}, "data.speaker"),  # JSON's 1e999
        (contact.MessageReceived, {"\ud800": "x"}, "data.?"),
        (contact.ContactRequested, {"customer": {"\udc00": "x"}}, "data.customer.?"),
        (seat.SeatSignedIn, {"skills": {"refund": "much"}}, "data.skills.refund"),
        (seat.SeatSignedIn, {"languages": ["zh", 3]}, "data.languages"),
        (seat.SeatSignedIn, {"languages": "zh"}, "data.languages"),
        (order.OrderPlaced, {"promisedAt": "tomorrow"}, "data.promisedAt"),
    ],
)
def test_the_wrong_field_of_json_is_named_and_its_value_is_not(kind: Any, data: Any, field: str) -> None:
    with pytest.raises(Unreadable) as caught:
        validate.from_json(kind, data)
    assert caught.value.field == field
    assert caught.value.reason
    for secret in ("nine", "much", "tomorrow", "SPEAKER_DOG", "customer's words"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"score": NaN}', b"[" * 100_000, b"1", b'"x"', b"null"])
def test_bodies_that_are_no_json_object_are_refused(body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        validate.parse_json(survey.SurveyAnswered, body)
    assert caught.value.field == "data"


@pytest.mark.parametrize(
    ("key", "told"),
    [("surveyID", "surveyID"), ("score_2", "score_2"), ("胡女士", "?"), ("x13800138000", "?"), ("score è", "?")],
)
def test_a_field_that_is_none_is_named_unless_its_name_may_be_a_customers_words_or_number(key: str, told: str) -> None:
    with pytest.raises(Unreadable) as caught:
        validate.parse_json(survey.SurveyAnswered, json.dumps({key: 1}).encode())
    assert caught.value.field == f"data.{told}"


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
answers = st.fixed_dictionaries(
    {},
    optional={
        "surveyId": words,
        "score": st.integers(-(1 << 31), (1 << 31) - 1),
        "segments": st.dictionaries(words, words, max_size=4),
        "comment": words | st.none(),
    },
)


@given(answers)
def test_plain_json_is_read_as_the_proto3_mapping_reads_it(data: dict[str, Any]) -> None:
    read = validate.from_json(survey.SurveyAnswered, data)
    assert read == ParseDict(data, survey.SurveyAnswered())
    assert validate.parse_json(survey.SurveyAnswered, json.dumps(data).encode()) == read


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["surveyId", "score", "tier", "x"]), inner)
    ),
    max_leaves=6,
)
kinds = st.sampled_from([survey.SurveyAnswered, contact.ContactRequested, seat.SeatSignedIn, order.OrderPlaced])
names = st.sampled_from(
    [
        "surveyId",
        "survey_id",
        "score",
        "segments",
        "contactId",
        "customer",
        "skills",
        "languages",
        "promisedAt",
        "wantsHuman",
        "x",
    ]
)


@settings(max_examples=300)
@given(kinds, st.dictionaries(names, anything, max_size=3))
def test_any_json_is_read_or_refused_with_a_field(kind: Any, data: dict[str, Any]) -> None:
    try:
        message = validate.from_json(kind, data)
    except Unreadable as refused:
        assert refused.field.startswith("data")
        return
    assert validate.from_json(kind, MessageToDict(message)) == message
