"""Reads a follow-up policy from TOML; a wrong one is refused, with its line, the field and the reason."""

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any

from services.escalation.domain.credit import CreditPolicy
from services.escalation.domain.outreach import QuietHours
from services.escalation.domain.risk import Ramp, Weights
from services.escalation.domain.team import FollowUpPolicy, GroupBy, Terms
from services.runtime import policyfile as read
from services.runtime.policyfile import BadPolicyError

__all__ = ["DEFAULT", "BadPolicyError", "load", "parse"]

DEFAULT = Path(__file__).with_name("policy.toml")
_GROUPS: tuple[GroupBy, ...] = ("tier", "language", "channel")
_TEAM = {
    "capacity", "shifts", "floors", "least", "margin", "due_minutes", "remind_minutes", "overflow_minutes",
    "supervisor", "touchpoints", "keep", "holdout", "gravest",
}  # fmt: skip


def load(path: Path, base: Terms | None = None) -> FollowUpPolicy:
    """Read a policy file. Raises BadPolicyError."""
    return parse(read.text_of(path), base)


def parse(text: str, base: Terms | None = None) -> FollowUpPolicy:
    """Read a policy from TOML text; what a team does not say is as in `base`. Raises BadPolicyError."""
    return read.parsed(text, _Reader(text, base or Terms()).policy)


def _wrong(where: str, why: str) -> BadPolicyError:
    return BadPolicyError(f"{where}: {why}")


def _minute(word: str, where: str) -> int:
    """The minute of the day that a time such as "08:00" names."""
    told = re.fullmatch(r"([0-9]{2}):([0-9]{2})", word)
    if told is None or int(told[1]) > 23 or int(told[2]) > 59:
        raise _wrong(where, f'"{word}" is no time of day such as "08:00"')
    return int(told[1]) * 60 + int(told[2])


class _Reader:
    def __init__(self, text: str, base: Terms) -> None:
        self._text = text
        self._base = base

    def policy(self, data: Mapping[str, Any]) -> FollowUpPolicy:
        read.only(data, {"version", "timezone", "default", "group_by", "teams", "quick_refund", "outreach", "risk"}, "")
        version, default = read.word(data, "version", ""), read.word(data, "default", "")
        zone = read.zone(read.word(data, "timezone", ""))
        group_by = self._group_by(data)
        tables = read.table(data.get("teams"), "teams")
        teams, touchpoints = {}, dict[str, str]()
        for name in tables:
            where = f"teams.{name}"
            table = read.table(tables[name], where)
            teams[name] = self._terms(table, where, zone)
            for touchpoint in read.words(table.get("touchpoints", []), f"{where}.touchpoints"):
                if touchpoint in touchpoints:
                    raise _wrong(
                        f"{where}.touchpoints", f'"{touchpoint}" is named by {touchpoints[touchpoint]} as well'
                    )
                touchpoints[touchpoint] = name
        if default not in teams:
            raise _wrong("default", f"there is no [teams.{default}]")
        return FollowUpPolicy(
            read.version_of(version, self._text),
            default,
            group_by,
            teams,
            touchpoints,
            self._credit(data),
            self._weights(data, min(terms.least for terms in teams.values())),
            self._quiet(data, zone),
        )

    def _quiet(self, data: Mapping[str, Any], zone: tzinfo) -> QuietHours:
        where = "outreach"
        table = read.table(data.get("outreach", {}), where)
        read.only(table, {"quiet"}, f"{where}.")
        told = [_minute(word, f"{where}.quiet") for word in read.words(table.get("quiet", []), f"{where}.quiet")]
        if len(told) not in (0, 2):
            raise _wrong(f"{where}.quiet", "must be two times of day, from which and until which, or none")
        start, end = told or (0, 0)
        return QuietHours(start, end, zone)

    def _credit(self, data: Mapping[str, Any]) -> CreditPolicy:
        where, base = "quick_refund", CreditPolicy()
        table = read.table(data.get("quick_refund", {}), where)
        read.only(table, {field.name for field in fields(CreditPolicy)}, f"{where}.")
        enabled = read.flag(table.get("enabled", base.enabled), f"{where}.enabled")

        def whole(key: str, default: int, most: int) -> int:
            return read.whole(table.get(key, default), f"{where}.{key}", 0, most)

        return CreditPolicy(
            enabled=enabled,
            share=read.number(table.get("share", base.share), f"{where}.share", 0, 1),
            most_cents=whole("most_cents", base.most_cents, 10_000_000),
            least_orders=whole("least_orders", base.least_orders, 1000),
            least_days=whole("least_days", base.least_days, 3650),
            most_returned=read.number(table.get("most_returned", base.most_returned), f"{where}.most_returned", 0, 1),
            most_bad=whole("most_bad", base.most_bad, 100),
        )

    def _weights(self, data: Mapping[str, Any], least: float) -> Weights:
        """What the reasons weigh. None may flag alone: a bad mood or a grave word by itself is no escalation."""
        base, where = Weights(), "risk"
        table = read.table(data.get("risk", {}), where)
        read.only(table, {field.name for field in fields(Weights)}, f"{where}.")
        given: dict[str, Any] = {}
        for name, told in table.items():
            usual = getattr(base, name)
            if not isinstance(usual, Ramp):
                given[name] = most = read.number(told, f"{where}.{name}", 0, 1)
            else:
                own = f"{where}.{name}"
                ramp = read.table(told, own)
                read.only(ramp, {"low", "high", "most"}, f"{own}.")
                low, high, most = (
                    read.number(ramp.get(key, getattr(usual, key)), own, 0, 1 if key == "most" else 10_000)
                    for key in ("low", "high", "most")
                )
                if low >= high:
                    raise _wrong(own, f"low is {low:g}; must be below high, {high:g}")
                given[name] = Ramp(low, high, most)
            if most >= least:
                raise _wrong(f"{where}.{name}", f"is {most:g}: alone it would reach the least, {least:g}, of a team")
        return Weights(**given)

    def _terms(self, table: Mapping[str, Any], where: str, zone: tzinfo) -> Terms:
        read.only(table, _TEAM, f"{where}.")
        base = self._base

        def number(key: str, default: float, low: float, high: float) -> float:
            return read.number(table.get(key, default), f"{where}.{key}", low, high)

        def minutes(key: str, default: timedelta) -> timedelta:
            return timedelta(
                minutes=number(key, default.total_seconds() / 60, 0 if key != "due_minutes" else 1, 10_080)
            )

        capacity = read.whole(table.get("capacity", base.capacity), f"{where}.capacity", 0, 10_000)
        floors = {
            group: read.whole(floor, f"{where}.floors", 0, 10_000)
            for group, floor in read.table(table.get("floors", {}), f"{where}.floors").items()
        }
        if sum(floors.values()) > capacity:
            raise _wrong(f"{where}.floors", f"add up to {sum(floors.values())}, above the capacity of {capacity}")
        supervisor = table.get("supervisor", base.supervisor)
        if not isinstance(supervisor, str) or not 0 < len(supervisor) <= 64:
            raise _wrong(f"{where}.supervisor", "must be a text of 1 to 64 characters")
        return Terms(
            capacity=capacity,
            shifts=self._shifts(table.get("shifts", ["00:00", "08:00", "16:00"]), f"{where}.shifts"),
            zone=zone,
            floors=floors,
            least=number("least", base.least, 0.01, 1),
            margin=number("margin", base.margin, 0, 1),
            due_in=minutes("due_minutes", base.due_in),
            remind_before=minutes("remind_minutes", base.remind_before),
            overflow_after=minutes("overflow_minutes", base.overflow_after),
            supervisor=supervisor,
            keep=read.whole(table.get("keep", base.keep), f"{where}.keep", 1, 10_000),
            holdout=number("holdout", base.holdout, 0, 0.5),
            gravest=number("gravest", base.gravest, 0, 1),
        )

    def _shifts(self, value: object, where: str) -> tuple[int, ...]:
        found = [_minute(word, where) for word in read.words(value, where)]
        if not found or len(set(found)) < len(found):
            raise _wrong(where, "must be at least one time of day, none of them twice")
        return tuple(sorted(found))

    def _group_by(self, data: Mapping[str, Any]) -> GroupBy:
        told = data.get("group_by", "tier")
        for known in _GROUPS:
            if told == known:
                return known
        raise _wrong("group_by", f"must be one of {', '.join(_GROUPS)}")
