"""One message in: the fact, the mood and the counts out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.runtime.pipeline import Delta
from services.sentiment.counters import count
from services.sentiment.domain.decide import CustomerMessage, decide
from services.sentiment.domain.model import Label, Score
from services.sentiment.domain.mood import CustomerMood
from services.sentiment.domain.text import Language

NOON = datetime(2026, 3, 2, 12, 0, 41, 5000, tzinfo=UTC)
MESSAGE = CustomerMessage("e1", "channel/chat", "hu", "c1", "web_chat", "chat", None, "师傅态度很差", NOON)


def scorer(polarity: float, label: Label = "negative"):  # type: ignore[no-untyped-def]
    def score(text: str, language: Language | None) -> Score:
        assert text == MESSAGE.text
        negative = max(-polarity, 0.0)
        positive = max(polarity, 0.0)
        neutral = 1 - negative - positive
        return Score(language or "zh", label, polarity, 0.9, negative, neutral, positive)

    return score


def test_the_fact_tells_what_was_scored_and_how_the_mood_stands() -> None:
    state, (fact,) = decide(CustomerMood("hu"), MESSAGE, NOON + timedelta(seconds=1), scorer(-0.8))
    assert (fact.source, fact.event_id, fact.contact_id, fact.customer_id) == (
        "channel/chat",
        "e1",
        "c1",
        "hu",
    )
    assert (fact.label, fact.language, fact.polarity, fact.time) == ("negative", "zh", -0.8, NOON)
    assert fact.customer_mood == state.value < 0
    assert fact.contact_mood < 0
    assert state.count == 1


def test_counts_go_to_the_minute_of_the_event_over_all_and_by_touchpoint() -> None:
    _, (fact,) = decide(CustomerMood("hu"), MESSAGE, NOON + timedelta(hours=3), scorer(-0.8, "unsure"))
    start = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    counts = {"unsure": 1, "polarity_milli": -800}
    assert list(count(fact)) == [
        Delta("sentiment", (), "PT1M", start, counts),
        Delta("sentiment", (("touchpoint", "web_chat"),), "PT1M", start, counts),
    ]


@given(st.floats(-1, 1), st.integers(-100_000, 100_000))
def test_the_same_message_leads_to_the_same_decision(polarity: float, seconds: int) -> None:
    now = NOON + timedelta(seconds=seconds)
    first = decide(CustomerMood("hu"), MESSAGE, now, scorer(polarity))
    assert first == decide(CustomerMood("hu"), MESSAGE, now, scorer(polarity))
    assert first[1][0].time == NOON


def test_a_clock_that_is_ahead_does_not_make_later_messages_look_old() -> None:
    ahead = replace(MESSAGE, time=NOON + timedelta(days=300))
    state = decide(CustomerMood("hu"), ahead, NOON, scorer(0.9))[0]
    assert state.updated == NOON
    after = decide(state, MESSAGE, NOON + timedelta(minutes=1), scorer(-0.9))[0]
    assert after.value < 0.1
