"""The rules of proto/ (`touchline.common.v1.field`) kept: an event's data is checked, and read from JSON, with the field named."""

import json
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NoReturn, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from touchline.common.v1 import rules_pb2

from services.runtime.errors import Unreadable

M = TypeVar("M", bound=Message)

Check = Callable[[Any], None]
Look = tuple[str, str, bool, int]  # a text's name, its path, whether it must be there, how long it may be
Found = tuple[str, str]  # where below the message (".skills"), and what is wrong

# Map keys, map values and list items name segments, skills and languages, and end up as database keys:
# Postgres cannot index a text beyond ~2,700 bytes.
MAX_ENTRY = 200

# Longer than any record: a text without a limit.
_LONG = 1 << 30

_TIMESTAMP = "google.protobuf.Timestamp"
# The years 1970 to 9989: Postgres's client reads the calendar's own ends as infinite, and a zone's offset leads beyond them.
_EARLIEST_SECOND, _LATEST_SECOND = 0, 253_086_767_999
_HALF = re.compile("[\ud800-\udfff]")
# ASCII, and no more than three digits in a row: neither words nor a number that a customer has.
_PLAIN_NAME = re.compile(r"[A-Za-z_](?:[A-Za-z_-]|[0-9]{1,3}(?![0-9])){0,63}")
_WHOLE = {
    FieldDescriptor.CPPTYPE_INT32: "int32",
    FieldDescriptor.CPPTYPE_INT64: "int64",
    FieldDescriptor.CPPTYPE_UINT32: "uint32",
    FieldDescriptor.CPPTYPE_UINT64: "uint64",
}
_REAL = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)
_TEXT = FieldDescriptor.CPPTYPE_STRING


class _BrokenError(Exception):
    """A rule is broken, somewhere below the message at hand."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__()
        self.path = path
        self.reason = reason


def check(message: Message, wire: bytes | None = None) -> None:
    """Refuses data that breaks the rules of its message. Raises Unreadable("data.<field>", …), with the field's JSON name.

    wire: the bytes that the message was parsed from, where it was. A text is no longer than they are, and holds no NUL
    where they hold none: most messages are short and clean, and most of their texts need not be looked at one by one.
    """
    limits, unknown, clean = _checks(type(message))  # type: ignore[arg-type]
    checks = unknown if wire is None or b"\0" in wire else clean[bisect_left(limits, len(wire))]
    try:
        for one in checks:
            one(message)
    except _BrokenError as broken:
        raise Unreadable("data" + broken.path, broken.reason) from None


def refusal(message: Message, error: Unreadable) -> str:
    """Why a call's message was refused, with the field's name as who calls by gRPC wrote it: proto's, not JSON's."""
    told, rest = re.fullmatch(r"(\w*)(.*)", error.field.removeprefix("data."), re.DOTALL).groups()  # type: ignore[union-attr]
    name = next((f.name for f in message.DESCRIPTOR.fields if f.json_name == told), told)
    return f"{name}{rest}: {error.reason}"


@cache
def _checks(message_class: Any) -> tuple[list[int], tuple[Check, ...], list[tuple[Check, ...]]]:
    """Limits of a message's texts; all its checks; and those that are left where its texts hold no NUL and are no longer
    than each of the limits, and last where they may be longer than all."""
    descriptor = message_class.DESCRIPTOR
    limits = sorted({MAX_ENTRY, *_limits(descriptor, set())})
    return limits, _compile(descriptor, -1), [_compile(descriptor, longest) for longest in (*limits, _LONG)]


def _limits(descriptor: Any, met: set[str]) -> Iterator[int]:
    """How long each text in a message, and in those below it, may be."""
    if descriptor.full_name in met:
        return
    met.add(descriptor.full_name)
    for f in descriptor.fields:
        rules = f.GetOptions().Extensions[rules_pb2.field]
        if f.message_type is not None:
            yield from _limits(f.message_type, met)
        elif f.type == FieldDescriptor.TYPE_STRING and not f.is_repeated and rules.HasField("max_len"):
            yield rules.max_len


@cache
def _compile(descriptor: Any, longest: int) -> tuple[Check, ...]:
    """The checks of a message. longest: how long its texts are known to be at most, with no NUL in them; -1 where neither is known."""
    if descriptor.full_name == _TIMESTAMP:
        return (_check_timestamp,)
    texts = [f for f in descriptor.fields if f.type == FieldDescriptor.TYPE_STRING and not f.is_repeated]
    others = [made for f in descriptor.fields if f not in texts for made in _for_field(f, longest)]
    looks = [look for f in texts if (look := _look(f, longest)) is not None]
    return (_texts(looks, clean=longest >= 0), *others) if looks else tuple(others)


def _check_timestamp(stamp: Any) -> None:
    if not (_EARLIEST_SECOND <= stamp.seconds <= _LATEST_SECOND and 0 <= stamp.nanos < 1_000_000_000):
        raise _BrokenError("", "is out of range")


def _for_field(f: FieldDescriptor, longest: int) -> list[Check]:
    rules = f.GetOptions().Extensions[rules_pb2.field]
    if f.is_repeated:
        return [_entries(f, rules, longest)]
    if f.message_type is not None:
        return [_nested(f, rules, longest)]
    if f.enum_type is not None:
        return [_enum(f)] if rules.required else []
    return [] if f.cpp_type == _TEXT else _number(f, rules)  # texts are looked at together, bytes not at all


def _look(f: FieldDescriptor, longest: int) -> Look | None:
    """What a text is looked at for; None where nothing can be wrong with it."""
    rules = f.GetOptions().Extensions[rules_pb2.field]
    most = rules.max_len if rules.HasField("max_len") else _LONG
    if 0 <= longest <= most and not rules.required:
        return None
    return f.name, "." + f.json_name, rules.required, most


def _texts(looks: list[Look], *, clean: bool) -> Check:
    """All texts of a message in one loop: a call for each would cost more than the look."""

    def run(message: Any) -> None:
        for name, path, required, most in looks:
            value = getattr(message, name)
            if not value:
                if required:
                    raise _BrokenError(path, "is missing")
            elif not clean and "\0" in value:
                raise _BrokenError(path, "holds a NUL character")
            elif len(value) > most:
                raise _BrokenError(path, f"is longer than {most} characters")

    return run


def _number(f: FieldDescriptor, rules: rules_pb2.FieldRules) -> list[Check]:
    name, path, required, presence = f.name, "." + f.json_name, rules.required, f.has_presence
    if required and not presence:
        raise TypeError(f"{f.full_name}: a required number must be optional in proto, or 0 can't be told from nothing")
    bounded = rules.HasField("min") or rules.HasField("max")
    real = f.cpp_type in _REAL
    if not (required or bounded or real):
        return []
    low = rules.min if rules.HasField("min") else -math.inf
    high = rules.max if rules.HasField("max") else math.inf

    def run(message: Any) -> None:
        if presence and not message.HasField(name):
            if required:
                raise _BrokenError(path, "is missing")
            return
        value = getattr(message, name)
        if real and not math.isfinite(value):
            raise _BrokenError(path, "is not a finite number")
        if value < low:
            raise _BrokenError(path, f"is less than {low:g}")
        if value > high:
            raise _BrokenError(path, f"is more than {high:g}")

    return [run]


def _enum(f: FieldDescriptor) -> Check:
    name, path = f.name, "." + f.json_name
    assert f.enum_type is not None
    known, kind = frozenset(f.enum_type.values_by_number) - {0}, f.enum_type.name

    def run(message: Any) -> None:
        if getattr(message, name) not in known:
            raise _BrokenError(path, f"is missing, or not a known {kind}")

    return run


def _nested(f: FieldDescriptor, rules: rules_pb2.FieldRules, longest: int) -> Check:
    name, path, required, message_type = f.name, "." + f.json_name, rules.required, f.message_type

    def run(message: Any) -> None:
        if not message.HasField(name):
            if required:
                raise _BrokenError(path, "is missing")
            return
        value = getattr(message, name)
        try:
            # Compiled on first use, as messages may contain themselves.
            for one in _compile(message_type, longest):
                one(value)
        except _BrokenError as broken:
            raise _BrokenError(path + broken.path, broken.reason) from None

    return run


def _entries(f: FieldDescriptor, rules: rules_pb2.FieldRules, longest: int) -> Check:
    name, path, required = f.name, "." + f.json_name, rules.required
    most = rules.max_len if rules.HasField("max_len") else _LONG
    is_map = f.message_type is not None and f.message_type.GetOptions().map_entry
    item = f.message_type.fields_by_name["value"] if is_map and f.message_type is not None else f
    text_keys = is_map and f.message_type is not None and f.message_type.fields_by_name["key"].cpp_type == _TEXT
    text_items = item.type == FieldDescriptor.TYPE_STRING
    real_items = item.cpp_type in _REAL
    nested: Any = item.message_type
    # Nothing is left to look at in entries of clean, short texts.
    counted_only = 0 <= longest <= MAX_ENTRY and nested is None and not real_items

    def one_text(value: str, where: str) -> None:
        if "\0" in value:
            raise _BrokenError(where, "holds a NUL character")
        if len(value) > MAX_ENTRY:
            raise _BrokenError(where, f"holds a text longer than {MAX_ENTRY} characters")

    def below(value: Any) -> None:
        try:
            for one in _compile(nested, longest):
                one(value)
        except _BrokenError as broken:
            raise _BrokenError(path + broken.path, broken.reason) from None

    def run(message: Any) -> None:
        values = getattr(message, name)
        if not values:
            if required:
                raise _BrokenError(path, "is missing")
            return
        if len(values) > most:
            raise _BrokenError(path, f"has more than {most} entries")
        if counted_only:
            return
        # Keys and then lookups: twice as fast as items(), which the protobuf runtime writes in Python.
        for place in values:
            if text_keys and (len(place) > MAX_ENTRY or "\0" in place):
                one_text(place, path)
            value = values[place] if is_map else place
            if text_items:
                if len(value) > MAX_ENTRY or "\0" in value:
                    one_text(value, path)
            elif nested is not None:
                below(value)
            elif real_items and not math.isfinite(value):
                raise _BrokenError(path, "holds a number that is not finite")
            elif not text_keys:
                return  # a list of numbers: no rule speaks of its items

    return run


def plain(name: object) -> str:
    """A name that the sender chose, where it looks like one; "?" where it might be a customer's text."""
    return name if isinstance(name, str) and _PLAIN_NAME.fullmatch(name) else "?"


# --- JSON ------------------------------------------------------------------------------------------------------------


def parse_json(message_class: type[M], value: bytes) -> M:
    """Data in the proto3 JSON mapping. Raises Unreadable, naming the field."""
    try:
        data = json.loads(value.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Unreadable("data", "is not JSON in UTF-8") from None
    return from_json(message_class, data)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def from_json(message_class: type[M], data: object) -> M:
    """Data from decoded JSON in the proto3 JSON mapping; no unknown fields. Raises Unreadable, naming the field."""
    if type(data) is not dict:
        raise Unreadable("data", "is not a JSON object")
    names = _plain_fields(message_class.DESCRIPTOR)
    try:
        # Most data is plain: text as text, numbers as numbers. The message's own constructor takes it 5 times as fast as ParseDict.
        wanted = {}
        for key, value in data.items():
            name, kind = names[key]
            if type(value) is not kind or (type(value) is dict and not all(map(_is_text, value.values()))):
                break
            wanted[name] = value
        else:
            return message_class(**wanted)
    except (KeyError, ValueError, TypeError):
        pass  # ParseDict knows the rest of the mapping, or what is wrong
    try:
        return _parsed(message_class, data)
    except (ParseError, ValueError, TypeError, OverflowError, RecursionError):
        path, reason = _locate(message_class, data)
        raise Unreadable("data" + path, reason) from None


def _parsed(message_class: type[M], data: dict[str, Any]) -> M:
    # Names looked up in a descriptor must be whole: asked for half a surrogate pair, protobuf's C code gives an answer
    # and an error at once, which ends the process where the call is hot.
    _refuse_halves(data)
    return ParseDict(data, message_class(), max_recursion_depth=20)


def _refuse_halves(value: object) -> None:
    if isinstance(value, str):
        if _HALF.search(value):
            raise ValueError("half a surrogate pair")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_halves(key)
            _refuse_halves(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_halves(item)


def _is_text(value: object) -> bool:
    return type(value) is str


@cache
def _plain_fields(descriptor: Any) -> dict[str, tuple[str, type]]:
    """JSON name → (proto name, Python type) of the fields whose JSON is their Python value."""
    found: dict[str, tuple[str, type]] = {}
    for f in descriptor.fields:
        entry = f.message_type
        if f.is_repeated:
            if entry is not None and entry.GetOptions().map_entry:
                kinds = {entry.fields_by_name[n].type for n in ("key", "value")}
                if kinds == {FieldDescriptor.TYPE_STRING}:
                    found[f.json_name] = (f.name, dict)
        elif f.type == FieldDescriptor.TYPE_STRING:
            found[f.json_name] = (f.name, str)
        elif f.cpp_type in _WHOLE:
            found[f.json_name] = (f.name, int)
        elif f.type == FieldDescriptor.TYPE_BOOL:
            found[f.json_name] = (f.name, bool)
    return found


def _locate(message_class: type[Message], data: dict[str, Any]) -> Found:
    """Which field of the JSON is wrong, and why; never with the value itself."""
    descriptor = message_class.DESCRIPTOR
    by_json = {f.json_name: f for f in descriptor.fields} | dict(descriptor.fields_by_name)
    for key, value in data.items():
        f = by_json.get(key)
        if f is None:
            return "." + plain(key), f"is not a field of {descriptor.name}"
        try:
            _parsed(message_class, {key: value})
        except (ParseError, ValueError, TypeError, OverflowError, RecursionError):
            path, reason = _why(f, value)
            return f".{f.json_name}{path}", reason
    return "", f"is not a {descriptor.name} in JSON"


def _why(f: Any, value: object) -> Found:
    entry = f.message_type
    if f.is_repeated:
        if entry is not None and entry.GetOptions().map_entry:
            if not isinstance(value, dict):
                return "", "is not an object of names and values"
            item = entry.fields_by_name["value"]
            wrong = next((k for k, v in value.items() if not _fits(item, v)), None)
            return ("." + plain(wrong), _wants(item, value[wrong])) if wrong is not None else ("", "has a wrong entry")
        if not isinstance(value, list):
            return "", "is not a list"
        return "", f"holds an item that {_wants(f, next((v for v in value if not _fits(f, v)), None))}"
    if entry is not None and entry.full_name != _TIMESTAMP and isinstance(value, dict):
        from google.protobuf.message_factory import GetMessageClass

        return _locate(GetMessageClass(entry), value)
    return "", _wants(f, value)


def _fits(f: Any, value: object) -> bool:
    if f.type == FieldDescriptor.TYPE_STRING:
        return isinstance(value, str) and not _HALF.search(value)
    if f.cpp_type in _WHOLE:
        return isinstance(value, int) and not isinstance(value, bool)
    return True


def _wants(f: Any, value: object) -> str:
    if f.cpp_type in _WHOLE:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return f"does not fit {_WHOLE[f.cpp_type]}" if is_whole else "is not a whole number"
    if f.cpp_type in _REAL:
        return "is not a number"
    if f.type == FieldDescriptor.TYPE_STRING:
        return "holds half a surrogate pair" if isinstance(value, str) else "is not text"
    if f.type == FieldDescriptor.TYPE_BOOL:
        return "is neither true nor false"
    if f.enum_type is not None:
        return f"is not a known {f.enum_type.name}"
    if f.message_type is not None:
        return "is not an RFC 3339 time" if f.message_type.full_name == _TIMESTAMP else "is not an object"
    return "is not base64"
