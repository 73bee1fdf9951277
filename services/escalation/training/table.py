"""The rows to learn from: features, and what became of each row's incident."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.escalation.tickets.evaluate import Story, stories
from services.escalation.tickets.features import NAMES, Walker
from services.escalation.tickets.figures import LANDMARKS
from services.escalation.tickets.incident import CLOSING, ORDINARY, margin
from services.escalation.tickets.log import RESOLVED, Row
from services.escalation.tickets.model import past_of

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
_LATE_CLOSING: Final = CLOSING + 6 * 60
"""An incident that is closed later than this after it was last resolved waited for the closing job, not for anybody's work."""


@dataclass(frozen=True, slots=True)
class Table:
    """Open rows in time order."""

    incident: NDArray[np.intp]
    """Each row's incident: its place by opening."""
    first: Rows
    now: Rows
    is_first: Bools
    before_turn: Bools
    turns: Bools
    """Whether the row's incident is raised or reopened at any time."""
    breached: Bools
    """As the log says."""
    late: Bools
    """The same but for incidents that only the halted closing job made late: whether they would have been."""
    stands: Floats
    """At how many of LANDMARKS the row is the last word on its incident."""
    rows_of: Floats
    """How many open rows before its turn the row's incident has."""


def by_opening(rows: Sequence[Row]) -> list[str]:
    """The incidents' numbers in the order in which they were opened."""
    opened: dict[str, int] = {}
    for row in rows:
        opened.setdefault(row.number, row.opened)
    return sorted(opened, key=lambda n: (opened[n], n))


def part(rows: Sequence[Row], numbers: Sequence[str]) -> list[Row]:
    """The rows of some incidents."""
    chosen = frozenset(numbers)
    return [r for r in rows if r.number in chosen]


def table(rows: Sequence[Row]) -> tuple[Table, dict[str, NDArray[np.generic]]]:
    """The training table of a log in time order, and what was known of the world when its last incident was opened."""
    walker = Walker()
    until = max(r.opened for r in rows)
    past: dict[str, NDArray[np.generic]] | None = None
    features = np.empty((len(rows), len(NAMES)), dtype=np.float32)
    for i, row in enumerate(rows):
        if past is None and row.at > until:
            past = past_of(walker.world, until)
        features[i] = walker.step(row)[1]
    return _table(rows, features), past if past is not None else past_of(walker.world, until)


def labels(rows: Sequence[Row]) -> Table:
    """A table without features: what became of the open rows, in time order."""
    return _table(rows, np.zeros((len(rows), 0), dtype=np.float32))


def _table(rows: Sequence[Row], features: Rows) -> Table:
    found = stories(rows)
    order = {n: i for i, n in enumerate(by_opening(rows))}
    n = len(rows)
    incident, start = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
    turns, before, breached, late, is_first = (np.zeros(n, dtype=np.bool_) for _ in range(5))
    stands, rows_of = np.zeros(n), np.zeros(n)
    is_open = np.array([r.is_open for r in rows], dtype=np.bool_)
    for story in found:
        own = np.array(story.places)
        incident[own], start[own] = order[story.number], own[0]
        turns[own], breached[own] = story.turn is not None, story.breached
        late[own] = _late(story, [rows[p] for p in story.places])
        is_first[own[0]] = True
        ahead = np.array(story.before_turn, dtype=np.intp)
        ahead = ahead[is_open[ahead]]
        before[ahead] = True
        rows_of[own] = max(1, len(ahead))
        times = np.array([rows[p].at for p in story.places])
        for hours in LANDMARKS:
            standing = own[0] if hours == 0 else own[max(0, int((times - story.opened <= 60 * hours).sum()) - 1)]
            stands[standing] += 1
    keep = np.flatnonzero(is_open)
    return Table(
        incident[keep],
        features[start[keep]],
        features[keep],
        is_first[keep],
        before[keep],
        turns[keep],
        breached[keep],
        late[keep],
        stands[keep],
        rows_of[keep],
    )


def _late(story: Story, rows: Sequence[Row]) -> bool:
    """Whether the incident was late, leaving out what a halted closing job did to it.

    In the first half of March 2016 hardly anything was closed, and then all of it was "breached": a label about the job, not the work.
    """
    resolved = [r.at for before, r in zip([None, *rows], rows, strict=False) if _resolves(before, r)]
    last = rows[-1]
    if not resolved or last.at - resolved[-1] <= _LATE_CLOSING or last.priority != ORDINARY:
        return story.breached
    return margin(story.opened, resolved[-1]) > 0


def _resolves(before: Row | None, row: Row) -> bool:
    return row.state == RESOLVED and (before is None or before.state != RESOLVED)
