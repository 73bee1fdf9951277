"""The running mood: bounded, fading, the same in any order."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.mood import (
    CUSTOMER_HALF_LIFE,
    MAX_CONTACTS,
    CustomerMood,
    customer_mood_at,
    fold_message,
)

DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
Message = tuple[str, float, datetime]

MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["c1", "c2", "c3"]),
        st.floats(-1, 1),
        st.integers(0, 30 * 24 * 60).map(lambda m: DAY + timedelta(minutes=m)),
    ),
    min_size=1,
    max_size=30,
)


def folded(messages: list[Message]) -> CustomerMood:
    state = CustomerMood("hu")
    for contact, polarity, time in messages:
        state, _ = fold_message(state, contact, "chat", polarity, time)
    return state


@given(MESSAGES)
def test_moods_and_trend_stay_between_minus_one_and_one(messages: list[Message]) -> None:
    state = folded(messages)
    assert -1 <= state.value <= 1
    assert -1 <= state.trend <= 1
    assert all(-1 <= c.mood.value <= 1 for c in state.contacts)
    assert state.count == len(messages)
    assert state.updated == max(time for _, _, time in messages)


@given(MESSAGES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(messages: list[Message], dice: random.Random) -> None:
    shuffled = messages.copy()
    dice.shuffle(shuffled)
    one, other = folded(messages), folded(shuffled)
    assert one.value == pytest.approx(other.value, abs=1e-9)
    assert one.trend == pytest.approx(other.trend, abs=1e-9)
    assert one.updated == other.updated
    for contact in one.contacts:
        same = other.contact(contact.contact_id)
        assert same is not None
        assert contact.mood.value == pytest.approx(same.mood.value, abs=1e-9)
        assert contact.mood.count == same.mood.count


def test_one_odd_message_does_not_turn_a_mood() -> None:
    state = folded([("c1", 0.9, DAY + timedelta(minutes=i)) for i in range(6)])
    state, _ = fold_message(state, "c1", "chat", -1.0, DAY + timedelta(minutes=6))
    assert state.value > 0.3
    assert state.trend < 0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_contact_that_turns_shows_in_the_trend(sign: int) -> None:
    state = folded([("c1", 0.4 * sign, DAY - timedelta(days=2))])
    trends = []
    for step, polarity in enumerate((0.6, 0.3, 0.0, -0.5, -0.9)):
        state, contact = fold_message(state, "c2", "chat", polarity * sign, DAY + timedelta(minutes=3 * step))
        trends.append(state.trend * sign)
    assert trends == sorted(trends, reverse=True)
    assert trends[-1] < -0.1
    assert contact.value * sign < state.value * sign


def test_mood_fades_to_neutral() -> None:
    state = folded([("c1", -1.0, DAY)] * 5)
    values = [customer_mood_at(state, DAY + CUSTOMER_HALF_LIFE * k) for k in range(8)]
    assert values[0] == pytest.approx(state.value)
    assert values == sorted(values)
    assert abs(values[-1]) < 0.1
    assert customer_mood_at(state, DAY - timedelta(days=1)) == pytest.approx(state.value)
    assert customer_mood_at(CustomerMood("new"), DAY) == 0.0


def test_only_the_latest_contacts_are_kept() -> None:
    state = folded([(f"c{i:02}", 0.1, DAY + timedelta(hours=i)) for i in range(MAX_CONTACTS + 3)])
    assert len(state.contacts) == MAX_CONTACTS
    assert state.contact("c00") is None
    assert state.contact(f"c{MAX_CONTACTS + 2:02}") is not None
    late, mood = fold_message(state, "c00", "chat", -1.0, DAY)
    assert late.contact("c00") is None
    assert mood.count == 1
    assert late.count == state.count + 1
