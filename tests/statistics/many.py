"""Many years at once: the product's test of one stratum for all of them in one product of matrices a look, so that hundreds of years take minutes.

The fast part only says where an alarm is possible; whether it is one is asked of the product itself. `first_alarm` of
`services.nps.domain.change` says the same of each year alone (tests/statistics/test_promises.py compares them).
"""

from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from services.nps.domain import change as product
from tests.statistics.change import Plan, Shares, draw

AT_ONCE = 50
"""Years in one product: what fits a processor's cache best."""


def first_alarms(counts: NDArray[np.int64], horizon: int) -> list[int | None]:
    """For each year of counts[year, bucket, group]: after how many buckets there is an alarm for the first time."""
    groups = counts.cumsum(axis=1)
    answers = counts.sum(axis=2, dtype=np.float64).cumsum(axis=1)
    sums = (groups[:, :, 0] - groups[:, :, 2]).astype(np.float64)
    enough, sizes = product.threshold(), product._DELTAS
    found: list[int | None] = [None] * len(counts)
    open_ = np.arange(len(counts))
    for look in range(2, counts.shape[1] + 1):
        last = groups[open_, look - 1]
        total, all_ = answers[open_, look - 1], sums[open_, look - 1]
        some = np.maximum(total, 1)
        before = answers[open_, : look - 1]
        tilts = np.clip(sizes / product.variances(last)[:, None], -product.STEEPEST, product.STEEPEST)
        low, high, up, down = np.split(
            product._cumulant(last, np.hstack([-tilts, tilts, tilts / 2, -tilts / 2])), 4, axis=1
        )
        middle = 2 * (up + down)
        share = before / some[:, None]
        spread = before * (1 - share)
        bent = spread * share
        score = before * (all_ / some)[:, None] - sums[open_, : look - 1]
        terms = np.stack([score, spread, bent, bent * share], axis=2)
        ratio = terms @ np.stack(
            [tilts, -low, -(4 * middle - 3 * low - high), -(2 * (low + high) - 4 * middle)], axis=1
        )
        # The evidence is a mean of ratios: below the largest of them.
        for i in np.flatnonzero(ratio.max(axis=(1, 2)) >= log(enough) - 1e-6).tolist():
            year = int(open_[i])
            if product.evidence_now(counts[year, :look, None, :], horizon) >= enough:
                found[year] = look
        if found.count(None) < len(counts):
            open_ = np.array([y for y in open_.tolist() if found[y] is None], dtype=np.int64)
            if not len(open_):
                break
    return found


def years(plan: Plan, shares: Shares, runs: int, seed: int) -> list[int | None]:
    """First alarms in years without a change, in one stratum."""
    rng, found = np.random.default_rng(seed), list[int | None]()
    for start in range(0, runs, AT_ONCE):
        counts = np.stack([draw(rng, plan, [shares])[:, 0] for _ in range(min(AT_ONCE, runs - start))])
        found += first_alarms(counts, plan.horizon)
    return found


def interval(of: int, n: int) -> tuple[float, float]:
    """The exact (Clopper-Pearson) 95 % interval of a rate."""
    low = float(beta.ppf(0.025, of, n - of + 1)) if of else 0.0
    return low, float(beta.ppf(0.975, of + 1, n - of)) if of < n else 1.0
