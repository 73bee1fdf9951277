"""One target's score: what an incident was at its first row, and what it is now, added up in log odds."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.escalation.tickets.forest import Floats, Forest

Rows = NDArray[np.float32]
FAR: Final = 4.0
"""A feature counts no further than so many standard deviations from the usual."""


@dataclass(frozen=True, slots=True)
class Linear:
    """What the first row's features add, each by its weight per standard deviation."""

    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    weight: NDArray[np.float32]

    def shares(self, rows: Rows) -> Floats:
        """Row × feature."""
        away: Floats = np.clip((rows.astype(np.float64) - self.centre) / self.spread, -FAR, FAR)
        return away * self.weight


@dataclass(frozen=True, slots=True)
class Score:
    """Log odds = base + what the first row adds + what the row at hand adds."""

    base: float
    linear: Linear
    forest: Forest

    def odds(self, first: Rows, now: Rows) -> Floats:
        """The log odds of rows, each beside its incident's first row."""
        odds: Floats = self.base + self.linear.shares(first).sum(axis=1) + self.forest(now)
        return odds

    def shares(self, first: Rows, now: Rows) -> Floats:
        """Row × (feature …, base): what each feature adds; a row's sum is its log odds, to rounding."""
        found = self.forest.shares(now)
        found[:, :-1] += self.linear.shares(first)
        found[:, -1] += self.base
        return found


def chance(odds: Floats) -> Floats:
    """The probability of log odds."""
    found: Floats = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    return found
