"""Counts from which any combination of segments over any window of whole hours can be answered, and which can be merged."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.nps.domain.figures import GROUP_INDEX, Figure, figure
from services.nps.domain.survey import Segments, Standing
from services.nps.domain.windows import Window, hour_of, start_of

Cell = list[int]
"""Answers that stand, in the order of GROUPS: promoters, passives, detractors."""
Values = tuple[str, ...]
"""One value for each of the dimensions that were asked for, in their order."""


def nothing() -> Cell:
    """A cell without answers."""
    return [0, 0, 0]


@dataclass(slots=True)
class Cube:
    """One cell for each hour and each combination of segments in which answers were given."""

    _cells: defaultdict[tuple[datetime, Segments], Cell] = field(default_factory=lambda: defaultdict(nothing))

    def add(self, place: Standing, amount: int = 1) -> None:
        """Counts an answer, or takes one back (−1)."""
        self._cells[hour_of(place.answered_at), place.segments][GROUP_INDEX[place.score]] += amount

    def merge(self, other: "Cube") -> None:
        """Adds what another cube counted of other surveys."""
        for key, theirs in other._cells.items():
            mine = self._cells[key]
            mine[:] = (a + b for a, b in zip(mine, theirs, strict=True))

    def figure(self, start: datetime, end: datetime, where: Mapping[str, str] | None = None) -> Figure:
        """All answers from start up to end, both on the hour, that have these values of these dimensions."""
        wanted = set((where or {}).items())
        found = nothing()
        for (hour, segments), cell in self._cells.items():
            if start <= hour < end and wanted.issubset(segments):
                found[:] = (a + b for a, b in zip(found, cell, strict=True))
        return figure(*found)

    def table(self, window: Window, dimensions: tuple[str, ...] = ()) -> Iterator[tuple[datetime, Values, Figure]]:
        """The windows by the combinations of these dimensions, in order; answers that lack one of them are left out."""
        sums: defaultdict[tuple[datetime, Values], Cell] = defaultdict(nothing)
        for (hour, segments), cell in self._cells.items():
            known = dict(segments)
            if all(d in known for d in dimensions):
                total = sums[start_of(window, hour), tuple(known[d] for d in dimensions)]
                total[:] = (a + b for a, b in zip(total, cell, strict=True))
        for (start, values), cell in sorted(sums.items()):
            if any(cell):
                yield start, values, figure(*cell)
