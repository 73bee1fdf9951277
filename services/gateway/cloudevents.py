"""CloudEvents 1.0 over HTTP: a request's body and headers as envelopes, in structured, batched or binary mode."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import unquote

from services.gateway.accept import Envelope, Rejection
from services.runtime.records import JSON, PROTOBUF
from services.runtime.validate import plain

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_ATTRIBUTE = re.compile(r"[a-z0-9]{1,64}")
_KNOWN = frozenset(
    [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "data",
        "data_base64",
        "traceparent",
        "tracestate",
    ]
)


class UnsupportedMediaType(Exception):
    """The body's content type is none that carries events."""


def read(headers: Mapping[str, str], body: bytes, max_events: int) -> list[Envelope | Rejection]:
    """The events in a request. headers: with lower-case names. Raises UnsupportedMediaType.

    A body that can't be read at all is one Rejection of the field "body".
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == STRUCTURED:
        event = _json(body)
        return [event if isinstance(event, Rejection) else _structured(0, event[0])]
    if kind == BATCH:
        events = _json(body)
        if isinstance(events, Rejection):
            return [events]
        if not isinstance(events[0], list):
            return [Rejection(0, "body", "is not a JSON array of events")]
        if len(events[0]) > max_events:
            return [Rejection(0, "body", f"holds more than {max_events} events", too_large=True)]
        return [_structured(i, e) for i, e in enumerate(events[0])]
    if kind in (JSON, PROTOBUF):
        if not any(name.startswith("ce-") for name in headers):
            raise UnsupportedMediaType
        return [_binary(headers, kind, body)]
    raise UnsupportedMediaType


def _json(body: bytes) -> tuple[object] | Rejection:
    try:
        return (json.loads(body.decode(), parse_constant=_refuse),)
    except UnicodeDecodeError:
        return Rejection(0, "body", "is not UTF-8")
    except (ValueError, RecursionError):
        return Rejection(0, "body", "is not JSON")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _structured(index: int, event: object) -> Envelope | Rejection:
    if type(event) is not dict:
        return Rejection(index, "event", "is not a JSON object")
    if not event.keys() <= _KNOWN:
        wrong = next((name for name in event if name not in _KNOWN and not _ATTRIBUTE.fullmatch(name)), None)
        if wrong is not None:
            return Rejection(index, plain(wrong), "is not an attribute's name: those are lower-case letters and digits")
    kind = event.get("datacontenttype")
    if kind is None:
        kind = JSON
    elif not isinstance(kind, str):
        return Rejection(index, "datacontenttype", "is not text")
    data = event.get("data")
    packed = event.get("data_base64")
    if packed is not None:
        if data is not None:
            return Rejection(index, "data_base64", "stands beside data; one event has one of them")
        try:
            data = base64.b64decode(packed, validate=True) if isinstance(packed, str) else None
        except (binascii.Error, ValueError):
            data = None
        if data is None:
            return Rejection(index, "data_base64", "is not base64")
    return Envelope(event, kind, data)


def _binary(headers: Mapping[str, str], kind: str, body: bytes) -> Envelope:
    # The protocol binding percent-encodes what a header can't hold, such as a Chinese subject. A header's bytes that are
    # not ASCII arrive as Latin-1: read them as the UTF-8 that they were meant to be.
    attributes: dict[str, object] = {
        name[3:]: unquote(_utf8(value), errors="surrogateescape")
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    return Envelope(attributes, kind, body)


def _utf8(value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
