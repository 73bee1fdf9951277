"""Waves: one cause of many complaints is found, chance is not, each wave once; who is told of it, and who is left alone."""

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.escalation.domain.causes import Cause, CauseHeated, Reported, decide, tail
from services.escalation.domain.outreach import AGAIN, QuietHours, Reach, choose, words

START = datetime(2026, 11, 1, tzinfo=UTC)


def played(reports: list[tuple[float, str]], state: Cause | None = None) -> tuple[Cause, list[CauseHeated]]:
    """Reports by hour and customer."""
    state, found = state or Cause("store:华东-3"), []
    for hour, customer in reports:
        at = START + timedelta(hours=hour)
        state, facts = decide(state, Reported("store:华东-3", customer, at), at)
        found += facts
    return state, found


def chance(per_hour: float, hours: float, seed: int) -> list[tuple[float, str]]:
    rng, at, made = random.Random(seed), 0.0, []
    while (at := at + rng.expovariate(per_hour)) < hours:
        made.append((at, f"c{len(made)}"))
    return made


def test_a_wave_is_found_at_its_beginning_and_once() -> None:
    usual = chance(1.0, 24 * 14, 1)
    state, found = played(usual)
    assert found == []
    wave = [(24 * 14 + n / 10, f"w{n}") for n in range(40)]
    state, (heated,) = played(wave, state)
    assert heated.cause == "store:华东-3" and heated.wave == 1
    assert heated.customers <= 12 and 1 <= heated.expected <= 3
    assert heated.at <= START + timedelta(hours=24 * 14 + 1.5), "within the first hours"
    _, again = played([(24 * 20 + n / 10, f"v{n}") for n in range(40)], state)
    assert [h.wave for h in again] == [2]


def test_one_customer_who_reports_again_and_again_is_no_wave() -> None:
    assert played([(n / 20, "same") for n in range(60)])[1] == []


@pytest.mark.parametrize("per_hour", [0.2, 1.0, 5.0])
def test_chance_makes_hardly_a_wave(per_hour: float) -> None:
    """Over four weeks and five causes; the rate must be known first."""
    waves = 0
    for seed in range(5):
        _, found = played(chance(per_hour, 24 * 28, seed))
        waves += sum(h.at > START + timedelta(days=3) for h in found)
    assert waves <= 1


def test_the_poisson_tail() -> None:
    assert tail(0, 3.0) == 1.0
    assert tail(1, 2.0) == pytest.approx(1 - 0.1353352832)
    assert tail(5, 0.2) == pytest.approx(2.258e-6, rel=1e-2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 200), st.integers(0, 30)), max_size=60), st.randoms(use_true_random=False))
def test_any_order_is_taken_and_little_is_kept(reports: list[tuple[float, int]], rnd: random.Random) -> None:
    rnd.shuffle(reports)
    state, found = played([(hour, f"c{who}") for hour, who in reports])
    assert len({r.customer_id for r in state.recent}) == len(state.recent)
    assert len({h.wave for h in found}) == len(found)
    assert state.rate(START + timedelta(hours=200)) > 0


def test_who_is_reached_and_who_is_left_alone() -> None:
    now = START
    assert choose(Reach(), 0.1, False, False, now) == ("message", "")
    assert choose(Reach(), 0.5, False, False, now) == ("call_back", "")
    assert choose(Reach(), 0.1, True, False, now) == ("call_back", "")
    assert choose(Reach(opted_out=True), 0.9, True, False, now)[1] == "opted_out"
    assert choose(Reach(), 0.9, False, True, now)[1] == "followed_up"
    assert choose(Reach(last=now - AGAIN / 2), 0.1, False, False, now)[1] == "lately"
    assert choose(Reach(last=now - AGAIN), 0.1, False, False, now)[1] == ""
    night = QuietHours(21 * 60, 8 * 60, timezone(timedelta(hours=8)))
    for hour, minute, why in (
        (12, 59, ""),
        (13, 0, "quiet_hours"),
        (19, 0, "quiet_hours"),
        (23, 59, "quiet_hours"),
        (0, 0, ""),
    ):
        at = now.replace(hour=hour, minute=minute)
        assert choose(Reach(), 0.1, False, False, at, night)[1] == why
    at = now.replace(hour=3)
    assert [QuietHours(a, b).has(at) for a, b in ((60, 240), (240, 60), (180, 181), (0, 0))] == [
        True,
        False,
        True,
        False,
    ]
    zh, en = words("batch:草莓-0611")
    assert "草莓-0611" in zh and "TD" in zh and "草莓-0611" in en and "STOP" in en
