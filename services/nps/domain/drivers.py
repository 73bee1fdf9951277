"""What the complaints about one touchpoint cost: how many there are × how much lower such an answer is.

An answer that complains of a stage is compared with answers of the same stratum (region, channel, …) that don't, so that a stage
about which unhappy regions happen to complain more isn't charged with their unhappiness. With shares w_g of the n_s complaining
answers over strata g, means m, and the comparison c_g of each stratum,

    cost = m_s − Σ w_g c_g,    impact = n_s/n · cost,

the impact being what the overall score would gain if these answers were like those of their stratum without the stage (the
average effect on the treated by direct standardisation: Rothman, Greenland & Lash, "Modern Epidemiology"). It is what goes with the
complaint, not proof that the complaint is the cause. A stratum with fewer than MATCHES answers without the stage is compared with
all answers without it.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.nps.domain.change import variances
from services.nps.domain.figures import ADDED, Z95
from services.nps.domain.split import Part

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MATCHES: Final = 5
"""Answers without the stage from which on a stratum is compared within itself."""
FEWEST: Final = 10
"""Complaints from which on the intervals hold what they promise: docs/models/drivers.md."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What one stage's complaints cost.

    complaints, answers: how many complain of it, of how many. cost: points by which such an answer is below those like it
    (negative: it costs). impact: points of the overall score. Both with 95 % intervals. matched: the complaining answers
    that were compared within their own stratum. few: below FEWEST complaints, where the intervals are not to be relied on.
    """

    complaints: int
    answers: int
    cost: Part
    impact: Part
    matched: int
    few: bool


def impact(complaining: Ints, answers: Ints) -> Impact | None:
    """The impact of one stage, or None where nobody complains of it, or everybody does.

    complaining, answers: counts by stratum and group (promoters, passives, detractors); the complaining ones are among
    the answers. Raises ValueError where they can't be.
    """
    without = answers - complaining
    if (without < 0).any() or (complaining < 0).any():
        raise ValueError("complaining: more than there are answers")
    of, rest = complaining.sum(axis=1), without.sum(axis=1)
    n, total = int(of.sum()), int(answers.sum())
    if not n or not rest.sum():
        return None
    share = of / n
    own = rest >= MATCHES
    against = np.where(own, _means(without), _means(without.sum(axis=0)[None, :])[0])
    mine = complaining.sum(axis=0)[None, :]
    cost = float(_means(mine)[0] - share @ against)
    # Few complaints aren't taken for certain: their variance is that of three answers more (`variances`), over the answers less
    # two (a t distribution's spread), and their number is one more.
    variance = (float(variances(mine)[0]) + _spread(share, against)) / max(n - 2, n / 2)
    variance += float(((share**2 * variances(without) / np.maximum(rest, 1))[own]).sum())
    pooled = without.sum(axis=0)[None, :]
    variance += float(share[~own].sum()) ** 2 * float(variances(pooled)[0]) / int(pooled.sum())
    part, more = n / total, (n + 1) / (total + ADDED)
    of_impact = more**2 * variance + cost**2 * more * (1 - more) / total
    matched = int(of[own].sum())
    return Impact(n, total, _part(cost, variance), _part(part * cost, of_impact), matched, n < FEWEST)


def moved(before: Impact | None, after: Impact | None) -> Part | None:
    """By how much an impact changed between two sets of answers that share none; None where both are missing.

    A missing side has no complaints, so its impact is nothing; its error is then left out, too.
    """
    if before is None and after is None:
        return None
    sides = [i.impact if i else Part(0.0, 0.0, 0.0) for i in (before, after)]
    half = sqrt(sum(((p.high - p.low) / 2) ** 2 for p in sides))
    points = sides[1].points - sides[0].points
    return Part(points, points - half, points + half)


def _means(counts: Ints) -> Floats:
    found: Floats = (counts[:, 0] - counts[:, 2]) / np.maximum(counts.sum(axis=1), 1)
    return found


def _spread(share: Floats, level: Floats) -> float:
    """The variance of the comparison of an answer whose stratum is drawn by these shares."""
    return float(share @ level**2 - (share @ level) ** 2)


def _part(mean: float, variance: float) -> Part:
    half = Z95 * sqrt(max(variance, 0.0))
    return Part(100 * mean, 100 * (mean - half), 100 * (mean + half))
