"""Reads a follow-up policy from TOML; a wrong one is refused, with its line, the field and the reason."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta, timezone, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.escalation.domain.credit import CreditPolicy
from services.escalation.domain.risk import Ramp, Weights
from services.escalation.domain.team import FollowUpPolicy, GroupBy, Terms

DEFAULT = Path(__file__).with_name("policy.toml")
_GROUPS: tuple[GroupBy, ...] = ("tier", "language", "channel")
_TEAM = {
    "capacity", "shifts", "floors", "least", "margin", "due_minutes", "remind_minutes", "overflow_minutes",
    "supervisor", "touchpoints", "keep", "holdout", "gravest",
}  # fmt: skip


class BadPolicyError(ValueError):
    """The policy is wrong; the message names the line, the field and the reason."""


def load(path: Path, base: Terms | None = None) -> FollowUpPolicy:
    """Read a policy file. Raises BadPolicyError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicyError(f"{path.name}: can't be read: {error}") from None
    return parse(text, base)


def parse(text: str, base: Terms | None = None) -> FollowUpPolicy:
    """Read a policy from TOML text; what a team does not say is as in `base`. Raises BadPolicyError."""
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # a TOMLDecodeError, or an integer of too many digits
        raise BadPolicyError(f"not TOML: {error}") from None
    except RecursionError:
        raise BadPolicyError("not TOML: is nested too deeply") from None
    return _Reader(text, base or Terms()).policy(data)


class _Reader:
    def __init__(self, text: str, base: Terms) -> None:
        self._text = text
        self._base = base

    def policy(self, data: Mapping[str, Any]) -> FollowUpPolicy:
        self._known(data, {"version", "timezone", "default", "group_by", "teams", "quick_refund", "risk"}, ())
        version, default = self._word(data, "version", ()), self._word(data, "default", ())
        zone = self._zone(self._word(data, "timezone", ()))
        group_by = self._group_by(data)
        tables = self._table(data.get("teams"), ("teams",))
        teams, touchpoints = {}, dict[str, str]()
        for name in tables:
            where = ("teams", name)
            table = self._table(tables[name], where)
            teams[name] = self._terms(table, where, zone)
            for touchpoint in self._words(table.get("touchpoints", []), (*where, "touchpoints")):
                if touchpoint in touchpoints:
                    raise self._wrong(
                        (*where, "touchpoints"), f'"{touchpoint}" is named by {touchpoints[touchpoint]} as well'
                    )
                touchpoints[touchpoint] = name
        if default not in teams:
            raise self._wrong(("default",), f"there is no [teams.{default}]")
        return FollowUpPolicy(
            f"{version}+{sha256(self._text.encode()).hexdigest()[:12]}",
            default,
            group_by,
            teams,
            touchpoints,
            self._credit(data),
            self._weights(data, min(terms.least for terms in teams.values())),
        )

    def _credit(self, data: Mapping[str, Any]) -> CreditPolicy:
        where, base = ("quick_refund",), CreditPolicy()
        table = self._table(data.get("quick_refund", {}), where)
        self._known(table, {field.name for field in fields(CreditPolicy)}, where)
        enabled = table.get("enabled", base.enabled)
        if not isinstance(enabled, bool):
            raise self._wrong((*where, "enabled"), "must be true or false")

        def whole(key: str, default: int, most: int) -> int:
            return self._whole(table.get(key, default), (*where, key), 0, most)

        return CreditPolicy(
            enabled=enabled,
            share=self._number(table.get("share", base.share), (*where, "share"), 0, 1),
            most_cents=whole("most_cents", base.most_cents, 10_000_000),
            least_orders=whole("least_orders", base.least_orders, 1000),
            least_days=whole("least_days", base.least_days, 3650),
            most_returned=self._number(table.get("most_returned", base.most_returned), (*where, "most_returned"), 0, 1),
            most_bad=whole("most_bad", base.most_bad, 100),
        )

    def _weights(self, data: Mapping[str, Any], least: float) -> Weights:
        """What the reasons weigh. None may flag alone: a bad mood or a grave word by itself is no escalation."""
        base, where = Weights(), ("risk",)
        table = self._table(data.get("risk", {}), where)
        self._known(table, {field.name for field in fields(Weights)}, where)
        given: dict[str, Any] = {}
        for name, told in table.items():
            usual = getattr(base, name)
            if not isinstance(usual, Ramp):
                given[name] = most = self._number(told, (*where, name), 0, 1)
            else:
                own = (*where, name)
                ramp = self._table(told, own)
                self._known(ramp, {"low", "high", "most"}, own)
                low, high, most = (
                    self._number(ramp.get(key, getattr(usual, key)), own, 0, 1 if key == "most" else 10_000)
                    for key in ("low", "high", "most")
                )
                if low >= high:
                    raise self._wrong(own, f"low is {low:g}; must be below high, {high:g}")
                given[name] = Ramp(low, high, most)
            if most >= least:
                raise self._wrong((*where, name), f"is {most:g}: alone it would reach the least, {least:g}, of a team")
        return Weights(**given)

    def _terms(self, table: Mapping[str, Any], where: tuple[str, ...], zone: tzinfo) -> Terms:
        self._known(table, _TEAM, where)
        base = self._base

        def number(key: str, default: float, low: float, high: float) -> float:
            return self._number(table.get(key, default), (*where, key), low, high)

        def minutes(key: str, default: timedelta) -> timedelta:
            return timedelta(
                minutes=number(key, default.total_seconds() / 60, 0 if key != "due_minutes" else 1, 10_080)
            )

        capacity = self._whole(table.get("capacity", base.capacity), (*where, "capacity"), 0, 10_000)
        floors = {
            group: self._whole(floor, (*where, "floors"), 0, 10_000)
            for group, floor in self._table(table.get("floors", {}), (*where, "floors")).items()
        }
        if sum(floors.values()) > capacity:
            raise self._wrong((*where, "floors"), f"add up to {sum(floors.values())}, above the capacity of {capacity}")
        supervisor = table.get("supervisor", base.supervisor)
        if not isinstance(supervisor, str) or not 0 < len(supervisor) <= 64:
            raise self._wrong((*where, "supervisor"), "must be a text of 1 to 64 characters")
        return Terms(
            capacity=capacity,
            shifts=self._shifts(table.get("shifts", ["00:00", "08:00", "16:00"]), (*where, "shifts")),
            zone=zone,
            floors=floors,
            least=number("least", base.least, 0.01, 1),
            margin=number("margin", base.margin, 0, 1),
            due_in=minutes("due_minutes", base.due_in),
            remind_before=minutes("remind_minutes", base.remind_before),
            overflow_after=minutes("overflow_minutes", base.overflow_after),
            supervisor=supervisor,
            keep=self._whole(table.get("keep", base.keep), (*where, "keep"), 1, 10_000),
            holdout=number("holdout", base.holdout, 0, 0.5),
            gravest=number("gravest", base.gravest, 0, 1),
        )

    def _shifts(self, value: object, where: tuple[str, ...]) -> tuple[int, ...]:
        found = []
        for word in self._words(value, where):
            told = re.fullmatch(r"([0-9]{2}):([0-9]{2})", word)
            if told is None or int(told[1]) > 23 or int(told[2]) > 59:
                raise self._wrong(where, f'"{word}" is no time of day such as "08:00"')
            found.append(int(told[1]) * 60 + int(told[2]))
        if not found or len(set(found)) < len(found):
            raise self._wrong(where, "must be at least one time of day, none of them twice")
        return tuple(sorted(found))

    def _group_by(self, data: Mapping[str, Any]) -> GroupBy:
        told = data.get("group_by", "tier")
        for known in _GROUPS:
            if told == known:
                return known
        raise self._wrong(("group_by",), f"must be one of {', '.join(_GROUPS)}")

    def _zone(self, name: str) -> tzinfo:
        offset = re.fullmatch(r"([+-])([0-9]{2}):([0-5][0-9])", name)
        if offset and int(offset[2]) < 24:
            shift = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
            return timezone(shift if offset[1] == "+" else -shift)
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            why = f'"{name}" is neither an offset such as "+08:00" nor a known zone'
            raise self._wrong(("timezone",), why) from None

    def _known(self, table: Mapping[str, Any], known: set[str], where: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                raise self._wrong((*where, key), f"is not known; known are {', '.join(sorted(known))}")

    def _table(self, value: object, where: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(where, "must be a table")
        return value

    def _word(self, table: Mapping[str, Any], key: str, where: tuple[str, ...]) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value:
            raise self._wrong((*where, key), "must be a text that isn't empty")
        return value

    def _words(self, value: object, where: tuple[str, ...]) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self._wrong(where, "must be a list of texts")
        return value

    def _number(self, value: object, where: tuple[str, ...], low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._wrong(where, f"must be a number from {low:g} to {high:g}")
        return float(value)

    def _whole(self, value: object, where: tuple[str, ...], low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(where, f"must be a whole number from {low} to {high}")
        return value

    def _wrong(self, where: tuple[str, ...], why: str) -> BadPolicyError:
        line = self._line(where)
        return BadPolicyError(f"{f'line {line}: ' if line else ''}{'.'.join(where)}: {why}")

    def _line(self, where: tuple[str, ...]) -> int:
        """The line at which a field stands, or else its table; 0 where neither does. Good enough to find it by eye."""
        *tables, key = where
        table = found = 0
        inside: list[str] = []
        for number, line in enumerate(self._text.splitlines(), 1):
            header = re.match(r"\s*\[([^\]]+)\]", line)
            if header:
                inside = [part.strip(" \"'") for part in header[1].split(".")]
                if inside == list(where):
                    return number
            if inside == tables:
                table = table or number
                if re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
                    found = found or number
        return found or (table if tables else 0)
