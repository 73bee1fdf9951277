"""The simulator's invariants, for any floor; and how a day is rebuilt from a log."""

from dataclasses import dataclass, replace
from datetime import UTC
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain.policy import Policy, Route, Rule, Terms, When
from services.router.domain.simulation.distributions import (
    ANY,
    DrawnPatience,
    Fitted,
    PatienceTable,
    Quantiles,
    kaplan_meier,
)
from services.router.domain.simulation.engine import NOBODY, Seats, Work, run
from services.router.domain.simulation.figures import figures, interval, mean
from services.router.domain.simulation.ordering import NotReplayable, places
from services.router.domain.simulation.recorded import Call, Cell, RecordedDay, Shift, Span
from services.router.domain.simulation.replay import draw, recorded, simulate, without_busiest
from services.router.domain.simulation.shifts import Reading, shifts_of

KINDS = 3


@dataclass(frozen=True)
class Given:
    drawn: list[float]

    def of(self, call: int, queue: int) -> float:
        assert queue >= 0
        return self.drawn[call]


def world_of(seed: int) -> tuple[Work, Seats, Given]:
    """A small floor with ties, gaps and seats that take some types only."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))

    def column(low: int, high: int) -> list[float]:
        return [float(x) for x in rng.integers(low, high, n)]

    kinds = [int(k) for k in rng.integers(0, KINDS, n)]
    work = Work(sorted(column(0, 2000)), kinds, column(0, 2000), column(1, 300), column(0, 20))
    seats = []
    for _ in range(rng.integers(0, 5)):
        edges = sorted({float(x) for x in rng.integers(0, 2000, rng.integers(2, 9))})
        taken = [frozenset(k for k in range(KINDS) if rng.random() < 0.6) for _ in edges]
        spans = zip(edges, edges[1:], taken, strict=False)
        seats.append(tuple(span for span in spans if rng.random() < 0.7))
    return work, Seats(tuple(seats)), Given(column(1, 300))


worlds = st.integers(0, 2**32).map(world_of)


@given(worlds)
def test_nothing_is_lost_and_nothing_is_impossible(world):
    work, seats, patience = world
    ran = run(work, seats, patience)
    n = len(work.at)
    assert len(ran.waited) == len(ran.seat) == n
    served: dict[int, list[tuple[float, float]]] = {}
    for i in range(n):
        assert ran.waited[i] >= 0
        if ran.seat[i] == NOBODY:
            assert ran.waited[i] == pytest.approx(patience.drawn[i])  # each call is served or gives up
            continue
        assert ran.waited[i] <= patience.drawn[i] + 1e-6
        begins = work.at[i] + ran.waited[i]
        spans = seats.spans[ran.seat[i]]
        assert any(a <= begins < b and work.kind[i] in kinds for a, b, kinds in spans)
        served.setdefault(ran.seat[i], []).append((begins, begins + work.service[i] + work.wrap_up[i]))
    for mine in served.values():
        mine.sort()
        for (_, ends), (begins, _) in pairwise(mine):
            assert begins >= ends - 1e-6  # a seat serves one at a time
    assert ran == run(work, seats, patience)


@given(worlds)
def test_nobody_waits_while_a_seat_that_takes_it_is_free_from_the_start(world):
    """One seat that takes everything, always: it is never idle while somebody waits, and the best place goes first."""
    work, _, _ = world
    always = Seats((((-1.0, 1e9, frozenset(range(KINDS))),),))
    ran = run(work, always, Given([1e8] * len(work.at)))
    begins = np.array(work.at) + np.array(ran.waited)
    order = np.argsort(begins, kind="stable")
    free = 0.0
    for i in order:
        waiting = [j for j in range(len(order)) if work.at[j] < begins[i] <= begins[j]]
        if waiting:
            assert begins[i] == pytest.approx(max(free, work.at[i]))
        if work.at[i] < begins[i]:
            assert (work.place[i], i) == min((work.place[j], j) for j in waiting)
        free = begins[i] + work.service[i] + work.wrap_up[i]


def test_a_break_that_begins_late_lasts_as_long():
    kinds = frozenset({0})
    seats = Seats((((0.0, 100.0, kinds), (200.0, 1000.0, kinds)),))
    work = Work([50.0, 210.0], [0, 0], [50.0, 210.0], [80.0, 10.0], [0.0, 0.0])
    assert run(work, seats, Given([500.0, 500.0])).waited == [0.0, 20.0]  # busy until 130, back at 230


def test_a_seat_takes_each_type_only_in_its_spans():
    seats = Seats((((0.0, 100.0, frozenset({0})), (100.0, 300.0, frozenset({1}))),))
    work = Work([10.0, 20.0], [1, 0], [10.0, 20.0], [5.0, 5.0], [0.0, 0.0])
    assert run(work, seats, Given([500.0, 500.0])).waited == [90.0, 0.0]


def policy(rules: dict[str, int], ageing: float = 60.0) -> Policy:
    made = tuple(Rule(tier, When(tiers=frozenset({tier})), Route("floor", p)) for tier, p in rules.items())
    return Policy("test", UTC, made, Route("floor"), Route("floor"), {"floor": Terms(ageing=ageing)})


def call(at: float, tier: str = "0", **more) -> Call:
    given = {"kind": "PS", "group": tier, "waited_s": 0.0, "answered": True, "seat": "a", "service_s": 60.0, **more}
    return Call(at=at, tier=tier, **given)


def test_a_point_of_priority_is_worth_what_the_live_router_makes_of_it():
    calls = [call(100.0), call(150.0, "2")]
    assert places(policy({"2": 90}), calls, ["0", "2"]) == [100.0, 60.0]
    assert places(policy({"2": 90}, ageing=30.0), calls, ["0", "2"]) == [100.0, -30.0]
    strict = places(policy({"2": 1}, ageing=0), [call(0.0), call(86_000.0, "2")], ["0", "2"])
    assert strict[1] < strict[0]


def test_a_policy_that_a_log_cannot_tell_the_effect_of_is_refused():
    with pytest.raises(NotReplayable, match="bot"):
        places(replace(policy({}), default=Route("bot")), [call(0.0)], ["0"])
    with pytest.raises(NotReplayable, match="skills"):
        places(replace(policy({}), default=Route("floor", 0, {"refund": 1})), [call(0.0)], ["0"])


@given(st.lists(st.tuples(st.integers(1, 500), st.booleans()), min_size=1, max_size=60))
def test_quantiles_of_patience_rise(waits):
    values = kaplan_meier(np.array([float(w) for w, _ in waits]), np.array([g for _, g in waits]), 50).values
    assert len(values) == 50
    assert all(a <= b for a, b in pairwise(values))
    assert values[0] > 0


def test_kaplan_meier_of_complete_and_of_censored_waits():
    complete = kaplan_meier(np.array([10.0, 20.0, 30.0, 40.0]), np.ones(4, bool), 4)
    assert complete.values == (10.0, 20.0, 30.0, 40.0)
    # Who was answered after 15 s might have waited longer: the later ones count for more.
    censored = kaplan_meier(np.array([10.0, 15.0, 30.0, 40.0]), np.array([True, False, True, True]), 8)
    assert censored.values == (10.0, 10.0, 30.0, 30.0, 30.0, 40.0, 40.0, 40.0)


def some_fit() -> Fitted:
    one = Quantiles(tuple(float(x) for x in range(10, 500, 10)))
    short = Quantiles((5.0,))
    table = PatienceTable((0, 3), {Cell(ANY, ANY): (one, one), Cell("PS", "2"): (one, short)})
    return Fitted(table, {Cell(ANY, ANY): one}, Quantiles((8.0,)), {ANY: {"0": 0.5, "2": 0.5}})


def test_patience_depends_on_the_queue_that_is_met():
    patience = DrawnPatience(some_fit().patience, ["PS", "NW"], ["2", "0"], np.array([0.0, 0.0]))
    assert patience.of(0, 2) == 10.0
    assert patience.of(0, 3) == patience.of(0, 99) == 5.0
    assert patience.of(1, 3) == 10.0


def some_day(seed: int = 1, n: int = 120) -> RecordedDay:
    rng = np.random.default_rng(seed)
    calls = []
    for at in np.sort(rng.integers(8 * 3600, 10 * 3600, n)):
        answered = bool(rng.random() < 0.8)
        waited = float(rng.integers(0, 120)) if answered else float(rng.integers(1, 120))
        seat = str(rng.choice(["a", "b", "c"])) if answered else ""
        tier = str(rng.choice(["0", "1", "2"])) if waited else ""
        service = float(rng.integers(10, 300)) if answered else None
        calls.append(Call(float(at), str(rng.choice(["PS", "NW"])), tier or "0", tier, waited, answered, seat, service))
    return RecordedDay("1999-08-01", tuple(calls), shifts_of(calls, Reading()))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50), st.integers(0, 5))
def test_a_replayed_day_keeps_all_its_contacts_and_its_seed(day_seed, seed):
    day, fitted = some_day(day_seed), some_fit()
    drawn = draw(day, fitted, seed)
    result = simulate(drawn, policy({"2": 90}), day.shifts)
    told = figures([(day, result)])
    assert told.contacts == len(day.calls) == told.answered + told.abandoned
    assert sum(g.contacts for g in told.by_priority.values()) == told.contacts
    assert sum(g.abandoned for g in told.by_priority.values()) == told.abandoned
    again = simulate(draw(day, fitted, seed), policy({"2": 90}), day.shifts)
    assert (again.waited == result.waited).all()
    assert (again.shift == result.shift).all()


def test_the_history_is_the_logs():
    day = some_day()
    told = figures([(day, recorded(day))])
    assert told.abandoned == sum(not c.answered for c in day.calls)
    assert told.mean_wait_s == pytest.approx(np.mean([c.waited_s for c in day.calls]))


def test_the_busiest_seat_is_the_one_that_served_longest():
    day = some_day()
    work = {s: sum(c.service_s or 0 for c in day.calls if c.seat == s) for s in "abc"}
    left = {shift.seat for shift in without_busiest(day)}
    assert left == set("abc") - {max(work, key=work.__getitem__)}


def test_a_gap_through_which_calls_waited_is_a_break_and_an_idle_one_is_not():
    idle = [call(0.0), call(500.0)]
    assert [(s.start, s.end) for s in shifts_of(idle, Reading())[0].spans] == [(0.0, 560.0)]
    waits = Call(100.0, "PS", "0", "0", 300.0, False)
    broken = shifts_of([call(0.0), waits, call(500.0)], Reading())[0]
    assert [(s.start, s.end) for s in broken.spans] == [(0.0, 60.0), (500.0, 560.0)]
    # A call of a type that the seat does not take is no reason.
    other = replace(waits, kind="IN")
    assert len(shifts_of([call(0.0), other, call(500.0)], Reading())[0].spans) == 1
    long = shifts_of([call(0.0), call(3000.0)], Reading())[0]
    assert len(long.spans) == 2


def test_a_call_back_takes_the_seat_away_from_the_queue():
    mine = [call(0.0), call(100.0, kind="TT", called_back=True, service_s=50.0), call(200.0)]
    assert shifts_of(mine, Reading()) == (
        Shift("a", (Span(0.0, 100.0, frozenset({"PS", "TT"})), Span(150.0, 260.0, frozenset({"PS", "TT"})))),
    )


def test_a_type_passed_over_again_and_again_was_not_taken_then():
    calls = [call(0.0), call(10.0, kind="NW", service_s=10.0), call(2000.0, kind="NW", service_s=10.0)]
    calls += [Call(50.0, "NW", "0", "0", 1900.0, False)]
    calls += [call(100.0 + 90 * i, waited_s=10.0, service_s=60.0) for i in range(20)]
    calls.sort(key=lambda c: c.at)
    (shift,) = shifts_of(calls, Reading())
    taken = {
        moment: span.kinds
        for span in shift.spans
        for moment in (5.0, 1000.0, 2005.0)
        if span.start <= moment < span.end
    }
    assert taken == {5.0: {"PS", "NW"}, 1000.0: {"PS"}, 2005.0: {"PS", "NW"}}


def test_an_interval_of_one_run_claims_nothing_and_of_equal_runs_is_a_point():
    alone = interval([2.0])
    assert (alone.mean, alone.low, alone.high, alone.half) == (2.0, None, None, None)
    assert interval([1.0, 1.0, 1.0]).high == 1.0
    # Student's t with 2 degrees of freedom: 4.303 × s / √3.
    assert interval([1.0, 2.0, 3.0]).high == pytest.approx(2 + 4.303 / 3**0.5)


def test_a_mean_of_runs_conserves_contacts_to_the_last_bit():
    day, fitted = some_day(), some_fit()
    runs = [figures([(day, simulate(draw(day, fitted, s), policy({}), day.shifts))]) for s in range(3)]
    told = mean(runs)
    assert told.contacts - told.answered - told.abandoned == 0
