"""Which answer stands: any order and any repetition, the same result; measured against an oracle that sees all at once."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nps.domain.figures import group
from services.nps.domain.survey import (
    MAX_SURVEYS,
    CustomerSurveys,
    Event,
    SurveyAnswered,
    SurveyClosedError,
    SurveyCorrected,
    SurveyCounted,
    SurveyRetracted,
    decide,
    last_answer,
)
from services.nps.domain.tally import Tally

START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
Cell = tuple[datetime, tuple[str, str] | None, str]


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def answered(survey: str, minutes: int, score: int, event_id: str = "a", **segments: str) -> SurveyAnswered:
    return SurveyAnswered("survey", event_id, "c", survey, at(minutes), score, tuple(sorted(segments.items())))


def corrected(survey: str, minutes: int, score: int, event_id: str = "k") -> SurveyCorrected:
    return SurveyCorrected("survey", event_id, "c", survey, at(minutes), score)


def retracted(survey: str, minutes: int, event_id: str = "r") -> SurveyRetracted:
    return SurveyRetracted("survey", event_id, "c", survey, at(minutes))


def play(events: list[Event]) -> tuple[CustomerSurveys, Counter[Cell]]:
    """The state, and the counts by place that the facts add up to; a count below zero on the way fails."""
    state, cells = CustomerSurveys("c"), Counter[Cell]()
    for event in events:
        state, facts = decide(state, event, NOW)
        for fact in facts:
            for segment in (None, *fact.segments):
                if fact.before is not None:
                    cells[fact.answered_at, segment, group(fact.before)] -= 1
                    assert cells[fact.answered_at, segment, group(fact.before)] >= 0
                if fact.after is not None:
                    cells[fact.answered_at, segment, group(fact.after)] += 1
    return state, +cells


def oracle(events: list[Event]) -> Counter[Cell]:
    """The same counts from all events at once, by the words of the rule."""
    cells = Counter[Cell]()
    for survey in {e.survey_id for e in events}:
        mine = [e for e in events if e.survey_id == survey]
        answers = sorted((e.time, e.event_id, e.score, e.segments) for e in mine if isinstance(e, SurveyAnswered))
        corrections = sorted((e.time, e.event_id, e.score) for e in mine if isinstance(e, SurveyCorrected))
        if answers and not any(isinstance(e, SurveyRetracted) for e in mine):
            score = corrections[-1][2] if corrections else answers[-1][2]
            for segment in (None, *answers[-1][3]):
                cells[answers[-1][0], segment, group(score)] += 1
    return cells


surveys = st.sampled_from(["s1", "s2", "s3"])
minutes = st.integers(0, 3)
scores = st.integers(0, 10)
ids = st.sampled_from(["x", "y", "z"])
events = st.one_of(
    st.builds(
        lambda s, m, k, i, r: answered(s, m, k, i, region=r),
        surveys,
        minutes,
        scores,
        ids,
        st.sampled_from(["华东", "华南"]),
    ),
    st.builds(corrected, surveys, minutes, scores, ids),
    st.builds(retracted, surveys, minutes, ids),
)


@settings(max_examples=400)
@given(st.lists(events, max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_give_the_oracles_counts(found: list[Event], rnd: random.Random) -> None:
    again = found + [e for e in found if rnd.random() < 0.5]
    rnd.shuffle(again)
    state, cells = play(again)
    assert cells == oracle(found)
    other, same = play(found)
    assert same == cells
    assert other == state


@given(st.lists(events, max_size=12))
def test_the_tally_agrees_with_the_facts(found: list[Event]) -> None:
    tally = Tally()
    unique = list({(type(e), e.survey_id, e.event_id, e.time): e for e in found}.values())
    for i, event in enumerate(unique):
        tally.add(type(event)(**{**{f: getattr(event, f) for f in event.__dataclass_fields__}, "source": str(i)}))
    cells = oracle([*unique])
    assert tally.all().n == sum(n for (_, segment, _), n in cells.items() if segment is None)
    assert tally.all().promoters == sum(
        n for (_, segment, g), n in cells.items() if segment is None and g == "promoters"
    )
    for dimension, value, figure in tally.segments():
        assert figure.n == sum(n for (_, segment, _), n in cells.items() if segment == (dimension, value))


def test_a_correction_waits_for_its_answer() -> None:
    state, facts = decide(CustomerSurveys("c"), corrected("s", 5, 2), NOW)
    assert facts == ()
    state, facts = decide(state, answered("s", 1, 10), NOW)
    assert facts == (SurveyCounted("c", "s", None, 2, (), at(1), at(1)),)


def test_the_latest_correction_by_event_time_stands_and_ties_go_by_id() -> None:
    state, _ = play([answered("s", 0, 5), corrected("s", 9, 10, "k1"), corrected("s", 3, 0, "k2")])
    assert last_answer(state).score == 10  # type: ignore[union-attr]
    state, _ = play([corrected("s", 3, 8, "k2"), answered("s", 0, 5), corrected("s", 3, 1, "k1")])
    assert last_answer(state).score == 8  # type: ignore[union-attr]


def test_an_answer_that_moves_is_withdrawn_from_its_old_place_and_counted_at_the_new() -> None:
    state, _ = decide(CustomerSurveys("c"), answered("s", 0, 9, "a1", region="华东"), NOW)
    _, facts = decide(state, answered("s", 7, 3, "a2", region="华南"), NOW)
    assert facts == (
        SurveyCounted("c", "s", 9, None, (("region", "华东"),), at(0), at(7)),
        SurveyCounted("c", "s", None, 3, (("region", "华南"),), at(7), at(7)),
    )


def test_a_retraction_that_comes_first_holds() -> None:
    state, cells = play([retracted("s", 9), answered("s", 1, 10), corrected("s", 2, 9)])
    assert not cells
    assert last_answer(state) is None


def test_surveys_are_bounded_and_a_closed_one_cannot_count_twice() -> None:
    state, cells = play([answered(f"s{i}", i, 10, f"a{i}") for i in range(MAX_SURVEYS + 2)])
    assert len(state.surveys) == MAX_SURVEYS
    assert sum(n for (_, segment, _), n in cells.items() if segment is None) == MAX_SURVEYS + 2
    with pytest.raises(SurveyClosedError):
        decide(state, answered("s1", 1, 10, "again"), NOW)
    _, facts = decide(state, answered("new", 10_000, 3), NOW)
    assert [f.after for f in facts] == [3]
