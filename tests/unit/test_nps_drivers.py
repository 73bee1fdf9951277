"""What complaints cost: exact sums, strata that are taken into account, intervals that hold; shares compared; repeats chained."""

from datetime import UTC, datetime, timedelta
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nps.domain.compare import Share, difference, least, level, rose, share
from services.nps.domain.drivers import impact, moved
from services.nps.domain.repeats import Chained, Contact, chain, repeats

START = datetime(2026, 11, 2, tzinfo=UTC)
CELL = st.tuples(*[st.integers(0, 40)] * 3)


def counts(*rows: tuple[int, int, int]) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


@settings(deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5))
def test_without_strata_the_impact_is_the_score_less_that_of_the_answers_without_it(
    cells: list[tuple[tuple[int, ...], tuple[int, ...]]],
) -> None:
    mine, rest = np.array([c[0] for c in cells]), np.array([c[1] for c in cells])
    one, other = mine.sum(axis=0)[None, :], rest.sum(axis=0)[None, :]
    found = impact(one, one + other)
    if not one.sum() or not other.sum():
        assert found is None
        return
    assert found is not None

    def score(c: np.ndarray) -> float:
        return 100 * float(c[0, 0] - c[0, 2]) / float(c.sum())

    assert found.impact.points == pytest.approx(score(one + other) - score(other))
    assert found.cost.points == pytest.approx(score(one) - score(other))
    assert found.cost.low < found.cost.points < found.cost.high
    assert found.complaints == one.sum()
    assert found.answers == (one + other).sum()


@settings(deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
def test_each_answer_is_compared_within_its_stratum(cells: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    mine, rest = np.array([c[0] for c in cells]), np.array([c[1] for c in cells])
    found = impact(mine, mine + rest)
    if found is None:
        return
    pooled = rest.sum(axis=0)
    total = 0.0
    for m, r in zip(mine, rest, strict=True):
        against = r if r.sum() >= 5 else pooled
        total += float(m[0] - m[2]) - float(m.sum()) * float(against[0] - against[2]) / float(against.sum())
    assert found.impact.points == pytest.approx(100 * total / float((mine + rest).sum()))
    assert found.matched == sum(int(m.sum()) for m, r in zip(mine, rest, strict=True) if r.sum() >= 5)


def test_an_unhappy_region_that_complains_more_is_not_charged_to_the_stage() -> None:
    # In both regions the complaint goes with nothing; but the unhappy one complains ten times as often.
    happy, sad = counts((700, 200, 100))[0], counts((200, 300, 500))[0]
    mine = np.array([happy // 100, sad // 10])
    answers = np.array([happy, sad])
    found, crude = impact(mine, answers), impact(mine.sum(axis=0)[None, :], answers.sum(axis=0)[None, :])
    assert found is not None
    assert crude is not None
    assert found.cost.points == pytest.approx(0)
    assert crude.cost.high < -20


def test_more_complaints_than_answers_are_refused_and_few_are_told_to_be_few() -> None:
    with pytest.raises(ValueError, match="complaining"):
        impact(counts((2, 0, 0)), counts((1, 5, 5)))
    answers = counts((50, 30, 40))
    few, many = impact(counts((0, 0, 5)), answers), impact(counts((0, 0, 20)), answers)
    assert few is not None and few.few
    assert many is not None and not many.few
    assert many.impact.points < few.impact.points
    assert impact(counts((0, 0, 0)), answers) is None
    change = moved(few, many)
    assert change is not None
    assert change.points == pytest.approx(many.impact.points - few.impact.points)
    assert moved(None, None) is None
    gone = moved(many, None)
    assert gone is not None
    assert gone.points > 0


@pytest.mark.parametrize("complaints", [10, 30, 100])
def test_the_interval_of_the_impact_holds_the_truth(complaints: int) -> None:
    """2,000 samples of 1,000 answers in three strata; docs/models/drivers.md has more settings."""
    dice = np.random.default_rng(7)
    shares = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.3, 0.3, 0.4]])
    size, part = np.array([500, 300, 200]), complaints / 1000
    mine_p = np.array([0.1, 0.2, 0.7])
    truth = 100 * part * sum(
        s / 1000 * ((mine_p[0] - mine_p[2]) - (p[0] - p[2])) for s, p in zip(size, shares, strict=True)
    )  # fmt: skip
    held = 0
    for _ in range(2000):
        of = dice.binomial(size, part)
        mine = dice.multinomial(of, mine_p)
        rest = dice.multinomial(size - of, shares)
        found = impact(mine, mine + rest)
        assert found is not None
        held += found.impact.low <= truth <= found.impact.high
    assert 0.93 <= held / 2000 <= 0.98


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_fishers_test_is_the_sum_over_all_tables(a: int, b: int, more_a: int, more_b: int) -> None:
    before, after = share(a, a + more_a), share(b, b + more_b)
    n, k = before.n + after.n, a + b
    ways = sum(comb(after.n, i) * comb(before.n, k - i) for i in range(b, min(k, after.n) + 1))
    assert rose(before, after) == pytest.approx(ways / comb(n, k))
    assert least(before, after) <= rose(before, after) + 1e-12
    assert before.low <= before.value <= before.high or not before.n
    found = difference(before, after)
    assert -1 <= found.low <= found.high <= 1
    back = difference(after, before)
    assert back.low == pytest.approx(-found.high)


def test_shares_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        share(3, 2)
    assert share(0, 0).value == 0


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=40))
def test_tests_that_cannot_reach_the_level_do_not_count(smallest: list[float]) -> None:
    found = level(smallest, 0.05)
    able = sum(p <= found for p in smallest)
    assert able * found <= 0.05 + 1e-12
    assert found >= 0.05 / max(1, len(smallest)) - 1e-12


def test_with_many_places_and_no_change_false_alarms_stay_below_the_level() -> None:
    dice = np.random.default_rng(3)
    alarms = 0
    for _ in range(400):
        pairs = [(Share(int(a), 60, 0, 0), Share(int(b), 60, 0, 0)) for a, b in dice.binomial(60, 0.05, (50, 2))]
        cut = level([least(*p) for p in pairs], 0.05)
        alarms += any(rose(*p) <= cut for p in pairs)
    assert alarms / 400 <= 0.05


def contact(name: str, customer: str, day: float, *stages: str) -> Contact:
    return Contact(name, customer, START + timedelta(days=day), stages)


def test_a_repeat_goes_to_the_matter_that_it_began_with() -> None:
    found = chain(
        [
            contact("1", "c", 0, "delivery.time"),
            contact("2", "c", 1, "aftersales.resolution"),
            contact("3", "c", 5, "aftersales.attitude", "delivery.time"),
            contact("3", "c", 5, "aftersales.attitude", "delivery.time"),
            contact("4", "c", 6, "goods.taste"),
            contact("5", "c", 7),
            contact("6", "c", 20, "delivery.time"),
            contact("7", "d", 1, "delivery.time"),
        ]
    )
    kinds = {c.contact.contact_id: (c.kind, c.cause) for c in found}
    assert kinds == {
        "1": ("first", "delivery.time"),
        "2": ("handling", "delivery.time"),
        "3": ("same", "delivery.time"),
        "4": ("other matter", "goods.taste"),
        "5": ("unsaid", ""),
        "6": ("first", "delivery.time"),
        "7": ("first", "delivery.time"),
    }
    week = repeats(found, START, START + timedelta(days=8))
    assert week.share.of == 2
    assert week.share.n == 6
    assert week.unsaid == 1
    assert week.causes == (("delivery.time", 2),)


STAGES = st.lists(st.sampled_from(["delivery.time", "goods.taste", "aftersales.resolution"]), max_size=2, unique=True)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("cd"), st.integers(0, 20), STAGES), max_size=12), st.randoms())
def test_the_order_of_arrival_does_not_matter(rows: list[tuple[str, int, list[str]]], dice: object) -> None:
    contacts = [contact(f"{i:02}", c, day, *stages) for i, (c, day, stages) in enumerate(rows)]
    shuffled = list(contacts)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    found: list[Chained] = chain(contacts)
    assert chain(shuffled) == found
    assert len(found) == len(contacts)
    everything = repeats(found, START, START + timedelta(days=30))
    assert everything.share.of == sum(n for _, n in everything.causes) == sum(c.repeated for c in found)
