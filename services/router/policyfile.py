"""Reads a triage policy from TOML; a wrong one is refused, with the place and the reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta, timezone, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.router.domain.facts import BOT
from services.router.domain.policy import Policy, Route, Rule, Span, Terms, When

DEFAULT = Path(__file__).with_name("policy.toml")

_SETS = {
    "tier": "tiers",
    "topic": "topics",
    "touchpoint": "touchpoints",
    "channel": "channels",
    "language": "languages",
}
_FLAGS = ("vulnerable", "wants_human", "handover")
_RANGES = {"mood_below": (-1.0, 1.0), "risk_above": (0.0, 1.0)}
_ROUTE = {"pool", "priority", "skills"}


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
    except tomllib.TOMLDecodeError as error:
        raise BadPolicyError(f"not TOML: {error}") from None
    _only(data, {"version", "timezone", "default", "handover", "pools", "rules"}, "")
    version = _text(data, "version", "")
    pools = {
        name: _terms(_table(terms, f"pools.{name}"), f"pools.{name}") for name, terms in _of(data, "pools").items()
    }
    if not pools or BOT in pools:
        raise BadPolicyError(f'pools: at least one human pool is needed, and none may be named "{BOT}"')
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
        version=f"{version}+{sha256(text.encode()).hexdigest()[:12]}",
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
    return Route(pool, _whole(table.get("priority", 0), f"{where}: priority", -1000, 1000), skills)


def _terms(table: Mapping[str, Any], where: str) -> Terms:
    _only(table, {field.name for field in fields(Terms)}, where)
    base = Terms()
    return Terms(
        offer_timeout_s=_number(
            table.get("offer_timeout_s", base.offer_timeout_s), f"{where}.offer_timeout_s", 1, 3600
        ),
        ageing=_number(table.get("ageing", base.ageing), f"{where}.ageing", 0, 1000),
        hours=_span(table["hours"], f"{where}.hours") if "hours" in table else base.hours,
        capacity=_whole(table.get("capacity", base.capacity), f"{where}.capacity", 1, 20),
        languages=frozenset(_words(table.get("languages", []), f"{where}.languages")),
        max_misses=_whole(table.get("max_misses", base.max_misses), f"{where}.max_misses", 1, 100),
    )


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
    found = [re.fullmatch(r"(\d\d):(\d\d)", word) for word in words if isinstance(word, str)]
    minutes = [int(m[1]) * 60 + int(m[2]) for m in found if m and int(m[2]) < 60]
    if len(words) != 2 or len(minutes) != 2 or max(minutes) > 1440 or minutes[0] == minutes[1]:
        raise BadPolicyError(f'{where}: must be two different times of day, such as ["08:00", "22:00"]')
    return minutes[0] % 1440, minutes[1] % 1440


def _zone(name: str) -> tzinfo:
    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", name)
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
