"""ISO weeks by name, in a zone: 2026-W45."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

_FORM = re.compile(r"(\d{4})-?W(\d{2})", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1970, 9990
"""A report looks some weeks back, and zones move midnights: at the calendar's own ends there is no such time."""


def monday(name: str) -> date:
    """The Monday with which a week begins. Raises ValueError where there is no such week."""
    found = _FORM.fullmatch(name)
    if found and not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise ValueError(f"{name!r} is not in the years {FIRST_YEAR} to {LAST_YEAR}")
    if not found or not 1 <= int(found[2]) <= _weeks(int(found[1])):
        raise ValueError(f"{name!r} is not a week such as 2026-W45")
    return date.fromisocalendar(int(found[1]), int(found[2]), 1)


def named(day: date) -> str:
    """The name of the week in which a day lies."""
    year, number, _ = day.isocalendar()
    return f"{year}-W{number:02}"


def ends(first: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """When the week that begins on this day begins and ends, in UTC: midnights of the zone."""
    start = datetime(first.year, first.month, first.day, tzinfo=zone)
    return start.astimezone(UTC), datetime.combine(first + timedelta(days=7), start.time(), tzinfo=zone).astimezone(UTC)


def running(now: datetime, zone: tzinfo) -> date:
    """The Monday of the week that goes on."""
    return last_whole(now, zone) + timedelta(days=7)


def usual(now: datetime, zone: tzinfo, before: datetime | None, since: datetime | None) -> date:
    """The Monday of the week to tell first: the last whole one if it was answered in, else the one that goes on if it was, else the
    last one that was; where nobody has answered, the one that goes on.

    before, since: the last answers of before this week, and of this week; None where there is none.
    """
    whole = last_whole(now, zone)
    answered = last_whole(before, zone) + timedelta(days=7) if before else None
    return answered if answered and (answered == whole or since is None) else running(now, zone)


def last_whole(now: datetime, zone: tzinfo) -> date:
    """The Monday of the last week that is over."""
    today = now.astimezone(zone).date()
    return today - timedelta(days=today.weekday() + 7)


def _weeks(year: int) -> int:
    """How many weeks the year has: the 28th of December lies in its last."""
    return date(year, 12, 28).isocalendar().week
