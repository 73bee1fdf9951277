"""Assignment: no contact lost, none assigned twice, the queue's order kept, whatever happens in whatever order."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from services.router.domain import assignment
from services.router.domain.draft import live, stored
from services.router.domain.events import (
    ContactQueued,
    ContactWithdrawn,
    DrainRequested,
    OfferAccepted,
    OfferDeclined,
    PoolEvent,
    SeatDisconnected,
    SeatPaused,
    SeatReconnected,
    SeatResumed,
    SeatSignedIn,
    SeatSignedOut,
    ServiceFinished,
)
from services.router.domain.facts import (
    Answer,
    ContactAccepted,
    ContactClosed,
    ContactMoved,
    ContactOffered,
    OfferReturned,
    Outcome,
    PoolFact,
)
from services.router.domain.policy import Terms
from services.router.domain.pool import Pool, Seat, SeatState, Waiting, effective_priority

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TERMS = Terms(offer_timeout_s=20, ageing=1.0)
_ids = count()


class Desk:
    """A pool with a clock, for examples."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.state, self.now, self.terms = Pool("care"), T0, terms
        self.facts: list[PoolFact] = []

    def send(self, kind: type[PoolEvent], **fields: object) -> list[PoolFact]:
        event = kind(event_id=str(next(_ids)), source="t", time=self.now, pool="care", **fields)
        self.state, facts = assignment.decide(self.state, event, self.now, self.terms)
        self.facts += facts
        return list(facts)

    def queue(
        self, contact: str, priority: int = 0, skills: Mapping[str, int] | None = None, lang: str = ""
    ) -> list[PoolFact]:
        return self.send(ContactQueued, contact_id=contact, customer_id="c" + contact, priority=priority,
                         skills=skills or {}, language=lang, queued_at=self.now)  # fmt: skip

    def seat(self, name: str, capacity: int = 1, **skills: int) -> list[PoolFact]:
        return self.send(SeatSignedIn, seat_id=name, capacity=capacity, skills=skills)

    def answer(self, kind: type[PoolEvent], seat: str, contact: str, token: int) -> Answer:
        facts = self.send(kind, seat_id=seat, contact_id=contact, token=token)
        return next(f for f in facts if isinstance(f, Answer))

    def later(self, seconds: float) -> list[PoolFact]:
        self.now += timedelta(seconds=seconds)
        self.state, facts = assignment.tick(self.state, self.now, self.terms)
        return list(facts)


def offered(facts: list[PoolFact]) -> list[tuple[str, str]]:
    return [(f.contact_id, f.seat_id) for f in facts if isinstance(f, ContactOffered)]


def test_a_contacts_life() -> None:
    desk = Desk()
    assert offered(desk.queue("k1")) == []
    desk.now += timedelta(seconds=5)
    assert offered(desk.seat("s1")) == [("k1", "s1")]
    assert assignment.due(desk.state) == desk.now + timedelta(seconds=20)
    desk.now += timedelta(seconds=2)
    assert desk.answer(OfferAccepted, "s1", "k1", 1).ok
    accepted = next(f for f in desk.facts if isinstance(f, ContactAccepted))
    assert accepted.waited_ms == 7000
    assert assignment.due(desk.state) is None
    assert desk.answer(OfferAccepted, "s1", "k1", 1).ok, "the same again is no error"
    assert desk.answer(ServiceFinished, "s1", "k1", 1).ok
    closed = desk.facts[-2]
    assert isinstance(closed, ContactClosed) and closed.outcome is Outcome.HUMAN and closed.waited_ms == 7000
    assert desk.queue("k1") == [], "what is over doesn't come back"
    assert not desk.answer(ServiceFinished, "s1", "k1", 1).ok


def test_the_higher_priority_first_and_ageing_overtakes() -> None:
    desk = Desk()
    desk.queue("old")
    desk.now += timedelta(minutes=9)
    desk.queue("vip", priority=10)
    desk.queue("vip2", priority=10)
    desk.now += timedelta(minutes=2)
    desk.queue("late-vip", priority=10)  # worth 10 minutes: old has waited 11
    assert [offered(desk.seat(f"s{i}"))[0][0] for i in range(4)] == ["vip", "vip2", "old", "late-vip"]


def test_longest_idle_with_the_skill_and_the_language() -> None:
    desk = Desk()
    desk.seat("s1", refund=1)
    desk.now += timedelta(seconds=1)
    desk.seat("s2", refund=3)
    desk.send(SeatSignedIn, seat_id="s3", skills={"refund": 3}, languages=("zh",))
    facts = desk.queue("k1", skills={"refund": 2}, lang="en")
    offer = facts[0]
    assert isinstance(offer, ContactOffered) and offer.seat_id == "s2"
    assert [(c.seat_id, c.why_not) for c in offer.candidates] == [
        ("s2", ""),
        ("s1", "skill:refund"),
        ("s3", "language:en"),
    ]
    assert offered(desk.queue("k2")) == [("k2", "s1")]


def test_a_declined_contact_keeps_its_place_and_goes_to_another() -> None:
    desk = Desk()
    desk.queue("k1")
    desk.now += timedelta(seconds=1)
    desk.seat("s1")
    desk.queue("k2")
    assert desk.answer(OfferDeclined, "s1", "k1", 1).ok
    assert offered(desk.facts)[-1] == ("k1", "s1"), "everybody (one) declined: a new pass begins"
    desk.seat("s2")
    assert offered(desk.facts)[-1] == ("k2", "s2")
    token = desk.state.token
    assert not desk.answer(OfferAccepted, "s1", "k1", 1).ok, "the old token is stale"
    assert desk.answer(OfferDeclined, "s1", "k1", token - 1).ok
    assert "k1" in desk.state.waiting and desk.state.waiting["k1"].queued_at == T0, "waits for s2, which didn't decline"
    assert desk.answer(OfferDeclined, "s2", "k2", token).ok
    assert offered(desk.facts)[-2:] == [("k1", "s2"), ("k2", "s1")]


def test_misses_pause_a_seat_and_its_contact_goes_on() -> None:
    desk = Desk()
    desk.seat("s1")
    desk.queue("k1")
    for _ in range(2):
        facts = desk.later(20)
        assert isinstance(facts[0], OfferReturned) and facts[0].reason == "timeout"
        assert offered(facts) == [("k1", "s1")]
    assert offered(desk.later(20)) == []
    assert desk.state.seats["s1"].state is SeatState.PAUSED
    assert list(desk.state.waiting) == ["k1"]
    assert offered(desk.send(SeatResumed, seat_id="s1")) == [("k1", "s1")]


def test_an_answer_after_the_time_is_stale() -> None:
    desk = Desk()
    desk.seat("s1")
    desk.queue("k1")
    desk.now += timedelta(seconds=20)
    answer = desk.answer(OfferAccepted, "s1", "k1", 1)
    assert not answer.ok and "stale" in answer.reason and "waits" in answer.reason


def test_a_seat_that_signs_out_gives_back_its_offers_and_ends_its_services() -> None:
    desk = Desk()
    desk.seat("s1", capacity=2)
    desk.queue("k1")
    desk.answer(OfferAccepted, "s1", "k1", 1)
    desk.queue("k2")
    facts = desk.send(SeatSignedOut, seat_id="s1")
    assert [f.reason for f in facts if isinstance(f, OfferReturned)] == ["signed_out"]
    assert desk.state.seats["s1"].state is SeatState.SIGNED_OUT
    assert desk.answer(ServiceFinished, "s1", "k1", 1).ok
    assert desk.state.seats == {} and list(desk.state.waiting) == ["k2"]
    facts = desk.send(SeatPaused, seat_id="s1")
    assert isinstance(facts[0], Answer) and not facts[0].ok


def test_a_paused_seat_is_paused_after_a_broken_line() -> None:
    desk = Desk()
    desk.seat("s1")
    desk.send(SeatPaused, seat_id="s1")
    desk.send(SeatDisconnected, seat_id="s1")
    desk.send(SeatReconnected, seat_id="s1")
    assert desk.state.seats["s1"].state is SeatState.PAUSED
    assert offered(desk.queue("k1")) == []
    assert offered(desk.send(SeatResumed, seat_id="s1")) == [("k1", "s1")]


def test_a_seat_that_pauses_or_resumes_while_it_is_away_comes_back_so() -> None:
    desk = Desk()
    desk.seat("s1")
    desk.send(SeatDisconnected, seat_id="s1")
    desk.send(SeatPaused, seat_id="s1")
    desk.send(SeatReconnected, seat_id="s1")
    assert desk.state.seats["s1"].state is SeatState.PAUSED
    desk.send(SeatDisconnected, seat_id="s1")
    assert assignment.due(desk.state) is not None, "its contacts wait for it so long"
    desk.send(SeatResumed, seat_id="s1")
    assert desk.state.seats["s1"].takes and assignment.due(desk.state) is None


@pytest.mark.parametrize("stored_between", [False, True])
def test_a_draining_seat_drains_on_after_a_broken_line(stored_between: bool) -> None:
    desk = Desk()
    desk.seat("s1", capacity=2)
    desk.queue("k1")
    desk.answer(OfferAccepted, "s1", "k1", 1)
    desk.send(DrainRequested, seat_id="s1", by="boss", reason="")
    desk.send(SeatDisconnected, seat_id="s1")
    if stored_between:
        desk.state = msgspec.json.decode(msgspec.json.encode(stored(desk.state)), type=Pool)
    (refused,) = desk.send(SeatResumed, seat_id="s1")
    assert isinstance(refused, Answer) and not refused.ok and refused.reason.endswith("sign in anew")
    desk.send(SeatReconnected, seat_id="s1")
    assert desk.state.seats["s1"].state is SeatState.DRAINING
    assert offered(desk.queue("k2")) == []
    assert desk.answer(ServiceFinished, "s1", "k1", 1).ok and "s1" not in desk.state.seats


def test_a_draining_seat_whose_last_customer_leaves_while_it_is_away_is_gone() -> None:
    desk = Desk()
    desk.seat("s1")
    desk.queue("k1")
    desk.answer(OfferAccepted, "s1", "k1", 1)
    desk.send(DrainRequested, seat_id="s1", by="boss", reason="")
    desk.send(SeatDisconnected, seat_id="s1")
    desk.send(ContactWithdrawn, contact_id="k1", customer_id="ck1", abandoned=False)
    assert not desk.state.seats and assignment.due(desk.state) is None


@pytest.mark.parametrize("how", ["drains", "signs out"])
def test_a_seat_that_is_away_and_leaves_gives_up_its_contact(how: str) -> None:
    desk = Desk()
    desk.seat("s1")
    desk.queue("k1")
    desk.answer(OfferAccepted, "s1", "k1", 1)
    desk.send(SeatDisconnected, seat_id="s1")
    desk.seat("s2")
    if how == "drains":
        drained = desk.send(DrainRequested, seat_id="s1", by="boss", reason="")
        assert offered(drained) == [] and "k1" in desk.state.serving, "it may still come back to finish"
        assert offered(desk.later(TERMS.reconnect_s)) == [("k1", "s2")]
    else:
        gone = desk.send(SeatSignedOut, seat_id="s1")
        assert [f.cause for f in gone if isinstance(f, ContactMoved)] == ["disconnected"]
        assert offered(gone) == [("k1", "s2")]
    assert not desk.answer(ServiceFinished, "s1", "k1", 1).ok
    assert set(desk.state.seats) == {"s2"}


def test_a_seat_drained_while_it_is_away_finishes_what_it_has_when_it_comes_back() -> None:
    desk = Desk()
    desk.seat("s1", capacity=2)
    desk.queue("k1")
    desk.answer(OfferAccepted, "s1", "k1", 1)
    desk.send(SeatDisconnected, seat_id="s1")
    desk.send(DrainRequested, seat_id="s1", by="boss", reason="")
    desk.send(SeatReconnected, seat_id="s1")
    assert offered(desk.queue("k2")) == [] and "k1" in desk.state.serving
    assert desk.answer(ServiceFinished, "s1", "k1", 1).ok and not desk.state.seats


def test_withdrawn_while_waiting_offered_or_in_service() -> None:
    for stage, outcome in ((0, Outcome.ABANDONED), (1, Outcome.ABANDONED), (2, Outcome.HUMAN)):
        desk = Desk()
        desk.queue("k1")
        if stage:
            desk.seat("s1")
        if stage == 2:
            desk.answer(OfferAccepted, "s1", "k1", 1)
        facts = desk.send(ContactWithdrawn, contact_id="k1", customer_id="c", abandoned=stage < 2)
        assert [f.outcome for f in facts if isinstance(f, ContactClosed)] == [outcome]
        assert not desk.state.seats or desk.state.seats["s1"].holds == ()
        assert desk.send(ContactWithdrawn, contact_id="k1", customer_id="c", abandoned=True) == []


def test_withdrawn_before_it_was_queued() -> None:
    desk = Desk()
    desk.seat("s1")
    assert desk.send(ContactWithdrawn, contact_id="k1", customer_id="c", abandoned=True) == []
    facts = desk.queue("k1")
    assert [type(f) for f in facts] == [ContactClosed]
    assert desk.queue("k1") == []


def test_new_ageing_orders_the_queue_anew() -> None:
    desk = Desk(Terms(ageing=0))
    desk.queue("old")
    desk.now += timedelta(minutes=5)
    desk.queue("vip", priority=3)
    desk.terms = Terms(ageing=1)
    assert offered(desk.seat("s1")) == [("old", "s1")]


CONTACTS = st.sampled_from([f"k{i}" for i in range(12)])
SEATS = st.sampled_from([f"s{i}" for i in range(4)])
SKILLS = st.dictionaries(st.sampled_from(["refund", "repair"]), st.integers(1, 3), max_size=2)
LANGUAGE = st.sampled_from(["", "zh", "en"])


def could(seat: Seat, contact: Waiting) -> bool:
    """Skills and language, said once more in other words than the domain's."""
    return all(name in seat.skills and seat.skills[name] >= level for name, level in contact.skills.items()) and (
        not contact.language or not seat.languages or contact.language in seat.languages
    )


class PoolMachine(RuleBasedStateMachine):
    """Any events in any order, against a plain account of where each contact is."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.now = live(Pool("care")), T0
        self.terms = TERMS
        self.where: dict[str, str] = {}
        self.withdrawn: set[str] = set()
        self.tokens: list[int] = []
        self.used: set[int] = set()

    def send(self, kind: type[PoolEvent], **fields: object) -> None:
        event = kind(event_id=str(next(_ids)), source="t", time=self.now, pool="care", **fields)
        before = self.state
        self.state, facts = assignment.decide(before, event, self.now, self.terms)
        again, _ = assignment.decide(before, event, self.now, self.terms)
        assert again == self.state, "the same event on the same state decides the same"
        self.account(facts)
        if "seat_id" in fields:
            assert len([f for f in facts if isinstance(f, Answer)]) == 1

    def account(self, facts: tuple[PoolFact, ...]) -> None:
        for fact in facts:
            match fact:
                case ContactOffered():
                    assert self.where[fact.contact_id] == "waiting"
                    self.where[fact.contact_id] = f"offered {fact.seat_id} {fact.token}"
                    assert not self.tokens or fact.token > self.tokens[-1], "tokens rise strictly"
                    self.tokens.append(fact.token)
                    eligible = [c for c in fact.candidates if c.eligible]
                    assert eligible[0].seat_id == fact.seat_id
                    assert eligible[0].idle_s == max(c.idle_s for c in eligible), "somebody was idle longer"
                    assert fact.contact_id in fact.waiting
                case OfferReturned():
                    assert self.where[fact.contact_id] == f"offered {fact.seat_id} {fact.token}"
                    self.where[fact.contact_id] = "waiting"
                case ContactAccepted():
                    assert self.where[fact.contact_id] == f"offered {fact.seat_id} {fact.token}"
                    assert fact.token not in self.used, "a token is used once"
                    self.used.add(fact.token)
                    self.where[fact.contact_id] = f"served {fact.seat_id} {fact.token}"
                case ContactClosed():
                    assert not self.where[fact.contact_id].startswith("closed")
                    self.where[fact.contact_id] = f"closed {fact.outcome}"

    @rule(contact=CONTACTS, priority=st.integers(-3, 5), skills=SKILLS, language=LANGUAGE)
    def queue(self, contact: str, priority: int, skills: dict[str, int], language: str) -> None:
        self.where.setdefault(contact, "waiting")
        self.send(ContactQueued, contact_id=contact, customer_id=contact, priority=priority, skills=skills,
                  language=language, queued_at=self.now)  # fmt: skip

    @rule(contact=CONTACTS, abandoned=st.booleans())
    def withdraw(self, contact: str, abandoned: bool) -> None:
        self.withdrawn.add(contact)
        self.send(ContactWithdrawn, contact_id=contact, customer_id=contact, abandoned=abandoned)

    @rule(seat=SEATS, skills=SKILLS, capacity=st.integers(0, 3), language=LANGUAGE)
    def sign_in(self, seat: str, skills: dict[str, int], capacity: int, language: str) -> None:
        self.send(
            SeatSignedIn, seat_id=seat, skills=skills, capacity=capacity, languages=(language,) if language else ()
        )

    @rule(seat=SEATS, kind=st.sampled_from([SeatPaused, SeatResumed, SeatSignedOut]))
    def move(self, seat: str, kind: type[PoolEvent]) -> None:
        self.send(kind, seat_id=seat)

    @precondition(lambda self: self.state.offers)
    @rule(data=st.data(), kind=st.sampled_from([OfferAccepted, OfferAccepted, OfferDeclined]))
    def answer(self, data: st.DataObject, kind: type[PoolEvent]) -> None:
        offer = self.state.offers[data.draw(st.sampled_from(sorted(self.state.offers)))]
        self.send(kind, seat_id=offer.seat_id, contact_id=offer.contact.contact_id, token=offer.token)

    @precondition(lambda self: self.state.serving)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        held = self.state.serving[data.draw(st.sampled_from(sorted(self.state.serving)))]
        self.send(ServiceFinished, seat_id=held.seat_id, contact_id=held.contact_id, token=held.token)

    @rule(seat=SEATS, contact=CONTACTS, token=st.integers(1, 30),
          kind=st.sampled_from([OfferAccepted, OfferDeclined, ServiceFinished]))  # fmt: skip
    def any_answer(self, seat: str, contact: str, token: int, kind: type[PoolEvent]) -> None:
        before = self.state
        was = self.where.get(contact, "")
        self.send(kind, seat_id=seat, contact_id=contact, token=token)
        if not was.endswith(f" {seat} {token}"):
            assert self.state == before, "a stale answer changes nothing"

    @rule(seconds=st.integers(0, 45))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.state, facts = assignment.tick(self.state, self.now, self.terms)
        self.account(facts)

    @rule(ageing=st.sampled_from([0.0, 0.5, 1.0, 10.0]))
    def new_terms(self, ageing: float) -> None:
        self.terms = Terms(offer_timeout_s=20, ageing=ageing)
        self.state, facts = assignment.tick(self.state, self.now, self.terms)
        self.account(facts)

    @invariant()
    def nobody_is_lost(self) -> None:
        state = self.state
        for contact, where in self.where.items():
            kind = where.split()[0]
            assert (contact in state.waiting, contact in state.offers, contact in state.serving) == (
                kind == "waiting", kind == "offered", kind == "served",
            )  # fmt: skip
            assert contact not in self.withdrawn or kind == "closed", "who left, left"
        lines = [place[2] for line in live(state).index.lines.values() for place in line]
        assert sorted(lines) == sorted(state.waiting)

    @invariant()
    def a_contact_is_in_one_seat(self) -> None:
        state = self.state
        held = sorted((c, s.seat_id) for s in state.seats.values() for c in s.holds)
        given = sorted(
            [(c, o.seat_id) for c, o in state.offers.items()] + [(c, s.seat_id) for c, s in state.serving.items()]
        )
        assert held == given

    @invariant()
    def nobody_waits_whom_a_free_seat_could_serve(self) -> None:
        for contact in self.state.waiting.values():
            ready = [s for s in self.state.seats.values() if s.state is SeatState.READY and could(s, contact)]
            free = [s for s in ready if len(s.holds) < s.capacity]
            assert all(s.seat_id in contact.declined_by for s in free)
            assert not free or any(s.seat_id not in contact.declined_by for s in ready), "all declined, one is free"

    @invariant()
    def nothing_overdue_after_a_tick(self) -> None:
        due = assignment.due(self.state)
        assert due is None or due > self.now

    @invariant()
    def the_state_survives_json(self) -> None:
        body = json.dumps(json.loads(msgspec.json.encode(stored(self.state))), sort_keys=True)
        assert msgspec.json.decode(body, type=Pool) == self.state


class OrderMachine(PoolMachine):
    """The same, and each offer is looked at: was somebody passed over?"""

    def send(self, kind: type[PoolEvent], **fields: object) -> None:
        event = kind(event_id=str(next(_ids)), source="t", time=self.now, pool="care", **fields)
        self.state, facts = assignment.decide(self.state, event, self.now, self.terms)
        self.account(facts)
        for fact in facts:
            if not isinstance(fact, ContactOffered):
                continue
            offer = self.state.offers.get(fact.contact_id)
            if offer is None or offer.token != fact.token:
                continue
            seat = self.state.seats[fact.seat_id]
            assert len(seat.holds) <= seat.capacity, "never above capacity"
            mine = effective_priority(self.terms, offer.contact, self.now)
            for other in self.state.waiting.values():
                if could(seat, other) and seat.seat_id not in other.declined_by:
                    assert effective_priority(self.terms, other, self.now) <= mine + 1e-6, "somebody was passed over"


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestOrder = OrderMachine.TestCase
TestOrder.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [PoolMachine, OrderMachine])
def test_many_more_of_both(machine: type[PoolMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=300, stateful_step_count=40, deadline=None))
