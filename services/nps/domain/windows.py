"""Windows of time, in UTC. Longer ones are made of whole hours or days, so that their counts are sums of counts."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

Window = Literal["hour", "day", "week", "month"]
WINDOWS: Final[tuple[Window, ...]] = ("hour", "day", "week", "month")


def hour_of(moment: datetime) -> datetime:
    """The UTC hour in which the moment lies."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """The UTC day in which the moment lies."""
    return hour_of(moment).replace(hour=0)


def start_of(window: Window, moment: datetime) -> datetime:
    """When the window in which the moment lies begins; weeks begin on Monday."""
    if window == "hour":
        return hour_of(moment)
    day = day_of(moment)
    if window == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if window == "month" else day


def end_of(window: Window, moment: datetime) -> datetime:
    """When the window in which the moment lies ends: the first moment after it."""
    start = start_of(window, moment)
    if window == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[window]


def days_of(start: datetime, end: datetime) -> tuple[datetime, ...]:
    """The UTC days from start up to end, both at midnight."""
    return tuple(start + timedelta(days=i) for i in range((end - start).days))


def week_of(moment: datetime) -> tuple[datetime, ...]:
    """The seven UTC days of the moment's week, from Monday."""
    return days_of(start_of("week", moment), end_of("week", moment))


def month_of(moment: datetime) -> tuple[datetime, ...]:
    """The UTC days of the moment's month."""
    return days_of(start_of("month", moment), end_of("month", moment))


def rolling(moment: datetime, days: int) -> tuple[datetime, ...]:
    """The last so many UTC days, the moment's own among them. Raises OverflowError before the first day there is."""
    last = day_of(moment)
    return days_of(last - timedelta(days=days - 1), last + timedelta(days=1))
