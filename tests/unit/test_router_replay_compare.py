"""Comparing two policies, and a bot's share: the arithmetic, its invariants, and what the command prints of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.main import cli
from services.router.domain.simulation.bot import Picks, run_bot, takes
from services.router.domain.simulation.compare import Contact, Runs, compare
from services.router.domain.simulation.ordering import Placed
from services.router.domain.simulation.replay import draw, simulate, without
from services.router.replay import run
from tests.unit.test_router_replay import small
from tests.unit.test_router_simulation import policy, some_day, some_fit

__all__ = ["small"]
FLOOR = Placed("default", "floor", 0.0)


def contacts_of(days: list[str], group: list[str] | None = None) -> list[Contact]:
    return [
        Contact(f"c{i}", day, 10.0 * i, {"tier": group[i] if group else "any"}, FLOOR, FLOOR)
        for i, day in enumerate(days)
    ]


def runs_of(waited: list[list[float]], answered: list[list[bool]] | None = None) -> Runs:
    waits = np.array(waited)
    return Runs(waits, np.ones(waits.shape, np.bool_) if answered is None else np.array(answered))


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_a_policy_against_itself_differs_by_nothing_and_swapping_turns_the_signs(seed: int):
    rng = np.random.default_rng(seed)
    contacts = contacts_of([f"d{i % 3}" for i in range(9)], [str(i % 2) for i in range(9)])
    one, other = (Runs(rng.integers(0, 90, (4, 9)).astype(float), rng.random((4, 9)) < 0.8) for _ in range(2))
    same = compare(contacts, one, one)
    assert same.changed_most == ()
    for block in (same.whole, *same.by["tier"].values()):
        for change in (block.mean_wait_s, block.service_level_20s, block.abandonment):
            assert change.mean == change.over_seeds.low == change.over_seeds.high == 0
            assert change.over_days is not None
            assert change.over_days.low == change.over_days.high == 0
    ours, theirs = compare(contacts, one, other), compare(contacts, other, one)
    assert ours.whole.mean_wait_s.mean == pytest.approx(-theirs.whole.mean_wait_s.mean)
    assert ours.whole.abandonment.over_seeds.low == pytest.approx(-theirs.whole.abandonment.over_seeds.high)
    assert sum(block.contacts for block in ours.by["tier"].values()) == ours.whole.contacts == 9
    parts = sum(block.mean_wait_s.mean * block.contacts for block in ours.by["tier"].values()) / 9
    assert parts == pytest.approx(ours.whole.mean_wait_s.mean)


def test_intervals_are_students_over_seeds_and_jackknifed_over_days():
    contacts = contacts_of(["a", "a", "b", "c"])
    ours, theirs = runs_of([[10, 10, 40, 0], [10, 10, 40, 8]]), runs_of([[0.0] * 4] * 2)
    found = compare(contacts, ours, theirs).whole.mean_wait_s
    assert found.mean == pytest.approx(16)
    # Runs 15 and 17: s = √2, t(1) = 12.706.
    assert found.over_seeds.high == pytest.approx(16 + 12.706)
    # Without a day each: 22, 8, 20; pseudo-values 3·16 − 2·x: 4, 32, 8, whose s is 15.14; t(2) = 4.303.
    assert found.over_days is not None
    assert found.over_days.high == pytest.approx(16 + 4.303 * np.std([4, 32, 8], ddof=1) / 3**0.5)
    assert compare(contacts[:2], runs_of([[1, 2]]), runs_of([[0, 0]])).whole.mean_wait_s.over_days is None


def test_those_that_change_most_are_named_with_who_overtook_them():
    contacts = contacts_of(["a"] * 4)  # come at 0, 10, 20, 30
    theirs = runs_of([[5, 5, 5, 5]])
    ours = runs_of([[60, 5, 5, 50]], [[True, True, False, True]])  # the first is taken at 60, after the second (15)
    first, second = compare(contacts, ours, theirs, most=2).changed_most
    assert (first.contact.contact_id, first.ours_wait_s, first.theirs_wait_s) == ("c0", 60, 5)
    assert (first.ours_overtaken, first.theirs_overtaken) == (1, 0)  # c2 gave up, c3 began at 80
    assert (second.contact.contact_id, second.ours_overtaken) == ("c3", 0)


@pytest.mark.parametrize("picks", list(Picks))
def test_a_bot_takes_the_share_it_is_given(picks: Picks):
    drawn = [draw(some_day(i), some_fit(), 1) for i in range(3)]
    taken = takes(drawn, "PS", 0.4, picks, 1)
    regular = [np.array([c.kind == "PS" for c in d.calls]) for d in drawn]
    assert not any((mask & ~mine).any() for mask, mine in zip(taken, regular, strict=True))
    share = sum(m.sum() for m in taken) / sum(m.sum() for m in regular)
    assert share == pytest.approx(0.4, abs=0.03)
    if picks is Picks.SHORTEST:
        lasts = [np.array(d.service) for d in drawn]
        most = max(s[m].max() for s, m in zip(lasts, taken, strict=True) if m.any())
        left = min(s[mine & ~m].min() for s, m, mine in zip(lasts, taken, regular, strict=True))
        assert most <= left


def test_the_shortest_calls_are_less_of_the_work_than_of_the_calls_and_nobody_else_is_lost():
    days = [some_day(i) for i in range(3)]
    drawn, shifts = [draw(day, some_fit(), 1) for day in days], [day.shifts for day in days]
    short, some = (
        run_bot(drawn, policy({}), shifts, takes(drawn, "PS", 0.5, picks, 1)) for picks in (Picks.SHORTEST, Picks.ANY)
    )
    assert short.calls == pytest.approx(some.calls, abs=0.02)
    assert short.work < 0.6 * short.calls
    assert some.work == pytest.approx(some.calls, abs=0.1)
    nobody = run_bot(drawn, policy({}), shifts, [np.zeros(len(d.calls), np.bool_) for d in drawn])
    assert (nobody.calls, nobody.work) == (0, 0)
    assert (nobody.with_wait_s, nobody.with_abandonment) == (nobody.without_wait_s, nobody.without_abandonment)


def test_a_draw_without_some_calls_keeps_the_others_luck():
    day = some_day()
    drawn = draw(day, some_fit(), 1)
    every = without(drawn, np.zeros(len(drawn.calls), np.bool_))
    assert (simulate(every, policy({}), day.shifts).waited == simulate(drawn, policy({}), day.shifts).waited).all()
    less = without(drawn, np.arange(len(drawn.calls)) < 5)
    assert less.calls == drawn.calls[5:]
    assert less.service == drawn.service[5:]
    assert [less.patience.of(i, 3) for i in range(9)] == [drawn.patience.of(i + 5, 3) for i in range(9)]


def test_the_command_compares_and_tells_why(small: Path):
    asked = ["router", "replay", "--calls", str(small), "--runs", "3", "--against", str(run.BANK_RULE)]
    done = CliRunner().invoke(cli, [*asked, "--bot-takes", "0.3", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    found = told["comparison"]
    assert told["policies"]["against"] == told["policies"]["bank_rule"]
    assert told["against"] == told["bank_rule"]
    assert set(found["by"]) == {"priority", "type", "pool"}
    for of in (found, *(b for groups in found["by"].values() for b in groups.values())):
        less = of["policy_less_against"]["mean_wait_s"]
        assert less["mean"] == pytest.approx(of["policy"]["mean_wait_s"] - of["against"]["mean_wait_s"])
        assert less["over_seeds"][0] <= less["mean"] <= less["over_seeds"][1]
        assert less["over_days"] is None  # it is one day
    assert 0 < len(found["changed_most"]) <= 10
    first = found["changed_most"][0]
    assert first["contact_id"].startswith("AA01/")
    assert "rather than" in first["en"]
    assert "对照" in first["zh"]
    assert told["bot"]["shortest"]["share_of_work"] <= told["bot"]["any"]["share_of_work"] + 0.1
    shown = CliRunner().invoke(cli, [*asked, "--bot-takes", "0.3"])
    assert shown.exit_code == 0, shown.output
    for words in ("策略对比", "变化最大的来电", first["contact_id"], first["zh"], "机器人分流", "占工作量"):
        assert words in shown.stdout
