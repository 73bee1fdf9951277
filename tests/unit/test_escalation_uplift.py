"""Does following up help: a planted effect is recovered, none is told where none is, and the interval keeps its promise."""

from math import inf, isinf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.escalation.domain.uplift import ArmCount, cases_needed, uplift, wilson


def test_newcombe_s_own_example() -> None:
    """56 of 70 and 48 of 80: the interval that his paper gives for method 10 is 0.0524 to 0.3339."""
    found = uplift(ArmCount(80, 48), ArmCount(70, 56))
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def simulated(held: float, treated: float, n: int, share: float, runs: int, seed: int):
    rng = np.random.default_rng(seed)
    out = int(n * share)
    for a, b in zip(rng.binomial(out, held, runs), rng.binomial(n - out, treated, runs), strict=True):
        yield uplift(ArmCount(n - out, int(b)), ArmCount(out, int(a)), cost=20)


@pytest.mark.parametrize(("held", "treated", "n", "share"), [(0.3, 0.18, 600, 0.2), (0.05, 0.02, 2000, 0.1), (0.12, 0.12, 400, 0.2), (0.02, 0.02, 500, 0.1)])  # fmt: skip
def test_the_interval_covers_what_was_planted(held: float, treated: float, n: int, share: float) -> None:
    found = list(simulated(held, treated, n, share, 2000, 7))
    covered = np.mean([u.low <= held - treated <= u.high for u in found])
    assert 0.935 <= covered <= 0.985


def test_a_planted_effect_is_found_as_often_as_was_planned_and_none_where_there_is_none() -> None:
    n = cases_needed(0.3, 0.12, 0.2)
    found = list(simulated(0.3, 0.18, n, 0.2, 2000, 11))
    assert 0.75 <= np.mean([u.known and u.difference > 0 for u in found]) <= 0.87
    assert np.mean([u.difference for u in found]) == pytest.approx(0.12, abs=0.005)
    assert np.mean([u.avoided for u in found]) == pytest.approx(0.12 * (n - int(n * 0.2)), rel=0.05)
    none = list(simulated(0.3, 0.3, n, 0.2, 2000, 13))
    assert np.mean([u.known for u in none]) <= 0.06


def test_the_cost_of_one_that_is_avoided() -> None:
    found = uplift(ArmCount(800, 80), ArmCount(200, 50), cost=30)
    assert found.cost_per_avoided == pytest.approx(30 / 0.15)
    assert found.cost_low < found.cost_per_avoided < found.cost_high < inf
    assert isinf(uplift(ArmCount(100, 30), ArmCount(100, 20)).cost_per_avoided)


def test_without_cases_nothing_is_claimed() -> None:
    found = uplift(ArmCount(0, 0), ArmCount(5, 1))
    assert (found.low, found.high, found.known) == (-1.0, 1.0, False)
    with pytest.raises(ValueError, match="3 of 2"):
        ArmCount(2, 3)
    with pytest.raises(ValueError, match="effect"):
        cases_needed(0.1, 0.2, 0.1)


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_the_figures_hang_together(n: int, k: int, m: int, j: int) -> None:
    treated, held = ArmCount(n, min(k, n)), ArmCount(m, min(j, m))
    found = uplift(treated, held)
    assert -1 <= found.low <= found.difference <= found.high <= 1
    low, high = wilson(treated)
    assert 0 <= low <= treated.share + 1e-12 and treated.share <= high + 1e-12 <= 1 + 1e-9
