"""Answers with what their comments say, and the counts of a week of them from which everything else is told."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from services.nps.domain.drivers import Ints
from services.nps.domain.figures import GROUP_INDEX, Figure, figure
from services.nps.domain.remarks import Reading
from services.nps.domain.survey import Segments

Place = tuple[str, str]
"""A dimension and its value."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A standing answer. complains, praises: stages, those that the comment finds fault with, and the others that it names."""

    survey_id: str
    time: datetime
    score: int
    segments: Segments
    reading: Reading = "none"
    complains: tuple[str, ...] = ()
    praises: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Week:
    """Counts of a stretch of time.

    figures: of all and by place. readings: how many comments were read how. complaints, praises: answers by stage, and by
    stage and place. answers: by stratum and group; complaining: the same for each stage.
    """

    all: Figure
    by: dict[Place, Figure]
    readings: Counter[Reading]
    complaints: Counter[str]
    complaints_at: Counter[tuple[str, Place]]
    praises: Counter[str]
    answers: Ints
    complaining: dict[str, Ints]


def strata_of(replies: Iterable[Reply], dimensions: Sequence[str]) -> dict[tuple[str, ...], int]:
    """The combinations of these dimensions' values, numbered in order; "" where an answer lacks one."""
    found = sorted({_stratum(r, dimensions) for r in replies})
    return {values: i for i, values in enumerate(found)}


def count(
    replies: Iterable[Reply],
    places: Sequence[str],
    strata: dict[tuple[str, ...], int],
    dimensions: Sequence[str],
) -> Week:
    """The counts of these replies by the values of `places`, and by `strata`, the combinations of `dimensions`."""
    groups: Counter[tuple[Place | None, int]] = Counter()
    readings: Counter[Reading] = Counter()
    complaints: Counter[str] = Counter()
    praises: Counter[str] = Counter()
    at: Counter[tuple[str, Place]] = Counter()
    answers = np.zeros((max(1, len(strata)), 3), dtype=np.int64)
    complaining: dict[str, Ints] = {}
    wanted = set(places)
    for r in replies:
        group, stratum = GROUP_INDEX[r.score], strata[_stratum(r, dimensions)]
        here = [s for s in r.segments if s[0] in wanted]
        groups[None, group] += 1
        readings[r.reading] += 1
        answers[stratum, group] += 1
        for place in here:
            groups[place, group] += 1
        for stage in set(r.complains):
            complaints[stage] += 1
            complaining.setdefault(stage, np.zeros_like(answers))[stratum, group] += 1
            for place in here:
                at[stage, place] += 1
        praises.update(set(r.praises) - set(r.complains))
    known = sorted({place for place, _ in groups if place is not None})
    return Week(
        figure(*(groups[None, g] for g in range(3))),
        {place: figure(*(groups[place, g] for g in range(3))) for place in known},
        readings,
        complaints,
        at,
        praises,
        answers,
        complaining,
    )


def _stratum(r: Reply, dimensions: Sequence[str]) -> tuple[str, ...]:
    known = dict(r.segments)
    return tuple(known.get(d, "") for d in dimensions)
