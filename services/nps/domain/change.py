"""Has it changed? A test that may be looked at after every answer, and a confidence sequence for what changed, and since when.

The data are counts of answers by bucket of time and stratum (a segment whose own level is not of interest, such as a
region or a touchpoint). Nothing changed means: each stratum's mean is constant. How many answers each stratum
gives may wander as it likes: a shift of the mix alone is no change here.

The test is a mixture over every moment at which a change may have begun and over its size. For one beginning s and one
common shift δ of all strata after it, what the data say is in two sums over strata g with variance σ²,

    U = Σ (n₀S₁ − n₁S₀) / (n₀+n₁)σ²,    H = Σ n₀n₁ / (n₀+n₁)σ²,    U ~ N(δH, H),

with n answers that sum to S, before (0) and after (1); they do not depend on the strata's unknown levels. With
δ ~ N(0, τ²) the likelihood ratio to "no change" is (1+τ²H)^−½ exp(½ U²τ²/(1+τ²H)): Robbins' normal mixture, for the
difference of two means. The ratios of all beginnings s, weighted so that the weights of all time add up to one, make up
the evidence M. Without a change M is a martingale that begins at 1, and Ville's inequality bounds the probability that
it ever reaches 1/α by α. Answers are no normal variables: like the central limit theorem, this holds the better the
more answers, and docs/models/nps-statistics.md has what was measured.

Sources: Robbins, H. (1970), "Statistical methods related to the law of the iterated logarithm", Ann. Math. Statist. 41;
Howard, Ramdas, McAuliffe & Sekhon (2021), "Time-uniform, nonparametric, nonasymptotic confidence sequences", Ann.
Statist. 49; Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), "Time-uniform central limit theory and asymptotic
confidence sequences", Ann. Statist. 52; the mixture over beginnings: Shin, Ramdas & Rinaldo (2023), "E-detectors", New
England J. Stat. Data Sci. 2.
"""

from dataclasses import dataclass
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
SCALES: Final = (0.05, 0.2)
"""Sizes of change that are looked for, one standard deviation each, as means of −1, 0, 1: 5 and 20 points."""
_TRIED: Final = 100
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
    """U and H for each beginning 1 … T−1, and what they come from: answers before it, and all, by stratum."""

    u: Floats
    h: Floats
    before: Floats
    total: Floats
    variance: Floats


class _Looks:
    """The sums of every look at one series; what all looks need is added up once."""

    def __init__(self, counts: Ints) -> None:
        self._answers = counts.sum(axis=2, dtype=np.float64).cumsum(axis=0)
        self._squares = self._answers**2
        self._groups = counts.cumsum(axis=0)
        self._score = (self._groups[:, :, 0] - self._groups[:, :, 2]).astype(np.float64)

    def at(self, look: int) -> _Sums:
        """The sums after the first `look` buckets."""
        variance = variances(self._groups[look - 1])
        total, score = self._answers[look - 1], self._score[look - 1]
        each = 1 / (np.maximum(total, 1) * variance)
        before = self._answers[: look - 1]
        u = before @ (score * each) - self._score[: look - 1] @ (1 / variance)
        h = np.maximum(before @ (1 / variance) - self._squares[: look - 1] @ each, 0.0)
        return _Sums(u, h, before, total, variance)


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


def first_alarm(counts: Ints, alpha: float = ALPHA, horizon: int = HORIZON) -> int | None:
    """After how many buckets there is an alarm for the first time, looking after each; None where there is none."""
    looks = _Looks(counts)
    return next((i for i in range(1, len(counts) + 1) if _evidence(looks.at(i), horizon) >= threshold(alpha)), None)


def change(counts: Ints, alpha: float = ALPHA, horizon: int = HORIZON) -> Change | None:
    """What changed so far, or None: nothing that could be told from chance. counts as in `evidence`."""
    if len(counts) < 2:
        return None
    sums = _Looks(counts).at(len(counts))
    found = _evidence(sums, horizon)
    if found < threshold(alpha):
        return None
    best = int(np.argmax(_log_ratio(sums.u, sums.h) + np.log(weights(len(sums.u), horizon))))
    size = sums.u[best] / sums.h[best]
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


def _ratio(u: Floats, h: Floats) -> Floats:
    """The likelihood ratio of a change to none, averaged over the scales."""
    found: Floats = np.zeros(np.broadcast(u, h).shape)
    for scale in SCALES:
        spread = 1 + scale * scale * h
        # Cut where its exponential would leave the range of numbers.
        found += np.exp(np.minimum(0.5 * scale * scale * u * u / spread, 600.0)) / np.sqrt(spread)
    return found / len(SCALES)


def _log_ratio(u: Floats, h: Floats) -> Floats:
    """The logarithm of `_ratio`, which is told apart also where the ratio is cut."""
    parts = [0.5 * (s * s * u * u / (1 + s * s * h) - np.log1p(s * s * h)) for s in SCALES]
    found: Floats = np.logaddexp.reduce(np.stack(parts)) - np.log(len(SCALES))
    return found


def _evidence(sums: _Sums, horizon: int) -> float:
    count = len(sums.u)
    return float(_ratio(sums.u, sums.h) @ weights(count, horizon)) + horizon / (count + horizon)


def _confidence_set(sums: _Sums, best: int, alpha: float, horizon: int) -> tuple[list[int], list[float]]:
    """Beginnings and sizes of the pairs (s, δ) that are not rejected.

    A pair is rejected where the data with δ taken out after s speak against "nothing changed": by the ratio at s
    itself, and by M, which notices a wrong beginning as well. The weighted sum of both is evidence again. Each pair is
    tested at level α, and only the true one has to survive, so there is nothing to correct for the many pairs. Where
    there is an alarm, M alone rejects every pair with δ = 0.
    """
    begins = _near(sums, best)
    others = np.unique(np.concatenate([begins, np.linspace(0, len(sums.u) - 1, _TRIED).astype(np.int64)]))
    share = _shares(others, len(sums.u), horizon)
    half = 8 / np.sqrt(sums.h[best])
    sizes = sums.u[best] / sums.h[best] + np.linspace(-half, half, _TRIED + 1)
    kept_begins, kept_sizes = [best], [float(sums.u[best] / sums.h[best])]
    for s in begins:
        # What a shift after s adds to U at each other beginning: answers before the earlier × after the later one.
        first, last = np.minimum(s, others), np.maximum(s, others)
        gained = sums.before[first] * (sums.total - sums.before[last])
        slope = gained @ (1 / (np.maximum(sums.total, 1) * sums.variance))
        left = sums.u[others] - sizes[:, None] * slope
        rest = _ratio(left, sums.h[others]) @ share
        own = _ratio(sums.u[s] - sizes * sums.h[s], sums.h[s])
        kept = sizes[OWN * own + (1 - OWN) * rest < 1 / alpha]
        if len(kept):
            kept_begins.append(int(s))
            kept_sizes += [float(kept[0]), float(kept[-1])]
    return kept_begins, kept_sizes


def _near(sums: _Sums, best: int) -> Ints:
    """Beginnings that may be the true one, thinned: the others are far too unlikely beside the best."""
    ratio = _log_ratio(sums.u, sums.h)
    near = np.flatnonzero(ratio > ratio[best] - 12)
    found: Ints = np.unique(np.append(near[:: -(-len(near) // _TRIED)], best))
    return found


def _shares(others: Ints, count: int, horizon: int) -> Floats:
    """The weight of each thinned beginning: its own and that of those up to the next."""
    all_ = np.concatenate([[0.0], np.cumsum(weights(count, horizon))])
    ends = np.append(others[1:], count)
    found: Floats = all_[ends] - all_[others]
    return found
