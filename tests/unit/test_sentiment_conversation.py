"""A conversation: what turns it, what does not, who said what before; bounded, and small enough to keep by the thousand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from services.sentiment.domain import conversation
from services.sentiment.domain.conversation import (
    BEFORE,
    POINTS,
    RECENT,
    Point,
    Speaker,
    Stint,
    Talk,
    Turn,
    begin,
    pack,
    say,
    slope,
    typical,
    unpack,
)
from services.sentiment.domain.score import Label

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
THOUSANDTHS = st.integers(-1000, 1000).map(lambda n: n / 1000)
POINT = st.builds(
    Point,
    source=NAMES,
    event_id=NAMES,
    speaker=st.sampled_from(conversation.SPEAKERS),
    seat_id=NAMES,
    time=st.integers(0, 10**9).map(lambda n: NINE + timedelta(milliseconds=n)),
    polarity=THOUSANDTHS,
    label=st.sampled_from(["negative", "neutral", "positive", "unsure"]),
    emotion=st.sampled_from(["", "angry", "happy", "unsure"]),
    anger=st.integers(0, 1000).map(lambda n: n / 1000),
)


def point(number: int, polarity: float, speaker: Speaker = "customer", label: Label = "neutral") -> Point:
    return Point("app", f"m{number}", speaker, "", NINE + number * 20 * SECOND, polarity, label)


def talked(*said: float | tuple[Speaker, float], talk: Talk | None = None) -> tuple[Talk, list[Turn]]:
    """A conversation of these polarities, by the customer where nobody else is named, and how it turned."""
    talk = talk or begin("c1", NINE)
    turns = []
    for number, one in enumerate(said):
        speaker, polarity = one if isinstance(one, tuple) else ("customer", one)
        talk, turn = say(talk, point(number, polarity, speaker))
        turns += [turn] if turn else []
    return talk, turns


def told(packed: str) -> str:
    return unpack(packed).event_id


@given(POINT)
def test_a_packed_point_comes_back(made: Point) -> None:
    assert unpack(pack(made)) == made


@pytest.mark.parametrize("sign", [1, -1])
def test_two_messages_that_are_far_off_turn_it_with_the_first_of_them(sign: int) -> None:
    said = [0.4, ("bot", 0.1), 0.5, ("seat", -0.3), -0.8, ("seat", 0.2), -0.9]
    talk, turns = talked(*((w, p * sign) for w, p in [s if isinstance(s, tuple) else ("customer", s) for s in said]))
    (turn,) = turns
    assert turn.direction == ("soured" if sign > 0 else "brightened")
    assert told(turn.turning) == "m4"
    assert told(turn.confirmed) == "m6"
    assert [(told(p), unpack(p).speaker) for p in turn.before] == [("m1", "bot"), ("m2", "customer"), ("m3", "seat")]
    assert turn.level_before * sign > 0.3
    assert turn.level_after == pytest.approx(-0.85 * sign)
    assert (talk.turn, talk.turns, conversation.level(talk)) == (turn, 1, pytest.approx(turn.level_after))


@given(
    st.lists(st.floats(-0.12, 0.12), min_size=3, max_size=20),
    st.floats(-0.8, 0.8),
    st.floats(-1, 1),
    st.data(),
)
def test_one_odd_message_turns_nothing(noise: list[float], level: float, odd: float, data: st.DataObject) -> None:
    where = data.draw(st.integers(1, len(noise)))
    said = [level + n for n in noise]
    _, turns = talked(*said[:where], odd, *said[where:])
    assert turns == []


@given(st.lists(st.floats(-0.12, 0.12), min_size=4, max_size=11), st.floats(-0.8, 0.8), st.floats(-1, 1))
def test_one_odd_message_hardly_moves_a_speakers_mood(noise: list[float], level: float, odd: float) -> None:
    points = [point(i, level + n) for i, n in enumerate(noise)]
    without, with_it = typical(points), typical([*points, point(len(points), odd)])
    assert abs(with_it - without) <= 0.24


def test_a_slight_change_turns_it_after_several_messages() -> None:
    _, turns = talked(*([0.5] * 6), *([0.0] * 10))
    (turn,) = turns
    assert (turn.direction, told(turn.turning)) == ("soured", "m6")
    assert int(told(turn.confirmed)[1:]) >= 8


def test_who_speaks_besides_the_customer_turns_nothing() -> None:
    talk, turns = talked(0.5, 0.5, *([("seat", -1.0)] * 5), *([("bot", -1.0)] * 5), 0.5)
    assert turns == []
    assert talk.said == (3, 5, 5)
    assert conversation.level(talk) == pytest.approx(0.5)


def test_what_the_model_does_not_know_is_no_evidence() -> None:
    talk = talked(0.5, 0.5, 0.5)[0]
    for number in range(3, 9):
        talk, turn = say(talk, point(number, -0.9, label="unsure"))
        assert turn is None
    assert talk.said[0] == 9
    assert conversation.level(talk) == 0.5


def test_a_customer_who_arrives_angrier_than_they_left_has_turned_with_their_first_message() -> None:
    _, turns = talked(-0.8, -0.9, talk=begin("c2", NINE, brought=0.7, weight=3.0))
    assert [told(t.turning) for t in turns] == ["m0"]
    assert turns[0].before == ()
    assert turns[0].level_before == 0.7
    # A stranger, or someone whose last word is long ago, has nothing to turn from.
    assert talked(-0.8, -0.9)[1] == []
    assert talked(-0.8, -0.9, talk=begin("c2", NINE, brought=0.7, weight=0.2))[1] == []


def test_a_conversation_can_turn_back() -> None:
    talk, turns = talked(0.3, 0.3, -0.8, -0.8, -0.7, 0.6, 0.7, 0.6)
    assert [t.direction for t in turns] == ["soured", "brightened"]
    assert talk.turns == 2
    assert told(turns[1].turning) == "m5"


def test_a_late_message_is_kept_in_its_place_and_turns_nothing() -> None:
    talk = talked(0.5, 0.5, -0.6)[0]
    late = replace(point(1, -1.0), event_id="late", time=NINE + 30 * SECOND)
    after, turn = say(talk, late)
    assert turn is None
    assert [told(p) for p in after.points] == ["m0", "m1", "late", "m2"]
    assert after.recent == talk.recent


@given(st.lists(POINT, max_size=40))
def test_whatever_is_said_the_conversation_stays_bounded_and_within_its_range(points: list[Point]) -> None:
    talk = begin("c1", NINE)
    for made in points:
        talk, turn = say(talk, made)
        if turn is not None:
            assert -1 <= turn.level_before <= 1
            assert -1 <= turn.level_after <= 1
            assert len(turn.before) <= BEFORE
            assert unpack(turn.confirmed) == made
        assert -1 <= conversation.level(talk) <= 1
        assert len(talk.points) <= POINTS
        assert len(talk.recent) <= RECENT
    assert sum(talk.said) == len(points)
    times = [unpack(p).time for p in talk.points]
    assert all(a <= b for a, b in pairwise(times))
    for mood in conversation.moods(talk):
        assert -1 <= mood.mood <= 1
        assert -2 <= mood.trend <= 2
    assert msgspec.json.decode(encode(talk), type=Talk) == talk


def test_false_alarms_are_rare_where_nothing_turns() -> None:
    """A steady customer whose messages scatter by 0.3 is said to have turned by fewer than one of a hundred messages."""
    draw = np.random.default_rng(7)
    turned = messages = 0
    for _ in range(200):
        talk = begin("c", NINE)
        for number, polarity in enumerate(np.clip(draw.normal(-0.1, 0.3, 30), -1, 1)):
            talk, turn = say(talk, point(number, float(polarity)))
            turned += turn is not None
            messages += 1
    assert turned / messages < 0.01


def test_the_typical_polarity_is_a_median_in_which_what_is_old_weighs_less() -> None:
    assert typical([]) == 0.0
    assert typical([point(0, -0.4)]) == -0.4
    old = [replace(point(0, -1.0), time=NINE - timedelta(hours=3)) for _ in range(3)]
    assert typical([*old, point(1, 0.5), point(2, 0.7)]) >= 0.5


def test_a_trend_is_a_change_for_each_message() -> None:
    assert slope([]) == slope([0.4]) == 0.0
    assert slope([0.3, 0.2, 0.1, 0.0, -0.1]) == pytest.approx(-0.1)
    assert slope([0.3, 0.2, 0.1, 1.0, -0.1, -0.2]) == pytest.approx(-0.1, abs=0.03)


def test_seats_come_and_go() -> None:
    talk = conversation.serve(begin("c1", NINE), Stint("care", "s1", NINE))
    assert conversation.serving(talk, NINE - SECOND) is None
    assert conversation.serving(talk, NINE + SECOND) == talk.stints[0]
    assert conversation.leave(talk, "s2", NINE + SECOND) is talk
    left = conversation.leave(talk, "s1", NINE + 60 * SECOND)
    assert conversation.serving(left, NINE + 61 * SECOND) is None
    again = conversation.serve(left, Stint("care", "s2", NINE + 90 * SECOND))
    found = [conversation.serving(again, NINE + n * SECOND) for n in (30, 70, 100)]
    assert [s.seat_id if s else "" for s in found] == ["s1", "", "s2"]
