"""What a seat bears: only its shift's, the same in any order, halved with time."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from services.sentiment.domain.events import AngerAbsorbed
from services.sentiment.domain.load import (
    GONE_KEPT,
    HALF_LIFE,
    LONGEST_SHIFT,
    Burden,
    LoadEvent,
    PoolLoad,
    SeatOff,
    SeatOn,
    decide,
    load_at,
)

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def absorbed(minute: float, anger: float = 1.0, seat: str = "s1") -> AngerAbsorbed:
    return AngerAbsorbed("care", seat, "c1", "hu", "app", f"m{minute}", NINE + minute * MINUTE, anger)


def after(*events: LoadEvent, state: PoolLoad | None = None) -> PoolLoad:
    state = state or PoolLoad("care")
    for event in events:
        state, _ = decide(state, event, NINE)
    return state


def test_a_seat_bears_what_it_absorbed_since_it_signed_in() -> None:
    state = after(SeatOn("care", "s1", NINE), absorbed(10), absorbed(40, 0.5), absorbed(41, seat="s2"))
    burden = state.seats["s1"]
    assert (burden.since, burden.absorbed, burden.messages) == (NINE, 1.5, 2)
    assert burden.load == pytest.approx(1.0)  # the first has halved
    assert state.seats["s2"].since is None
    assert load_at(burden.load, burden.updated, NINE + 40 * MINUTE + HALF_LIFE) == pytest.approx(0.5)
    assert load_at(burden.load, burden.updated, NINE) == burden.load


def test_a_shift_that_ends_leaves_nothing_and_what_comes_late_for_it_is_not_counted() -> None:
    state = after(SeatOn("care", "s1", NINE), absorbed(10), SeatOff("care", "s1", NINE + 20 * MINUTE))
    assert state.seats["s1"].gone == NINE + 20 * MINUTE
    late, facts = decide(state, absorbed(15), NINE)
    assert late is state
    assert facts == ()
    new = after(SeatOn("care", "s1", NINE + 60 * MINUTE), absorbed(15), absorbed(70, 0.3), state=state)
    assert (new.seats["s1"].absorbed, new.seats["s1"].messages) == (0.3, 1)


def test_signing_in_again_within_a_shift_lays_nothing_down() -> None:
    state = after(SeatOn("care", "s1", NINE), absorbed(10), SeatOn("care", "s1", NINE + 20 * MINUTE))
    assert state.seats["s1"].absorbed == 1.0
    assert state.seats["s1"].since == NINE


def test_a_seat_that_never_signed_out_is_off_shift_some_day() -> None:
    state = after(SeatOn("care", "s1", NINE), absorbed(10))
    tomorrow = NINE + LONGEST_SHIFT + 20 * MINUTE
    assert after(SeatOn("care", "s1", tomorrow), state=state).seats["s1"] == Burden("s1", since=tomorrow)
    assert "s1" not in after(SeatOn("care", "s2", tomorrow), state=state).seats
    gone = after(SeatOff("care", "s1", NINE + 20 * MINUTE), state=state)
    assert "s1" not in after(SeatOn("care", "s2", NINE + 21 * MINUTE + GONE_KEPT), state=gone).seats


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(100, 1000).map(lambda n: n / 1000)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_order_in_which_anger_arrives_does_not_matter(said: list[tuple[int, float]], dice: random.Random) -> None:
    shuffled = said.copy()
    dice.shuffle(shuffled)
    on = SeatOn("care", "s1", NINE)
    one = after(on, *(absorbed(m, a) for m, a in said)).seats["s1"]
    other = after(on, *(absorbed(m, a) for m, a in shuffled)).seats["s1"]
    assert one.load == pytest.approx(other.load, abs=0.01)
    assert one.absorbed == pytest.approx(other.absorbed)
    assert one.updated == other.updated
    assert 0 <= one.load <= one.absorbed + 0.01


EVENTS = st.lists(
    st.one_of(
        st.builds(lambda m, s: SeatOn("care", s, NINE + m * MINUTE), st.integers(0, 5000), st.sampled_from("abc")),
        st.builds(lambda m, s: SeatOff("care", s, NINE + m * MINUTE), st.integers(0, 5000), st.sampled_from("abc")),
        st.builds(absorbed, st.integers(0, 5000), st.floats(0, 1), st.sampled_from("abc")),
    ),
    max_size=40,
)


@given(EVENTS)
def test_whatever_happens_facts_tell_what_the_state_holds(events: list[LoadEvent]) -> None:
    state = PoolLoad("care")
    for event in events:
        before = state
        state, facts = decide(state, event, NINE)
        changed = {fact.burden.seat_id for fact in facts}
        assert {s for s, b in state.seats.items() if before.seats.get(s) is not b} == changed
        assert all(state.seats[fact.burden.seat_id] is fact.burden for fact in facts)
        assert all(b.load >= 0 and b.absorbed >= 0 for b in state.seats.values())
    assert msgspec.json.decode(encode(state), type=PoolLoad) == state
