"""Triage: rules in order, nobody lost, whatever the order of the events."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain import triage
from services.router.domain.events import (
    ContactAbandoned,
    ContactEnded,
    ContactRequested,
    CustomerEvent,
    HandoverRequested,
    Known,
    MessageReceived,
)
from services.router.domain.facts import BOT, ContactClosed, ContactQueued, ContactTriaged, ContactWithdrawn, Outcome
from services.router.domain.policy import Policy, Route, Rule, Terms, When, within
from services.router.domain.triage import MAX_CONTACTS, MAX_IN_POOLS, Customer

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai

POLICY = Policy(
    version="test",
    zone=timezone(timedelta(hours=8)),
    rules=(
        Rule("vip", When(tiers=frozenset({"vip"})), Route("care", 80)),
        Rule("angry", When(mood_below=-0.5), Route("care", 60, {"calm": 2})),
        Rule("risky", When(risk_above=0.7), Route("care", 50)),
        Rule("repair", When(touchpoints=("after_sales",)), Route("technical", 10)),
        Rule("asked", When(wants_human=True), Route("service", 20)),
        Rule("all", When(), Route(BOT)),
    ),
    default=Route(BOT),
    handover=Route("service", 30),
    pools={"care": Terms(), "service": Terms(), "technical": Terms(hours=(9 * 60, 18 * 60))},
)


NOTHING = Known()


def requested(contact: str = "k1", known: Known = NOTHING, at: datetime = T0, **more: object) -> ContactRequested:
    return ContactRequested(
        event_id=f"r-{contact}", source="app", time=at, customer_id="c", contact_id=contact, channel="app",
        known=known, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def other(kind: type[CustomerEvent], contact: str = "k1", **more: object) -> CustomerEvent:
    return kind(event_id=f"e-{contact}", source="app", time=T0, customer_id="c", contact_id=contact, **more)


def run(*events: CustomerEvent) -> list[object]:
    state, facts = Customer("c"), []
    for event in events:
        state, new = triage.decide(state, event, T0, POLICY)
        facts += new
    return facts


def route(**more: object) -> tuple[str, str, int]:
    fact = run(requested(**more))[0]  # type: ignore[arg-type]
    assert isinstance(fact, ContactTriaged)
    return fact.rule, fact.pool, fact.priority


def test_the_first_rule_that_matches_decides() -> None:
    assert route() == ("all", BOT, 0)
    assert route(tier="vip", wants_human=True) == ("vip", "care", 80)
    assert route(known=Known(mood=-0.6), tier="gold") == ("angry", "care", 60)
    assert route(wants_human=True) == ("asked", "service", 20)


def test_a_figure_that_is_missing_matches_no_rule_and_stands_in_the_decision() -> None:
    fact = run(requested(known=Known(missing=("sentiment", "escalation"))))[0]
    assert isinstance(fact, ContactTriaged)
    assert fact.rule == "all" and fact.inputs.missing == ("sentiment", "escalation") and fact.inputs.mood is None


def test_a_rule_for_a_closed_pool_does_not_match() -> None:
    assert route(touchpoint="after_sales.repair")[0] == "repair"
    assert route(touchpoint="after_sales.repair", at=T0 + timedelta(hours=10))[0] == "all"
    assert route(touchpoint="after_sales_else")[0] == "all"


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_hours_and_their_reverse_share_the_day(start: int, end: int, minute: int) -> None:
    if start != end:
        assert within((start, end), minute) != within((end, start), minute)


def test_a_handover_goes_through_the_rules_and_never_back_to_the_bot() -> None:
    facts = run(requested(), other(HandoverRequested, reason="bot_failed"))
    assert [type(f) for f in facts] == [ContactTriaged, ContactTriaged, ContactQueued]
    last = facts[1]
    assert isinstance(last, ContactTriaged)
    assert (last.rule, last.pool, last.inputs.handover) == ("handover", "service", "bot_failed")
    angry = run(requested(), other(HandoverRequested, reason="mood", known=Known(mood=-0.9)))[1]
    assert isinstance(angry, ContactTriaged)
    assert (angry.rule, angry.skills) == ("angry", {"calm": 2})
    assert len(run(requested(), *[other(HandoverRequested, reason="mood")] * 3)) == 3


def test_a_handover_before_the_request_goes_to_a_human() -> None:
    facts = run(other(HandoverRequested, reason="customer_asked"), requested())
    assert [type(f) for f in facts] == [ContactTriaged, ContactQueued]


def test_ends() -> None:
    ended = run(requested(), other(ContactEnded))[-1]
    assert isinstance(ended, ContactClosed) and ended.outcome is Outcome.BOT
    left = run(requested(), other(ContactAbandoned))[-1]
    assert isinstance(left, ContactClosed) and left.outcome is Outcome.ABANDONED
    gone = run(requested(tier="vip"), other(ContactAbandoned))[-1]
    assert isinstance(gone, ContactWithdrawn) and gone.abandoned and gone.pool == "care"


def test_what_ended_before_it_was_requested_rings_no_seat() -> None:
    for tier in ("", "vip"):
        facts = run(other(ContactAbandoned), requested(tier=tier))
        assert [type(f) for f in facts] == [ContactTriaged, ContactClosed]


def test_one_minute_later_the_same_request_changes_nothing() -> None:
    state, first = triage.decide(Customer("c"), requested(), T0, POLICY)
    assert triage.decide(state, requested(), T0 + timedelta(minutes=1), POLICY) == (state, ())
    assert len(first) == 1


CONTACTS = st.sampled_from([f"k{i}" for i in range(4)])
EVENTS = st.one_of(
    st.builds(requested, CONTACTS, st.builds(Known, mood=st.sampled_from([None, -0.9, 0.5])),
              tier=st.sampled_from(["", "vip"]), wants_human=st.booleans()),
    st.builds(lambda k: other(HandoverRequested, k, reason="mood"), CONTACTS),
    st.builds(lambda k: other(ContactEnded, k), CONTACTS),
    st.builds(lambda k: other(ContactAbandoned, k), CONTACTS),
    st.builds(lambda k: other(MessageReceived, k, speaker="customer", text="喂"), CONTACTS),
)  # fmt: skip


@given(st.lists(EVENTS, max_size=40))
def test_every_contact_that_was_requested_is_in_exactly_one_place(events: list[CustomerEvent]) -> None:
    state = Customer("c")
    place: dict[str, str] = {}
    asked = set()
    for event in events:
        if isinstance(event, ContactRequested):
            asked.add(event.contact_id)
        state, facts = triage.decide(state, event, T0, POLICY)
        for fact in facts:
            match fact:
                case ContactTriaged():
                    before = place.get(fact.contact_id)
                    assert before is None or (before == BOT and fact.pool != BOT), "triaged twice"
                    place[fact.contact_id] = "bot" if fact.pool == BOT else "triaged"
                case ContactQueued():
                    assert place[fact.contact_id] == "triaged"
                    place[fact.contact_id] = "queued"
                case ContactWithdrawn():
                    assert place[fact.contact_id] == "queued"
                    place[fact.contact_id] = "withdrawn"
                case ContactClosed():
                    assert place[fact.contact_id] in ("bot", "triaged")
                    place[fact.contact_id] = "closed"
        assert set(place) == asked
        assert "triaged" not in place.values()
        assert len(state.contacts) <= MAX_CONTACTS


@given(st.integers(21, 60))
def test_of_too_many_contacts_none_is_left_with_the_bot_unseen(n: int) -> None:
    state, facts = _many(n, "")
    assert len(state.contacts) == MAX_CONTACTS
    assert [f.contact_id for f in facts if isinstance(f, ContactClosed)] == [f"k{i}" for i in range(n - MAX_CONTACTS)]


@given(st.integers(21, MAX_IN_POOLS), st.data())
def test_the_end_of_every_contact_is_told_to_its_pool_however_many_a_customer_has(n: int, data: st.DataObject) -> None:
    state, facts = _many(n, "vip")
    assert not any(isinstance(f, ContactClosed) for f in facts)
    for i in data.draw(st.permutations(range(n))):
        state, facts = triage.decide(state, other(ContactAbandoned, f"k{i}"), T0, POLICY)
        assert [type(f) for f in facts] == [ContactWithdrawn]
    assert len(state.contacts) == MAX_CONTACTS, "those that are over are few again"


def test_a_customer_who_is_a_robot_costs_no_more_than_so_much() -> None:
    state, facts = _many(MAX_IN_POOLS + 5, "vip")
    assert len(state.contacts) == MAX_IN_POOLS and state.contacts[0].contact_id == "k5"
    assert not any(isinstance(f, ContactClosed) for f in facts), "a pool keeps its own"


def _many(n: int, tier: str) -> tuple[Customer, list[object]]:
    state, facts = Customer("c"), []
    for i in range(n):
        state, new = triage.decide(state, requested(f"k{i}", tier=tier), T0, POLICY)
        facts += new
    return state, facts
