"""One event in: the facts, the mood, the conversation and the counts out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from services.runtime.pipeline import Delta
from services.sentiment.counters import count
from services.sentiment.domain.conversation import unpack
from services.sentiment.domain.decide import MAX_TALKS, decide
from services.sentiment.domain.events import (
    AngerAbsorbed,
    ConversationShifted,
    Corrected,
    Event,
    Fact,
    FeedbackGiven,
    MessageScored,
    Read,
    Said,
    SeatLeft,
    SeatTook,
    TalkPast,
)
from services.sentiment.domain.mood import CustomerMood
from services.sentiment.domain.score import Evidence, Label, Score
from services.sentiment.domain.text import Language

NOON = datetime(2026, 3, 2, 12, 0, 41, 5000, tzinfo=UTC)
MESSAGE = Said("e1", "channel/chat", "hu", "c1", "web_chat", "chat", None, "师傅态度很差", NOON)
MINUTE = timedelta(minutes=1)


def scorer(polarity: float, label: Label = "negative"):  # type: ignore[no-untyped-def]
    def score(text: str, language: Language | None) -> Score:
        assert text == MESSAGE.text
        return scored(polarity, label, language)

    return score


def scored(polarity: float, label: Label, language: Language | None = None) -> Score:
    negative = max(-polarity, 0.0)
    positive = max(polarity, 0.0)
    return Score(language or "zh", label, polarity, 0.9, negative, 1 - negative - positive, positive)


def by_sign(text: str, language: Language | None) -> Score:
    """The text is the polarity."""
    polarity = float(text)
    return scored(polarity, "negative" if polarity < -0.2 else "positive" if polarity > 0.2 else "neutral")


def said(minute: float, polarity: float, **more: object) -> Said:
    return replace(MESSAGE, event_id=f"m{minute}", text=str(polarity), time=NOON + minute * MINUTE, **more)  # type: ignore[arg-type]


def run(*events: Event, state: CustomerMood | None = None) -> tuple[CustomerMood, list[Fact]]:
    state, facts = state or CustomerMood("hu"), []
    for event in events:
        state, made = decide(state, event, event.time, by_sign)
        facts += made
    return state, facts


def test_the_fact_tells_what_was_scored_and_how_the_mood_stands() -> None:
    state, (fact,) = decide(CustomerMood("hu"), MESSAGE, NOON + timedelta(seconds=1), scorer(-0.8))
    assert (fact.source, fact.event_id, fact.contact_id, fact.customer_id) == (
        "channel/chat",
        "e1",
        "c1",
        "hu",
    )
    assert isinstance(fact, MessageScored)
    assert (fact.score.label, fact.score.language, fact.score.polarity, fact.time) == ("negative", "zh", -0.8, NOON)
    assert fact.customer_mood == state.value < 0
    assert fact.contact_mood < 0
    assert state.count == 1
    assert MESSAGE.text not in encode(state).decode(), "a state holds no words"


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


def test_what_bots_and_seats_say_is_scored_into_the_conversation_and_moves_no_mood() -> None:
    state, facts = run(said(0, 0.5), said(1, -0.9, speaker="seat", seat_id="s1"), said(2, -0.9, speaker="bot"))
    assert len(facts) == 1
    assert state.count == 1
    assert state.value > 0
    talk = state.talk("c1")
    assert talk is not None
    assert talk.said == (1, 1, 1)
    assert [(p.speaker, p.seat_id, p.polarity) for p in map(unpack, talk.points)] == [
        ("customer", "", 0.5),
        ("seat", "s1", -0.9),
        ("bot", "", -0.9),
    ]


def test_a_conversation_that_turns_is_told_once_with_who_served_it() -> None:
    took = SeatTook("hu", "c1", "care", "s1", NOON + MINUTE)
    _, facts = run(
        said(0, 0.5), took, said(2, 0.4), said(3, -0.5, speaker="seat"), said(4, -0.9), said(5, -0.8), said(6, -0.9)
    )
    (shift,) = (f for f in facts if isinstance(f, ConversationShifted))
    assert (shift.contact_id, shift.pool, shift.seat_id, shift.turn.direction) == ("c1", "care", "s1", "soured")
    assert unpack(shift.turn.turning).event_id == "m4"
    assert unpack(shift.turn.before[-1]).speaker == "seat"
    assert [d.counts for d in count(shift)] == [{"soured": 1}] * 2


def test_moods_are_carried_to_the_next_contact_of_the_customer() -> None:
    happy, _ = run(*(said(n, 0.8) for n in range(4)))
    later = 24 * 60.0
    state, facts = run(said(later, -0.8, contact_id="c2"), said(later + 1, -0.9, contact_id="c2"), state=happy)
    talk = state.talk("c2")
    assert talk is not None
    assert talk.brought > 0.5
    (shift,) = (f for f in facts if isinstance(f, ConversationShifted))
    assert unpack(shift.turn.turning).event_id == f"m{later}"


def test_a_seat_bears_the_anger_of_its_own_time_whatever_arrives_first() -> None:
    took, left = SeatTook("hu", "c1", "care", "s1", NOON + 2 * MINUTE), SeatLeft("hu", "c1", "s1", NOON + 6 * MINUTE)
    words = [said(n, -0.9) for n in (0, 1, 3, 5, 7)]
    expected = {"m3", "m5"}
    for order in (
        [*words[:2], took, *words[2:4], left, words[4]],
        [took, *words, left],
        [*words, took, left],
        [took, left, *words],
        [*words[:3], took, words[3], left, words[4]],
    ):
        _, facts = run(*order)
        borne = [f for f in facts if isinstance(f, AngerAbsorbed)]
        assert sorted(f.message_id for f in borne if f.message_id != "m7") == sorted(expected)
        assert all((f.pool, f.seat_id) == ("care", "s1") and 0 < f.anger <= 1 for f in borne)
    segments = {d.segment for d in count(borne[0])}
    assert segments == {(), (("pool", "care"),)}


def test_a_bots_contact_or_an_unknown_one_is_nobodys_load() -> None:
    state, facts = run(said(0, -0.9), said(1, -0.9))
    assert not [f for f in facts if isinstance(f, AngerAbsorbed)]
    assert run(SeatLeft("hu", "c9", "s1", NOON), state=state)[0] is state
    assert run(SeatLeft("hu", "c1", "s1", NOON), state=state)[0] is state


def test_a_correction_is_kept_with_what_the_model_says_and_changes_no_mood() -> None:
    corrected = Corrected("app", "m1", "hu", "c1", "s1", None, "-0.9", "positive", "", None, NOON)
    state = CustomerMood("hu")
    after, facts = decide(state, corrected, NOON, by_sign)
    assert after is state
    (fact,) = facts
    assert isinstance(fact, FeedbackGiven)
    assert (fact.correction, fact.score.label) == (corrected, "negative")
    assert [d.counts for d in count(fact)] == [{"corrected": 1, "corrected_wrong": 1}]
    right = replace(corrected, label="negative")
    assert [d.counts for d in count(decide(state, right, NOON, by_sign)[1][0])] == [
        {"corrected": 1, "corrected_wrong": 0}
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["c1", "c2", "c3", "c4", "c5"]),
            st.sampled_from(["customer", "bot", "seat"]),
            st.floats(-1, 1).map(lambda x: round(x, 3)),
            st.integers(0, 5000),
        ),
        max_size=40,
    )
)
def test_a_customers_state_stays_small_and_comes_back_from_json(words: list[tuple[str, str, float, int]]) -> None:
    state, facts = run(*(said(m, p, contact_id=c, speaker=who) for c, who, p, m in words))
    assert len(state.talks) <= MAX_TALKS
    assert sum(isinstance(f, MessageScored) for f in facts) == sum(who == "customer" for _, who, _, _ in words)
    assert msgspec.json.decode(encode(state), type=CustomerMood) == state


def test_a_conversation_leaves_the_state_once_when_newer_ones_have_come() -> None:
    events = [said(n, 0.1 * n, contact_id=f"c{n // 2}") for n in range(10)]
    state, facts = run(*events)
    past = [f for f in facts if isinstance(f, TalkPast)]
    assert [f.talk.contact_id for f in past] == ["c0", "c1", "c2"]
    assert all(f.talk.said == (2, 0, 0) and f.customer_id == "hu" for f in past)
    assert [t.contact_id for t in state.talks] == ["c3", "c4"]
    assert [list(count(f)) for f in past] == [[], [], []]
    # Two that go on at once both stay, and a seat that took a contact in which nothing was said leaves no trace.
    state, facts = run(*(said(n, 0.1, contact_id=f"c{n % 2}") for n in range(10)))
    assert not [f for f in facts if isinstance(f, TalkPast)]
    silent, _ = run(SeatTook("hu", "c0", "care", "s1", NOON))
    assert not [
        f
        for f in run(said(1, 0.1, contact_id="c1"), said(2, 0.1, contact_id="c2"), state=silent)[1]
        if isinstance(f, TalkPast)
    ]


UUID = "0b6c2a1e-6f0e-4c55-9d0c-6f3f3c9a7b11"


def contact(number: int, polarities: list[float]) -> list[Event]:
    """A contact served by a seat that answers each time, with ids as long as UUIDs."""
    contact_id, start = f"{UUID[:-2]}{number:02}", number * 100.0
    events: list[Event] = [SeatTook("hu", contact_id, "after_sales", "seat-0117", NOON + start * MINUTE)]
    for n, polarity in enumerate(polarities):
        for offset, speaker, seat_id in ((0.0, "customer", ""), (0.5, "seat", "seat-0117")):
            one = said(start + n + offset, polarity, contact_id=contact_id, speaker=speaker, seat_id=seat_id)
            events.append(replace(one, source="/channels/wechat", event_id=f"{UUID[:-4]}{n:04}"))
    return events


def test_a_state_takes_few_bytes_and_never_more_than_seven_thousand() -> None:
    usual, _ = run(*contact(0, [0.1, -0.3, 0.2, 0.4]))
    assert len(encode(usual)) < 1_800
    largest, _ = run(
        *(event for number in range(12) for event in contact(number, [0.5, 0.6, 0.5, -0.9, -0.8, -0.9] * 2))
    )
    assert len(largest.talks) == MAX_TALKS
    assert len(encode(largest)) < 7_000


def test_a_state_from_before_conversations_is_read() -> None:
    old = b'{"customer_id":"hu","slow":{"updated":"2026-03-02T12:00:00Z","weight":1.0,"total":-0.5,"count":1},"fast":null,"contacts":[]}'
    state = msgspec.json.decode(old, type=CustomerMood)
    assert (state.value < 0, state.talks) == (True, ())


def test_what_was_read_with_its_batch_is_not_scored_again() -> None:
    def never(text: str, language: Language | None) -> Score:
        raise AssertionError(text)

    pieces = (Evidence(0, 2, -1.5, "polarity"),)
    read = Read(MESSAGE, scored(-0.8, "negative"), pieces, 0.25)
    state, (fact,) = decide(CustomerMood("hu"), read, NOON, never)
    assert isinstance(fact, MessageScored)
    assert (fact.evidence, fact.unseen) == (pieces, 0.25)
    assert state == decide(CustomerMood("hu"), MESSAGE, NOON, scorer(-0.8))[0]
    start = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert next(iter(count(fact))) == Delta(
        "sentiment", (("language", "zh"),), "PT1M", start, {"familiar_n": 1, "unseen_milli": 250}
    )
    corrected = Corrected("app", "m1", "hu", "c1", "s1", None, "?", "positive", "", None, NOON)
    assert decide(state, Read(corrected, read.score), NOON, never)[1] == (FeedbackGiven(corrected, read.score),)
