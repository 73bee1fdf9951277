"""Shares compared: how sure a share is, how far two of them differ, and whether one rose beyond chance.

Intervals: Agresti, A. & Coull, B. A. (1998), "Approximate is better than 'exact' for interval estimation of binomial proportions",
The American Statistician 52; Agresti, A. & Caffo, B. (2000), "Simple and effective confidence intervals for proportions and
differences of proportions result from adding two successes and two failures", The American Statistician 54. The test: Fisher, R. A.
(1935), "The logic of inductive inference", J. R. Stat. Soc. 98; how many tests count: Tarone, R. E. (1990), "A modified
Bonferroni method for discrete data", Biometrics 46.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, sqrt

from services.nps.domain.figures import Z95


@dataclass(frozen=True, slots=True)
class Share:
    """`of` among `n`, with the ends of a 95 % interval: all in shares of one, cut at 0 and 1."""

    of: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; 0 of nothing."""
        return self.of / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A share less an earlier one, with the ends of a 95 % interval, −1 to 1."""

    value: float
    low: float
    high: float


def share(of: int, n: int) -> Share:
    """The share with its Agresti-Coull interval. Raises ValueError where `of` is more than `n`."""
    if not 0 <= of <= n:
        raise ValueError(f"share: {of} of {n}")
    m = n + Z95**2
    p = (of + Z95**2 / 2) / m
    half = Z95 * sqrt(p * (1 - p) / m)
    return Share(of, n, max(0.0, p - half), min(1.0, p + half))


def difference(before: Share, after: Share, z: float = Z95) -> Difference:
    """after − before, with the Agresti-Caffo interval; `z` is another quantile for another confidence."""
    p0, p1 = (before.of + 1) / (before.n + 2), (after.of + 1) / (after.n + 2)
    half = z * sqrt(p0 * (1 - p0) / (before.n + 2) + p1 * (1 - p1) / (after.n + 2))
    return Difference(after.value - before.value, max(-1.0, p1 - p0 - half), min(1.0, p1 - p0 + half))


def rose(before: Share, after: Share) -> float:
    """The probability of at least so many in `after` if both shares were equal: Fisher's exact test, one-sided."""
    n, k = before.n + after.n, before.of + after.of
    most = min(k, after.n)
    logs = [_log_ways(after.n, i) + _log_ways(before.n, k - i) for i in range(after.of, most + 1)]
    whole = _log_ways(n, k)
    return min(1.0, sum(exp(log - whole) for log in logs))


def least(before: Share, after: Share) -> float:
    """The smallest probability that `rose` could give with as many in all: when all of them were in `after`."""
    k = min(before.of + after.of, after.n)
    return rose(Share(before.of + after.of - k, before.n, 0, 0), Share(k, after.n, 0, 0))


def level(smallest: Sequence[float], alpha: float) -> float:
    """The level for each of many tests, so that with probability 1 − alpha none is wrong.

    smallest: what each could give at best (`least`); tests that can't reach the level anyhow don't count among the many.
    """
    ordered = sorted(smallest)
    for k in range(1, len(ordered) + 1):
        if bisect_right(ordered, alpha / k) <= k:
            return alpha / k
    return alpha


def _log_ways(n: int, k: int) -> float:
    """log of n over k; minus infinity where there is no way."""
    if not 0 <= k <= n:
        return float("-inf")
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
