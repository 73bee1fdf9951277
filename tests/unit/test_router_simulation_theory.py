"""The simulator against queueing theory: what Erlang C and Erlang A say of the same floor."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp, lgamma, log

import numpy as np
import pytest

from services.router import policyfile
from services.router.domain.events import ContactRequested, SeatSignedIn
from services.router.domain.simulation.distributions import Quantiles
from services.router.domain.simulation.engine import NOBODY, Ran, Seats, Work, run
from services.router.domain.simulation.figures import interval
from services.router.domain.simulation.live import Run
from services.router.domain.simulation.period import NEVER_A_BOT, Fate, Period, Rings, Visit

HOURS = 20
WARM_UP_S = 2 * 3600.0
ALWAYS = 10.0**9


@dataclass(frozen=True)
class Exponential:
    """Patience drawn beforehand, whatever the queue."""

    drawn: list[float]

    def of(self, call: int, queue: int) -> float:
        return self.drawn[call]


def simulated(per_hour: float, service_s: float, seats: int, patience_s: float, seed: int) -> tuple[np.ndarray, Ran]:
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.exponential(3600 / per_hour, int(per_hour * HOURS)))
    n = len(at)
    work = Work(at.tolist(), [0] * n, at.tolist(), rng.exponential(service_s, n).tolist(), [0.0] * n)
    floor = Seats((((0.0, ALWAYS, frozenset({0})),),) * seats)
    return at, run(work, floor, Exponential(rng.exponential(patience_s, n).tolist()))


def erlang_c(load: float, seats: int) -> float:
    """The chance to wait in M/M/N (Erlang 1917): by the recursion of Erlang B, which does not overflow."""
    blocked = 1.0
    for n in range(1, seats + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1 - load / seats * (1 - blocked))


def erlang_a(per_s: float, service_s: float, seats: int, patience_s: float) -> tuple[float, float]:
    """The share that gives up, and the share that waits, in M/M/N+M (Palm 1957): by the steady state, in logarithms."""
    most = seats + 600
    logs, at = [0.0], 0.0
    for n in range(1, most):
        leaves = min(n, seats) / service_s + max(0, n - seats) / patience_s
        at += log(per_s) - log(leaves)
        logs.append(at)
    top = max(logs)
    p = np.exp(np.array(logs) - top)
    p /= p.sum()
    queue = np.arange(most) - seats
    gives_up = float((p * np.maximum(queue, 0)).sum() / patience_s / per_s)
    return gives_up, float(p[seats:].sum())


def over_seeds(of, runs: int = 12) -> tuple[float, float]:
    """The mean and three times its standard error."""
    found = interval([of(seed) for seed in range(runs)])
    return found.mean, (found.high - found.mean) / 2.201 * 3


def test_the_formulas_give_known_values():
    # Erlang B of 2 erlangs on 3 seats is 4/19; Erlang C from it by hand.
    assert erlang_c(2.0, 3) == pytest.approx((4 / 19) / (1 - 2 / 3 * (1 - 4 / 19)))
    # Where patience equals service, M/M/N+M is a Poisson number of calls in the system.
    load, seats = 10.0, 8
    waits = 1 - sum(exp(-load + n * log(load) - lgamma(n + 1)) for n in range(seats))
    assert erlang_a(load / 60, 60.0, seats, 60.0)[1] == pytest.approx(waits)


def test_without_impatience_the_service_level_is_erlang_cs():
    per_hour, service_s, seats, within = 600.0, 300.0, 56, 20.0
    load = per_hour * service_s / 3600
    level = 1 - erlang_c(load, seats) * exp(-(seats - load) * within / service_s)
    assert level == pytest.approx(0.793, abs=0.001)

    def of(seed: int) -> float:
        at, ran = simulated(per_hour, service_s, seats, ALWAYS, seed)
        return float((np.array(ran.waited)[at > WARM_UP_S] <= within).mean())

    middle, error = over_seeds(of)
    assert error < 0.05
    assert abs(middle - level) < error


def test_with_impatience_it_is_erlang_as():
    per_hour, service_s, seats, patience_s = 600.0, 300.0, 53, 180.0
    gives_up, waits = erlang_a(per_hour / 3600, service_s, seats, patience_s)
    assert gives_up == pytest.approx(0.0375, abs=0.0001)
    assert waits == pytest.approx(0.314, abs=0.001)

    def runs(seed: int) -> tuple[float, float]:
        at, ran = simulated(per_hour, service_s, seats, patience_s, seed)
        steady = at > WARM_UP_S
        return float((np.array(ran.seat)[steady] == NOBODY).mean()), float((np.array(ran.waited)[steady] > 0).mean())

    found = [runs(seed) for seed in range(12)]
    for i, expected in enumerate((gives_up, waits)):
        middle, error = over_seeds(lambda seed, i=i: found[seed][i])
        assert error < 0.15 * expected
        assert abs(middle - expected) < error


def through_the_live_decisions(per_hour: float, service_s: float, seats: int, patience_s: float, seed: int):
    """The same floor, but with triage and assignment deciding as in service; seats answer at once."""
    rng = np.random.default_rng(seed)
    n = int(per_hour * 18)
    at = np.cumsum(rng.exponential(3600 / per_hour, n))
    start = datetime(2026, 11, 20, tzinfo=UTC)
    visits, fates = [], []
    for i in range(n):
        came = start + timedelta(seconds=float(at[i]))
        visits.append(
            Visit(
                ContactRequested(
                    event_id=f"r{i}", source="/t", time=came, customer_id=f"k{i}", contact_id=f"c{i}", channel="phone"
                )
            )
        )
        fates.append(Fate(NEVER_A_BOT, float(rng.exponential(service_s)), float(rng.exponential(patience_s)), (0.5,)))
    there = tuple(
        SeatSignedIn(event_id=f"s{i}", source="/t", time=start, pool="floor", seat_id=f"s{i}", capacity=1)
        for i in range(seats)
    )
    period = Period(tuple(visits), there, Rings(Quantiles((0.0,)), 0.0, 0.0))
    endings = Run(period, fates, policyfile.parse(ONE_POOL)).run()
    steady = [ending for ending, came in zip(endings, at, strict=True) if came > WARM_UP_S]
    return (
        float(np.mean([not ending.answered for ending in steady])),
        float(np.mean([ending.waited_s > 0 for ending in steady])),
    )


ONE_POOL = """
version = "1"
timezone = "+00:00"
[default]
pool = "floor"
[handover]
pool = "floor"
[pools.floor]
"""


def test_the_live_decisions_make_of_it_what_erlang_a_says():
    per_hour, service_s, seats, patience_s = 72.0, 300.0, 6, 180.0
    expected = erlang_a(per_hour / 3600, service_s, seats, patience_s)
    found = [through_the_live_decisions(per_hour, service_s, seats, patience_s, seed) for seed in range(4)]
    for i in range(2):
        told = interval([run[i] for run in found])
        error = (told.high - told.mean) / 3.182 * 4
        assert error < 0.4 * expected[i]
        assert abs(told.mean - expected[i]) < error
