"""The risk: reasons add up to it, more of what is bad never lowers it, the order of arrival makes no difference."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.escalation.domain.decide import decide, due, tick
from services.escalation.domain.events import (
    Bought,
    ContactOver,
    ContactRequested,
    CustomerSaid,
    DeliveryFailed,
    Event,
    Handed,
    MessageScored,
    Replied,
    TicketMoved,
    Turned,
)
from services.escalation.domain.risk import assess
from services.escalation.domain.state import Contact, Customer, Said

START = datetime(2026, 11, 18, 8, tzinfo=UTC)
NOW = START + timedelta(days=4)


def base(n: int, minutes: int) -> dict[str, object]:
    return {"source": "s", "event_id": str(n), "customer_id": "c", "time": START + timedelta(minutes=minutes)}


def make(kind: int, n: int, minutes: int, which: int, level: float) -> list[Event]:
    """One thing that happens, as one or two events; `n` names it."""
    b = base(n, minutes)
    text = ("你好", "我要投诉", "还是不制冷", "12315")[which]
    contact = {"contact_id": f"k{which}", "touchpoint": "repair"}
    match kind:
        case 0:
            return [ContactRequested(**b, **contact)]  # type: ignore[arg-type]
        case 1:
            score = {**base(n, minutes), "source": "m", "message": f"s {n}", "said_at": b["time"], "polarity": level}
            return [CustomerSaid(**b, **contact, text=text), MessageScored(**score, **contact)]  # type: ignore[arg-type]
        case 2:
            return [Replied(**b, contact_id=f"k{which}")]  # type: ignore[arg-type]
        case 3:
            return [ContactOver(**b, contact_id=f"k{which}", abandoned=level < 0)]  # type: ignore[arg-type]
        case 4:
            status = ("opened", "reopened", "resolved", "other")[which]
            return [TicketMoved(**b, ticket_id="t", status=status)]  # type: ignore[arg-type]
        case 6:
            turn = {"contact_id": f"k{which}", "turning": f"t{n}", "turned_at": b["time"], "soured": level < 0}
            return [Turned(**b, **turn)]  # type: ignore[arg-type]
        case 7:
            how, waited = ("returned", 0.0) if level > 0.5 else ("taken", 20 * abs(level))
            return [Handed(**b, contact_id=f"k{which % 2}", how=how, to=f"s{n}", waited_minutes=waited)]  # type: ignore[arg-type]
        case 8:
            return [Bought(**b, order_id=f"o{which}", cents=int(500_000 * abs(level)))]  # type: ignore[arg-type]
        case _:
            failure = ("delayed", "spoilt", "refund", "delayed")[which]
            return [DeliveryFailed(**b, order_id=f"o{which}", failure=failure, delay_minutes=90 if level > 0 else 30)]  # type: ignore[arg-type]


things = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 4000), st.integers(0, 3), st.floats(-1, 1)), min_size=1, max_size=14
)


def play(events: list[Event]) -> Customer:
    state = Customer("c")
    for event in events:
        state, _ = decide(state, event, NOW)
    return state


@settings(max_examples=120, deadline=None)
@given(things, st.randoms(use_true_random=False))
def test_order_and_repetition_make_no_difference(found: list[tuple[int, int, int, float]], rnd: random.Random) -> None:
    events = [e for n, thing in enumerate(found) for e in make(thing[0], n, *thing[1:])]
    again = events + [e for e in events if rnd.random() < 0.3]
    rnd.shuffle(again)
    one, other = play(events), play(again)
    assert other.risk == pytest.approx(one.risk)
    assert (other.account.since, other.account.orders) == (one.account.since, one.account.orders)
    assert other.account.bought_cents == one.account.bought_cents
    assert [(r.code, pytest.approx(r.weight), pytest.approx(r.value)) for r in other.reasons] == [
        (r.code, r.weight, r.value) for r in one.reasons
    ]


def test_what_a_channel_says_of_the_customer_holds_by_its_own_time() -> None:
    said = [
        ContactRequested(**base(n, n), contact_id=f"k{n}", touchpoint="", tier=tier, language=language)  # type: ignore[arg-type]
        for n, (tier, language) in enumerate((("vip", "zh"), ("basic", "")))
    ]
    for events in (said, said[::-1]):
        traits = play(list(events)).traits
        assert (traits.tier, traits.language) == ("basic", "zh")


def test_of_two_words_of_a_delay_the_later_one_holds_whichever_comes_first() -> None:
    late = [
        DeliveryFailed(**base(n, n), order_id="o", failure="delayed", delay_minutes=minutes)  # type: ignore[arg-type]
        for n, minutes in enumerate((90, 30))
    ]
    one, other = play(list(late)), play(late[::-1])
    assert one.failures == other.failures and one.failures[0].delay_minutes == 30
    assert one.reasons == other.reasons


@settings(deadline=None)
@given(things)
def test_reasons_add_up_and_come_heaviest_first(found: list[tuple[int, int, int, float]]) -> None:
    state = play([e for n, thing in enumerate(found) for e in make(thing[0], n, *thing[1:])])
    assert 0 <= state.risk <= 1
    assert sum(r.weight for r in state.reasons) == pytest.approx(state.risk)
    assert [r.weight for r in state.reasons] == sorted((r.weight for r in state.reasons), reverse=True)
    assert all(r.weight > 0 for r in state.reasons)


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8), st.integers(0, 7), st.floats(0, 1))
def test_a_worse_last_message_never_lowers_the_risk(moods: list[float], contacts: int, by: float) -> None:
    said = tuple(Said(f"m{i}", "k", "", START + timedelta(minutes=i), p) for i, p in enumerate(moods))
    state = Customer("c", said=said, contacts=tuple(Contact(f"k{i}", "", START) for i in range(contacts)))
    worse = replace(said[-1], polarity=max(-1.0, moods[-1] - by))
    more = Contact("more", "", START)
    risk = assess(state, NOW).risk
    assert assess(replace(state, said=(*said[:-1], worse)), NOW).risk >= risk - 1e-9
    assert assess(replace(state, contacts=(*state.contacts, more)), NOW).risk >= risk - 1e-9


def test_old_evidence_does_not_count() -> None:
    state = play([*make(0, 1, 0, 0, 0), *make(0, 2, 10, 1, 0), *make(0, 3, 73 * 60, 2, 0)])
    assert [c.contact_id for c in state.contacts] == ["k2"]
    assert state.risk == 0


def test_a_clock_that_runs_ahead_pushes_nothing_out_of_the_window() -> None:
    now = START + timedelta(hours=2)
    state = Customer("c")
    for event in (*make(0, 1, 0, 0, 0), *make(0, 2, 24 * 60 * 200, 1, 0)):
        state, _ = decide(state, event, now)
    assert len(state.contacts) == 2
    assert state.latest == now


def test_no_text_is_kept() -> None:
    state, _ = decide(Customer("c"), make(1, 1, 0, 3, -1)[0], NOW)
    assert "12315" not in repr(state)


WORSE = {
    "repeat_contact, repeat_today, long_history": lambda n, m, w: make(0, n, m, w, 0),
    "reopened_ticket": lambda n, m, w: make(4, n, m, 1, 0),
    "turned_sour": lambda n, m, w: make(6, n, m, w, -1),
    "reassigned": lambda n, m, w: make(7, n, m, w, 0.9),
    "broken_promise": lambda n, m, w: make(7, n, m, w, -1),
    # Of another order: what comes later of the same one is its newer figure, and may be better.
    "delivery_failed": lambda n, m, w: [replace(event, order_id="another") for event in make(5, n, m, w, 0)],
    "value": lambda n, m, w: make(8, n, m, w, 1),
}


@settings(max_examples=60, deadline=None)
@given(things, st.sampled_from(sorted(WORSE)), st.integers(0, 3))
def test_more_of_what_is_bad_never_lowers_the_risk(
    found: list[tuple[int, int, int, float]], what: str, which: int
) -> None:
    before = [e for n, thing in enumerate(found) for e in make(thing[0], n, *thing[1:])]
    last = max(thing[1] for thing in found)
    # As old as what is known, so that nothing else grows older by it.
    more = WORSE[what](1000, last, which)
    assert play(before + more).risk >= play(before).risk - 1e-9


def test_silence_about_an_open_ticket_raises_the_risk_step_by_step_until_it_weighs_its_most() -> None:
    opened = make(4, 1, 0, 0, 0)[0]
    state, _ = decide(Customer("c"), opened, START)
    now, risks = START, [state.risk]
    while (at := due(state)) is not None and at < START + timedelta(hours=71):
        assert at > now
        now = at
        state, _ = tick(state, now)
        risks.append(state.risk)
    assert len(risks) == 6 and risks == sorted(risks) and risks[0] < risks[-1]
    (silence,) = state.reasons
    assert silence.code == "silence" and silence.value == pytest.approx(60, abs=0.1)


def test_who_brightened_again_and_the_same_seat_twice_count_for_nothing() -> None:
    soured = make(6, 1, 0, 0, -1)
    assert play(soured).reasons[0].code == "turned_sour"
    assert play([*soured, *make(6, 2, 5, 0, 1)]).risk == 0
    taken = [
        Handed(**base(n, n), contact_id="k", how="taken", to=seat, waited_minutes=1)  # type: ignore[arg-type]
        for n, seat in enumerate(("a", "a", "b"))
    ]
    assert play(taken[:2]).risk == 0
    assert [(r.code, r.value) for r in play(taken).reasons] == [("reassigned", 1)]


def test_thirty_days_of_contacts_are_history_and_older_ones_are_forgotten() -> None:
    state = Customer("c")
    for day in range(40):
        contact = {"contact_id": f"d{day}", "touchpoint": ""}
        event = ContactRequested(**base(day, day * 24 * 60), **contact)  # type: ignore[arg-type]
        state, _ = decide(state, event, START + timedelta(days=day))
    value = {r.code: r.value for r in state.reasons}
    assert value["long_history"] in (30, 31) and value["repeat_contact"] in (3, 4)
    assert len(state.contacts) <= 4


def test_nothing_is_known_before_it_happens() -> None:
    """Events of the future change no score of the past: each score is made from what had come by then."""
    events = [e for n, m in enumerate(range(0, 3000, 97)) for e in make(n % 9, n, m, n % 4, -0.9 if n % 2 else 0.4)]
    scores, state = [], Customer("c")
    for event in events:
        state, _ = decide(state, event, event.time)
        scores.append((state.risk, state.reasons))
    for cut in (3, 10, len(events) - 1):
        shuffled = events[:cut] + random.Random(cut).sample(events[cut:], len(events) - cut)
        state = Customer("c")
        for event, (risk, reasons) in zip(shuffled[:cut], scores, strict=False):
            state, _ = decide(state, event, event.time)
            assert (state.risk, state.reasons) == (risk, reasons)
