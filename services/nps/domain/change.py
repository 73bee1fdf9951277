"""Has it changed? A test that may be looked at after every answer, and a confidence sequence for what changed, and since when.

The data are counts of answers by bucket of time and stratum (a segment whose own level is not of interest, such as a
region or a touchpoint). Nothing changed means: each stratum's mean is constant. How many answers each stratum
gives may wander as it likes: a shift of the mix alone is no change here.

The test is a mixture over every moment at which a change may have begun and over its size. For one beginning s and one
size δ, each stratum is tilted by θ = δ/σ² (σ² an answer's variance), those before it a little the other way, so that the
stratum's unknown level cancels. The logarithm of the likelihood ratio to "no change" is

    Σ θ (n₀S₁ − n₁S₀)/N − n₁ K(θ n₀/N) − n₀ K(−θ n₁/N)

over strata with n answers that sum to S, before (0) and after (1), N in all, and the cumulant generating function K of an
answer about its mean. For normal answers this is the likelihood ratio of the difference of two means; K adds
the skewness, without which a handful of detractors among nearly nothing but promoters would be taken for a change. The
ratios of all sizes and of all beginnings, weighted so that the weights of all time add up to one, make up the evidence
M. Without a change M is a martingale that begins at 1, and Ville's inequality bounds the probability that it
ever reaches 1/α by α. This is so exactly if each K is known; it is estimated from the answers, so, like the central limit
theorem, it holds the better the more there are. docs/models/nps-statistics.md has what was measured.

Sources: mixtures: Robbins, H. (1970), "Statistical methods related to the law of the iterated logarithm", Ann. Math. Statist. 41;
Howard, Ramdas, McAuliffe & Sekhon (2021), "Time-uniform, nonparametric, nonasymptotic confidence sequences", Ann.
Statist. 49; Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), "Time-uniform central limit theory and asymptotic
confidence sequences", Ann. Statist. 52; the mixture over beginnings: Shin, Ramdas & Rinaldo (2023), "E-detectors", New
England J. Stat. Data Sci. 2.
"""

from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.nps.domain.figures import ADDED, ADDED_EACH

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALPHA: Final = 0.05
"""Probability that one stretch ever gives a false alarm, however often it is looked at, or ever a set without the truth."""
OWN: Final = 0.2
"""The part of α that is spent on the size of a change, given when it began; the rest is for whether and when."""
HORIZON: Final = 24 * 365
"""Buckets over which beginnings are about equally likely (a year of hours); later ones get less weight, never none."""
SIZES: Final = (0.04, 0.06, 0.09, 0.14, 0.21, 0.32, 0.48)
"""Sizes of change that are looked for, up and down alike, as means of −1, 0, 1: 4 to 48 points. What lies between two, or
beyond the last, is found nearly as soon."""
STEEPEST: Final = 3.0
"""The largest tilt θ: beyond it strata in which nearly all answers are the same would tell of nothing but their odd ones."""
_TRIED: Final = 60
"""Beginnings, and sizes, that are tried at most for the confidence set: its ends are as fine as that."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changed, in points of NPS, and since when, in buckets (the first bucket of the new level).

    low, high: all strata's common shift; earliest, latest: its beginning. Both are the ends of one confidence set that
    holds the true pair at all looks with probability 95 % or more, if there was one change. evidence: M, at least `threshold()`.
    """

    since: int
    earliest: int
    latest: int
    size: float
    low: float
    high: float
    evidence: float


@dataclass(frozen=True, slots=True)
class _Sums:
    """One look. For the beginnings 1 … T−1 (rows): score and information by stratum, the log ratio by size of change.

    before, total: answers before each beginning, and in all, by stratum. tilts: θ by stratum and size.
    """

    score: Floats
    before: Floats
    total: Floats
    variance: Floats
    tilts: Floats
    log_ratio: Floats

    @property
    def u(self) -> Floats:
        """The efficient score of a common shift of all strata; its mean is shift × h."""
        found: Floats = self.score @ (1 / self.variance)
        return found

    @property
    def h(self) -> Floats:
        """The information on that shift, which is also the score's variance."""
        between = self.before * (self.total - self.before) / np.maximum(self.total, 1)
        found: Floats = between @ (1 / self.variance)
        return found


class _Looks:
    """The sums of every look at one series; what all looks need is added up once."""

    def __init__(self, counts: Ints) -> None:
        self._answers = counts.sum(axis=2, dtype=np.float64).cumsum(axis=0)
        self._groups = counts.cumsum(axis=0)
        self._sums = (self._groups[:, :, 0] - self._groups[:, :, 2]).astype(np.float64)

    def at(self, look: int) -> _Sums:
        """The sums after the first `look` buckets."""
        groups, total, sums = self._groups[look - 1], self._answers[look - 1], self._sums[look - 1]
        before = self._answers[: look - 1]
        some = np.maximum(total, 1)
        score = before * (sums / some) - self._sums[: look - 1]
        variance = variances(groups)
        tilts = np.clip(_DELTAS / variance[:, None], -STEEPEST, STEEPEST)
        share = before / some
        # n₁K(θn₀/N) + n₀K(−θn₁/N) is N f(1−f) R(f) with f = n₀/N, and R is nearly a parabola: it is taken at 0, ½ and 1.
        low, high, up, down = np.split(_cumulant(groups, np.hstack([-tilts, tilts, tilts / 2, -tilts / 2])), 4, axis=1)
        middle = 2 * (up + down)
        linear, square = 4 * middle - 3 * low - high, 2 * (low + high) - 4 * middle
        spread = before * (1 - share)
        bent = spread * share
        # One product of matrices for all strata and sizes: this is where the time goes.
        terms = np.concatenate([score, spread, bent, bent * share], axis=1)
        log_ratio = terms @ np.concatenate([tilts, -low, -linear, -square])
        return _Sums(score, before, total, variance, tilts, log_ratio)


_DELTAS: Final = np.array([-size for size in reversed(SIZES)] + list(SIZES))


def _cumulant(groups: Ints, tilt: Floats) -> Floats:
    """K(tilt) of an answer about its mean, by stratum (rows); three answers added as in `figure`."""
    n = groups.sum(axis=1)[:, None] + ADDED
    p, d = (groups[:, :1] + ADDED_EACH) / n, (groups[:, 2:] + ADDED_EACH) / n
    up = np.exp(tilt)
    found: Floats = np.log(p * up + (1 - p - d) + d / up) - (p - d) * tilt
    return found


def variances(groups: Ints) -> Floats:
    """The variance of an answer (−1, 0, 1) in each stratum of groups[stratum, group], three answers added as in `figure`."""
    n = groups.sum(axis=1) + ADDED
    p, d = (groups[:, 0] + ADDED_EACH) / n, (groups[:, 2] + ADDED_EACH) / n
    found: Floats = p + d - (p - d) ** 2
    return found


def weights(count: int, horizon: int = HORIZON) -> Floats:
    """The weights of the beginnings 1 … count; those of all beginnings to come add up to horizon/(count+horizon)."""
    k = np.arange(1, count + 1)
    found: Floats = horizon / ((k + horizon) * (k + horizon - 1.0))
    return found


def threshold(alpha: float = ALPHA) -> float:
    """The evidence from which on something changed: 25 at 5 %."""
    return 1 / (alpha * (1 - OWN))


def evidence(counts: Ints, horizon: int = HORIZON) -> Floats:
    """M after each bucket: the evidence that something changed. Without a change P(ever ≥ 1/α) ≤ α.

    counts: answers by bucket, stratum and group (promoters, passives, detractors).
    """
    looks = _Looks(counts)
    return np.array([_evidence(looks.at(i), horizon) for i in range(1, len(counts) + 1)])


def evidence_now(counts: Ints, horizon: int = HORIZON) -> float:
    """M after the last bucket alone; 1 where there are too few buckets to tell."""
    return _evidence(_Looks(counts).at(len(counts)), horizon) if len(counts) > 1 else 1.0


def first_alarm(counts: Ints, alpha: float = ALPHA, horizon: int = HORIZON) -> int | None:
    """After how many buckets there is an alarm for the first time, looking after each; None where there is none."""
    looks, enough = _Looks(counts), threshold(alpha)
    for i in range(2, len(counts) + 1):
        sums = looks.at(i)
        # M is a mean of ratios: below the largest of them, which is known sooner.
        if sums.log_ratio.max() >= log(enough) and _evidence(sums, horizon) >= enough:
            return i
    return None


def change(counts: Ints, alpha: float = ALPHA, horizon: int = HORIZON) -> Change | None:
    """What changed so far, or None: nothing that could be told from chance. counts as in `evidence`."""
    if len(counts) < 2:
        return None
    sums = _Looks(counts).at(len(counts))
    found = _evidence(sums, horizon)
    if found < threshold(alpha):
        return None
    best = int(np.argmax(_log_mean(sums.log_ratio) + np.log(weights(len(sums.before), horizon))))
    size = float(sums.u[best] / sums.h[best])
    begins, sizes = _confidence_set(sums, best, alpha, horizon)
    # M of the thinned beginnings may fall short of M by a little: the alarm itself says which side of zero it is.
    low, high = (min(sizes), min(max(sizes), 0.0)) if size < 0 else (max(min(sizes), 0.0), max(sizes))
    return Change(best + 1, min(begins) + 1, max(begins) + 1, 100 * size, 100 * low, 100 * high, found)


def discoveries(found: Floats, alpha: float = ALPHA) -> Ints:
    """Which of many segments changed: indices, so that of all that are named at most a share α is false on average.

    found: each segment's evidence. However the segments hang together: the e-BH procedure of Wang & Ramdas (2022),
    "False discovery rate control with e-values", J. R. Stat. Soc. B 84.
    """
    order = np.argsort(-found, kind="stable")
    rank = np.arange(1, len(found) + 1)
    good = np.flatnonzero(found[order] * rank >= len(found) / alpha)
    named: Ints = np.sort(order[: good[-1] + 1]) if len(good) else np.empty(0, dtype=np.int64)
    return named


def _ratio(log_ratio: Floats) -> Floats:
    """The ratio averaged over the sizes, cut where it would leave the range of numbers."""
    found = np.minimum(log_ratio, 600.0)
    np.exp(found, out=found)
    means: Floats = found @ np.full(len(_DELTAS), 1 / len(_DELTAS))
    return means


def _log_mean(log_ratio: Floats) -> Floats:
    """The logarithm of the ratio averaged over the sizes, which is told apart also where the ratio is cut."""
    top = log_ratio.max(axis=-1)
    found: Floats = top + np.log(np.exp(log_ratio - top[..., None]).mean(axis=-1))
    return found


def _evidence(sums: _Sums, horizon: int) -> float:
    count = len(sums.before)
    if not count:
        return 1.0
    return float(_ratio(sums.log_ratio) @ weights(count, horizon)) + horizon / (count + horizon)


def _confidence_set(sums: _Sums, best: int, alpha: float, horizon: int) -> tuple[list[int], list[float]]:
    """Beginnings and sizes of the pairs (s, δ) that are not rejected.

    A pair is rejected where the data with δ taken out after s speak against "nothing changed": by the ratio at s
    itself, and by M, which notices a wrong beginning as well. The weighted sum of both is evidence again. Each pair is
    tested at level α, and only the true one has to survive, so there is nothing to correct for the many pairs. Where
    there is an alarm, M alone rejects every pair with δ = 0.
    """
    begins = _near(sums, best)
    count = len(sums.before)
    others = np.unique(np.concatenate([begins, np.linspace(0, count - 1, _TRIED).astype(np.int64)]))
    share, ratio = _shares(others, count, horizon), sums.log_ratio
    size, half = float(sums.u[best] / sums.h[best]), float(8 / np.sqrt(sums.h[best]))
    sizes = size + np.linspace(-half, half, 2 * _TRIED + 1)
    kept_begins, kept_sizes = [best], [size]
    for s in begins:
        # What a shift after s adds to the score at another beginning: answers before the earlier × after the later one.
        first, last = np.minimum(s, others), np.maximum(s, others)
        gained = sums.before[first] * (sums.total - sums.before[last]) / np.maximum(sums.total, 1)
        own = sums.before[s] * (sums.total - sums.before[s]) / np.maximum(sums.total, 1)
        rest = _ratio(ratio[others] - sizes[:, None, None] * (gained @ sums.tilts)) @ share
        here = _ratio(ratio[s] - sizes[:, None] * (own @ sums.tilts))
        kept = sizes[OWN * here + (1 - OWN) * rest < 1 / alpha]
        if len(kept):
            kept_begins.append(int(s))
            kept_sizes += [float(kept[0]), float(kept[-1])]
    return kept_begins, kept_sizes


def _near(sums: _Sums, best: int) -> Ints:
    """Beginnings that may be the true one, thinned: the others are far too unlikely beside the best."""
    score = _log_mean(sums.log_ratio)
    near = np.flatnonzero(score > score[best] - 12)
    found: Ints = np.unique(np.append(near[:: -(-len(near) // _TRIED)], best))
    return found


def _shares(others: Ints, count: int, horizon: int) -> Floats:
    """The weight of each thinned beginning: its own and that of those up to the next."""
    all_ = np.concatenate([[0.0], np.cumsum(weights(count, horizon))])
    ends = np.append(others[1:], count)
    found: Floats = all_[ends] - all_[others]
    return found
