"""The door: which events are let in. Pure; HTTP and gRPC both hand their events to `accept`."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.message import Message

from services.runtime import catalogue, records, validate
from services.runtime.catalogue import EventType
from services.runtime.errors import Unreadable
from services.runtime.records import JSON, PROTOBUF, Outgoing

MAX_ATTRIBUTE = 256
# Kafka's broker takes records up to 1 MiB; a service stores several events' worth in one row.
MAX_EVENT_BYTES = 256 * 1024

_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff]")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event as a channel sent it, not yet believed.

    attributes: CloudEvents' context attributes, by name.
    data: JSON already decoded (a structured event's `data`), or bytes in `content_type`.
    """

    attributes: dict[str, object]
    content_type: str
    data: object


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an event was refused. index: its place in the request; field and reason: as in Unreadable."""

    index: int
    field: str
    reason: str
    too_large: bool = False


@dataclass(slots=True)
class Acceptance:
    """What becomes of a request: records to publish, and what was refused."""

    records: list[Outgoing] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)

    @property
    def too_large(self) -> bool:
        """True where nothing was let in because of its size."""
        return not self.records and bool(self.rejected) and all(r.too_large for r in self.rejected)


# (type, id, the event's own trace context) → the trace context that its record carries on
Trace = Callable[[EventType, str, str], str]


def accept(
    given: Iterable[Envelope | Rejection], now: datetime, trace: Trace, max_bytes: int = MAX_EVENT_BYTES
) -> Acceptance:
    """Checks each event by itself, in order; a bad one does not sink the good ones beside it.

    now: stands in for the time of an event that has none (CloudEvents leaves it optional).
    """
    found = Acceptance()
    for index, one in enumerate(given):
        if isinstance(one, Rejection):
            found.rejected.append(one)
            continue
        try:
            record = _record(one, now, trace)
        except Unreadable as wrong:
            found.rejected.append(Rejection(index, wrong.field, wrong.reason))
            continue
        if len(record.value) > max_bytes:
            found.rejected.append(Rejection(index, "data", f"is larger than {max_bytes} bytes", too_large=True))
        else:
            found.records.append(record)
    return found


def _record(event: Envelope, now: datetime, trace: Trace) -> Outgoing:
    given = event.attributes
    if given.get("specversion") != "1.0":
        raise Unreadable("specversion", 'is not "1.0"')
    event_id = _text(given, "id")
    source = _text(given, "source")
    event_type = _type(given)
    time = _time(given, now)
    message = _data(event, event_type)
    validate.check(message)
    if event_type.key_field:
        # The key is a field of the data, which its rules require; the subject is for people.
        subject = _text(given, "subject") if given.get("subject") else str(getattr(message, "seat_id", ""))
    else:
        subject = _text(given, "subject")
    own = given.get("traceparent")
    own = own if isinstance(own, str) and _TRACEPARENT.fullmatch(own) else ""
    return records.write(
        message,
        event_id=event_id,
        source=source,
        subject=subject,
        time=time,
        traceparent=trace(event_type, event_id, own),
    )


def _text(given: dict[str, object], name: str) -> str:
    value = given.get(name)
    if type(value) is str and 0 < len(value) <= MAX_ATTRIBUTE and value.isprintable():
        return value
    if value is None or value == "":
        raise Unreadable(name, "is missing")
    if not isinstance(value, str):
        raise Unreadable(name, "is not text")
    if len(value) > MAX_ATTRIBUTE:
        raise Unreadable(name, f"is longer than {MAX_ATTRIBUTE} characters")
    if _CONTROL.search(value):
        raise Unreadable(name, "holds a control character or half a surrogate pair")
    return value


def _type(given: dict[str, object]) -> EventType:
    name = _text(given, "type")
    found = catalogue.by_name().get(name)
    if found is None:
        raise Unreadable("type", "is not a known event type")
    if found.internal:
        raise Unreadable("type", "is a fact that only Touchline itself publishes")
    return found


def _time(given: dict[str, object], now: datetime) -> datetime:
    if given.get("time") is None:
        return now
    moment = records.parse_time(_text(given, "time"))
    records.check_time(moment, now)
    return moment


def _data(event: Envelope, event_type: EventType) -> Message:
    kind = event.content_type.partition(";")[0].strip().lower()
    if isinstance(event.data, bytes):
        if kind not in (JSON, PROTOBUF):
            raise Unreadable("datacontenttype", f"is neither {JSON} nor {PROTOBUF}")
        return records.decode(event_type.message, kind, event.data)
    if kind != JSON:
        raise Unreadable("datacontenttype", f"of data in JSON is not {JSON}; protobuf goes into data_base64")
    if event.data is None:
        raise Unreadable("data", "is missing")
    return validate.from_json(event_type.message, event.data)
