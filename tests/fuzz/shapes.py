"""Input that is nearly right: events of every type with odd values, bytes with a few flipped, JSON with something else in it.

What is random about an event is one number, from which all the rest is drawn quickly: a failure prints that number. What a
test reads as text (JSON, bytes, TOML) hypothesis draws itself, and shrinks.
"""

import json
import random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import Message
from hypothesis import strategies as st

from services.runtime import catalogue
from services.runtime.catalogue import EventType

# Stands in for what a customer wrote: no refusal may repeat it.
SECRET = "秘密zq13800138000"

TEXTS = (
    *("", "a", "c1", "web", "微信", "zh", "en", "pre_sales", "after_sales", "repair", "我要投诉", SECRET, SECRET * 40),
    *("\0", "a\0b", "x" * 199, "x" * 201, "x" * 3000, "\u202e", "é" * 90, "😀" * 300, " ", "\n", "'; DROP TABLE x; --"),
    *("../../etc/passwd", "{}", "null", "NaN", "-1", "2026-11-01T09:00:00Z", "{{7*7}}", "%s%n", "\x7f", "\ufeff"),
)
WHOLE = (
    0,
    1,
    -1,
    2,
    3,
    5,
    7,
    9,
    10,
    11,
    127,
    255,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**53,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
)
REAL = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-320, 1e308, -1e308, float("inf"), float("-inf"), float("nan"))
# What JSON can hold and a field can't: of every kind, and too much of it.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e400, 2**70, "", SECRET, "\0", "\ud800", [], {}, [[]], [None], {"": {}}),
    *({"a": SECRET}, [SECRET] * 30, "x" * 5000, "2026-02-30T25:61:61Z", "9" * 400, {"k" * 300: "v"}, {"seconds": "1"}),
)
_LIMITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}

seeds = st.integers(0, 2**64 - 1)
event_types = st.sampled_from(sorted(catalogue.by_name().values(), key=lambda kind: kind.name))
from_channels = event_types.filter(lambda kind: not kind.internal)


def message(kind: type[Message], rng: random.Random, oddness: float = 0.3, depth: int = 0) -> Message:
    """A message with plausible values, and odd ones in `oddness` of its fields."""
    made = kind()
    for f in made.DESCRIPTOR.fields:
        if rng.random() < 0.1:
            continue
        if f.is_repeated and f.message_type is not None and f.message_type.GetOptions().map_entry:
            value = f.message_type.fields_by_name["value"]
            for _ in range(_length(rng, oddness)):
                getattr(made, f.name)[_scalar(f.message_type.fields_by_name["key"], rng, oddness)] = _scalar(
                    value, rng, oddness
                )
        elif f.message_type is not None:
            if depth > 4:
                continue
            below = getattr(made, f.name)
            for _ in range(_length(rng, oddness) if f.is_repeated else 1):
                into = below.add() if f.is_repeated else below
                into.CopyFrom(_stamp(rng, oddness, into) or message(type(into), rng, oddness, depth + 1))
        elif f.is_repeated:
            getattr(made, f.name).extend(_scalar(f, rng, oddness) for _ in range(_length(rng, oddness)))
        else:
            setattr(made, f.name, _scalar(f, rng, oddness))
    return made


def _length(rng: random.Random, oddness: float) -> int:
    return rng.choice((0, 40, 300)) if rng.random() < oddness / 10 else rng.randint(0, 3)


def _stamp(rng: random.Random, oddness: float, kind: Message) -> Message | None:
    if kind.DESCRIPTOR.full_name != "google.protobuf.Timestamp":
        return None
    if rng.random() < oddness:
        return type(kind)(seconds=rng.choice(WHOLE[:-1]), nanos=rng.choice((0, -1, 999_999_999, 2**31 - 1)))
    return type(kind)(seconds=1_790_000_000 + rng.randint(-(10**6), 10**6))


def _scalar(f: FieldDescriptor, rng: random.Random, oddness: float) -> Any:
    odd = rng.random() < oddness
    if f.enum_type is not None:
        return rng.choice((0, 1, 2, 99)) if odd else rng.choice(list(f.enum_type.values_by_number))
    if f.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(TEXTS) if odd else rng.choice(TEXTS[1:12])
    if f.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.randint(0, 20))
    if f.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if f.cpp_type in _LIMITS:
        low, high = _LIMITS[f.cpp_type]
        return min(high, max(low, rng.choice(WHOLE) if odd else rng.randint(0, 10)))
    found = rng.choice(REAL) if odd else rng.random()
    return found if f.cpp_type != FieldDescriptor.CPPTYPE_FLOAT or abs(found) < 1e38 else 1.0


def mutated(body: bytes, rng: random.Random) -> bytes:
    """The bytes with a few of them changed, left out, doubled or cut off; now and then as they were."""
    found = bytearray(body)
    for _ in range(rng.choice((0, 1, 1, 2, 8))):
        at = rng.randrange(len(found) + 1)
        match rng.randrange(4):
            case 0:
                found[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del found[at : at + rng.randint(1, 8)]
            case 2:
                found[at:at] = found[at : at + 20]
            case _:
                found[at:at] = rng.randbytes(rng.randint(1, 12))
    return bytes(found[: rng.randrange(len(found) + 1)] if rng.random() < 0.1 else found)


def odd_json(value: Any, rng: random.Random, chance: float = 0.15) -> Any:
    """JSON with other things in the place of some of its values and names."""
    if rng.random() < chance / 2:
        return rng.choice(ODD)
    if isinstance(value, dict):
        found = {k: odd_json(v, rng, chance) for k, v in value.items() if rng.random() > chance / 3}
        if rng.random() < chance:
            found[rng.choice(("", "unknown", SECRET, "x" * 400, "@type", "__class__"))] = rng.choice(ODD)
        return found
    if isinstance(value, list):
        return [odd_json(v, rng, chance) for v in value] * rng.choice((1, 1, 2))
    return value


def data_of(kind: EventType, rng: random.Random, oddness: float = 0.2) -> Any:
    """An event's data in the JSON mapping, with something wrong about it as often as not."""
    try:
        found: Any = MessageToDict(message(kind.message, rng, oddness))
    except SerializeToJsonError:  # a time that the mapping has no word for
        found = {}
    return odd_json(found, rng) if rng.random() < 0.6 else found


def dumps(value: Any) -> bytes:
    """JSON in UTF-8; half a surrogate pair goes as an escape, as a sender would have it."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
"""Any JSON at all."""
