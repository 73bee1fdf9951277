"""The test for a change, against its formula by hand, its symmetries, and what must never move it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nps.domain.change import (
    HORIZON,
    SIZES,
    STEEPEST,
    change,
    discoveries,
    evidence,
    threshold,
    variances,
    weights,
)
from services.nps.domain.history import history

counts_of = (
    st.integers(1, 3)
    .flatmap(
        lambda strata: st.lists(
            st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=strata, max_size=strata), min_size=2, max_size=12
        )
    )
    .map(lambda rows: np.array(rows, dtype=np.int64))
)


def steady(buckets: int, *strata: tuple[int, int, int]) -> np.ndarray:
    return np.tile(np.array(strata, dtype=np.int64), (buckets, 1, 1))


@settings(deadline=None)
@given(counts_of)
def test_the_evidence_is_its_formula(counts: np.ndarray) -> None:
    """Term by term, in plain loops; R(f) = K(θf)/f + K(−θ(1−f))/(1−f) by its values at 0, ½ and 1."""

    def cumulant(groups: np.ndarray, x: float) -> float:
        p, d = (groups[[0, 2]] + 0.75) / (groups.sum() + 3)
        return math.log(p * math.exp(x) + 1 - p - d + d * math.exp(-x)) - (p - d) * x

    total = HORIZON / (len(counts) - 1 + HORIZON)
    variance = variances(counts.sum(axis=0))
    for k in range(1, len(counts)):
        for delta in [*SIZES, *(-size for size in SIZES)]:
            log_ratio = 0.0
            for g in range(counts.shape[1]):
                all_, early = counts[:, g].sum(axis=0), counts[:k, g].sum(axis=0)
                n, n0 = int(all_.sum()), int(early.sum())
                if not n0 or n0 == n:
                    continue
                f, theta = n0 / n, max(-STEEPEST, min(STEEPEST, delta / variance[g]))
                late = all_ - early
                log_ratio += theta * n * f * (1 - f) * ((late[0] - late[2]) / (n - n0) - (early[0] - early[2]) / n0)
                ends = cumulant(all_, -theta), cumulant(all_, theta)
                middle = 2 * (cumulant(all_, theta / 2) + cumulant(all_, -theta / 2))
                r = ends[0] * (1 - f) * (1 - 2 * f) + ends[1] * f * (2 * f - 1) + middle * 4 * f * (1 - f)
                log_ratio -= n * f * (1 - f) * r
            total += math.exp(min(log_ratio, 600)) / (2 * len(SIZES)) * HORIZON / ((k + HORIZON) * (k + HORIZON - 1))
    assert evidence(counts)[-1] == pytest.approx(total, rel=1e-6)


@settings(deadline=None)
@given(counts_of)
def test_each_look_sees_only_what_came_before_it(counts: np.ndarray) -> None:
    looks = evidence(counts)
    assert looks[0] == pytest.approx(1)
    for k in range(1, len(counts) + 1):
        assert evidence(counts[:k])[-1] == looks[k - 1]


@settings(deadline=None)
@given(counts_of)
def test_better_and_worse_are_judged_alike(counts: np.ndarray) -> None:
    mirrored = counts[:, :, ::-1]
    assert evidence(mirrored) == pytest.approx(evidence(counts))
    a, b = change(counts), change(mirrored)
    assert (a is None) == (b is None)
    if a and b:
        assert (a.size, a.low, a.high, a.since) == pytest.approx((-b.size, -b.high, -b.low, b.since))


@settings(deadline=None)
@given(counts_of)
def test_an_alarm_names_a_beginning_and_a_size_on_one_side_of_zero(counts: np.ndarray) -> None:
    found = change(counts)
    assert (found is not None) == (evidence(counts)[-1] >= threshold())
    if found:
        assert 1 <= found.earliest <= found.since <= found.latest < len(counts)
        assert found.low <= found.size <= found.high
        assert found.low >= 0 or found.high <= 0


def test_the_weights_of_all_time_add_up_to_one() -> None:
    assert weights(1_000, 500).sum() + 500 / 1_500 == pytest.approx(1)


def test_the_same_answers_each_hour_are_no_change_and_less_evidence_than_at_the_start() -> None:
    looks = evidence(steady(2_000, (10, 6, 4)))
    assert (looks <= 1).all()
    assert change(steady(2_000, (10, 6, 4))) is None


def test_other_strata_are_no_change_although_the_score_falls() -> None:
    """The first stratum stands at +60, the second at −20; the second's answers grow fivefold."""
    counts = np.concatenate([steady(200, (7, 2, 1), (3, 2, 5)), steady(200, (7, 2, 1), (15, 10, 25))])
    assert change(counts) is None
    raw = change(counts.sum(axis=1, keepdims=True))
    assert raw is not None
    assert raw.size == pytest.approx(-400 / 60 - 20)


def test_a_fall_is_found_where_it_began() -> None:
    counts = np.concatenate([steady(500, (10, 6, 4)), steady(300, (8, 6, 6))])
    found = change(counts)
    assert found is not None
    assert found.since == 500
    assert found.earliest <= 500 <= found.latest
    assert found.size == pytest.approx(-20)
    assert found.low <= -20 <= found.high < 0


def test_a_fall_that_nobody_could_miss_is_dated_and_sized_too() -> None:
    """Evidence beyond what a number can hold."""
    counts = np.concatenate([steady(500, (500, 300, 200)), steady(300, (200, 300, 500))])
    found = change(counts)
    assert found is not None
    assert (found.earliest, found.since, found.latest) == (500, 500, 500)
    assert found.size == pytest.approx(-60)
    assert found.low < -60 < found.high < -55


def test_empty_hours_and_strata_change_nothing() -> None:
    counts = np.concatenate([steady(50, (10, 6, 4)), steady(50, (2, 6, 12))])
    wider = np.concatenate([counts, np.zeros_like(counts)], axis=1)
    assert evidence(wider) == pytest.approx(evidence(counts))
    assert change(np.zeros((0, 1, 3), np.int64)) is None
    assert change(np.zeros((9, 2, 3), np.int64)) is None


def test_a_fall_and_its_end_are_two_changes() -> None:
    usual, bad = steady(500, (10, 6, 4)), steady(200, (4, 6, 10))
    counts = np.concatenate([usual, bad, usual])
    first, second = history(counts)
    assert (first.change.since, second.change.since) == (500, 700)
    assert first.change.size == pytest.approx(-60)
    assert 500 < first.after < 700 < second.after < 1_200
    assert second.change.size == pytest.approx(60, abs=1)
    assert history(usual) == ()


def test_what_was_said_of_the_past_does_not_depend_on_what_comes_later() -> None:
    counts = np.concatenate([steady(500, (10, 6, 4)), steady(200, (4, 6, 10)), steady(300, (10, 6, 4))])
    assert [c.after for c in history(counts)] == [c.after for c in history(counts[:900])]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 1e6), max_size=40))
def test_discoveries_are_the_largest_and_one_alone_needs_the_most(found: list[float]) -> None:
    values = np.array(found)
    named = discoveries(values)
    if len(named):
        kept = values[named]
        others = np.delete(values, named)
        assert kept.min() * len(named) >= len(values) / 0.05
        assert not len(others) or others.max() <= kept.min()
    assert set(np.flatnonzero(values >= len(values) / 0.05)) <= set(named.tolist())
