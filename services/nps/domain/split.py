"""A change of the score split in two: other customers answered (mix), or the same customers are less happy (real).

With shares w and means m of the segments before (0) and after (1), the change of the overall mean is exactly

    Σ (m₀+m₁)/2 · (w₁−w₀)  +  Σ (w₀+w₁)/2 · (m₁−m₀),

the first the mix, the second real: Kitagawa, E. M. (1955), "Components of a difference between two rates", J. Am. Stat.
Assoc. 50; the same as the Oaxaca–Blinder decomposition with average weights. Customers of a segment without
answers on one side are compared with nobody: what they change is mix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.nps.domain.change import variances

CONFIDENCE: Final = 0.95
_FEW: Final = 2
"""Answers on each side from which on a segment can be said to have changed at all."""


@dataclass(frozen=True, slots=True)
class Part:
    """Points of NPS with the ends of a 95 % interval."""

    points: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Carried:
    """What one segment gives to the change. mix and real in points of the overall NPS.

    certain: the interval of `real` leaves zero out, also when all segments are judged at once (Bonferroni).
    """

    segment: str
    before: int
    after: int
    mix: float
    real: Part
    certain: bool


@dataclass(frozen=True, slots=True)
class Split:
    """total = mix + real, up to rounding. segments: those that carry most of the real change first."""

    total: Part
    mix: Part
    real: Part
    segments: tuple[Carried, ...]


def split(segments: Sequence[str], before: NDArray[np.int64], after: NDArray[np.int64]) -> Split | None:
    """The change between two sets of answers, or None where one of them is empty.

    before, after: counts by segment and group (promoters, passives, detractors); the segments don't overlap. The
    intervals are those of one look at two fixed sets: whether anything changed at all is for `change` to say.
    """
    n0, n1 = before.sum(axis=1), after.sum(axis=1)
    total0, total1 = int(n0.sum()), int(n1.sum())
    if not total0 or not total1:
        return None
    w0, w1 = n0 / total0, n1 / total1
    m0, m1 = _means(before, n0), _means(after, n1)
    # Unknown on one side: taken as unchanged, so that nothing of it is called real.
    m0, m1 = np.where(n0 > 0, m0, m1), np.where(n1 > 0, m1, m0)
    weight, level = (w0 + w1) / 2, (m0 + m1) / 2
    real, middle = weight * (m1 - m0), float(weight @ level)
    mix = (level - middle) * (w1 - w0)
    both = (n0 > 0) & (n1 > 0)
    of_means = np.where(both, variances(before) / np.maximum(n0, 1) + variances(after) / np.maximum(n1, 1), 0.0)
    of_real = weight**2 * of_means
    of_mix = _spread(w0, level) / total0 + _spread(w1, level) / total1
    all0, all1 = before.sum(axis=0), after.sum(axis=0)
    of_all = variances(all0[None, :])[0] / total0 + variances(all1[None, :])[0] / total1
    z = _quantile(1 - CONFIDENCE)
    sure = _quantile((1 - CONFIDENCE) / max(1, int(both.sum())))
    enough = (n0 >= _FEW) & (n1 >= _FEW)
    carried = [
        Carried(
            name, int(n0[g]), int(n1[g]), 100 * float(mix[g]),
            _part(float(real[g]), float(of_real[g]), z), bool(enough[g] and abs(real[g]) > sure * sqrt(of_real[g])),
        )
        for g, name in enumerate(segments)
    ]  # fmt: skip
    carried.sort(key=lambda c: (-abs(c.real.points), c.segment))
    return Split(
        _part(float(w1 @ m1 - w0 @ m0), float(of_all), z),
        _part(float(mix.sum()), float(of_mix), z),
        _part(float(real.sum()), float(of_real.sum()), z),
        tuple(carried),
    )


def _means(counts: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = (counts[:, 0] - counts[:, 2]) / np.maximum(n, 1)
    return found


def _spread(share: NDArray[np.float64], level: NDArray[np.float64]) -> float:
    """The variance of the level of an answer whose segment is drawn by these shares."""
    return float(share @ level**2 - (share @ level) ** 2)


def _quantile(error: float) -> float:
    return NormalDist().inv_cdf(1 - error / 2)


def _part(mean: float, variance: float, z: float) -> Part:
    half = z * sqrt(max(variance, 0.0))
    return Part(100 * mean, 100 * (mean - half), 100 * (mean + half))
