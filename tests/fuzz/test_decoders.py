"""Everything that reads bytes from Kafka or Postgres, each by itself."""

import contextlib
import json
import random
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import strategies as st

from services.cli.events import describe
from services.gateway.live.hub import encode
from services.gateway.live.view import LiveView
from services.metrics import codec as metrics_codec
from services.runtime import catalogue, letters, outbox, records, validate
from services.runtime.catalogue import EventType
from services.runtime.errors import Unreadable
from services.runtime.records import JSON, PROTOBUF, Headers, Outgoing, Record
from tests.fuzz import shapes
from tests.fuzz.harness import fuzz
from tests.fuzz.shapes import SECRET

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)


def told(error: Unreadable) -> None:
    """A refusal names a field and says a reason; it never repeats what was written."""
    assert error.field and error.reason
    assert SECRET not in str(error) and "\0" not in str(error) and len(str(error)) < 300


def headers_of(kind: EventType, rng: random.Random, content_type: str) -> Headers:
    names = {
        "ce_specversion": "1.0",
        "ce_id": "e1",
        "ce_source": "/channels/app",
        "ce_type": kind.name,
        "ce_time": "2026-11-01T08:59:00Z",
        "ce_subject": "c1",
        "content-type": content_type,
        "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
    }
    found = {name: value.encode() for name, value in names.items()}
    for name in names:
        match rng.randrange(24):
            case 0:
                found.pop(name)
            case 1:
                found[name] = rng.choice(shapes.TEXTS).encode()
            case 2:
                found[name] = shapes.mutated(found[name], rng)
            case 3:
                found[name] = rng.randbytes(rng.choice((0, 3, 5000)))
    items = list(found.items())
    return tuple(items + items[: rng.choice((0, 0, 0, 2))])


def record(kind: EventType, rng: random.Random) -> Record:
    content = rng.choice((PROTOBUF, JSON))
    if content == PROTOBUF:
        value: bytes | None = shapes.message(kind.message, rng).SerializeToString()
    else:
        value = shapes.dumps(shapes.data_of(kind, rng))
    value = shapes.mutated(value, rng) if value is not None and rng.random() < 0.5 else value
    value = None if rng.random() < 0.02 else value
    key = rng.choice((b"c1", b"c1", b"c1", None, b"", b"\xff\xfe", b"a\0b", b"k" * 3000))
    return Record(kind.topic, 0, rng.randrange(1 << 40), key, value, headers_of(kind, rng, content))


@fuzz(4, kind=shapes.event_types, seed=shapes.seeds)
def test_a_record_is_read_or_refused_with_field_and_reason(kind: EventType, seed: int) -> None:
    given = record(kind, random.Random(seed))
    try:
        found = records.read(given, NOW)
    except Unreadable as wrong:
        told(wrong)
        return
    assert found.event_id and found.source and found.key and found.time.tzinfo is UTC
    validate.check(found.message)


@fuzz(2, key=st.none() | st.binary(max_size=40), value=st.none() | st.binary(max_size=300),
      headers=st.lists(st.tuples(st.sampled_from(["ce_id", "ce_source", "ce_type", "ce_time", "content-type", "x", ""]),
                                 st.binary(max_size=60)), max_size=9))  # fmt: skip
def test_noise_is_no_record(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    try:
        records.read(Record("touchpoint.events", 0, 0, key, value, tuple(headers)), NOW)
    except Unreadable as wrong:
        told(wrong)


@fuzz(3, kind=shapes.event_types, seed=shapes.seeds)
def test_json_is_read_or_refused(kind: EventType, seed: int) -> None:
    data = shapes.data_of(kind, random.Random(seed))
    results = []
    for read, given in ((validate.from_json, data), (validate.parse_json, shapes.dumps(data))):
        try:
            results.append(read(kind.message, given).SerializeToString(deterministic=True))
        except Unreadable as wrong:
            told(wrong)
            results.append(None)
    # Numbers that JSON can't hold (NaN, Infinity) are known to the object alone.
    assert results[1] is None or results[0] is not None


@fuzz(2, kind=shapes.event_types, data=shapes.anything)
def test_any_json_is_read_or_refused(kind: EventType, data: Any) -> None:
    try:
        validate.check(validate.from_json(kind.message, data))
    except Unreadable as wrong:
        told(wrong)


@fuzz(2, kind=shapes.event_types, body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(kind: EventType, body: bytes) -> None:
    for content in (JSON, PROTOBUF, "text/plain", ""):
        try:
            validate.check(records.decode(kind.message, content, body))
        except Unreadable as wrong:
            told(wrong)


@fuzz(
    0.3, kind=shapes.event_types, depth=st.integers(1, 30_000), opening=st.sampled_from([b"[", b'{"a":', b'{"data":['])
)
def test_deep_nesting_is_refused(kind: EventType, depth: int, opening: bytes) -> None:
    try:
        validate.parse_json(kind.message, opening * depth)
        raise AssertionError("that was no JSON")
    except Unreadable as wrong:
        told(wrong)


@fuzz(2, seed=shapes.seeds)
def test_a_packed_outbox_comes_back_as_it_was_and_a_broken_one_says_so(seed: int) -> None:
    rng = random.Random(seed)
    kinds = sorted(catalogue.by_name().values(), key=lambda k: k.name)
    batch = []
    for _ in range(rng.randrange(4)):
        one = record(rng.choice(kinds), rng)
        headers = tuple((name, value or b"") for name, value in one.headers)
        batch.append(Outgoing(one.topic, one.key or b"", one.value or b"", headers))
    body = outbox.pack(batch)
    assert [(r.topic, r.key, r.value, tuple(r.headers)) for r in outbox.unpack(body)] == [
        (r.topic, r.key, r.value, tuple(r.headers)) for r in batch
    ]
    # The row is ours alone; what matters is that a broken one says so instead of giving something else away.
    with contextlib.suppress(msgspec.MsgspecError, ValueError):
        outbox.unpack(shapes.mutated(body, rng))


@fuzz(2, kind=shapes.event_types, seed=shapes.seeds)
def test_a_dead_letter_holds_the_record_as_it_was(kind: EventType, seed: int) -> None:
    rng = random.Random(seed)
    given = record(kind, rng)
    reason = rng.choice((Unreadable("data.score", "is more than 10"), ValueError(SECRET)))
    letter = letters.dead_letter(given, reason, "nps")
    assert SECRET not in str(dict(letter.headers).get("dlq_reason"))
    back = Record(letter.topic, 0, 0, letter.key, letter.value, letter.headers)
    assert not letters.is_mark(back)
    assert str(letters.origin(back)) == f"{given.topic}/0/{given.offset}"
    original = letters.original(back)
    kept = tuple((n, v) for n, v in given.headers if n not in letters.RESERVED)
    assert (original.topic, original.key, original.value) == (given.topic, given.key or b"", given.value or b"")
    assert tuple(h for h in original.headers if h[0] not in letters.RESERVED) == kept
    mark = letters.mark(back)
    assert letters.is_mark(Record(mark.topic, 0, 1, mark.key, mark.value, mark.headers))


NAMES = st.sampled_from([*sorted(letters.RESERVED), "ce_id", "x"])


@fuzz(
    2,
    headers=st.lists(
        st.tuples(NAMES, st.binary(max_size=30) | st.sampled_from([b"0", b"t", b"-1", b"1e9", "٣".encode()])),
        max_size=9,
    ),
)
def test_whatever_lies_among_dead_letters_is_a_letter_or_refused(headers: list[tuple[str, bytes]]) -> None:
    given = Record("touchpoint.events.dlq", 0, 0, None, None, tuple(headers))
    letters.is_mark(given)
    for read in (letters.origin, letters.original, letters.mark):
        try:
            read(given)
        except Unreadable as wrong:
            told(wrong)


@fuzz(1, kind=shapes.event_types, seed=shapes.seeds)
def test_a_tail_can_show_any_record(kind: EventType, seed: int) -> None:
    shown = describe(record(kind, random.Random(seed)))
    json.dumps(shown, ensure_ascii=False)


@fuzz(2, kind=shapes.event_types, seed=shapes.seeds)
def test_the_live_view_takes_any_record_or_leaves_it(kind: EventType, seed: int) -> None:
    rng, view = random.Random(seed), LiveView()
    for _ in range(3):
        view.apply(record(kind, rng))
    encode(view.take_changes())
    encode(view.snapshot())


@fuzz(1, seed=shapes.seeds)
def test_a_counter_is_read_or_refused(seed: int) -> None:
    kind = catalogue.by_name()["touchline.metrics.CounterChanged.v1"]
    try:
        cell, share, told_by_it = metrics_codec.read(records.read(record(kind, random.Random(seed)), NOW))
    except Unreadable as wrong:
        told(wrong)
        return
    assert share is not None and told_by_it.version is not None
    assert metrics_codec.restored(metrics_codec.stored(cell)) == cell
