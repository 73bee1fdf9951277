"""Scores a log's open rows in time order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.escalation.tickets.calibration import Running
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
    """Rows in time order from the place `start` on, and of the open ones what the model is asked about them."""

    start: int
    seen: Sequence[Row]
    places: Sequence[int]
    rows: Sequence[Row]
    turned: Sequence[bool]
    first: NDArray[np.float32]
    """Features of each row's incident at its first row."""
    now: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """The scores of a batch's open rows, and by which slope and shift each row's log odds of a breach were set."""

    scored: Sequence[Scored]
    slope: Sequence[float]
    shift: Sequence[float]


Progress = Callable[[int, int], None]


def batches(rows: Sequence[Row], world: World, tell: Progress | None = None) -> Iterator[Batch]:
    """The open rows of a log in time order, with what was known at each; `tell` hears of rows done and rows in all."""
    walker = Walker(world)
    firsts: dict[str, list[float]] = {}
    start = 0
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
            yield _batch(start, rows[start : place + 1], held, first, now)
            start, held, first, now = place + 1, [], [], []
        if tell and ((place + 1) % BATCH == 0 or place + 1 == len(rows)):
            tell(place + 1, len(rows))
    if held:
        yield _batch(start, rows[start:], held, first, now)


def _batch(
    start: int,
    seen: Sequence[Row],
    held: Sequence[tuple[int, Row, bool]],
    first: Sequence[Sequence[float]],
    now: Sequence[Sequence[float]],
) -> Batch:
    places, rows, turned = zip(*held, strict=True)
    return Batch(start, seen, places, rows, turned, np.array(first, dtype=np.float32), np.array(now, dtype=np.float32))


class Scoring:
    """Scores a log's batches, one after the other; what it learns of the log's level of breaches it keeps between them."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._running = Running()

    def answers(self, batch: Batch) -> Found:
        """The scores of a batch's open rows."""
        odds: dict[str, Floats] = {t: self._model.scores[t].odds(batch.first, batch.now) for t in TARGETS}
        slope, shift = self._set(batch, odds["breached"].tolist())
        breached = chance(np.array(slope) * odds["breached"] + np.array(shift))
        scored = [
            Scored(place, row, CERTAIN if turned else float(p), float(q), turned)
            for place, row, turned, p, q in zip(
                batch.places, batch.rows, batch.turned, chance(odds["escalated"]), breached, strict=True
            )
        ]
        return Found(scored, slope, shift)

    def _set(self, batch: Batch, odds: Sequence[float]) -> tuple[list[float], list[float]]:
        """By which slope and shift each open row's log odds are set, from what was known at it."""
        said = dict(zip(batch.places, odds, strict=True))
        slope, shift = [], []
        for place, row in enumerate(batch.seen, batch.start):
            self._running.pass_to(row.at)
            own = said.get(place)
            if own is not None:
                slope.append(self._running.slope)
                shift.append(self._running.shift)
            self._running.see(row, own)
        return slope, shift


def score(rows: Sequence[Row], model: Model, tell: Progress | None = None) -> list[Scored]:
    """The open rows of a log in time order, each scored from what was known at it."""
    scoring = Scoring(model)
    return [s for batch in batches(rows, model.world(), tell) for s in scoring.answers(batch).scored]
