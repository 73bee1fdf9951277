"""Windows of time, by the calendar of a zone. Longer ones are made of whole hours or days, so that their counts are sums of counts.

Moments are given in any zone and told in UTC. A day lasts 23 or 25 hours where clocks change; one whose midnight is skipped begins at
the first moment that there is. A zone whose offset is not whole hours has no place here: `whole_hours`.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, Literal

Window = Literal["hour", "day", "week", "month"]
WINDOWS: Final[tuple[Window, ...]] = ("hour", "day", "week", "month")
USUAL_ZONE: Final = "Asia/Shanghai"
"""The zone whose days and weeks are meant where none is told."""
_TRIED: Final = (2020, 2025, 2030)


def whole_hours(zone: tzinfo) -> bool:
    """Whether the zone's days begin on the hour, in these years: what is counted by the hour can't be told by others."""
    moments = (datetime(year, month, 1, tzinfo=UTC).astimezone(zone) for year in _TRIED for month in range(1, 13))
    return all((m.utcoffset() or timedelta()) % timedelta(hours=1) == timedelta() for m in moments)


def hour_of(moment: datetime) -> datetime:
    """The UTC hour in which the moment lies."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime, zone: tzinfo = UTC) -> datetime:
    """When the day in which the moment lies begins, in UTC."""
    return midnight(moment.astimezone(zone).date(), zone)


def midnight(day: date, zone: tzinfo) -> datetime:
    """When a day of the zone begins, in UTC."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def start_of(window: Window, moment: datetime, zone: tzinfo = UTC) -> datetime:
    """When the window in which the moment lies begins; weeks begin on Monday."""
    return hour_of(moment) if window == "hour" else midnight(_first(window, moment, zone), zone)


def end_of(window: Window, moment: datetime, zone: tzinfo = UTC) -> datetime:
    """When the window in which the moment lies ends: the first moment after it."""
    if window == "hour":
        return hour_of(moment) + timedelta(hours=1)
    first = _first(window, moment, zone)
    if window == "month":
        return midnight((first + timedelta(days=31)).replace(day=1), zone)
    return midnight(first + timedelta(days=7 if window == "week" else 1), zone)


def days_of(start: datetime, end: datetime, zone: tzinfo = UTC) -> tuple[datetime, ...]:
    """When the days from start up to end begin, both at midnights of the zone."""
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    return tuple(midnight(first + timedelta(days=i), zone) for i in range((last - first).days))


def rolling(moment: datetime, days: int, zone: tzinfo = UTC) -> tuple[datetime, ...]:
    """The last so many days, the moment's own among them. Raises OverflowError before the first day there is."""
    last = moment.astimezone(zone).date()
    return tuple(midnight(last - timedelta(days=i), zone) for i in reversed(range(days)))


def _first(window: Window, moment: datetime, zone: tzinfo) -> date:
    day = moment.astimezone(zone).date()
    if window == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if window == "month" else day
