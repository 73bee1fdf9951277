"""Events on the wire, dead letters and the outbox's rows: what is written is read back; what is wrong is named."""

import contextlib
import json
import logging
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span
from touchline.contact.v1 import events_pb2 as contact
from touchline.survey.v1 import events_pb2 as survey

from services.runtime import letters, records
from services.runtime.errors import Permanent, Unreadable
from services.runtime.librdkafka import record_of
from services.runtime.outbox import pack, unpack
from services.runtime.records import Outgoing, Record, event_name, parse_time, read, write
from services.runtime.telemetry import _JsonLines

NOW = datetime(2026, 6, 9, 12, 0, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=30)
TIMES = st.datetimes(
    datetime(2000, 1, 2), datetime(2027, 6, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))])
)
HEADERS = st.lists(
    st.tuples(st.text(max_size=12).filter(lambda n: not n.startswith("dlq_")), st.binary(max_size=20)), max_size=6
)
RECORDS = st.builds(
    Record,
    topic=st.from_regex(r"[a-z][a-z.]{0,20}", fullmatch=True),
    partition=st.integers(0, 99),
    offset=st.integers(0, 2**62),
    key=st.binary(max_size=10),
    value=st.binary(max_size=40),
    headers=HEADERS.map(tuple),
)
OUTGOING = st.builds(Outgoing, st.text(max_size=9), st.binary(), st.binary(), HEADERS.map(tuple))


def polled(out: Outgoing) -> Record:
    return Record(out.topic, 1, 7, out.key, out.value, out.headers)


def said(text: str = "你好", **fields: str) -> Record:
    """A good record, with some headers altered (an empty text leaves one out)."""
    message = contact.MessageReceived(contact_id="c", speaker=contact.SPEAKER_CUSTOMER, text=text)
    record = polled(write(message, event_id="e", source="s", subject="hu", time=NOW))
    headers = {**dict(record.headers), **{k: v.encode("utf-8", "surrogateescape") for k, v in fields.items()}}
    return replace(record, headers=tuple((k, v) for k, v in headers.items() if v))


@given(event_id=TEXT, source=TEXT, subject=TEXT, text=TEXT, time=TIMES, trace=st.sampled_from(["", "00-ab-cd-01"]))
def test_what_is_written_is_read_back(event_id, source, subject, text, time, trace) -> None:
    message = contact.MessageReceived(contact_id="c", speaker=contact.SPEAKER_CUSTOMER, text=text)
    out = write(message, event_id=event_id, source=source, subject=subject, time=time, traceparent=trace)
    assert (out.topic, out.key) == ("touchpoint.events", subject.encode())
    incoming = read(polled(out), NOW)
    assert incoming.message == message
    assert (incoming.event_id, incoming.source, incoming.subject) == (event_id, source, subject)
    assert (incoming.key, incoming.time, incoming.traceparent) == (subject, time, trace)
    assert incoming.type == "touchline.contact.MessageReceived.v1"
    assert incoming.name == event_name(source, event_id)


def test_an_event_in_json_is_read_the_same() -> None:
    json = replace(
        said(**{"content-type": "application/json; charset=utf-8"}),
        value='{"contactId":"c","speaker":"SPEAKER_CUSTOMER","text":"你好"}'.encode(),
    )
    assert read(json, NOW).message == read(said(), NOW).message


def test_without_a_content_type_it_is_protobuf_and_without_a_subject_it_is_the_key() -> None:
    incoming = read(said(**{"content-type": "", "ce_subject": ""}), NOW)
    assert incoming.subject == "hu" and incoming.message.text == "你好"


def test_a_name_tells_source_and_id_apart() -> None:
    assert event_name("a", "bc") != event_name("ab", "c")
    assert event_name("a", "b") == event_name("a", "b")


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_time"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "header is missing"),
        ("\udcff", "is not UTF-8"),
        ("a\0b", "holds a NUL character"),
        ("x" * 2561, "is longer than 2560 bytes"),
    ],
)
def test_a_header_that_is_missing_or_garbled_is_named(name, value, reason) -> None:
    with pytest.raises(Unreadable) as refused:
        read(said(**{name: value}), NOW)
    assert (refused.value.field, refused.value.reason) == (name, reason)


@pytest.mark.parametrize(
    ("altered", "field", "reason"),
    [
        ({"ce_type": "touchline.contact.Nonsense.v1"}, "ce_type", "is not a known event type"),
        ({"ce_subject": "\udcff"}, "ce_subject", "is not UTF-8"),
        ({"content-type": "text/plain"}, "content-type", "is neither application/protobuf nor application/json"),
        ({"ce_time": "yesterday"}, "time", "is not an RFC 3339 time"),
        ({"ce_time": "2026-06-09T12:00:00"}, "time", "has no offset from UTC"),
        ({"ce_time": "0001-01-01T00:00:00+23:59"}, "time", "is out of range"),
        ({"ce_time": "1999-12-31T23:59:59Z"}, "time", "is before the year 2000"),
        ({"ce_time": "2027-06-11T00:00:00Z"}, "time", "is more than a year ahead"),
    ],
)
def test_what_is_wrong_with_an_event_is_named(altered, field, reason) -> None:
    with pytest.raises(Unreadable) as refused:
        read(said(**altered), NOW)
    assert (refused.value.field, refused.value.reason) == (field, reason)


@pytest.mark.parametrize(
    ("altered", "field"),
    [
        ({"key": None}, "key"),
        ({"key": b""}, "key"),
        ({"key": b"\xff"}, "key"),
        ({"key": b"x" * 2561}, "key"),
        ({"value": b"\xff\xff"}, "data"),
        ({"value": None}, "data.contactId"),
    ],
)
def test_a_key_or_value_that_is_wrong_is_named(altered, field) -> None:
    with pytest.raises(Unreadable) as refused:
        read(replace(said(), **altered), NOW)
    assert refused.value.field == field


@given(st.binary(max_size=60), st.sampled_from(["application/json", "application/protobuf"]))
def test_any_bytes_are_read_or_refused_never_worse(value, kind) -> None:
    try:
        read(replace(said(**{"content-type": kind}), value=value), NOW)
    except Unreadable as refused:
        assert refused.field.startswith("data")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-06-09T20:00:00+08:00", NOW),
        ("2026-06-09T12:00:00Z", NOW),
        ("2026-06-09T12:00:00.5Z", NOW + timedelta(milliseconds=500)),
    ],
)
def test_times_are_read_as_utc(text, utc) -> None:
    assert records.parse_time(text) == utc and records.parse_time(text).tzinfo is UTC


def test_the_bounds_of_time_are_allowed() -> None:
    for moment in (records.EARLIEST, NOW + records.FURTHEST_AHEAD):
        records.check_time(moment, NOW)
        with pytest.raises(Unreadable):
            records.check_time(moment + timedelta(microseconds=1 if moment > NOW else -1), NOW)


# --- dead letters ----------------------------------------------------------------------------------------------------


@given(RECORDS)
def test_the_original_of_a_dead_letter_is_the_record(record) -> None:
    letter = letters.dead_letter(record, Unreadable("ce_id", "header is missing"), "nps")
    assert letter.topic == f"{record.topic}.dlq"
    back = polled(letter)
    told = (("dlq_first", f"{record.topic}/{record.partition}/{record.offset}".encode()), ("dlq_replays", b"1"))
    assert letters.original(back) == Outgoing(record.topic, record.key, record.value, (*record.headers, *told))
    assert letters.origin(back) == letters.Origin(record.topic, record.partition, record.offset)
    assert not letters.is_mark(back)


@given(RECORDS, st.integers(1, 5))
def test_a_record_that_is_sent_again_and_again_grows_by_nothing(record, times) -> None:
    came, place = record, letters.Origin(record.topic, record.partition, record.offset)
    for n in range(times):
        letter = letters.dead_letter(came, Unreadable("ce_id", "header is missing"), "nps")
        assert letters.root(polled(letter)) == place and letters.replays(letter.headers) == n
        assert letters.origin(polled(letter)).offset == came.offset
        assert letters.origin(polled(letters.mark(polled(letter)))) == place
        again = letters.original(polled(letter))
        came = Record(again.topic, 3, came.offset % 1000 + 1, again.key, again.value, again.headers)
    assert [name for name, _ in came.headers] == [name for name, _ in record.headers] + ["dlq_first", "dlq_replays"]


@pytest.mark.parametrize(
    "headers",
    [
        (("dlq_replays", b"3"),),
        (("dlq_first", b"t/0/1"),),
        (("dlq_first", b"nowhere"), ("dlq_replays", b"3")),
        (("dlq_first", b"\xff/0/1"), ("dlq_replays", b"3")),
        (("dlq_first", b"t/0/1"), ("dlq_replays", b"-3")),
        (("dlq_first", b"t/0/1"), ("dlq_replays", b"9" * 5000)),
    ],
)
def test_a_count_that_is_no_count_is_none(headers) -> None:
    letter = polled(letters.dead_letter(replace(said(), headers=headers), Permanent("no"), "nps"))
    assert letters.replays(letter.headers) == 0
    assert letters.root(letter) == letters.origin(letter) == letters.Origin("touchpoint.events", 1, 7)


def test_a_fact_that_kafka_refuses_is_a_letter_at_its_own_place() -> None:
    fact = write(survey.SurveyRetracted(survey_id="s"), event_id="f", source="nps", subject="hu", time=NOW)
    names = polled(letters.refused_fact(fact, Permanent("too large"), "nps"))
    whole = polled(letters.refused_fact(fact, Permanent("too large"), "nps", whole=True))
    for letter in (names, whole):
        assert letters.is_fact(letter) and not letters.is_mark(letter)
        assert letters.origin(letter) == letters.Origin(f"{fact.topic}.dlq", 1, 7)
        assert letters.origin(polled(letters.mark(letter))) == letters.origin(letter)
    with pytest.raises(Unreadable, match="decision stands"):
        letters.original(names)
    again = letters.original(whole)
    assert (again.topic, again.key, again.value) == (fact.topic, fact.key, fact.value)
    assert again.headers[: len(fact.headers)] == fact.headers


def test_a_letter_that_kafka_refuses_still_names_its_place() -> None:
    letter = letters.dead_letter(said(), Permanent("no"), "nps")
    refused = letters.refused_fact(letter, Permanent("too large"), "nps", whole=True)
    assert refused.topic == letter.topic and refused.value == b""
    assert letters.origin(polled(refused)) == letters.origin(polled(letter))
    with pytest.raises(Unreadable, match="at its place"):
        letters.original(polled(refused))


def test_of_a_record_whose_headers_cannot_be_read_nothing_is_sent_again() -> None:
    record = replace(said(), headers=())
    letter = letters.dead_letter(record, Unreadable(letters.HEADERS, "a name is not UTF-8"), "nps")
    assert (letter.key, letter.value) == (record.key, record.value)
    with pytest.raises(Unreadable, match="headers cannot be read"):
        letters.original(polled(letter))


def test_the_log_tells_of_a_letter_in_the_trace_of_its_record() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    lines = []
    handler = logging.Handler()
    handler.emit = lambda line: lines.append(json.loads(_JsonLines("nps").format(line)))
    letters.log.addHandler(handler)
    try:
        with use_span(NonRecordingSpan(SpanContext(1, 2, is_remote=False))):  # another event's, in the same batch
            letters.dead_letter(
                said(traceparent=f"00-{trace}-b7ad6b7169203331-01"), Unreadable("data", "is wrong"), "nps"
            )
            letters.dead_letter(said(), ValueError("what was written"), "nps")
    finally:
        letters.log.removeHandler(handler)
    assert [line.get("trace_id") for line in lines] == [trace, None]
    assert (lines[0]["place"], lines[0]["field"], lines[0]["reason"]) == ("touchpoint.events/1/7", "data", "is wrong")
    assert "what was written" not in str(lines)


@given(RECORDS)
def test_a_mark_names_the_place_of_its_letter_and_lies_beside_it(record) -> None:
    letter = polled(letters.dead_letter(record, Permanent("cannot be stored"), "nps"))
    mark = letters.mark(letter)
    assert (mark.topic, mark.key, mark.value) == (letter.topic, letter.key, b"")
    assert letters.is_mark(polled(mark)) and letters.origin(polled(mark)) == letters.origin(letter)


def test_a_record_that_calls_itself_a_mark_is_a_letter_all_the_same() -> None:
    record = replace(said(), headers=(*said().headers, (letters.REPLAYED, b"x/0/1")))
    assert not letters.is_mark(polled(letters.dead_letter(record, Permanent(""), "nps")))


@pytest.mark.parametrize("where", ["value", "key", "headers"])
def test_of_a_record_that_is_too_large_for_a_letter_the_names_are_kept(where) -> None:
    large = b"x" * letters.LARGEST_LETTER
    record = replace(said(), **{where: (*said().headers, ("mine", large)) if where == "headers" else large})
    letter = letters.dead_letter(record, Unreadable("data", "is wrong"), "nps")
    size = len(letter.key) + len(letter.value) + sum(len(n) + len(v) for n, v in letter.headers)
    assert size < 2000
    headers = dict(letter.headers)
    assert headers["ce_id"] == b"e" and int(headers["dlq_bytes"]) > letters.LARGEST_LETTER
    assert letters.origin(polled(letter)) == letters.Origin(record.topic, record.partition, record.offset)
    with pytest.raises(Unreadable, match="lies at its place"):
        letters.original(polled(letter))


@pytest.mark.parametrize(
    ("error", "field", "reason"),
    [
        (Unreadable("data.score", "is above 10"), "data.score", "is above 10"),
        (Permanent("cannot be stored: DataError"), "", "cannot be stored: DataError"),
        (ValueError("what the customer wrote"), "", "could not be decided: ValueError"),
    ],
)
def test_a_reason_says_what_is_wrong_and_not_what_was_written(error, field, reason) -> None:
    headers = dict(letters.dead_letter(said(), error, "nps").headers)
    assert (headers["dlq_field"].decode(), headers["dlq_reason"].decode()) == (field, reason)
    assert headers["dlq_pipeline"] == b"nps"


@pytest.mark.parametrize("headers", [(), (("dlq_topic", b"t"),), (("dlq_topic", b"t"), ("dlq_partition", b"x"), ("dlq_offset", b"1"))])  # fmt: skip
def test_what_is_no_dead_letter_has_no_original(headers) -> None:
    with pytest.raises(Unreadable):
        letters.original(Record("t.dlq", 0, 0, b"k", b"v", headers))


@given(RECORDS)
def test_a_place_as_text_is_read_back(record) -> None:
    place = letters.Origin(record.topic, record.partition, record.offset)
    assert letters.Origin.parse(str(place)) == place


@pytest.mark.parametrize("text", ["", "t", "t/1", "/0/1", "t/-1/0", "t/0/x", "t/0/٣", "t/0/"])
def test_a_text_that_is_no_place(text) -> None:
    with pytest.raises(ValueError):
        letters.Origin.parse(text)


# --- the outbox's rows -----------------------------------------------------------------------------------------------


@given(st.lists(OUTGOING, max_size=5))
def test_what_is_packed_is_unpacked(batch) -> None:
    assert list(unpack(pack(batch))) == batch


def test_a_survey_goes_to_its_topic_under_the_key_that_is_given() -> None:
    out = write(survey.SurveyRetracted(survey_id="s"), event_id="e", source="s", subject="hu", time=NOW, key="li")
    assert out.key == b"li" and read(polled(out), NOW).subject == "hu"


@pytest.mark.parametrize(
    "name", ["ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "content-type", "traceparent", "x"]
)
def test_a_header_without_a_value_is_an_empty_one(name: str) -> None:
    """Kafka allows headers without a value; none may be more than unreadable."""
    made = write(contact.ContactEnded(contact_id="c"), event_id="e", source="s", subject="hu", time=NOW)
    headers = [*((k, v) for k, v in made.headers if k != name), (name, None)]
    seen = record_of(_Message(headers, made.value))
    assert (name, b"") in seen.headers
    with contextlib.suppress(Unreadable):
        assert read(seen, NOW).key == "hu"


class _Message:
    """As the client hands a message out."""

    def __init__(self, headers: list[tuple[str, bytes | None]], value: bytes) -> None:
        self.headers = lambda: headers
        self.value = lambda: value
        self.topic, self.partition, self.offset, self.key = lambda: "t", lambda: 0, lambda: 0, lambda: b"hu"


@pytest.mark.parametrize("text", ["2026-W01-1T00:00:00Z", "2026-06-06", "20260606T000000Z", "now"])
def test_other_forms_of_time_are_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="RFC 3339"):
        parse_time(text)
