"""What service is judged by: contacts, tickets and answers of one customer, and the figures that their counts make."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from services.nps.domain.asking import Plan
from services.nps.domain.figures import figure
from services.nps.domain.kpis import FIELDS, NAMES, kpis, sentence
from services.nps.domain.matters import MatterJudged
from services.nps.domain.service import (
    Answered,
    Began,
    Counted,
    Event,
    Over,
    Replied,
    Service,
    TicketMoved,
    decide,
    due,
    tick,
)

AT = datetime(2026, 11, 2, 2, tzinfo=UTC)
OFF = Plan(asks=False)
TIME, REFUND = (("store", "s1"), ("touchpoint", "time")), (("store", "s1"), ("touchpoint", "refund"))


def began(contact: str, hours: float = 0, segments=TIME, topic: str = "") -> Began:
    return Began(AT + timedelta(hours=hours), contact, "app", "zh", topic, segments, 3)


def after(hours: float) -> datetime:
    return AT + timedelta(hours=hours)


def run(*events: Event, until: float = 24 * 60) -> tuple[Service, Counter]:
    """The state, and all counts together, once so many hours have passed."""
    state, found = Service("c"), Counter()
    facts: list[object] = []
    for event in events:
        state, more = decide(state, event, event.time, OFF, UTC)
        facts += more
    while (at := due(state)) is not None and at <= after(until):
        state, more = tick(state, at, OFF, UTC)
        facts += more
    for fact in facts:
        if isinstance(fact, MatterJudged):  # tests/unit/test_nps_live.py
            continue
        assert isinstance(fact, Counted)
        assert set(fact.counts) <= set(FIELDS)
        found.update(fact.counts)
    return state, +found


def test_a_contact_that_is_served_and_does_not_come_back_is_solved_at_once() -> None:
    state, counts = run(
        began("k"), Replied(after(0.01), "k"), Replied(after(0.5), "k"), Over(after(1), "k", abandoned=False)
    )
    assert counts == Counter(
        contacts=1, responded=1, response_ms=36_000, response_s2=1296, ended=1, judged=1, first_contact=1
    )
    assert not state.contacts


def test_who_comes_back_about_the_same_within_a_week_has_called_back() -> None:
    _, counts = run(
        began("k"), Over(after(1), "k", abandoned=False),
        began("other", 20, REFUND), Over(after(21), "other", abandoned=False),
        began("again", 24), Over(after(25), "again", abandoned=False),
        began("late", 24 * 20), Over(after(24 * 20 + 1), "late", abandoned=False),
    )  # fmt: skip
    assert (counts["judged"], counts["called_back"], counts["first_contact"]) == (4, 1, 3)


def test_two_contacts_of_which_nobody_said_what_they_are_about_are_not_about_the_same() -> None:
    _, counts = run(
        began("k", 0, ()), Over(after(1), "k", abandoned=False), began("again", 24, ()), Over(after(25), "again", abandoned=False)
    )  # fmt: skip
    assert (counts["judged"], counts["called_back"]) == (2, 0)


def test_a_clock_that_is_ahead_neither_asks_again_too_soon_nor_stretches_a_ticket() -> None:
    ahead = after(24 * 200)
    state, _ = decide(Service("c", asked_at=AT), Answered(ahead, "s", 3, "k"), after(24), OFF, UTC)
    assert state.asked_at == after(24)
    state, _ = decide(Service("c"), TicketMoved(AT, "t", "opened"), AT, OFF, UTC)
    _, facts = decide(state, TicketMoved(ahead, "t", "resolved"), after(4), OFF, UTC)
    assert [f.counts["resolution_s"] for f in facts if isinstance(f, Counted)] == [4 * 3600]


def test_a_contact_is_not_judged_before_its_week_is_over() -> None:
    state, counts = run(began("k"), Over(after(1), "k", abandoned=False), until=24 * 6)
    assert counts["judged"] == 0
    assert due(state) == after(1) + timedelta(days=7)


def test_an_open_ticket_an_abandoned_contact_and_a_bad_answer_tell() -> None:
    _, counts = run(
        began("k"), TicketMoved(after(0.5), "t", "opened", "k", "repair"), Over(after(1), "k", abandoned=False)
    )
    assert (counts["first_contact"], counts["opened"], counts["resolved"], counts["churn_signs"]) == (0, 1, 0, 0)
    _, counts = run(began("k"), Over(after(1), "k", abandoned=True))
    assert (counts["first_contact"], counts["churn_signs"], counts["abandoned"]) == (0, 1, 1)
    answer = Answered(after(2), "s", 3, "k", 2)
    _, counts = run(began("k"), Over(after(1), "k", abandoned=False), answer)
    assert (counts["churn_signs"], counts["rated"], counts["satisfied"]) == (1, 1, 0)
    corrected = Answered(after(3), "s", 9, given=False)
    _, counts = run(began("k"), Over(after(1), "k", abandoned=False), answer, corrected)
    assert counts["churn_signs"] == 0


def test_a_ticket_that_comes_back_takes_its_resolution_back() -> None:
    opened = TicketMoved(after(1), "t", "opened", "k", "")
    events = [began("k", topic="complaint"), opened, TicketMoved(after(3), "t", "resolved")]
    _, counts = run(*events)
    assert (counts["complaints"], counts["complaints_resolved"], counts["resolution_s"]) == (1, 1, 7200)
    _, counts = run(*events, TicketMoved(after(5), "t", "reopened"))
    assert (counts["complaints"], counts["complaints_resolved"], counts["resolved"], counts["resolution_s"]) == (
        1,
        0,
        0,
        0,
    )
    _, counts = run(*events, TicketMoved(after(5), "t", "reopened"), TicketMoved(after(11), "t", "resolved"))
    assert (counts["complaints_resolved"], counts["resolution_s"], counts["resolution_min2"]) == (1, 36_000, 360_000)


def test_a_resolution_that_is_heard_of_before_its_opening_counts_once_the_opening_comes() -> None:
    opened = TicketMoved(after(1), "t", "opened", "k", "repair")
    resolved = TicketMoved(after(3), "t", "resolved")
    _, in_order = run(began("k"), opened, resolved)
    for events in ((resolved, opened), (resolved, resolved, opened, resolved), (resolved, opened, opened)):
        state, counts = run(began("k"), *events)
        assert counts == in_order
        assert not state.early
    _, counts = run(began("k"), resolved, TicketMoved(after(5), "t", "reopened"), opened)
    assert (counts["opened"], counts["resolved"]) == (1, 0)
    many = (TicketMoved(after(1), f"t{n}", "resolved") for n in range(200))
    state, counts = run(*many)
    assert len(state.early) == 50
    assert not counts


def test_figures_have_their_error_and_say_where_there_are_too_few() -> None:
    counts = {
        "responded": 100, "response_ms": 3_000_000, "response_s2": 100_000, "resolved": 20, "resolution_s": 72_000,
        "resolution_min2": 80_000, "judged": 200, "called_back": 30, "first_contact": 150, "churn_signs": 20,
        "rated": 5, "satisfied": 4, "complaints": 0,
    }  # fmt: skip
    found = {k.name: k for k in kpis(counts, figure(60, 20, 20))}
    assert list(found) == list(NAMES)
    first = found["first_response"]
    assert first.value == 30
    spread = ((100_000 - 100 * 900) / 99) ** 0.5
    assert first.high - first.value == pytest.approx(1.959964 * spread / 10)
    assert found["resolution"].value == 1.0
    assert found["callback"].value == 15
    assert found["callback"].low < 15 < found["callback"].high
    assert found["recommendation"].value == 40
    assert "too few cases (5)" in sentence(found["satisfaction"], zh=False)
    assert found["complaint_resolution"].value is None
    assert sentence(found["complaint_resolution"], zh=True) == "投诉解决率：没有数据"
    assert sentence(found["callback"], zh=True).startswith("重复联系率：15.0%（")
