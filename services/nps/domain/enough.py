"""Whether a figure rests on enough answers to be read, and how many more it takes."""

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

from services.nps.domain.figures import ADDED, ADDED_EACH, Z95, Figure

FEWEST: Final = 10
"""Answers from which on the interval keeps its 95 %: see docs/models/nps-statistics.md."""
WIDEST: Final = 20.0
"""Points to each side beyond which a figure says too little to be acted on."""

Verdict = Literal["none", "few", "wide", "enough"]
"""none: no answers; few: fewer than FEWEST; wide: the interval is wider than ±WIDEST; enough: can be read."""


@dataclass(frozen=True, slots=True)
class Enough:
    """half: points to each side. more: answers still missing, about, until the figure can be read; 0 where it can."""

    verdict: Verdict
    half: float
    more: int


def enough(f: Figure) -> Enough:
    """What the figure is worth. The missing answers are those of a Wald interval of ±WIDEST at today's spread."""
    half = (f.high - f.low) / 2
    if f.n >= FEWEST and half <= WIDEST:
        return Enough("enough", half, 0)
    m = f.n + ADDED
    p, d = (f.promoters + ADDED_EACH) / m, (f.detractors + ADDED_EACH) / m
    needed = ceil((p + d - (p - d) ** 2) * (100 * Z95 / WIDEST) ** 2 - ADDED)
    more = max(needed, FEWEST, f.n + 1) - f.n
    return Enough("none" if not f.n else "few" if f.n < FEWEST else "wide", half, more)
