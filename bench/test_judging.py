"""What decides whether a contender is exact, and how fast it is: checked against the wrong as well as the right."""

from collections import Counter

import pytest

from bench.load import Load
from bench.measure import quantile
from bench.sink import Told, Verdict, judge, rate

RIGHT = [Told(("a", 1), 0), Told(("b", 1), 1), Told(("a", 2), 2)]
SENT = {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (RIGHT, Verdict(0, 0)),
        (RIGHT[:2], Verdict(1, 0)),
        ([*RIGHT, RIGHT[0]], Verdict(0, 1)),
        ([*RIGHT, Told(("c", 1), 3)], Verdict(0, 1)),
        # One event taken twice and one not at all: the number of facts is right, and the facts are not.
        ([*RIGHT[:2], Told(("b", 2), 2)], Verdict(1, 1)),
        ([], Verdict(3, 0)),
    ],
)
def test_judge(facts: list[Told], verdict: Verdict) -> None:
    assert judge(facts, SENT) == verdict


def test_rate_is_that_of_whole_batches_once_warm() -> None:
    facts = [Told(("a", n), 10_000 + 100 * (n // 1000)) for n in range(10_000)]
    assert rate(facts) == pytest.approx(10_000)
    assert rate(facts[:1000]) is None


def test_quantiles() -> None:
    seconds = [n / 1000 for n in range(1, 1001)]
    assert [quantile(seconds, q) for q in (0.5, 0.99, 0.999)] == [501, 991, 1000]
    assert quantile([], 0.5) is None


def test_the_load_is_the_same_from_the_same_seed_and_its_oracle_counts_it() -> None:
    first, second = Load("t"), Load("t")
    events = list(first.events(500))
    again = list(second.events(500))
    assert [(e.key, e.value) for e in events] == [(e.key, e.value) for e in again]
    assert first.sent == Counter(e.key.decode() for e in events)
    assert first.groups.total() == 500
