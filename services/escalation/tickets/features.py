"""What is known of an incident at each of its rows, as numbers. Nothing here looks ahead."""

import math
from collections.abc import Sequence
from typing import Final

from services.escalation.tickets.calendar import DAY, hour, office_minutes, weekday, weekday_minutes
from services.escalation.tickets.fading import Key, drawn
from services.escalation.tickets.incident import CLOSING, Incident
from services.escalation.tickets.log import RESOLVED, Row
from services.escalation.tickets.world import (
    ALL,
    COUNTED,
    ENDED,
    HOT,
    HOT_PLACES,
    HOURS,
    KEYS,
    LATE,
    MOVED,
    TURNED_BACK,
    TURNED_UP,
    World,
    keys,
)

STATES: Final = (
    "New",
    "Active",
    "Awaiting User Info",
    "Awaiting Vendor",
    "Awaiting Problem",
    "Awaiting Evidence",
    RESOLVED,
)
_OWN: Final = (
    *(f"state {s}" for s in STATES),
    "reassignments",
    "reopenings",
    "changes",
    "rows",
    "changes since",
    "changes unseen",
    "impact",
    "urgency",
    "priority",
    "first priority",
    "raised",
    "lowered",
    "late already",
    "knowledge",
    "priority confirmed",
    "by mail",
    "age",
    "weekday age",
    "office age",
    "over",
    "over if resolved now",
    "gap",
    "longest gap",
    "in state",
    "awaiting",
    "unassigned",
    "silences",
    "since resolved",
    "times resolved",
    "state changes",
    "groups",
    "assignees",
    "callers",
    "topic changes",
    "symptom changes",
    "no group",
    "no assignee",
    "no symptom",
    "same assignee",
    "delay",
    "hour",
    "weekday",
    "opened hour",
    "opened weekday",
    "weekend ahead",
    "caller's days since",
)
_RECORDS: Final = ("raised", "reopened", "late", "hours", "moved")
_WORLD: Final = (
    *(f"all {r}" for r in _RECORDS),
    *(f"{k} {r}" for k in KEYS for r in _RECORDS),
    "caller's incidents",
    "caller's turned",
    *(f"{k} {w}" for k in HOT for w in ("hot hour", "hot day", "week")),
    *(f"all {w}" for w in ("hour", "day", "week")),
    *(f"{k} {w} {s}" for k in ("group", "assignee") for s in ("day", "week") for w in ("updates", "resolutions")),
)
NAMES: Final = _OWN + _WORLD
"""In the order of the numbers. Ages and gaps are in hours; "gap" and "delay" in minutes; "hot" is a logarithm of now over usual."""
PLACE: Final = {name: i for i, name in enumerate(NAMES)}
_RAISED_ONCE, _REOPENED_ONCE, _LATE_ONCE, _HOURS_ONCE, _MOVED_ONCE = 0.011, 0.013, 0.25, 2.5, 1.0
"""What a log without a past is taken for."""


class Walker:
    """Takes a log's rows in time order; `step` tells what is known at a row, then learns from it."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.incidents: dict[str, Incident] = {}

    def step(self, row: Row) -> tuple[Incident, list[float]]:
        """The row's incident and features, from the log so far and this row."""
        incident = self.incidents.get(row.number)
        if incident is None:
            incident = self.incidents[row.number] = Incident(row)
        incident.meet(row)
        own = keys(row)
        found = [*_of_incident(incident, self.world), *_of_world(incident, own, self.world)]
        self.world.learn(incident, row, own)
        return incident, found


def _of_incident(incident: Incident, world: World) -> list[float]:
    row, before, first = incident.last, incident.before, incident.first
    at, opened = row.at, first.opened
    new = incident.rows == 1
    last_opened = world.seen.get(row.caller) if new else None
    return [
        *(float(row.state == s) for s in STATES),
        row.reassigned,
        row.reopened,
        row.mod,
        incident.rows,
        row.mod - before.mod,
        row.mod + 1 - incident.rows,
        row.impact,
        row.urgency,
        row.priority,
        first.priority,
        row.priority < first.priority,
        incident.lowered,
        not row.made_sla,
        row.knowledge,
        row.confirmed,
        row.contact_type == "Email",
        max(0, at - opened) / 60,
        max(0, weekday_minutes(at) - weekday_minutes(opened)) / 60,
        max(0, office_minutes(at) - office_minutes(opened)) / 60,
        incident.over(at) / 60,
        (weekday_minutes(at + CLOSING) - weekday_minutes(opened)) / 60,
        at - before.at,
        incident.longest / 60,
        (at - incident.since) / 60,
        incident.awaiting / 60,
        incident.unassigned / 60,
        incident.silences,
        (at - incident.resolved_first) / 60 if incident.resolved_times else -1,
        incident.resolved_times,
        incident.changes,
        len(incident.groups),
        len(incident.assignees),
        len(incident.callers),
        incident.moved_topic,
        incident.renamed,
        row.group == "?",
        row.assignee == "?",
        row.symptom == "?",
        row.assignee == first.assignee,
        first.at - opened,
        hour(at),
        weekday(at),
        hour(opened),
        weekday(opened),
        (CLOSING - (weekday_minutes(opened + CLOSING) - weekday_minutes(opened))) / 60,
        -1 if last_opened is None else max(0, at - last_opened) / DAY,
    ]


def _of_world(incident: Incident, own: tuple[Key, ...], world: World) -> list[float]:
    at, new = incident.last.at, incident.rows == 1
    records = world.records
    c = records.at(ALL, at)
    raised, reopened = (
        drawn(c[TURNED_UP], c[COUNTED], _RAISED_ONCE, 200),
        drawn(c[TURNED_BACK], c[COUNTED], _REOPENED_ONCE, 200),
    )
    late, hours, moved = (
        drawn(c[column], c[ENDED], usual, 50)
        for column, usual in ((LATE, _LATE_ONCE), (HOURS, _HOURS_ONCE), (MOVED, _MOVED_ONCE))
    )
    found = [raised, reopened, late, hours, moved]
    callers: Sequence[float] = ()
    for key in own:
        c = records.at(key, at)
        if key is own[5]:
            callers = c
        counted, ended = c[COUNTED] + 40, c[ENDED] + 8
        found += (
            math.log((c[TURNED_UP] / raised + 40) / counted),
            math.log((c[TURNED_BACK] / reopened + 40) / counted),
            (c[LATE] + 8 * late) / ended,
            (c[HOURS] + 8 * hours) / ended,
            (c[MOVED] + 8 * moved) / ended,
        )
    found += (
        callers[COUNTED] if new else max(0.0, callers[COUNTED] - 1),
        callers[TURNED_UP] + callers[TURNED_BACK] - incident.told,
    )
    for place in HOT_PLACES:
        hourly, daily, weekly = world.arrivals.at(own[place], at)
        found += (
            math.log((hourly + 0.5) / (weekly / 168 + 0.5)),
            math.log((daily + 1) / (weekly / 7 + 1)),
            math.log1p(weekly),
        )
    found += world.arrivals.at(ALL, at)
    for key in (own[3], own[4]):
        found += (math.log1p(x) for x in world.work.at(key, at))
    return found
