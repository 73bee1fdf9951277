"""What the rows of one incident have told so far."""

from typing import Final

from services.escalation.tickets.calendar import DAY, weekday_minutes
from services.escalation.tickets.log import CLOSED, RESOLVED, Row

RAISED: Final = 1
REOPENED: Final = 2
LIMIT: Final = 153 * 60
"""Weekday minutes from opening to closing that an incident of priority 3 may take.

Found in the log (it tells made_sla right for all but 37 of 6,661 incidents opened from 28 March 2016 on); an incident is closed five
days of the calendar after it was last resolved.
"""
ORDINARY: Final = 3
"""The priority whose limit is known; graver ones are nearly always late by the time that they are closed."""
CLOSING: Final = 5 * DAY


def margin(opened: int, resolved: int) -> int:
    """Weekday minutes by which an incident that was last resolved then will be closed too late; negative: time left."""
    return weekday_minutes(resolved + CLOSING) - weekday_minutes(opened) - LIMIT


class Incident:
    """One incident's story; `meet` takes its rows in time order."""

    __slots__ = (
        "assignees",
        "awaiting",
        "before",
        "callers",
        "changes",
        "ended",
        "first",
        "groups",
        "known",
        "last",
        "longest",
        "lowered",
        "moved_topic",
        "renamed",
        "resolved_first",
        "resolved_last",
        "resolved_times",
        "rows",
        "silences",
        "since",
        "told",
        "turned",
        "unassigned",
    )

    def __init__(self, row: Row) -> None:
        self.first = row
        self.last = row
        self.before = row
        """The row before the last; the first one's is itself."""
        self.rows = 0
        self.groups = {row.group}
        self.assignees = {row.assignee}
        self.callers = {row.caller}
        self.since = row.at
        """Since when it has been in its state."""
        self.resolved_times = 0
        self.resolved_first = 0
        self.resolved_last = 0
        self.awaiting = 0
        self.unassigned = 0
        self.changes = 0
        """Of state."""
        self.longest = 0
        self.silences = 0
        """Gaps of more than a day between rows."""
        self.lowered = False
        self.moved_topic = 0
        self.renamed = 0
        """Changes of symptom."""
        self.turned = 0
        """RAISED or REOPENED, whichever came first; 0: neither."""
        self.ended = False
        """Whether the world has learnt how long it took,"""
        self.told = False
        """and that it turned."""
        self.known: set[tuple[str, ...]] = set()
        """The keys under which the world has counted it."""

    def meet(self, row: Row) -> None:
        """Takes in the incident's next row (the first one too)."""
        last = self.before = self.last
        self.last = row
        if self.rows:
            self._pass(last, row)
        self.rows += 1
        self.groups.add(row.group)
        self.assignees.add(row.assignee)
        self.callers.add(row.caller)
        self.lowered = self.lowered or row.priority > self.first.priority
        if row.state == RESOLVED and (self.rows == 1 or last.state != RESOLVED):
            self.resolved_times += 1
            self.resolved_first = self.resolved_first or row.at
            self.resolved_last = row.at
        if not self.turned:
            self.turned = REOPENED if row.reopened else RAISED if row.priority < self.first.priority else 0

    def _pass(self, last: Row, row: Row) -> None:
        gap = row.at - last.at
        self.longest = max(self.longest, gap)
        self.silences += gap > DAY
        if last.state.startswith("Awaiting"):
            self.awaiting += gap
        if last.assignee == "?":
            self.unassigned += gap
        if row.state != last.state:
            self.changes += 1
            self.since = row.at
        self.moved_topic += row.category != last.category or row.subcategory != last.subcategory
        self.renamed += row.symptom != last.symptom

    def over(self, at: int) -> int:
        """`margin` if it is resolved at that minute; of a resolved one, as it was resolved."""
        resolved = self.last.state in (RESOLVED, CLOSED) and self.resolved_times
        return margin(self.first.opened, self.resolved_last if resolved else at)
