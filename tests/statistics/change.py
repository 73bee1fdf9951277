"""Years of answers that are looked at all the time: false alarms, delays, and whether the confidence set holds the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.nps.domain.change import change, first_alarm

Shares = tuple[float, float, float]
"""Of promoters, passives and detractors."""
USUAL: Shares = (0.50, 0.30, 0.20)
WORSE: Shares = (0.47, 0.31, 0.22)
"""USUAL with five points less."""
HAPPY: Shares = (0.88, 0.08, 0.04)
"""Nearly all are promoters: the skewest that a service will see."""


@dataclass(frozen=True)
class Plan:
    """Answers a day of each stratum, and how a day is cut: a look after each bucket."""

    a_day: tuple[float, ...]
    days: int = 365
    looks_a_day: int = 24

    @property
    def horizon(self) -> int:
        """A year of buckets, as the product has a year of hours."""
        return 365 * self.looks_a_day


def draw(rng: np.random.Generator, plan: Plan, shares: list[Shares]) -> NDArray[np.int64]:
    """Counts by bucket, stratum and group; one Shares for each stratum."""
    buckets = plan.days * plan.looks_a_day
    strata = [
        rng.multinomial(rng.poisson(a / plan.looks_a_day, buckets), s) for a, s in zip(plan.a_day, shares, strict=True)
    ]
    return np.stack(strata, axis=1)


def joined(first: NDArray[np.int64], then: NDArray[np.int64], at: int) -> NDArray[np.int64]:
    """The first up to the bucket, the other from there on."""
    return np.concatenate([first[:at], then[at:]])


def alarm(counts: NDArray[np.int64], plan: Plan) -> int | None:
    """After how many buckets the first alarm comes."""
    return first_alarm(counts, horizon=plan.horizon)


def false_alarms(plan: Plan, shares: list[Shares], runs: int, seed: int) -> int:
    """In how many of these years without a change there was ever an alarm."""
    rng = np.random.default_rng(seed)
    return sum(alarm(draw(rng, plan, shares), plan) is not None for _ in range(runs))


def false_alarms_of_mix(runs: int, seed: int, looks_a_day: int = 6) -> tuple[int, int]:
    """The same where the mix shifts for good after half a year: (alarms by strata, alarms of the raw score).

    Three strata with scores of +60, +30 and −10; from a third each to 15 %, 35 % and 50 %: the raw score falls by 12 points.
    """
    rng = np.random.default_rng(seed)
    shares: list[Shares] = [(0.70, 0.20, 0.10), (0.50, 0.30, 0.20), (0.30, 0.30, 0.40)]
    before, after = (
        Plan((a * 400, b * 400, c * 400), 365, looks_a_day) for a, b, c in ((1 / 3,) * 3, (0.15, 0.35, 0.5))
    )
    by_strata = raw = 0
    for _ in range(runs):
        counts = joined(draw(rng, before, shares), draw(rng, after, shares), 182 * looks_a_day)
        by_strata += alarm(counts, before) is not None
        raw += alarm(counts.sum(axis=1, keepdims=True), before) is not None
    return by_strata, raw


@dataclass(frozen=True)
class Found:
    """delays: days to the alarm, one a run, infinite where there was none; too_soon: alarms before the change.

    held: of `judged` looks at the confidence set (at the alarm, and 30 days after the change), how many held the truth;
    widths: points from low to high, at the alarm and later.
    """

    delays: NDArray[np.float64]
    too_soon: int
    held: int
    judged: int
    widths: tuple[float, float]


def detection(plan: Plan, before: Shares, after: Shares, on: int, runs: int, seed: int) -> Found:
    """A change after `on` days that stays, in one stratum."""
    rng = np.random.default_rng(seed)
    at, truth = on * plan.looks_a_day, 100 * (after[0] - after[2] - before[0] + before[2])
    delays, too_soon, held, judged = [], 0, 0, 0
    first, later = [], []
    for _ in range(runs):
        counts = joined(draw(rng, plan, [before]), draw(rng, plan, [after]), at)
        heard = alarm(counts, plan)
        if heard is not None and heard <= at:
            too_soon += 1
            continue
        delays.append((heard - at) / plan.looks_a_day if heard else np.inf)
        for look, widths in ((heard, first), (at + 30 * plan.looks_a_day, later)):
            found = change(counts[:look], horizon=plan.horizon) if look else None
            if found:
                judged += 1
                held += found.low - 1e-9 <= truth <= found.high + 1e-9 and found.earliest <= at <= found.latest
                widths.append(found.high - found.low)
    mean = tuple(float(np.mean(w)) if w else np.nan for w in (first, later))
    return Found(np.array(delays), too_soon, held, judged, (mean[0], mean[1]))
