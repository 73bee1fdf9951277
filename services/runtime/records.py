"""Events on the wire: CloudEvents 1.0 in Kafka's binary mode, read and written in this one place."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from hashlib import blake2b
from uuid import UUID

import msgspec
from asyncpg.pgproto import pgproto
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.runtime import catalogue, validate
from services.runtime.errors import Unreadable

Headers = Sequence[tuple[str, bytes]]

PROTOBUF = "application/protobuf"
_PROTOBUF = PROTOBUF.encode()
JSON = "application/json"

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)

# Beyond these an event's time is absurd, not merely late or early: no customer-service event is older than the
# century, and a clock that is a year ahead is broken.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(days=366)

# Keys and names end up in database indexes, which take 2,700 bytes, and in the headers of every fact.
LONGEST_NAME = 2560


# Structs without a place in the garbage collector's books: millions of them pass, and none refers back to itself.
class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it was polled from Kafka.

    headers: Kafka allows several of one name, of which the last counts, and one without a value: here an empty one.
    timestamp: when it was sent, ms since 1970; 0 where nobody asks for it.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int = 0


# Stands for headers that a client could not decode: Kafka's are UTF-8, but nobody checks.
GARBLED: Headers = (("?", b""),)


class Outgoing(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A record that waits to be published."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """An event that was read.

    event_id, source: together they name the event (`name` is both as one UUID).
    key: the record's key: the customer, or the pool.
    time: the event's own time, UTC.
    message: its data.
    traceparent: W3C trace context, or empty.
    """

    event_id: str
    source: str
    type: str
    subject: str
    key: str
    time: datetime
    message: Message
    traceparent: str

    @property
    def name(self) -> UUID:
        return event_name(self.source, self.event_id)


def event_name(source: str, event_id: str) -> UUID:
    """One 128-bit name for CloudEvents' pair of source and id."""
    # The database client's own class: a UUID to everyone, made in a tenth of the time.
    named: UUID = pgproto.UUID(
        blake2b(f"{source}\0{event_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    )
    return named


def timestamp(moment: datetime) -> Timestamp:
    """A moment in protobuf."""
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def parse_time(text: str) -> datetime:
    """An RFC 3339 time as UTC. Raises Unreadable("time", …)."""
    # What our own clients write is told by its shape; the pattern costs more than all the rest.
    usual = len(text) == 27 and text[7] == "-" and text[10] == "T" and text[19] == "." and text[26] == "Z"
    if not usual and not _RFC3339.fullmatch(text):
        raise Unreadable("time", "is not an RFC 3339 time")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable("time", "is not an RFC 3339 time") from None
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise Unreadable("time", "has no offset from UTC")
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError):
        raise Unreadable("time", "is out of range") from None


def check_time(moment: datetime, now: datetime) -> None:
    """Refuses times that no event can have. Raises Unreadable("time", …)."""
    if moment < EARLIEST:
        raise Unreadable("time", "is before the year 2000")
    if moment > now + FURTHEST_AHEAD:
        raise Unreadable("time", "is more than a year ahead")


def _text(name: str, value: bytes) -> str:
    if len(value) > LONGEST_NAME:
        raise Unreadable(name, f"is longer than {LONGEST_NAME} bytes")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise Unreadable(name, "is not UTF-8") from None
    if "\0" in text:
        raise Unreadable(name, "holds a NUL character")  # which Postgres cannot hold
    return text


@cache
def _types() -> dict[bytes, catalogue.EventType]:
    return {name.encode(): known for name, known in catalogue.by_name().items()}


def read(record: Record, now: datetime) -> Incoming:
    """The event in a record. Raises Unreadable, naming the header or field."""
    if record.headers is GARBLED:
        raise Unreadable("headers", "a header's name is not UTF-8")
    headers = dict(record.headers)
    kind = _types().get(headers.get("ce_type") or b"")
    if kind is None:
        _name("ce_type", headers.get("ce_type"))
        raise Unreadable("ce_type", "is not a known event type")
    event_id, source, time, key, subject = _names(
        headers.get("ce_id"), headers.get("ce_source"), headers.get("ce_time"), record.key, headers.get("ce_subject")
    )
    moment = parse_time(time)
    check_time(moment, now)
    content_type = headers.get("content-type") or _PROTOBUF
    if content_type != _PROTOBUF:
        content_type = content_type.partition(b";")[0].strip()
    value = record.value or b""
    message = decode(kind.message, content_type.decode(errors="replace"), value)
    if content_type == _PROTOBUF:
        validate.check(message, value)
    else:
        validate.check(message)
    traced = headers.get("traceparent")
    traceparent = traced.decode(errors="replace") if traced else ""
    return Incoming(event_id, source, kind.name, subject or key, key, moment, message, traceparent)


def _names(*raw: bytes | None) -> list[str]:
    """What names an event, checked and decoded at one go; one at a time where something is wrong, to say what."""
    if raw[0] and raw[1] and raw[2] and raw[3]:
        try:
            joined = b"\0".join((raw[0], raw[1], raw[2], raw[3], raw[4] or b""))
            if len(joined) <= LONGEST_NAME:
                names = joined.decode().split("\0")
                if len(names) == len(_NAMED):
                    return names
        except UnicodeDecodeError:
            pass
    for name, value in zip(_NAMED[:4], raw, strict=False):
        _name(name, value)
    return [_text(name, value or b"") for name, value in zip(_NAMED, raw, strict=True)]


_NAMED = ("ce_id", "ce_source", "ce_time", "key", "ce_subject")


def _name(name: str, value: bytes | None) -> str:
    if not value:
        raise Unreadable(name, "is missing" if name == "key" else "header is missing")
    return _text(name, value)


def decode(message_class: type[Message], content_type: str, value: bytes) -> Message:
    """An event's data. Raises Unreadable("data", …)."""
    message = message_class()
    if content_type == PROTOBUF:
        try:
            message.ParseFromString(value)
        except DecodeError:
            raise Unreadable("data", f"is not a {message_class.DESCRIPTOR.name} in protobuf") from None
        return message
    if content_type == JSON:
        return validate.parse_json(message_class, value)
    raise Unreadable("content-type", f"is neither {PROTOBUF} nor {JSON}")


# A time in quotes, as RFC 3339 has it: datetime's own way takes seven times as long.
_rfc3339 = msgspec.json.Encoder().encode


@lru_cache(maxsize=1000)
def _fixed(kind: str, source: str) -> tuple[tuple[str, bytes], ...]:
    """The headers that all events of a type and a source share."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_source", source.encode()),
        ("ce_type", kind.encode()),
        ("content-type", _PROTOBUF),
    )


def write(
    message: Message,
    *,
    event_id: str,
    source: str,
    subject: str,
    time: datetime,
    key: str | None = None,
    traceparent: str = "",
    extensions: tuple[tuple[str, bytes], ...] = (),
) -> Outgoing:
    """An event as a record on its type's topic. `key` defaults to the type's key field, or the subject.

    `extensions`: further CloudEvents attributes, as headers.
    """
    event_type = catalogue.of(message)
    if key is None:
        key = getattr(message, event_type.key_field) if event_type.key_field else subject
    headers = (
        *_fixed(event_type.name, source),
        ("ce_id", event_id.encode()),
        ("ce_time", _rfc3339(time)[1:-1]),
        ("ce_subject", subject.encode()),
        *extensions,
    )
    if traceparent:
        headers = (*headers, ("traceparent", traceparent.encode()))
    return Outgoing(event_type.topic, key.encode(), message.SerializeToString(), headers)
