"""The running computation in memory, over a stream of events: the same rules as the service's, without a database."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.nps.domain.cube import Cell, Cube, nothing
from services.nps.domain.figures import GROUP_INDEX, Figure, figure
from services.nps.domain.survey import Standing, Survey, SurveyEvent, merge, standing


@dataclass(slots=True)
class Tally:
    """Counts over all and by each value of each dimension, exact after every event.

    A survey is named by its id alone; an event of the same source and id is a duplicate and changes nothing.
    cube: where given, it counts the same answers by hour and combination of segments.
    """

    cube: Cube | None = None
    _all: Cell = field(default_factory=nothing)
    _by: defaultdict[tuple[str, str], Cell] = field(default_factory=lambda: defaultdict(nothing))
    _surveys: dict[str, Survey] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def add(self, event: SurveyEvent) -> bool:
        """Takes one event in; False where it is a duplicate."""
        name = event.source, event.event_id
        if name in self._seen:
            return False
        self._seen.add(name)
        known = self._surveys.get(event.survey_id)
        survey = merge(known, event)
        self._surveys[event.survey_id] = survey
        before, after = standing(known), standing(survey)
        if before != after:
            if before is not None:
                self._count(before, -1)
            if after is not None:
                self._count(after, 1)
        return True

    def all(self) -> Figure:
        """The figure of all answers that stand."""
        return figure(*self._all)

    def segments(self) -> Iterator[tuple[str, str, Figure]]:
        """Dimension, value and figure of each segment in which an answer stands, in order."""
        for (dimension, value), cell in sorted(self._by.items()):
            if any(cell):
                yield dimension, value, figure(*cell)

    def _count(self, place: Standing, amount: int) -> None:
        group, by = GROUP_INDEX[place.score], self._by
        self._all[group] += amount
        if self.cube is not None:
            self.cube.add(place, amount)
        for segment in place.segments:
            by[segment][group] += amount
