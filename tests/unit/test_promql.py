"""The rules' evaluator gives what Prometheus gives: cases of its documentation and of its own tests."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.drill.promql import Evaluator, Store, seconds
from tests.drill.watch import rules

TARGET = {"job": "touchline", "service": "nps"}


def store(*samples: dict[str, float] | None, every: float = 60.0) -> Store:
    """One target, scraped every minute: its series by name, with labels as in `name{a=b}`; None where it did not answer."""
    made = Store()
    for n, told in enumerate(samples):
        made.scrape(TARGET, n * every, None if told is None else {_labels(k): v for k, v in told.items()})
    return made


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    name, _, rest = text.rstrip("}").partition("{")
    return tuple(sorted({"__name__": name, **dict(p.split("=") for p in rest.split(",") if p)}.items()))


def value(made: Store, expression: str, at: float, pace: float = 1.0) -> list[float]:
    return list(Evaluator(made, pace).vector(expression, at).values())


def test_rate_and_increase_extrapolate_to_the_edges() -> None:
    made = store(*({"c": 10.0 * n} for n in range(11)))  # 10 a minute
    assert value(made, "rate(c[5m])", 600) == [pytest.approx(10 / 60)]
    assert value(made, "increase(c[5m])", 600) == [pytest.approx(50)]
    assert value(made, "deriv(c[5m])", 600) == [pytest.approx(10 / 60)]


def test_a_counter_that_begins_anew_goes_on() -> None:
    made = store({"c": 100}, {"c": 110}, {"c": 5}, {"c": 15})
    # 10 until the restart, then 5 and 10; over 180 s of the 240: half an interval is added at the far end, never below zero.
    assert value(made, "increase(c[4m])", 180) == [pytest.approx(25 * (180 + 30) / 180, rel=0.2)]
    assert value(made, "delta(c[4m])", 180)[0] < 0
    assert value(made, "changes(c[4m])", 180) == [3]


def test_the_first_sample_of_a_counter_is_no_increase() -> None:
    made = store({}, {"c": 7}, {"c": 7})
    assert value(made, "increase(c[10m])", 120) == [0]
    assert value(made, "increase(c[10m]) > 0 or (c unless c offset 10m)", 120) == [7]
    long = store(*({"c": 7.0} for _ in range(20)))
    assert value(long, "increase(c[10m]) > 0 or (c unless c offset 10m)", 19 * 60) == []


def test_who_does_not_answer_has_nothing_to_say() -> None:
    made = store({"lag": 5}, None)
    assert value(made, 'up{job="touchline"} == 0', 60) == [0]
    assert value(made, "lag", 60) == [] and value(made, "lag", 59) == [5]
    assert value(made, "min_over_time(lag[5m])", 60) == [5]


def test_grouping_and_sets() -> None:
    made = store({"lag{pipeline=a}": 3, "lag{pipeline=b}": 9, "busy{pipeline=b}": 1})
    assert value(made, "max by (pipeline) (lag) > 4", 0) == [9]
    assert value(made, "sum(lag)", 0) == [12]
    assert value(made, "sum by (pipeline) (lag) unless sum by (pipeline) (busy) > 0", 0) == [3]
    assert value(made, "sum by (pipeline) (lag) and sum by (pipeline) (busy)", 0) == [9]
    assert value(made, 'lag{pipeline=~"a|c"}', 0) == [3] == value(made, 'lag{pipeline!="b"}', 0)
    assert value(made, "sum by (pipeline) (busy) / sum by (pipeline) (lag)", 0) == [pytest.approx(1 / 9)]


def test_a_quantile_is_linear_within_its_bucket() -> None:
    made = store({"h_bucket{le=1}": 50, "h_bucket{le=2}": 100, "h_bucket{le=+Inf}": 100})
    assert value(made, "histogram_quantile(0.75, h_bucket)", 0) == [pytest.approx(1.5)]
    beyond = store({"h_bucket{le=1}": 0, "h_bucket{le=2}": 0, "h_bucket{le=+Inf}": 9})
    assert value(beyond, "histogram_quantile(0.99, h_bucket)", 0) == [2]


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30), st.sampled_from([1.0, 5.0, 30.0]))
def test_a_faster_pace_shrinks_spans_and_nothing_else(steps, pace) -> None:
    total, told = 0.0, []
    for step in steps:
        total += step
        told.append({"c": total})
    slow, fast = store(*told), store(*told, every=60.0 / pace)
    end = 60.0 * (len(steps) - 1)
    one, other = value(slow, "increase(c[10m])", end), value(fast, "increase(c[10m])", end / pace, pace)
    assert len(one) == len(other) and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "text", ["", "lag >", "topk(3, lag)", "rate(lag)", "lag[5m]", "sum by pipeline (lag)", "lag ~ 3", "lag > lag", "3"]
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises((ValueError, AssertionError)):
        Evaluator(store({"lag": 1})).vector(text, 0)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_every_rule_that_is_shipped_is_understood_and_silent_without_services(rule) -> None:
    assert Evaluator(Store()).vector(rule.expression, 0) == {}


@pytest.mark.parametrize(("text", "wanted"), [("5m", 300), ("90s", 90), ("1h", 3600), ("250ms", 0.25)])
def test_durations(text: str, wanted: float) -> None:
    assert seconds(text) == wanted
