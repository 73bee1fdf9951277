"""What the log has taught so far: how often and how long, by category, group, person and place. It fades, so it follows a drift."""

import math
from typing import Final

from services.escalation.tickets.calendar import DAY, weekday_minutes
from services.escalation.tickets.fading import Fading, Key
from services.escalation.tickets.incident import RAISED, Incident
from services.escalation.tickets.log import RESOLVED, Row

ALL: Final[Key] = ("all",)
KEYS: Final = (
    "category",
    "subcategory",
    "symptom",
    "group",
    "assignee",
    "caller",
    "location",
    "category and group",
    "category and location",
    "subcategory and symptom",
    "grades",
)
HOT: Final = KEYS[:4] + KEYS[6:7] + KEYS[8:10]
"""Keys by which a wave of arrivals is watched."""
MEMORY: Final = 60 * DAY
COUNTED, TURNED_UP, TURNED_BACK, ENDED, LATE, HOURS, MOVED = range(7)
"""Columns of `records`: incidents counted, raised, reopened; incidents ended (resolved, or past their time), late, the sum of the log of
the hours they took, the sum of their reassignments."""


def keys(row: Row) -> tuple[Key, ...]:
    """An incident's keys as of a row, in the order of KEYS."""
    return (
        ("category", row.category),
        ("subcategory", row.category, row.subcategory),
        ("symptom", row.symptom),
        ("group", row.group),
        ("assignee", row.assignee),
        ("caller", row.caller),
        ("location", row.location),
        ("category and group", row.category, row.group),
        ("category and location", row.category, row.location),
        ("subcategory and symptom", row.subcategory, row.symptom),
        ("grades", str(row.impact), str(row.urgency), str(row.priority)),
    )


HOT_PLACES: Final = tuple(KEYS.index(k) for k in HOT)


class World:
    """Everything learnt, as of the last row it was shown."""

    __slots__ = ("arrivals", "records", "seen", "work")

    def __init__(self) -> None:
        self.records = Fading([MEMORY] * 7)
        self.arrivals = Fading([60, DAY, 7 * DAY])
        """Incidents that came, in an hour, a day, a week (half-lives)."""
        self.work = Fading([DAY, DAY, 7 * DAY, 7 * DAY])
        """Of groups and assignees: updates and resolutions, in a day and in a week."""
        self.seen: dict[str, int] = {}
        """When each caller opened the last incident."""

    def learn(self, incident: Incident, row: Row, own: tuple[Key, ...]) -> None:
        """Takes in a row that its incident has met."""
        at, new = row.at, incident.rows == 1
        fresh = [k for k in own if k not in incident.known]
        if new:
            fresh.append(ALL)
            self.seen[row.caller] = at
        for key in fresh:
            self.records.add(key, at, _ONE)
            if key is ALL or key[0] in HOT:
                self.arrivals.add(key, at, (1, 1, 1))
        incident.known.update(fresh)
        if incident.turned and not incident.told:
            incident.told = True
            for key in incident.known:
                self.records.add(key, at, _RAISED if incident.turned == RAISED else _REOPENED)
        if not incident.ended and (incident.resolved_times or incident.over(at) > 0):
            incident.ended = True
            passed = max(0, weekday_minutes(at) - weekday_minutes(incident.first.opened)) / 60
            what = (0, 0, 0, 1, float(incident.over(at) > 0), math.log1p(passed), row.reassigned)
            for key in (*own, ALL):
                self.records.add(key, at, what)
        resolved = row.state == RESOLVED and incident.resolved_last == at
        for key in (own[3], own[4]):
            self.work.add(key, at, (1, resolved, 1, resolved))


_ONE: Final = (1, 0, 0, 0, 0, 0, 0)
_RAISED: Final = (0, 1, 0, 0, 0, 0, 0)
_REOPENED: Final = (0, 0, 1, 0, 0, 0, 0)
