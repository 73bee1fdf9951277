"""The oracle's own reading of records and of sent events, from the contract in proto/ alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import isfinite
from typing import Any, Protocol

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import Parse, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from touchline.common.v1 import rules_pb2
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2
from touchline.metrics.v1 import counter_pb2
from touchline.nps.v1 import nps_pb2
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.router.v1 import events_pb2 as router_pb2
from touchline.seat.v1 import events_pb2 as seat_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2
from touchline.ticket.v1 import events_pb2 as ticket_pb2

_FILES = (
    contact_pb2, survey_pb2, order_pb2, ticket_pb2, seat_pb2,
    sentiment_pb2, router_pb2, nps_pb2, escalation_pb2, counter_pb2,
)  # fmt: skip

POOLS = "pool.events"
SECOND = 1_000_000
MINUTE = 60 * SECOND
YEAR = 366 * 24 * 3600 * SECOND
CENTURY = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * SECOND

Name = tuple[str, str]
"""An event's source and id, which together name it."""


class Record(Protocol):
    """A record as it lies on a topic."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Event:
    """An event or fact. time: microseconds since 1970. place: (topic, partition, offset), or None where only the journal has it."""

    name: Name
    kind: str
    subject: str
    key: str
    time: int
    message: Any
    place: tuple[str, int, int] | None = None
    cause: Name | None = None
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that breaks the contract."""

    place: tuple[str, int, int]
    reason: str


class Broken(ValueError):
    """What is wrong with an event, naming the field."""


@cache
def kinds() -> Mapping[str, type[Message]]:
    """CloudEvents type → the class of its data."""
    found = {}
    for file in _FILES:
        for name, descriptor in file.DESCRIPTOR.message_types_by_name.items():
            if descriptor.GetOptions().HasExtension(rules_pb2.event):
                _, area, version = file.DESCRIPTOR.package.split(".")
                found[f"touchline.{area}.{name}.{version}"] = GetMessageClass(descriptor)
    return found


@cache
def short(kind: str) -> str:
    """`touchline.contact.MessageReceived.v1` → `MessageReceived`."""
    return kind.split(".")[2]


def micros(moment: Any) -> int:
    """A protobuf Timestamp in microseconds since 1970."""
    return int(moment.seconds) * SECOND + int(moment.nanos) // 1000


def moment_of(text: str) -> int:
    """An RFC 3339 time in microseconds since 1970. Raises Broken."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Broken("time: is not RFC 3339") from None
    if moment.tzinfo is None:
        raise Broken("time: has no offset from UTC")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(time: int) -> str:
    """Microseconds since 1970 as a time that people read."""
    return datetime.fromtimestamp(time / SECOND, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def read(record: Record, now: int) -> Event | Bad:
    """What a record says, or why it can't be read. now: of the running system's clock."""
    place = (record.topic, record.partition, record.offset)
    try:
        return _read(record, now, place)
    except Broken as broken:
        return Bad(place, str(broken))


def _read(record: Record, now: int, place: tuple[str, int, int]) -> Event:
    headers = dict(record.headers)
    try:
        event_id, source, kind = (headers[n].decode() for n in ("ce_id", "ce_source", "ce_type"))
        time = moment_of(headers["ce_time"].decode())
        key = (record.key or b"").decode()
        subject = headers.get("ce_subject", b"").decode() or key
    except KeyError as missing:
        raise Broken(f"{missing.args[0]}: is missing") from None
    except UnicodeDecodeError:
        raise Broken("headers or key: not UTF-8") from None
    if not (event_id and source and key) or "\0" in event_id + source + key + subject:
        raise Broken("ce_id, ce_source, ce_subject or key: is empty or holds NUL")
    message_class = kinds().get(kind)
    if message_class is None:
        raise Broken("ce_type: is not known")
    if not CENTURY <= time <= now + YEAR:
        raise Broken("time: is absurd")
    value = record.value or b""
    message = message_class()
    mime = headers.get("content-type", b"application/protobuf").partition(b";")[0].strip()
    try:
        if mime == b"application/protobuf":
            message.ParseFromString(value)
        elif mime == b"application/json":
            # Half a surrogate pair among the names would make protobuf's C code fail in a way that ends the process.
            json.dumps(json.loads(value), ensure_ascii=False).encode()
            Parse(value, message, max_recursion_depth=20)
        else:
            raise Broken("content-type: is neither protobuf nor JSON")
    except Broken:
        raise
    except (DecodeError, ParseError, ValueError, OverflowError, RecursionError):
        raise Broken(f"data: is not a {short(kind)}") from None
    keep_rules(message)
    # Whoever owns a pool reads what lies under its key: under another, another process would decide for it.
    if record.topic == POOLS and getattr(message, "pool", key) != key:
        raise Broken("key: is not the event's pool")
    source_of_cause, id_of_cause = headers.get("ce_causesource"), headers.get("ce_causeid")
    cause = None
    # Facts that time alone brought have no cause.
    if source_of_cause is not None and id_of_cause is not None:
        cause = (source_of_cause.decode(errors="replace"), id_of_cause.decode(errors="replace"))
    return Event((source, event_id), short(kind), subject, key, time, message, place, cause, value)


def from_cloud_event(event: Mapping[str, Any]) -> Event:
    """An event as a channel sent it, in structured JSON. Raises Broken."""
    try:
        kind, name, time = str(event["type"]), (str(event["source"]), str(event["id"])), moment_of(str(event["time"]))
    except KeyError as missing:
        raise Broken(f"{missing.args[0]}: is missing") from None
    message_class = kinds().get(kind)
    if message_class is None:
        raise Broken("type: is not known")
    data = event.get("data") or {}
    try:
        plain = _plain(message_class.DESCRIPTOR, data)
        message = message_class(**plain) if plain is not None else ParseDict(data, message_class())
    except (ParseError, TypeError, ValueError, OverflowError):
        raise Broken(f"data: is not a {short(kind)}") from None
    keep_rules(message)
    subject = str(event.get("subject") or "")
    return Event(name, short(kind), subject, subject, time, message)


def _plain(descriptor: Any, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Data as the message's constructor takes it, several times as fast as ParseDict; None where that needs more care."""
    names = _plain_fields(descriptor)
    found: dict[str, Any] = {}
    for key, value in data.items():
        field = names.get(key)
        if field is None:
            return None
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            found[field.name] = value
            continue
        nested = _plain(field.message_type, value) if isinstance(value, dict) else None
        if nested is None:
            return None
        found[field.name] = nested
    return found


@cache
def _plain_fields(descriptor: Any) -> dict[str, FieldDescriptor]:
    """By JSON name, the fields that JSON writes as they are: not 64-bit numbers (text), bytes (base64) or times."""
    plain = {}
    for field in descriptor.fields:
        told = field.message_type
        wide = field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
        entry = (
            told is not None and told.GetOptions().map_entry and told.fields_by_name["value"].message_type is not None
        )
        special = told is not None and told.full_name.startswith("google.protobuf.")
        if not (wide or entry or special or field.type == FieldDescriptor.TYPE_BYTES):
            plain[field.json_name] = field
    return plain


LONGEST_ENTRY = 200
"""Longest text in a list or map, as docs and gateway have it."""


def keep_rules(message: Message) -> None:
    """Checks the rules that proto/ puts on the message's fields, at any depth. Raises Broken.

    Facts have no rules: what Touchline says itself is right or a fault of its own, which the other checks find.
    """
    if not _ruled(message.DESCRIPTOR):
        return
    for field, rules in _rules(message.DESCRIPTOR):
        value = getattr(message, field.name)
        present = message.HasField(field.name) if field.has_presence else bool(value)
        if not present:
            if rules.required:
                raise Broken(f"data.{field.json_name}: is missing")
        elif isinstance(value, str):
            if "\0" in value or (rules.HasField("max_len") and len(value) > rules.max_len):
                raise Broken(f"data.{field.json_name}: is too long, or holds NUL")
        elif isinstance(value, Message):
            keep_rules(value)
        elif isinstance(value, (int, float)):
            _keep_number(field, rules, value)
        elif rules.HasField("max_len") and len(value) > rules.max_len:
            raise Broken(f"data.{field.json_name}: has too many entries")
        else:
            _keep_entries(field, value)


def _keep_number(field: FieldDescriptor, rules: rules_pb2.FieldRules, value: float) -> None:
    if isinstance(value, float) and not isfinite(value):
        raise Broken(f"data.{field.json_name}: is not finite")
    if (rules.HasField("min") and value < rules.min) or (rules.HasField("max") and value > rules.max):
        raise Broken(f"data.{field.json_name}: is out of range")
    if rules.required and field.enum_type is not None and value not in field.enum_type.values_by_number:
        raise Broken(f"data.{field.json_name}: is not one of the contract's values")


def _keep_entries(field: FieldDescriptor, value: Any) -> None:
    entries = (*value, *value.values()) if isinstance(value, Mapping) or hasattr(value, "values") else value
    for entry in entries:
        if isinstance(entry, str) and (len(entry) > LONGEST_ENTRY or "\0" in entry):
            raise Broken(f"data.{field.json_name}: holds a text that is too long, or NUL")


@cache
def _ruled(descriptor: Any) -> bool:
    return any(f.GetOptions().HasExtension(rules_pb2.field) for f in descriptor.fields)


@cache
def _rules(descriptor: Any) -> tuple[tuple[FieldDescriptor, rules_pb2.FieldRules], ...]:
    """The fields that something can be wrong with: all but timestamps and plain numbers and enums without rules."""
    found = []
    for field in descriptor.fields:
        rules = field.GetOptions().Extensions[rules_pb2.field]
        plain = field.cpp_type not in (
            FieldDescriptor.CPPTYPE_STRING,
            FieldDescriptor.CPPTYPE_DOUBLE,
            FieldDescriptor.CPPTYPE_MESSAGE,
        )
        if field.type == FieldDescriptor.TYPE_BYTES or (plain and rules.ByteSize() == 0):
            continue
        if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
            continue
        found.append((field, rules))
    return tuple(found)
