"""The door: which events are let in, over HTTP's three modes."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from touchline.survey.v1 import events_pb2 as survey

from services.gateway import cloudevents
from services.gateway.accept import Acceptance, Envelope, Rejection, accept
from services.gateway.cloudevents import BATCH, STRUCTURED, UnsupportedMediaType
from services.runtime import catalogue, records
from services.runtime.records import JSON, PROTOBUF, Record

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def event(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": "a1",
        "source": "survey",
        "type": "touchline.survey.SurveyAnswered.v1",
        "subject": "customer-1",
        "time": "2026-11-01T09:00:00Z",
        "datacontenttype": "application/json",
        "data": {"surveyId": "s1", "score": 9, "segments": {"region": "华东"}, "comment": "好"},
    }
    made.update(changes)
    return {k: v for k, v in made.items() if v is not ...}


def let_in(given: list[Envelope | Rejection]) -> Acceptance:
    return accept(given, NOW, lambda _type, _id, own: own)


def post(body: Any, kind: str = BATCH, most: int = 1000, **headers: str) -> Acceptance:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return let_in(
        cloudevents.read({"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}, raw, most)
    )


def read_back(found: Acceptance) -> list[records.Incoming]:
    """What a consumer makes of the records."""
    return [records.read(Record(r.topic, 0, i, r.key, r.value, r.headers), NOW) for i, r in enumerate(found.records)]


def only(found: Acceptance) -> tuple[str, str]:
    assert not found.records
    assert len(found.rejected) == 1
    return found.rejected[0].field, found.rejected[0].reason


def test_an_event_arrives_at_its_consumer_as_it_was_sent() -> None:
    (got,) = read_back(post([event(traceparent=TRACE)]))
    assert (got.event_id, got.source, got.type) == ("a1", "survey", "touchline.survey.SurveyAnswered.v1")
    assert (got.key, got.subject, got.traceparent) == ("customer-1", "customer-1", TRACE)
    assert got.time == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert got.message == survey.SurveyAnswered(survey_id="s1", score=9, segments={"region": "华东"}, comment="好")


def test_all_modes_and_encodings_give_the_same_record() -> None:
    data = event()["data"]
    message = survey.SurveyAnswered(survey_id="s1", score=9, segments={"region": "华东"}, comment="好")
    packed = message.SerializeToString()
    ce = {f"ce-{k}": v for k, v in event().items() if k not in ("data", "datacontenttype")}
    found = [
        post([event()]),
        post(event(), STRUCTURED),
        post(event(), STRUCTURED + "; charset=UTF-8"),
        post(event(datacontenttype=...), STRUCTURED),
        post(event(data=..., data_base64=base64.b64encode(json.dumps(data).encode()).decode()), STRUCTURED),
        post(event(data=..., datacontenttype=PROTOBUF, data_base64=base64.b64encode(packed).decode()), STRUCTURED),
        post(data, JSON, **ce),
        post(packed, PROTOBUF, **ce),
    ]
    assert all(f.rejected == [] for f in found)
    assert all(read_back(f) == read_back(found[0]) for f in found)


def test_binary_mode_reads_percent_encoding_and_raw_utf8() -> None:
    ce = {f"ce-{k}": v for k, v in event().items() if k not in ("data", "datacontenttype")}
    for subject in ("%E8%83%A1%E5%A5%B3%E5%A3%AB", "胡女士".encode().decode("latin-1")):
        (got,) = read_back(post(event()["data"], JSON, **ce | {"ce-subject": subject}))
        assert got.subject == "胡女士"


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"specversion": ...}, "specversion", 'is not "1.0"'),
        ({"specversion": "0.3"}, "specversion", 'is not "1.0"'),
        ({"id": ...}, "id", "is missing"),
        ({"id": ""}, "id", "is missing"),
        ({"id": 5}, "id", "is not text"),
        ({"id": "x" * 257}, "id", "is longer than 256 characters"),
        ({"id": "x\0"}, "id", "holds a control character or half a surrogate pair"),
        ({"source": "\ud800"}, "source", "holds a control character or half a surrogate pair"),
        ({"source": ...}, "source", "is missing"),
        ({"type": ...}, "type", "is missing"),
        ({"type": "touchline.survey.Nothing.v1"}, "type", "is not a known event type"),
        ({"type": "touchline.nps.NpsChanged.v1"}, "type", "is a fact that only Touchline itself publishes"),
        ({"subject": ...}, "subject", "is missing"),
        ({"time": "yesterday"}, "time", "is not an RFC 3339 time"),
        ({"time": "2026-11-01T09:00:00"}, "time", "has no offset from UTC"),
        ({"time": "1999-01-01T00:00:00Z"}, "time", "is before the year 2000"),
        ({"time": "2028-01-01T00:00:00Z"}, "time", "is more than a year ahead"),
        ({"time": 5}, "time", "is not text"),
        (
            {"datacontenttype": "text/plain"},
            "datacontenttype",
            "of data in JSON is not application/json; protobuf goes into data_base64",
        ),
        (
            {"datacontenttype": PROTOBUF},
            "datacontenttype",
            "of data in JSON is not application/json; protobuf goes into data_base64",
        ),
        ({"datacontenttype": 7}, "datacontenttype", "is not text"),
        ({"data": ...}, "data", "is missing"),
        ({"data": 5}, "data", "is not a JSON object"),
        ({"data": {"surveyId": "s", "score": 11}}, "data.score", "is more than 10"),
        ({"data": {"surveyId": "s", "score": "nine"}}, "data.score", "is not a whole number"),
        ({"data": {"surveyId": "s", "score": 1, "comment": "\0"}}, "data.comment", "holds a NUL character"),
        ({"data_base64": "eHg="}, "data_base64", "stands beside data; one event has one of them"),
        ({"data": ..., "data_base64": "??"}, "data_base64", "is not base64"),
        ({"data": ..., "data_base64": 5}, "data_base64", "is not base64"),
        (
            {"data": ..., "data_base64": "////", "datacontenttype": PROTOBUF},
            "data",
            "is not a SurveyAnswered in protobuf",
        ),
        ({"surveyId": "s"}, "surveyId", "is not an attribute's name: those are lower-case letters and digits"),
    ],
)
def test_a_bad_event_is_refused_by_field_and_reason(changes: dict[str, Any], field: str, reason: str) -> None:
    assert only(post([event(**changes)])) == (field, reason)
    assert only(post(event(**changes), STRUCTURED)) == (field, reason)


def test_a_bad_event_does_not_sink_the_good_ones_beside_it() -> None:
    found = post([event(id="1"), event(data={}), 5, event(id="2"), event(id="3", type="x"), event(id="4")])
    assert [e.event_id for e in read_back(found)] == ["1", "2", "4"]
    assert [(r.index, r.field) for r in found.rejected] == [(1, "data.surveyId"), (2, "event"), (4, "type")]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"NaN", b"5" * 5000, b"{}", b"null"])
def test_a_body_that_is_no_batch_is_refused_whole(body: bytes) -> None:
    assert only(post(body))[0] == "body"


def test_an_empty_batch_is_nothing_to_refuse() -> None:
    assert post([]) == Acceptance()


def test_a_batch_with_too_many_events_and_an_event_too_large_are_told_from_bad_ones() -> None:
    assert post([event()] * 3, most=2).too_large
    huge = event(data={"surveyId": "s", "score": 1, "comment": "好" * 20_000})
    found = accept(cloudevents.read({"content-type": BATCH}, json.dumps([huge]).encode(), 9), NOW, lambda *a: "", 1000)
    assert found.too_large
    assert only(found) == ("data", "is larger than 1000 bytes")
    assert not post([event(data={})]).too_large


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json", "application/cloudevents+avro"])
def test_other_media_types_are_not_supported(kind: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        cloudevents.read({"content-type": kind}, b"{}", 10)


def test_an_event_without_a_time_gets_the_gateways() -> None:
    (got,) = read_back(post([event(time=...)]))
    assert got.time == NOW


def test_a_seats_event_is_keyed_by_pool_and_needs_no_subject() -> None:
    seat = event(
        type="touchline.seat.SeatSignedIn.v1",
        subject=...,
        data={"pool": "repair", "seatId": "s7", "skills": {"repair": 3}},
    )
    (got,) = read_back(post([seat]))
    assert (got.key, got.subject) == ("repair", "s7")
    assert post([seat]).records[0].topic == "pool.events"


def test_a_trace_context_that_is_none_is_dropped() -> None:
    for wrong in ("x", TRACE[:-1], "00-" + "0" * 32 + "-" + "b" * 16 + "-01", 5, TRACE.upper()):
        (got,) = read_back(post([event(traceparent=wrong)]))
        assert got.traceparent == ""


def test_no_internal_type_is_ever_let_in() -> None:
    internal = [e.name for e in catalogue.by_name().values() if e.internal]
    assert internal
    found = post([event(type=name) for name in internal])
    assert not found.records
    assert {r.field for r in found.rejected} == {"type"}


scraps = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
attributes = st.sampled_from([*event(), "data_base64", "traceparent", "x"])
spoilt = st.dictionaries(attributes, scraps, max_size=4).map(lambda changes: event(**changes))


@settings(max_examples=300)
@given(st.lists(spoilt | scraps, max_size=5), st.sampled_from([BATCH, STRUCTURED]))
def test_whatever_is_sent_is_let_in_readable_or_refused_with_a_place(sent: list[Any], kind: str) -> None:
    found = post(sent if kind == BATCH else sent[0] if sent else {}, kind)
    count = len(sent) if kind == BATCH else 1
    assert len(found.records) + len(found.rejected) == count
    assert len(read_back(found)) == len(found.records)
    for refused in found.rejected:
        assert 0 <= refused.index < count
        assert refused.field and refused.reason
