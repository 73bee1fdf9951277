"""Scores a log's open rows in time order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.escalation.tickets.features import Walker
from services.escalation.tickets.forest import Floats
from services.escalation.tickets.log import Row
from services.escalation.tickets.model import TARGETS, Model
from services.escalation.tickets.score import chance
from services.escalation.tickets.world import World

BATCH: Final = 5000
"""Rows whose features are held at once."""
CERTAIN: Final = 1.0
"""The score of what has happened: an incident that was raised or reopened before."""


@dataclass(frozen=True, slots=True)
class Scored:
    """An open row and its scores. `place`: where it stands in time order."""

    place: int
    row: Row
    escalated: float
    breached: float
    turned: bool
    """Raised or reopened by now."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Open rows in time order, by their places in it, with whether they have turned and what the model is asked about them."""

    places: Sequence[int]
    rows: Sequence[Row]
    turned: Sequence[bool]
    first: NDArray[np.float32]
    """Features of each row's incident at its first row."""
    now: NDArray[np.float32]


Progress = Callable[[int, int], None]


def batches(rows: Sequence[Row], world: World, tell: Progress | None = None) -> Iterator[Batch]:
    """The open rows of a log in time order, with what was known at each; `tell` hears of rows done and rows in all."""
    walker = Walker(world)
    firsts: dict[str, list[float]] = {}
    held: list[tuple[int, Row, bool]] = []
    first: list[list[float]] = []
    now: list[list[float]] = []
    for place, row in enumerate(rows):
        incident, found = walker.step(row)
        begun = firsts.setdefault(row.number, found)
        if row.is_open:
            held.append((place, row, incident.turned > 0))
            first.append(begun)
            now.append(found)
        if len(held) >= BATCH:
            yield _batch(held, first, now)
            held, first, now = [], [], []
        if tell and ((place + 1) % BATCH == 0 or place + 1 == len(rows)):
            tell(place + 1, len(rows))
    if held:
        yield _batch(held, first, now)


def _batch(
    held: Sequence[tuple[int, Row, bool]], first: Sequence[Sequence[float]], now: Sequence[Sequence[float]]
) -> Batch:
    places, rows, turned = zip(*held, strict=True)
    return Batch(places, rows, turned, np.array(first, dtype=np.float32), np.array(now, dtype=np.float32))


def answers(batch: Batch, model: Model) -> list[Scored]:
    """The scores of a batch's rows."""
    chances: dict[str, Floats] = {t: chance(model.scores[t].odds(batch.first, batch.now)) for t in TARGETS}
    return [
        Scored(place, row, CERTAIN if turned else float(p), float(q), turned)
        for place, row, turned, p, q in zip(
            batch.places, batch.rows, batch.turned, chances["escalated"], chances["breached"], strict=True
        )
    ]


def score(rows: Sequence[Row], model: Model, tell: Progress | None = None) -> list[Scored]:
    """The open rows of a log in time order, each scored from what was known at it."""
    return [s for batch in batches(rows, model.world(), tell) for s in answers(batch, model)]
