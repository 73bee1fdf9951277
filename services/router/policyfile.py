"""Reads a triage policy from TOML; a wrong one is refused, with the line, the place and the reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta, timezone, tzinfo
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.router.domain.facts import BOT
from services.router.domain.policy import (
    CHOICES,
    Managed,
    Overflow,
    Policy,
    Ring,
    Route,
    Rule,
    Span,
    Terms,
    When,
)

DEFAULT = Path(__file__).with_name("policy.toml")

_SETS = {
    "tier": "tiers",
    "topic": "topics",
    "touchpoint": "touchpoints",
    "channel": "channels",
    "language": "languages",
}
_FLAGS = ("vulnerable", "wants_human", "handover", "reopened")
_RANGES = {"mood_below": (-1.0, 1.0), "risk_above": (0.0, 1.0)}
_ROUTE = {"pool", "priority", "skills", "protected"}
_NUMBERS = {
    "offer_timeout_s": (1, 3600),
    "ageing": (0, 1000),
    "wrap_up_s": (0, 3600),
    "last_seat_s": (0, 31 * 86_400),
    "last_seat_hold_s": (0, 3600),
    "waiting_weight": (0.01, 1),
    "reconnect_s": (1, 3600),
    "load_s": (0, 86_400),
    "gather_s": (0, 10),
}
_MANAGED = {
    "enter": (0, 1000),
    "leave": (0, 1000),
    "min_stay_s": (0, 86_400),
    "promise_s": (1, 31 * 86_400),
    "call_before_s": (0, 31 * 86_400),
    "share": (0, 10),
}


class BadPolicyError(ValueError):
    """The policy is wrong; the message names the place and the reason."""


def load(path: Path) -> Policy:
    """Read a policy file. Raises BadPolicyError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicyError(f"{path.name}: can't be read: {error}") from None
    return parse(text)


def parse(text: str) -> Policy:
    """Read a policy from TOML text. Raises BadPolicyError. Its version is the declared one and a hash of the text."""
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # a TOMLDecodeError, or an integer of too many digits
        raise BadPolicyError(f"not TOML: {error}") from None
    except RecursionError:
        raise BadPolicyError("not TOML: is nested too deeply") from None
    try:
        return _policy(data, text)
    except BadPolicyError as error:
        raise BadPolicyError(f"line {line_of(text, str(error))}: {error}") from None


def _policy(data: Mapping[str, Any], text: str) -> Policy:
    _only(data, {"version", "timezone", "default", "handover", "pools", "rules"}, "")
    version = _text(data, "version", "")
    pools = {
        name: _terms(_table(terms, f"pools.{name}"), f"pools.{name}") for name, terms in _of(data, "pools").items()
    }
    if not pools or BOT in pools:
        raise BadPolicyError(f'pools: at least one human pool is needed, and none may be named "{BOT}"')
    for name, terms in pools.items():
        over = terms.overflow.pool
        if over and (over == name or over not in pools):
            raise BadPolicyError(f'pools.{name}.overflow.pool: "{over}" is this pool or has no [pools.{over}]')
    named = f"{version}+{sha256(text.encode()).hexdigest()[:12]}"
    pools = {name: replace(terms, version=named, pools=frozenset(pools)) for name, terms in pools.items()}
    rules = data.get("rules", [])
    if not isinstance(rules, list):
        raise BadPolicyError("rules: must be a list of tables ([[rules]])")
    made = tuple(_rule(_table(rule, f"rules[{i}]"), i, pools) for i, rule in enumerate(rules))
    names = [rule.name for rule in made]
    for name in names:
        if names.count(name) > 1 or name in ("default", "handover"):
            raise BadPolicyError(f'rule "{name}": the name is used twice or is reserved')
    handover = _route(_of(data, "handover"), "handover", pools)
    if handover.pool == BOT:
        raise BadPolicyError("handover.pool: a handover never goes back to the bot")
    return Policy(
        version=named,
        zone=_zone(_text(data, "timezone", "")),
        rules=made,
        default=_route(_of(data, "default"), "default", pools),
        handover=handover,
        pools=pools,
    )


def _rule(rule: Mapping[str, Any], i: int, pools: Mapping[str, Terms]) -> Rule:
    name = _text(rule, "name", f"rules[{i}]")
    where = f'rule "{name}"'
    _only(rule, {"name", "when", *_ROUTE}, where)
    when = _of(rule, "when", where)
    _only(when, {*_SETS, *_FLAGS, *_RANGES, "nps_at_most", "hours"}, f"{where}: when")
    stated: dict[str, Any] = {}
    for key, value in when.items():
        at = f"{where}: when.{key}"
        if key in _SETS:
            words = _words(value, at)
            stated[_SETS[key]] = tuple(words) if key == "touchpoint" else frozenset(words)
        elif key in _FLAGS:
            if not isinstance(value, bool):
                raise BadPolicyError(f"{at}: must be true or false")
            stated[key] = value
        elif key == "hours":
            stated[key] = _span(value, at)
        elif key == "nps_at_most":
            stated[key] = _whole(value, at, 0, 10)
        else:
            stated[key] = _number(value, at, *_RANGES[key])
    return Rule(name, When(**stated), _route({k: v for k, v in rule.items() if k in _ROUTE}, where, pools))


def _route(table: Mapping[str, Any], where: str, pools: Mapping[str, Terms]) -> Route:
    _only(table, _ROUTE, where)
    pool = _text(table, "pool", where)
    if pool != BOT and pool not in pools:
        raise BadPolicyError(f'{where}: pool "{pool}" has no [pools.{pool}]')
    skills = {
        name: _whole(level, f"{where}: skills.{name}", 1, 5) for name, level in _of(table, "skills", where).items()
    }
    protected = table.get("protected", False)
    if not isinstance(protected, bool):
        raise BadPolicyError(f"{where}: protected: must be true or false")
    return Route(pool, _whole(table.get("priority", 0), f"{where}: priority", -1000, 1000), skills, protected)


def _terms(table: Mapping[str, Any], where: str) -> Terms:
    _only(table, {field.name for field in fields(Terms)} - {"version", "pools"}, where)
    base = Terms()
    numbers: dict[str, Any] = {
        name: _number(table[name], f"{where}.{name}", low, high)
        for name, (low, high) in _NUMBERS.items()
        if name in table
    }
    choice = table.get("choice", base.choice)
    if choice not in CHOICES:
        raise BadPolicyError(f"{where}.choice: must be one of {', '.join(CHOICES)}")
    return Terms(
        hours=_span(table["hours"], f"{where}.hours") if "hours" in table else base.hours,
        capacity=_whole(table.get("capacity", base.capacity), f"{where}.capacity", 1, 20),
        languages=frozenset(_words(table.get("languages", []), f"{where}.languages")),
        max_misses=_whole(table.get("max_misses", base.max_misses), f"{where}.max_misses", 1, 100),
        choice=choice,
        rings=_rings(table.get("rings", []), f"{where}.rings"),
        overflow=_overflow(table, where),
        weights={
            name: _number(weight, f"{where}.weights.{name}", 0.01, 20)
            for name, weight in _table(table.get("weights", {}), f"{where}.weights").items()
        },
        managed=_managed(_table(table.get("managed", {}), f"{where}.managed"), f"{where}.managed"),
        **numbers,
    )


def _rings(value: object, where: str) -> tuple[Ring, ...]:
    if not isinstance(value, list):
        raise BadPolicyError(f"{where}: must be a list of tables")
    rings = []
    for i, given in enumerate(value):
        at = f"{where}[{i}]"
        ring = _table(given, at)
        _only(ring, {field.name for field in fields(Ring)}, at)
        if "after_s" not in ring:
            raise BadPolicyError(f"{at}.after_s: is missing")
        any_language = ring.get("any_language", False)
        if not isinstance(any_language, bool):
            raise BadPolicyError(f"{at}.any_language: must be true or false")
        rings.append(
            Ring(
                after_s=_number(ring["after_s"], f"{at}.after_s", 0, 86_400),
                lower=_whole(ring.get("lower", 0), f"{at}.lower", 0, 5),
                drop=frozenset(_words(ring.get("drop", []), f"{at}.drop")),
                any_language=any_language,
            )
        )
    if any(later.after_s < earlier.after_s for earlier, later in pairwise(rings)):
        raise BadPolicyError(f"{where}: must be in the order of after_s")
    return tuple(rings)


def _overflow(table: Mapping[str, Any], where: str) -> Overflow:
    if "overflow" not in table:
        return Overflow()
    at = f"{where}.overflow"
    given = _table(table["overflow"], at)
    _only(given, {"pool", "after_s"}, at)
    return Overflow(_text(given, "pool", at), _number(given.get("after_s"), f"{at}.after_s", 1, 86_400))


def _managed(given: Mapping[str, Any], where: str) -> Managed:
    _only(given, {field.name for field in fields(Managed)}, where)
    base = Managed()
    numbers = {
        name: _number(given.get(name, getattr(base, name)), f"{where}.{name}", low, high)
        for name, (low, high) in _MANAGED.items()
    }
    if numbers["enter"] > 0 and numbers["leave"] >= numbers["enter"]:
        raise BadPolicyError(f"{where}.leave: must be below enter, or the mode would flap")
    return Managed(least=_whole(given.get("least", base.least), f"{where}.least", 1, 1_000_000), **numbers)


_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?")


def line_of(text: str, error: str) -> int:
    """Return the line that an error speaks of: that of the key, else of its table, else the first."""
    blocks: list[tuple[str, int, list[tuple[int, str]]]] = [("", 1, [])]
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header and "=" not in line.partition("[")[0]:
            blocks.append((header[1].replace('"', "").replace("'", ""), number, []))
        else:
            blocks[-1][2].append((number, line))
    rules = [block for block in blocks if block[0] == "rules"]
    named = re.match(r'rule "(.*?)"(?:: (.*))?', error) or re.match(r"rules\[(\d+)\](?:: (.*))?", error)
    if named:
        place = (named[2] or "").partition(":")
        keys = [*place[0].split("."), *place[2].strip().partition(":")[0].split(".")]
        if error.startswith("rules["):
            chosen = rules[int(named[1])] if int(named[1]) < len(rules) else blocks[0]
        else:
            says = re.compile(r'\s*name\s*=\s*"' + re.escape(named[1]) + '"')
            mine = [block for block in rules if any(says.match(line) for _, line in block[2])]
            chosen = mine[-1] if mine else blocks[0]
        return _line_in(chosen, keys)
    path = re.sub(r"\[\d+\]", "", error.partition(":")[0])
    after = error.partition(":")[2].strip().partition(":")[0]
    best = max(
        (b for b in blocks if b[0] and (path + ".").startswith(b[0] + ".")), key=lambda b: len(b[0]), default=blocks[0]
    )
    return _line_in(best, [*path.removeprefix(best[0]).strip(".").split("."), after])


def _line_in(block: tuple[str, int, list[tuple[int, str]]], keys: Sequence[str]) -> int:
    """The line of the innermost of the keys that the block has."""
    found = block[1]
    for key in keys:
        if re.fullmatch(r"[\w-]+", key):
            says = re.compile(rf"(?:^|[\s{{,]){re.escape(key)}\s*=")
            found = next((number for number, line in block[2] if number >= found and says.search(line)), found)
    return found


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise BadPolicyError(
                f"{where + ': ' if where else ''}{key}: is not known; known are {', '.join(sorted(known))}"
            )


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadPolicyError(f"{where}: must be a table")
    return value


def _of(table: Mapping[str, Any], key: str, where: str = "") -> Mapping[str, Any]:
    return _table(table.get(key, {}), f"{where + ': ' if where else ''}{key}")


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise BadPolicyError(f"{where + ': ' if where else ''}{key}: must be a text that isn't empty")
    return value


def _words(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise BadPolicyError(f"{where}: must be a list of texts")
    return value


def _number(value: object, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadPolicyError(f"{where}: must be a number from {low:g} to {high:g}")
    return float(value)


def _whole(value: object, where: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadPolicyError(f"{where}: must be a whole number from {low} to {high}")
    return value


def _span(value: object, where: str) -> Span:
    words = value if isinstance(value, list) else []
    found = [re.fullmatch(r"([0-9]{2}):([0-9]{2})", word) for word in words if isinstance(word, str)]
    minutes = [int(m[1]) * 60 + int(m[2]) for m in found if m and int(m[2]) < 60]
    if len(words) != 2 or len(minutes) != 2 or max(minutes) > 1440 or minutes[0] == minutes[1]:
        raise BadPolicyError(f'{where}: must be two different times of day, such as ["08:00", "22:00"]')
    return minutes[0] % 1440, minutes[1] % 1440


def _zone(name: str) -> tzinfo:
    offset = re.fullmatch(r"([+-])([0-9]{2}):([0-9]{2})", name)
    if offset:
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        if shift < timedelta(hours=24):
            return timezone(shift if offset[1] == "+" else -shift)
    else:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass
    raise BadPolicyError(f'timezone: "{name}" is neither an offset such as "+08:00" nor a known zone')
