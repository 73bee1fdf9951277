"""Records that nobody can read, each bad in its own way: they must be dead letters, alone, and hold nothing up."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from faults.kafka import Headers, Letter
from faults.load import message

Spoil = Callable[[Letter, Random], Letter]

DEEP = 4000


def _header(name: str, value: bytes) -> Spoil:
    return lambda x, _: replace(x, headers=tuple((n, value if n == name else v) for n, v in x.headers))


def _without(name: str) -> Spoil:
    return lambda x, _: replace(x, headers=tuple(h for h in x.headers if h[0] != name))


def _json(x: Letter, value: bytes) -> Letter:
    headers: Headers = tuple((n, b"application/json" if n == "content-type" else v) for n, v in x.headers)
    return replace(x, headers=headers, value=value)


def _long_text(x: Letter, rng: Random) -> Letter:
    made = message(x.topic, "c", "长" * rng.randint(20_001, 40_000), "long")
    return replace(x, value=made.value)


# A group within a group within a group: protobuf's parsers have a bound for that.
_GROUPS = b"\x7b" * DEEP + b"\x7c" * DEEP

SPOILERS: dict[str, Spoil] = {
    "not protobuf": lambda x, rng: replace(x, value=b"\xff" * rng.randint(1, 50)),
    "nothing": lambda x, _: replace(x, value=None),
    "no headers": lambda x, _: replace(x, headers=()),
    "no id": _without("ce_id"),
    "id not UTF-8": _header("ce_id", b"\xff\xfe"),
    "source with NUL": _header("ce_source", b"a\0b"),
    "type unknown": _header("ce_type", b"touchline.contact.Nothing.v1"),
    "time no time": _header("ce_time", b"yesterday"),
    "time absurdly early": _header("ce_time", b"1970-01-01T00:00:00+00:00"),
    "time absurdly late": _header("ce_time", b"9998-01-01T00:00:00+00:00"),
    "time without offset": _header("ce_time", b"2026-11-18T00:00:00"),
    "neither protobuf nor JSON": _header("content-type", b"text/plain"),
    "no key": lambda x, _: replace(x, key=None),
    "key with NUL": lambda x, _: replace(x, key=b"a\0b"),
    "key not UTF-8": lambda x, _: replace(x, key=b"\xff\xfe"),
    "key too long": lambda x, rng: replace(x, key=b"k" * rng.randint(2561, 9000)),
    "text too long": _long_text,
    "very large": lambda x, rng: replace(x, value=rng.randbytes(1000) * rng.randint(900, 1000)),
    "deep JSON": lambda x, _: _json(x, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "deep JSON lists": lambda x, _: _json(x, b"[" * DEEP * 10),
    "deep protobuf": lambda x, _: replace(x, value=_GROUPS),
    "lone surrogate": lambda x, _: _json(x, b'{"contactId":"c","speaker":"SPEAKER_CUSTOMER","text":"\\ud800"}'),
    "NUL in text": lambda x, _: _json(x, b'{"contactId":"c","speaker":"SPEAKER_CUSTOMER","text":"a\\u0000"}'),
    "speaker unknown": lambda x, _: _json(x, b'{"contactId":"c","speaker":77,"text":"a"}'),
    "a huge number": lambda x, _: _json(x, b'{"contactId":"c","speaker":1' + b"0" * 5000 + b',"text":"a"}'),
}
