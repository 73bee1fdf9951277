"""Reads a triage policy from TOML; a wrong one is refused, with the line, the place and the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

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
from services.runtime import policyfile as read
from services.runtime.policyfile import BadPolicyError

__all__ = ["DEFAULT", "BadPolicyError", "load", "parse"]

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
_LEAST_AGEING = 1e-6
"""A point of priority is worth two years of waiting then; with less, places would outgrow the numbers they are kept in."""
_MANAGED = {
    "enter": (0, 1000),
    "leave": (0, 1000),
    "min_stay_s": (0, 86_400),
    "promise_s": (1, 31 * 86_400),
    "call_before_s": (0, 31 * 86_400),
    "share": (0, 10),
}


def load(path: Path) -> Policy:
    """Read a policy file. Raises BadPolicyError."""
    return parse(read.text_of(path))


def parse(text: str) -> Policy:
    """Read a policy from TOML text. Raises BadPolicyError. Its version is the declared one and a hash of the text."""
    return read.parsed(text, lambda data: _policy(data, text))


def _policy(data: Mapping[str, Any], text: str) -> Policy:
    read.only(data, {"version", "timezone", "default", "handover", "pools", "rules"}, "")
    version = read.word(data, "version", "")
    pools = {
        name: _terms(read.table(terms, f"pools.{name}"), f"pools.{name}") for name, terms in _of(data, "pools").items()
    }
    if not pools or BOT in pools:
        raise BadPolicyError(f'pools: at least one human pool is needed, and none may be named "{BOT}"')
    for name, terms in pools.items():
        over = terms.overflow.pool
        if over and (over == name or over not in pools):
            raise BadPolicyError(f'pools.{name}.overflow.pool: "{over}" is this pool or has no [pools.{over}]')
    named = read.version_of(version, text)
    pools = {name: replace(terms, version=named, pools=tuple(sorted(pools))) for name, terms in pools.items()}
    rules = data.get("rules", [])
    if not isinstance(rules, list):
        raise BadPolicyError("rules: must be a list of tables ([[rules]])")
    made = tuple(_rule(read.table(rule, f"rules[{i}]"), i, pools) for i, rule in enumerate(rules))
    names = [rule.name for rule in made]
    for name in names:
        if names.count(name) > 1 or name in ("default", "handover"):
            raise BadPolicyError(f'rule "{name}": the name is used twice or is reserved')
    handover = _route(_of(data, "handover"), "handover", pools)
    if handover.pool == BOT:
        raise BadPolicyError("handover.pool: a handover never goes back to the bot")
    return Policy(
        version=named,
        zone=read.zone(read.word(data, "timezone", "")),
        rules=made,
        default=_route(_of(data, "default"), "default", pools),
        handover=handover,
        pools=pools,
    )


def _rule(rule: Mapping[str, Any], i: int, pools: Mapping[str, Terms]) -> Rule:
    name = read.word(rule, "name", f"rules[{i}]: ")
    where = f'rule "{name}"'
    read.only(rule, {"name", "when", *_ROUTE}, f"{where}: ")
    when = _of(rule, "when", where)
    read.only(when, {*_SETS, *_FLAGS, *_RANGES, "nps_at_most", "hours"}, f"{where}: when: ")
    stated: dict[str, Any] = {}
    for key, value in when.items():
        at = f"{where}: when.{key}"
        if key in _SETS:
            words = read.words(value, at)
            stated[_SETS[key]] = tuple(words) if key == "touchpoint" else frozenset(words)
        elif key in _FLAGS:
            stated[key] = read.flag(value, at)
        elif key == "hours":
            stated[key] = _span(value, at)
        elif key == "nps_at_most":
            stated[key] = read.whole(value, at, 0, 10)
        else:
            stated[key] = read.number(value, at, *_RANGES[key])
    return Rule(name, When(**stated), _route({k: v for k, v in rule.items() if k in _ROUTE}, where, pools))


def _route(table: Mapping[str, Any], where: str, pools: Mapping[str, Terms]) -> Route:
    read.only(table, _ROUTE, f"{where}: ")
    pool = read.word(table, "pool", f"{where}: ")
    if pool != BOT and pool not in pools:
        raise BadPolicyError(f'{where}: pool "{pool}" has no [pools.{pool}]')
    skills = {
        name: read.whole(level, f"{where}: skills.{name}", 1, 5) for name, level in _of(table, "skills", where).items()
    }
    protected = read.flag(table.get("protected", False), f"{where}: protected")
    return Route(pool, read.whole(table.get("priority", 0), f"{where}: priority", -1000, 1000), skills, protected)


def _terms(table: Mapping[str, Any], where: str) -> Terms:
    read.only(table, {field.name for field in fields(Terms)} - {"version", "pools"}, f"{where}: ")
    base = Terms()
    numbers: dict[str, Any] = {
        name: read.number(table[name], f"{where}.{name}", low, high)
        for name, (low, high) in _NUMBERS.items()
        if name in table
    }
    if 0 < numbers.get("ageing", base.ageing) < _LEAST_AGEING:
        raise BadPolicyError(f"{where}.ageing: must be 0 or at least {_LEAST_AGEING:f}")
    capacity = read.whole(table.get("capacity", base.capacity), f"{where}.capacity", 1, 20)
    weights = {
        name: read.number(weight, f"{where}.weights.{name}", 0.01, 20)
        for name, weight in read.table(table.get("weights", {}), f"{where}.weights").items()
    }
    for name, weight in weights.items():
        if weight > capacity:
            why = f"must be at most {where}.capacity, {capacity}: a seat that says no capacity has no room for one"
            raise BadPolicyError(f"{where}.weights.{name}: {why}")
    choice = table.get("choice", base.choice)
    if choice not in CHOICES:
        raise BadPolicyError(f"{where}.choice: must be one of {', '.join(CHOICES)}")
    return Terms(
        hours=_span(table["hours"], f"{where}.hours") if "hours" in table else base.hours,
        capacity=capacity,
        languages=tuple(sorted(set(read.words(table.get("languages", []), f"{where}.languages")))),
        max_misses=read.whole(table.get("max_misses", base.max_misses), f"{where}.max_misses", 1, 100),
        choice=choice,
        rings=_rings(table.get("rings", []), f"{where}.rings"),
        overflow=_overflow(table, where),
        weights=weights,
        managed=_managed(read.table(table.get("managed", {}), f"{where}.managed"), f"{where}.managed"),
        **numbers,
    )


def _rings(value: object, where: str) -> tuple[Ring, ...]:
    if not isinstance(value, list):
        raise BadPolicyError(f"{where}: must be a list of tables")
    rings = []
    for i, given in enumerate(value):
        at = f"{where}[{i}]"
        ring = read.table(given, at)
        read.only(ring, {field.name for field in fields(Ring)}, f"{at}: ")
        if "after_s" not in ring:
            raise BadPolicyError(f"{at}.after_s: is missing")
        rings.append(
            Ring(
                after_s=read.number(ring["after_s"], f"{at}.after_s", 0, 86_400),
                lower=read.whole(ring.get("lower", 0), f"{at}.lower", 0, 5),
                drop=frozenset(read.words(ring.get("drop", []), f"{at}.drop")),
                any_language=read.flag(ring.get("any_language", False), f"{at}.any_language"),
            )
        )
    if any(later.after_s < earlier.after_s for earlier, later in pairwise(rings)):
        raise BadPolicyError(f"{where}: must be in the order of after_s")
    return tuple(rings)


def _overflow(table: Mapping[str, Any], where: str) -> Overflow:
    if "overflow" not in table:
        return Overflow()
    at = f"{where}.overflow"
    given = read.table(table["overflow"], at)
    read.only(given, {"pool", "after_s"}, f"{at}: ")
    return Overflow(read.word(given, "pool", f"{at}: "), read.number(given.get("after_s"), f"{at}.after_s", 1, 86_400))


def _managed(given: Mapping[str, Any], where: str) -> Managed:
    read.only(given, {field.name for field in fields(Managed)}, f"{where}: ")
    base = Managed()
    numbers = {
        name: read.number(given.get(name, getattr(base, name)), f"{where}.{name}", low, high)
        for name, (low, high) in _MANAGED.items()
    }
    if numbers["enter"] > 0 and numbers["leave"] >= numbers["enter"]:
        raise BadPolicyError(f"{where}.leave: must be below enter, or the mode would flap")
    return Managed(least=read.whole(given.get("least", base.least), f"{where}.least", 1, 1_000_000), **numbers)


def _of(table: Mapping[str, Any], key: str, where: str = "") -> Mapping[str, Any]:
    return read.table(table.get(key, {}), f"{where + ': ' if where else ''}{key}")


def _span(value: object, where: str) -> Span:
    words = value if isinstance(value, list) else []
    found = [re.fullmatch(r"([0-9]{2}):([0-9]{2})", word) for word in words if isinstance(word, str)]
    minutes = [int(m[1]) * 60 + int(m[2]) for m in found if m and int(m[2]) < 60]
    if len(words) != 2 or len(minutes) != 2 or max(minutes) > 1440 or minutes[0] == minutes[1]:
        raise BadPolicyError(f'{where}: must be two different times of day, such as ["08:00", "22:00"]')
    return minutes[0] % 1440, minutes[1] % 1440
