"""Working time: minutes of weekdays, and of their office hours, since 1970."""

from typing import Final

DAY: Final = 1440
_WEEK: Final = 7 * DAY
_MONDAY: Final = 4 * DAY
"""1970-01-05 was a Monday."""
OFFICE: Final = (8 * 60, 18 * 60)


def weekday_minutes(at: int) -> int:
    """Minutes from Monday to Friday, round the clock, between 1970-01-05 and the minute `at`."""
    weeks, rest = divmod(at - _MONDAY, _WEEK)
    return weeks * 5 * DAY + min(rest, 5 * DAY)


def office_minutes(at: int) -> int:
    """The same within office hours (8 to 18) only."""
    start, end = OFFICE
    days, clock = divmod(weekday_minutes(at), DAY)
    weekend = (at - _MONDAY) % _WEEK >= 5 * DAY
    return days * (end - start) + (0 if weekend else min(max(clock - start, 0), end - start))


def weekday(at: int) -> int:
    """0 is Monday."""
    return (at - _MONDAY) % _WEEK // DAY


def hour(at: int) -> float:
    """Hours since midnight."""
    return at % DAY / 60
