"""Everything that can happen to a pool, in any order: no contact lost, none in two places, every promise kept or told."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.router.domain import assignment, events, facts
from services.router.domain.draft import live, stored
from services.router.domain.events import PoolEvent
from services.router.domain.index import build
from services.router.domain.policy import Managed, Overflow, Ring, Terms
from services.router.domain.pool import Pool, Seat, SeatState, Waiting, effective_priority, imbalance

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
_ids = count()
POOL, OTHER = "care", "general"
CONTACTS = st.sampled_from([f"k{i}" for i in range(14)])
SEATS = st.sampled_from([f"s{i}" for i in range(4)])
SKILLS = st.dictionaries(st.sampled_from(["refund", "repair"]), st.integers(1, 3), max_size=2)
LANGUAGE = st.sampled_from(["", "zh", "en"])
MANAGED = Managed(enter=1.5, leave=0.5, least=2, min_stay_s=60, promise_s=300, call_before_s=60, share=0.5)
TERMS = Terms(
    offer_timeout_s=20,
    wrap_up_s=5,
    last_seat_s=600,
    last_seat_hold_s=15,
    rings=(Ring(30, lower=1), Ring(60, drop=frozenset({"refund"}), any_language=True)),
    overflow=Overflow(OTHER, 240),
    weights={"chat": 0.5},
    waiting_weight=0.5,
    reconnect_s=30,
    managed=MANAGED,
    pools=(POOL, OTHER),
)
PLAIN = Terms(offer_timeout_s=20, managed=Managed(promise_s=100), pools=(POOL, OTHER))


def _can(seat: Seat, contact: Waiting) -> bool:
    return all(seat.skills.get(k, 0) >= v for k, v in contact.skills.items()) and (
        not contact.language or not seat.languages or contact.language in seat.languages
    )


class EverythingMachine(RuleBasedStateMachine):
    """Against a plain account of where each contact is."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.now, self.terms = live(Pool(POOL)), T0, TERMS
        self.where: dict[str, str] = {}
        self.tokens: list[int] = []
        self.used: set[int] = set()
        self.debts: dict[str, datetime] = {}
        self.told_late: set[str] = set()
        self.switched: list[tuple[datetime, bool]] = []

    def send(self, kind: type[PoolEvent], **fields: object) -> tuple[facts.PoolFact, ...]:
        event = kind(event_id=str(next(_ids)), source="t", time=self.now, pool=POOL, **fields)
        before = self.state
        # What is stored decides the same as what is in memory: after a crash another process goes on from there.
        body = msgspec.json.encode(stored(before))
        self.state, made = assignment.decide(before, event, self.now, self.terms)
        again, same = assignment.decide(msgspec.json.decode(body, type=Pool), event, self.now, self.terms)
        assert again == self.state and same == made
        self.account(made)
        command = isinstance(event, events.SeatEvent | events.SupervisorEvent)
        assert sum(isinstance(f, facts.Answer) for f in made) == command
        return made

    def account(self, made: tuple[facts.PoolFact, ...]) -> None:
        for fact in made:
            match fact:
                case facts.ContactOffered():
                    assert self.where[fact.contact_id] == "waiting"
                    assert not self.tokens or fact.token > self.tokens[-1]
                    self.tokens.append(fact.token)
                    self.where[fact.contact_id] = f"offered {fact.seat_id} {fact.token}"
                    eligible = [c for c in fact.candidates if c.eligible]
                    if not fact.forced_by:
                        assert max(eligible, key=lambda c: c.score).score <= eligible[0].score + 1e-6
                case facts.OfferReturned():
                    assert self.where[fact.contact_id] == f"offered {fact.seat_id} {fact.token}"
                    self.where[fact.contact_id] = "waiting"
                case facts.ContactAccepted():
                    assert self.where[fact.contact_id] == f"offered {fact.seat_id} {fact.token}"
                    assert fact.token not in self.used, "a token is used once"
                    self.used.add(fact.token)
                    self.where[fact.contact_id] = f"served {fact.seat_id} {fact.token}"
                case facts.ContactClosed():
                    assert self.where[fact.contact_id].split()[0] not in ("closed", "moved")
                    self.where[fact.contact_id] = f"closed {fact.outcome}"
                case facts.ContactMoved():
                    assert self.where[fact.contact_id].split()[0] in ("waiting", "served")
                    self.where[fact.contact_id] = "waiting" if fact.to_pool == POOL else "moved"
                case facts.DebtFact():
                    self.debt(fact)
                case facts.ManagedModeEntered() | facts.ManagedModeLeft():
                    managed = isinstance(fact, facts.ManagedModeEntered)
                    if fact.cause == "load" and self.switched:
                        assert fact.at - self.switched[-1][0] >= timedelta(seconds=MANAGED.min_stay_s), "it flaps"
                    assert not self.switched or self.switched[-1][1] != managed
                    self.switched.append((fact.at, managed))
                case _:
                    pass

    def debt(self, fact: facts.DebtFact) -> None:
        contact = fact.contact_id
        match fact:
            case facts.DebtIncurred():
                assert contact not in self.debts
                self.debts[contact] = fact.due_at
                if fact.kind == "managed":
                    assert self.where[contact] == "waiting"
                    self.where[contact] = "debt"
            case facts.DebtCalled():
                assert self.where[contact] == "debt"
                self.where[contact] = "waiting"
            case facts.DebtPaid():
                assert self.where[contact].startswith("served") and contact in self.debts
                assert fact.at < fact.due_at or contact in self.told_late, "paid late, and nobody was told"
                del self.debts[contact]
            case facts.DebtReleased():
                del self.debts[contact]
            case facts.DebtOverdue():
                assert contact in self.debts and contact not in self.told_late and fact.at >= fact.due_at
                self.told_late.add(contact)

    @rule(contact=CONTACTS, priority=st.integers(-3, 5), skills=SKILLS, language=LANGUAGE,
          channel=st.sampled_from(["", "chat"]), protected=st.booleans(), call_back=st.booleans())  # fmt: skip
    def queue(self, contact: str, priority: int, skills: dict[str, int], language: str, **more: object) -> None:
        self.where.setdefault(contact, "waiting")
        self.send(events.ContactQueued, contact_id=contact, customer_id=f"c{contact[-1]}", priority=priority,
                  skills=skills, language=language, queued_at=self.now, **more)  # fmt: skip

    @rule(contact=CONTACTS, abandoned=st.booleans())
    def withdraw(self, contact: str, abandoned: bool) -> None:
        self.send(events.ContactWithdrawn, contact_id=contact, customer_id="c", abandoned=abandoned)
        assert contact in self.debts or self.where.get(contact, "closed").split()[0] in ("closed", "moved")

    @rule(contact=CONTACTS, what=st.sampled_from(["call_back", "no_call_back", "cut_off", "connected", "nonsense"]))
    def line(self, contact: str, what: str) -> None:
        self.send(events.ContactLine, contact_id=contact, customer_id="c", what=what)
        assert what != "no_call_back" or contact not in self.debts

    @rule(seat=SEATS, skills=SKILLS, capacity=st.integers(0, 3), language=LANGUAGE)
    def sign_in(self, seat: str, skills: dict[str, int], capacity: int, language: str) -> None:
        languages = (language,) if language else ()
        self.send(events.SeatSignedIn, seat_id=seat, skills=skills, capacity=capacity, languages=languages)

    @rule(seat=SEATS, kind=st.sampled_from([events.SeatPaused, events.SeatResumed, events.SeatSignedOut,
                                            events.SeatDisconnected, events.SeatReconnected]))  # fmt: skip
    def move(self, seat: str, kind: type[PoolEvent]) -> None:
        self.send(kind, seat_id=seat)

    @precondition(lambda self: self.state.offers)
    @rule(data=st.data(), kind=st.sampled_from([events.OfferAccepted, events.OfferAccepted, events.OfferDeclined]))
    def answer(self, data: st.DataObject, kind: type[PoolEvent]) -> None:
        offer = self.state.offers[data.draw(st.sampled_from(sorted(self.state.offers)))]
        self.send(kind, seat_id=offer.seat_id, contact_id=offer.contact.contact_id, token=offer.token)

    @precondition(lambda self: self.state.serving)
    @rule(data=st.data(), to=st.sampled_from(["finish", "finish", "", POOL, OTHER, "nowhere"]))
    def finish_or_transfer(self, data: st.DataObject, to: str) -> None:
        held = self.state.serving[data.draw(st.sampled_from(sorted(self.state.serving)))]
        mine = {"seat_id": held.seat_id, "contact_id": held.contact_id, "token": held.token}
        if to == "finish":
            self.send(events.ServiceFinished, **mine)
        else:
            self.send(events.ServiceTransferred, **mine, to_pool=to, reason="engineer")

    @precondition(lambda self: self.state.serving)
    @rule(data=st.data(), waits=st.booleans(), anger=st.floats(0, 3))
    def speak(self, data: st.DataObject, waits: bool, anger: float) -> None:
        held = self.state.serving[data.draw(st.sampled_from(sorted(self.state.serving)))]
        self.send(events.TurnPassed, contact_id=held.contact_id, waits_for_customer=waits)
        self.send(events.AngerAbsorbed, seat_id=held.seat_id, weight=anger)

    @rule(mode=st.sampled_from(["managed", "human", "auto", "odd"]))
    def by_hand(self, mode: str) -> None:
        made = self.send(events.ModeRequested, by="boss", reason="peak", mode=mode)
        acted = [f for f in made if isinstance(f, facts.SupervisorActed)]
        assert [(a.what, a.ok, a.by) for a in acted] == [(f"mode:{mode}", mode != "odd", "boss")]

    @rule(seat=SEATS, contact=CONTACTS)
    def assign(self, seat: str, contact: str) -> None:
        before = stored(self.state)
        made = self.send(events.AssignmentRequested, by="boss", reason="", seat_id=seat, contact_id=contact)
        (acted,) = [f for f in made if isinstance(f, facts.SupervisorActed)]
        forced = [f for f in made if isinstance(f, facts.ContactOffered) and f.forced_by]
        assert [(f.seat_id, f.contact_id) for f in forced] == ([(seat, contact)] if acted.ok else [])
        del before

    @rule(seat=SEATS)
    def drain(self, seat: str) -> None:
        self.send(events.DrainRequested, by="boss", reason="", seat_id=seat)

    @rule(seconds=st.integers(0, 90))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.state, made = assignment.tick(self.state, self.now, self.terms)
        self.account(made)

    @rule(terms=st.sampled_from([TERMS, PLAIN, TERMS]))
    def new_terms(self, terms: Terms) -> None:
        self.terms = terms
        self.state, made = assignment.tick(self.state, self.now, self.terms)
        self.account(made)

    @invariant()
    def each_contact_is_in_one_place(self) -> None:
        s = self.state
        for contact, where in self.where.items():
            held = contact in s.debts and s.debts[contact].called_at is None
            there = Counter(
                waiting=(contact in s.waiting) + (contact in s.parked),
                offered=contact in s.offers,
                served=contact in s.serving,
                debt=held,
            )
            kind = where.split()[0]
            assert +there == Counter({kind: 1} if kind in ("waiting", "offered", "served", "debt") else {}), contact
        assert set(s.debts) == set(self.debts)
        assert imbalance(s) == 0

    @invariant()
    def seats_hold_what_they_hold(self) -> None:
        s = self.state
        held = sorted((c, seat.seat_id) for seat in s.seats.values() for c in seat.holds)
        given = [(c, o.seat_id) for c, o in s.offers.items()] + [(c, v.seat_id) for c, v in s.serving.items()]
        assert held == sorted(given)

    @invariant()
    def what_follows_from_the_rest_is_right(self) -> None:
        kept, made = self.state.index, build(self.state)
        for name in ("lines", "free", "timers", "held", "names"):
            a, b = getattr(kept, name), getattr(made, name)
            if isinstance(b, dict):
                a, b = {k: list(v) for k, v in a.items()}, {k: list(v) for k, v in b.items()}
            else:
                a, b = list(a), list(b)
            assert a == b, name
        assert (dict(kept.ready), kept.called) == (dict(made.ready), made.called)

    @invariant()
    def nobody_waits_whom_a_free_seat_could_serve(self) -> None:
        s = self.state
        reserved = set()
        for contact in s.waiting.values():
            able = [seat for seat in s.seats.values() if seat.state is SeatState.READY and _can(seat, contact)]
            free = [x for x in able if x.wrap_until is None and x.used + contact.weight <= x.capacity + 1e-6]
            for seat in free:
                if seat.seat_id not in contact.declined_by:
                    assert any(
                        first.place < contact.place
                        and seat.capacity - seat.used < first.weight - 1e-6
                        and _can(seat, first)
                        for first in s.waiting.values()
                    ), "it is free, and not kept for one before that needs more room"
                    reserved.add(seat.seat_id)
            assert not free or any(seat.seat_id not in contact.declined_by for seat in able)
        assert len(reserved) <= 1

    @invariant()
    def nothing_is_overdue_after_a_decision(self) -> None:
        due = assignment.due(self.state)
        assert due is None or due > self.now
        assert all(debt.overdue for debt in self.state.debts.values() if debt.due_at <= self.now)

    @invariant()
    def the_state_survives_json(self) -> None:
        body = json.loads(msgspec.json.encode(stored(self.state)))
        assert msgspec.json.decode(json.dumps(body), type=Pool) == self.state
        waits = [c.place for c in self.state.waiting.values()]
        by_priority = sorted(
            self.state.waiting.values(), key=lambda c: (-effective_priority(self.state.terms, c, self.now), c.queued_at)
        )
        assert len(waits) == len(by_priority)


TestEverything = EverythingMachine.TestCase
TestEverything.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
