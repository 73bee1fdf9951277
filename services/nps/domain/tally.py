"""The running computation in memory, over a stream of events: the same rules as the service's, without a database."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.nps.domain.figures import Figure, figure, group
from services.nps.domain.survey import Event, Standing, Survey, merge, standing


@dataclass
class Counts:
    """Answers that stand, by group."""

    promoters: int = 0
    passives: int = 0
    detractors: int = 0

    def add(self, score: int, amount: int) -> None:
        """Counts an answer (amount 1), or takes one back (−1)."""
        name = group(score)
        setattr(self, name, getattr(self, name) + amount)

    @property
    def n(self) -> int:
        return self.promoters + self.passives + self.detractors

    def figure(self) -> Figure:
        """Their score and interval."""
        return figure(self.promoters, self.passives, self.detractors)


@dataclass
class Tally:
    """Counts over all and by each value of each dimension, exact after every event.

    A survey is named by its id alone; an event of the same source and id is a duplicate and changes nothing.
    """

    all: Counts = field(default_factory=Counts)
    by: dict[tuple[str, str], Counts] = field(default_factory=dict)
    _surveys: dict[str, Survey] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def add(self, event: Event) -> None:
        """Takes one event in."""
        name = event.source, event.event_id
        if name in self._seen:
            return
        self._seen.add(name)
        known = self._surveys.get(event.survey_id)
        survey = merge(known, event)
        self._surveys[event.survey_id] = survey
        before, after = standing(known), standing(survey)
        if before != after:
            self._count(before, -1)
            self._count(after, 1)

    def segments(self) -> Iterator[tuple[str, str, Figure]]:
        """Dimension, value and figure of each segment in which an answer stands, in order."""
        for (dimension, value), counts in sorted(self.by.items()):
            if counts.n:
                yield dimension, value, counts.figure()

    def _count(self, place: Standing | None, amount: int) -> None:
        if place is None:
            return
        self.all.add(place.score, amount)
        for segment in place.segments:
            self.by.setdefault(segment, Counts()).add(place.score, amount)
