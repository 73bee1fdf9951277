"""托管: the bot keeps the line at the peak, each contact that it keeps is a debt, and every debt is paid or told."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count, pairwise
from math import ceil

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain import assignment, events, facts
from services.router.domain.draft import live, stored
from services.router.domain.events import PoolEvent
from services.router.domain.policy import Managed, Policy, Ring, Route, Terms
from services.router.domain.pool import Pool, imbalance

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
MANAGED = Managed(enter=3, leave=0.5, least=6, min_stay_s=300, promise_s=3600, call_before_s=600, share=0.5)
TERMS = Terms(offer_timeout_s=20, managed=MANAGED)
_ids = count()


class Floor:
    """A pool whose seats accept after a second and serve for as long as they are told; time goes by itself."""

    def __init__(self, seats: int, service_s: float = 60, terms: Terms = TERMS) -> None:
        self.state, self.now, self.terms = live(Pool("care")), T0, terms
        self.service_s = service_s
        self.facts: list[facts.PoolFact] = []
        self.agenda: list[tuple[datetime, int, type[PoolEvent], dict[str, object]]] = []
        for i in range(seats):
            self.send(events.SeatSignedIn, seat_id=f"s{i}", skills={}, capacity=1)

    def at(self, seconds: float, kind: type[PoolEvent], **fields: object) -> None:
        heappush(self.agenda, (T0 + timedelta(seconds=seconds), next(_ids), kind, fields))

    def comes(self, seconds: float, contact: str, *, protected: bool = False) -> None:
        at = T0 + timedelta(seconds=seconds)
        self.at(
            seconds, events.ContactQueued, contact_id=contact, customer_id=contact, queued_at=at, protected=protected
        )

    def send(self, kind: type[PoolEvent], **fields: object) -> list[facts.PoolFact]:
        event = kind(event_id=str(next(_ids)), source="t", time=self.now, pool="care", **fields)
        self.state, made = assignment.decide(self.state, event, self.now, self.terms)
        self._heard(made)
        return list(made)

    def _heard(self, made: Iterable[facts.PoolFact]) -> None:
        for fact in made:
            self.facts.append(fact)
            if isinstance(fact, facts.ContactOffered):
                mine = {"seat_id": fact.seat_id, "contact_id": fact.contact_id, "token": fact.token}
                begins = (self.now - T0).total_seconds() + 1
                self.at(begins, events.OfferAccepted, **mine)
                self.at(begins + self.service_s, events.ServiceFinished, **mine)
        assert imbalance(self.state) == 0

    def run(self, until_s: float) -> None:
        end = T0 + timedelta(seconds=until_s)
        while True:
            due = assignment.due(self.state)
            first = self.agenda[0][0] if self.agenda else None
            at = min((t for t in (due, first) if t is not None), default=None)
            if at is None or at > end:
                break
            self.now = max(at, self.now)
            if first is not None and first <= at:
                _, _, kind, fields = heappop(self.agenda)
                self.send(kind, **fields)
            else:
                self.state, made = assignment.tick(self.state, self.now, self.terms)
                self._heard(made)
        self.now = end

    def told(self, *kinds: type[facts.PoolFact]) -> list[facts.PoolFact]:
        return [f for f in self.facts if isinstance(f, kinds)]


def ramp(floor: Floor, calm: float, peak: float, *, until_s: float = 5400, protect: int = 0) -> int:
    """Contacts at so many a minute, ten times that in the middle third. Returns how many came."""
    at, n = 0.0, 0
    while at < until_s:
        rate = peak if until_s / 3 <= at < 2 * until_s / 3 else calm
        floor.comes(at, f"k{n}", protected=bool(protect) and n % protect == 0)
        at += 60 / rate
        n += 1
    return n


def shape(name: str, at: float, until_s: float) -> float:
    """How much of its height a rush has at a moment."""
    begins, ends = until_s / 3, 2 * until_s / 3
    if not begins <= at < ends:
        return 0.0
    through = (at - begins) / (ends - begins)
    match name:
        case "swell":
            return 1 - abs(2 * through - 1)
        case "waves":  # it never falls to the calm between them
            return 0.55 + 0.45 * (1 if int(through * 6) % 2 == 0 else -1)
        case "fading":
            return 1 - through
        case _:
            return 1.0


SHAPES = ("block", "swell", "waves", "fading")


def rush(
    floor: Floor, calm: float, times: float, name: str, *, seed: int | None = None, protect: int = 0, until_s: float
) -> int:
    """Contacts at so many a minute, and up to so many times that in the middle third. seed: by chance, not evenly."""
    draw = random.Random(seed)
    at, n = 0.0, 0
    while at < until_s:
        floor.comes(at, f"k{n}", protected=bool(protect) and n % protect == 0)
        rate = calm * (1 + (times - 1) * shape(name, at, until_s))
        at += 60 / rate * (1.0 if seed is None else draw.expovariate(1.0))
        n += 1
    return n


def held_through(floor: Floor, came: int, protect: int) -> None:
    """The mode was entered once and left once, every debt is paid once, oldest first, and nobody is forgotten."""
    turns = floor.told(facts.ManagedModeEntered, facts.ManagedModeLeft)
    assert [type(f) for f in turns] == [facts.ManagedModeEntered, facts.ManagedModeLeft], "entered once, left once"
    incurred = {f.contact_id for f in floor.told(facts.DebtIncurred)}
    paid = [f.contact_id for f in floor.told(facts.DebtPaid)]
    assert incurred and sorted(paid) == sorted(incurred), "every debt is paid, once"
    assert not floor.state.debts
    called = [(f.queued_at, f.contact_id) for f in floor.told(facts.DebtCalled)]
    assert [at for at, _ in called] == sorted(at for at, _ in called), "oldest first"
    late = {f.contact_id for f in floor.told(facts.DebtPaid) if f.at > f.due_at}
    assert late == {f.contact_id for f in floor.told(facts.DebtOverdue)}, "who was paid late, and only they, were told"
    guarded = {f"k{n}" for n in range(came) if protect and n % protect == 0}
    assert not incurred & guarded
    assert len(floor.told(facts.ContactClosed)) == came, "nobody is forgotten"
    waits_are_bounded(floor, guarded)


def waits_are_bounded(floor: Floor, guarded: set[str]) -> None:
    """A protected contact waits for those on the line when the mode began, the debts left when it ended, and its like."""
    terms, seats = floor.terms.managed, len(floor.state.seats)
    ahead = max(terms.enter * seats, terms.least) + terms.leave * seats
    took = {f.contact_id: f for f in floor.told(facts.ContactAccepted) if f.contact_id in guarded}
    came = {key: f.accepted_at - timedelta(milliseconds=f.waited_ms) for key, f in took.items()}
    for key, fact in took.items():
        like = sum(came[other] < came[key] < took[other].accepted_at for other in took)
        rounds = ceil((ahead + like + 1) / seats)
        assert fact.waited_ms / 1000 <= rounds * (floor.service_s + 1) + 1


@settings(max_examples=8, deadline=None)
@given(
    seats=st.integers(2, 6),
    load=st.floats(0.3, 0.7),
    name=st.sampled_from(SHAPES),
    service_s=st.sampled_from([30.0, 60.0]),
    protect=st.sampled_from([0, 7, 12]),
)
def test_a_tenfold_rush_enters_once_leaves_once_and_all_debts_are_paid(
    seats: int, load: float, name: str, service_s: float, protect: int
) -> None:
    floor = Floor(seats, service_s)
    came = rush(floor, load * seats * 60 / (service_s + 1), 10, name, protect=protect, until_s=1800)
    floor.run(12 * 3600)
    held_through(floor, came, protect)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_a_rush_by_chance_is_got_over_likewise(name: str, seed: int) -> None:
    floor = Floor(8, 60)
    came = rush(floor, 0.5 * 8 * 60 / 61, 10, name, seed=seed, protect=10, until_s=2400)
    floor.run(12 * 3600)
    held_through(floor, came, 10)


@settings(max_examples=3, deadline=None)
@given(gap_s=st.floats(600, 3600), times=st.floats(4, 12), seats=st.integers(2, 4))
def test_it_is_entered_no_more_often_than_there_are_rushes(gap_s: float, times: float, seats: int) -> None:
    floor, at, n, calm = Floor(seats, 30), 0.0, 0, 0.5 * seats * 60 / 31
    while at < 4 * gap_s:
        floor.comes(at, f"k{n}")
        at, n = at + 60 / (calm * (times if at % (2 * gap_s) < 600 else 1)), n + 1
    floor.run(24 * 3600)
    assert 1 <= len(floor.told(facts.ManagedModeEntered)) <= 2
    assert not floor.state.mode.managed and not floor.state.debts
    assert len(floor.told(facts.ContactClosed)) == n


def test_at_the_peak_no_seat_is_idle_while_somebody_is_owed_a_human() -> None:
    floor = Floor(4, 60)
    rush(floor, 2, 10, "block", protect=10, until_s=1800)
    while floor.now < T0 + timedelta(hours=3):
        floor.run((floor.now - T0).total_seconds() + 7)
        if floor.state.mode.managed and not floor.state.mode.hand:
            idle = [s for s in floor.state.seats.values() if s.takes]
            assert not idle or not [d for d in floor.state.debts.values() if d.called_at is None]


def test_at_the_peak_a_free_seat_goes_to_the_protected_before_the_oldest_debt() -> None:
    floor = Floor(1, 60)
    for n in range(8):
        floor.comes(0, f"k{n}")
    floor.comes(1, "owed")
    floor.run(7.5 * 61)
    assert floor.state.mode.managed and "owed" in floor.state.debts
    floor.comes(7.6 * 61, "vip", protected=True)
    floor.run(1200)
    took = [f.contact_id for f in floor.told(facts.ContactAccepted)]
    assert took[-2:] == ["vip", "owed"]


def test_whom_the_bot_keeps_asks_less_of_the_seat_as_any_that_waits() -> None:
    floor = Floor(0, 10, replace(TERMS, rings=(Ring(90, drop=frozenset({"refund"})),)))
    floor.send(events.SeatSignedIn, seat_id="s", skills={"care": 1}, capacity=1)
    for n in range(7):
        floor.send(events.ContactQueued, contact_id=f"k{n}", customer_id="c", skills={"refund": 2}, queued_at=T0)
    floor.run(85)
    owed = [f.contact_id for f in floor.told(facts.DebtIncurred)]
    assert owed == ["k6"] and not floor.told(facts.ContactOffered), "no seat can refund"
    floor.run(600)
    assert [f.contact_id for f in floor.told(facts.DebtPaid)] == owed


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 400), st.integers(1, 25)), min_size=1, max_size=12), st.integers(1, 4))
def test_whatever_the_load_it_never_flaps(bursts: list[tuple[float, int]], seats: int) -> None:
    floor = Floor(seats, 20)
    at, n = 0.0, 0
    for gap, size in bursts:
        at += gap
        for _ in range(size):
            floor.comes(at, f"k{n}")
            n += 1
    floor.run(at + 24 * 3600)
    changes = floor.told(facts.ManagedModeEntered, facts.ManagedModeLeft)
    for before, after in pairwise(changes):
        assert type(before) is not type(after)
        assert (after.at - before.at).total_seconds() >= MANAGED.min_stay_s
    assert not floor.state.mode.managed and not floor.state.debts
    assert len(floor.told(facts.ContactClosed)) == n


def test_debts_are_called_oldest_first_and_never_more_than_the_share() -> None:
    floor = Floor(4, 60)
    ramp(floor, 2, 30)
    floor.run(6 * 3600)
    called = floor.told(facts.DebtCalled)
    early = [f.queued_at for f in called if not f.urgent]
    assert len(called) > 20 and early == sorted(early)
    paid = {f.contact_id: f.at for f in floor.told(facts.DebtPaid)}
    for fact in called:
        if not fact.urgent:
            waits = [f for f in called if f.at <= fact.at < paid[f.contact_id]]
            assert len(waits) <= 2 + sum(f.urgent for f in waits)


def test_a_debt_soon_due_that_idle_seats_will_pay_is_looked_at_once_also_by_who_reads_the_state_anew() -> None:
    floor = Floor(0)
    floor.send(events.ModeRequested, by="王", reason="", mode="managed")
    floor.send(events.ModeRequested, by="王", reason="", mode="auto")
    floor.send(events.SeatSignedIn, seat_id="s", skills={}, capacity=1, languages=("zh",))
    floor.terms = replace(TERMS, managed=replace(MANAGED, promise_s=500))
    floor.send(events.ContactQueued, contact_id="k1", customer_id="c1", language="en", queued_at=T0)
    assert list(floor.state.debts) == ["k1"] and not floor.told(facts.DebtCalled)
    anew = msgspec.json.decode(msgspec.json.encode(stored(floor.state)), type=Pool)
    assert assignment.due(anew) == assignment.due(floor.state)
    assert assignment.due(floor.state) > floor.now


def test_by_hand_it_stays_until_it_is_told_otherwise() -> None:
    floor = Floor(2)
    made = floor.send(events.ModeRequested, by="王", reason="系统维护", mode="managed")
    entered = next(f for f in made if isinstance(f, facts.ManagedModeEntered))
    assert (entered.cause, entered.by, entered.reason) == ("hand", "王", "系统维护")
    floor.comes(1, "k1")
    floor.comes(1, "k2", protected=True)
    floor.run(1000)
    assert floor.state.mode.managed, "no load ends what a supervisor began"
    assert [f.contact_id for f in floor.told(facts.DebtIncurred)] == ["k1"]
    assert [f.contact_id for f in floor.told(facts.ContactAccepted)] == ["k2"]
    floor.send(events.ModeRequested, by="王", reason="", mode="human")
    assert [type(f) for f in floor.facts[-4:] if isinstance(f, facts.ModeFact)] or not floor.state.mode.managed
    floor.run(1010)
    assert [f.contact_id for f in floor.told(facts.DebtPaid)] == ["k1"]
    before = floor.state.mode
    refused = [
        f for f in floor.send(events.ModeRequested, by="王", reason="", mode="perhaps") if isinstance(f, facts.Answer)
    ]
    assert not refused[0].ok and floor.state.mode == before


def test_a_promise_that_nobody_can_keep_is_told_once_and_stands() -> None:
    floor = Floor(0)
    floor.send(events.ModeRequested, by="王", reason="", mode="managed")
    floor.comes(0, "k1")
    floor.run(3599)
    assert [f.urgent for f in floor.told(facts.DebtCalled)] == [True], "soon due, it is called in, whatever the mode"
    assert not floor.told(facts.DebtOverdue)
    floor.run(20_000)
    assert [f.contact_id for f in floor.told(facts.DebtOverdue)] == ["k1"] and "k1" in floor.state.debts
    floor.send(events.SeatSignedIn, seat_id="s", skills={}, capacity=1)
    floor.run(20_010)
    assert [f.contact_id for f in floor.told(facts.DebtPaid)] == ["k1"] and not floor.state.debts


def test_hanging_up_does_not_cancel_what_was_promised_but_saying_so_does() -> None:
    floor = Floor(0)
    floor.send(events.ModeRequested, by="王", reason="", mode="managed")
    for contact in ("k1", "k2"):
        floor.send(events.ContactQueued, contact_id=contact, customer_id=contact, queued_at=T0)
        floor.send(events.ContactWithdrawn, contact_id=contact, customer_id=contact, abandoned=True)
    assert set(floor.state.debts) == {"k1", "k2"} and not floor.told(facts.ContactClosed)
    floor.send(events.ContactLine, contact_id="k1", customer_id="k1", what="no_call_back")
    (closed,) = floor.told(facts.ContactClosed)
    assert (closed.contact_id, closed.outcome) == ("k1", facts.Outcome.BOT)
    floor.send(events.ModeRequested, by="王", reason="", mode="auto")
    floor.send(events.ModeRequested, by="王", reason="", mode="human")
    floor.send(events.SeatSignedIn, seat_id="s", skills={}, capacity=1)
    (offer,) = floor.told(facts.ContactOffered)
    assert (offer.contact_id, offer.call_back) == ("k2", True), "the seat calls: nobody is on the line"


def test_who_hangs_up_while_offered_is_called_by_the_next_seat() -> None:
    floor = Floor(0)
    floor.send(events.ModeRequested, by="王", reason="", mode="managed")
    floor.send(events.ContactQueued, contact_id="k1", customer_id="k1", queued_at=T0)
    floor.send(events.ModeRequested, by="王", reason="", mode="human")
    floor.send(events.SeatSignedIn, seat_id="s", skills={}, capacity=1)
    floor.send(events.ContactWithdrawn, contact_id="k1", customer_id="k1", abandoned=True)
    first = floor.state.offers["k1"]
    due = assignment.due(floor.state)
    assert due == first.expires_at, "the seat has as long to answer as it had"
    floor.send(events.OfferDeclined, seat_id="s", contact_id="k1", token=first.token)
    assert [f.call_back for f in floor.told(facts.ContactOffered)] == [False, True]


def test_a_call_back_keeps_its_place_and_is_a_promise() -> None:
    floor = Floor(0)
    floor.send(events.ContactQueued, contact_id="k1", customer_id="c1", queued_at=T0)
    floor.now += timedelta(seconds=10)
    floor.send(events.ContactQueued, contact_id="k2", customer_id="c2", queued_at=floor.now)
    floor.send(events.ContactLine, contact_id="k1", customer_id="c1", what="call_back")
    (debt,) = floor.told(facts.DebtIncurred)
    assert (debt.kind, debt.due_at) == ("call_back", floor.now + timedelta(seconds=3600))
    floor.send(events.ContactWithdrawn, contact_id="k1", customer_id="c1", abandoned=True)
    floor.send(events.SeatSignedIn, seat_id="s", skills={}, capacity=2)
    offers = floor.told(facts.ContactOffered)
    assert [(f.contact_id, f.call_back) for f in offers] == [("k1", True), ("k2", False)]
    floor.run(30)
    assert [f.contact_id for f in floor.told(facts.DebtPaid)] == ["k1"]


@pytest.mark.parametrize("answer", [events.OfferAccepted, events.OfferDeclined])
def test_a_call_back_wished_while_it_is_offered_is_a_promise_too(answer: type[PoolEvent]) -> None:
    floor = Floor(1)
    floor.send(events.ContactQueued, contact_id="k1", customer_id="c1", queued_at=T0)
    floor.send(events.ContactLine, contact_id="k1", customer_id="c1", what="call_back")
    assert [f.kind for f in floor.told(facts.DebtIncurred)] == ["call_back"] and "k1" in floor.state.offers
    floor.send(events.ContactWithdrawn, contact_id="k1", customer_id="c1", abandoned=True)
    assert not floor.told(facts.ContactClosed), "hanging up doesn't cancel what was promised"
    floor.send(answer, seat_id="s0", contact_id="k1", token=floor.state.offers["k1"].token)
    if answer is events.OfferDeclined:
        assert [f.call_back for f in floor.told(facts.ContactOffered)] == [False, True]
    floor.run(3)
    assert [f.contact_id for f in floor.told(facts.DebtPaid)] == ["k1"] and not floor.state.debts


@pytest.mark.parametrize("kind", ["call_back", "managed"])
def test_who_needs_no_call_any_more_rings_no_seat(kind: str) -> None:
    floor = Floor(0)
    if kind == "managed":
        floor.send(events.ModeRequested, by="王", reason="", mode="managed")
    floor.send(events.ContactQueued, contact_id="k1", customer_id="c1", queued_at=T0, call_back=kind == "call_back")
    floor.send(events.ModeRequested, by="王", reason="", mode="human")
    floor.send(events.SeatSignedIn, seat_id="s", skills={}, capacity=1)
    (offer,) = floor.told(facts.ContactOffered)
    floor.send(events.ContactLine, contact_id="k1", customer_id="c1", what="no_call_back")
    (closed,) = floor.told(facts.ContactClosed)
    assert closed.outcome == (facts.Outcome.BOT if kind == "managed" else facts.Outcome.ABANDONED)
    assert not floor.state.offers and not floor.state.debts and floor.state.seats["s"].takes, "the seat is free again"
    accepted = {"seat_id": "s", "contact_id": "k1", "token": offer.token}
    (answer,) = floor.send(events.OfferAccepted, **accepted)
    assert not answer.ok and answer.reason.endswith("contact k1 is over")


def test_a_policy_without_the_mode_leaves_it() -> None:
    floor = Floor(1)
    for n in range(20):
        floor.comes(0, f"k{n}")
    floor.run(1)
    assert floor.state.mode.managed
    floor.terms = replace(TERMS, managed=replace(MANAGED, enter=0))
    floor.run(3600)
    assert not floor.state.mode.managed


@pytest.mark.parametrize("seats", [1, 3])
def test_the_lowest_priority_waits_no_longer_than_its_bound(seats: int) -> None:
    """With ageing a contact of priority p is served before all that come p' − p points of ageing later.

    So whoever waits is overtaken only by contacts that come within (highest − lowest) / ageing minutes of it: its wait is
    at most that, plus the time to serve all who are before it then.
    """
    ageing, highest = 2.0, 20
    floor = Floor(seats, 30, Terms(ageing=ageing))
    window_s = highest / ageing * 60
    gap = 31 / seats * 1.05  # just below what the seats can do
    floor.comes(0.5, "low")
    n = 0
    while n * gap < 4 * window_s:
        at = T0 + timedelta(seconds=n * gap)
        floor.at(n * gap, events.ContactQueued, contact_id=f"v{n}", customer_id="v", priority=highest, queued_at=at)
        n += 1
    # A burst of the highest priority ahead of it, so that the queue is long.
    for i in range(10 * seats):
        floor.at(0, events.ContactQueued, contact_id=f"b{i}", customer_id="v", priority=highest, queued_at=T0)
    floor.run(8 * window_s)
    (low,) = [f for f in floor.told(facts.ContactAccepted) if f.contact_id == "low"]
    ahead = sum(1 for f in floor.told(facts.ContactAccepted) if f.accepted_at < low.accepted_at)
    came = 10 * seats + window_s / gap + 1
    assert ahead <= came + 1
    assert low.waited_ms / 1000 <= (came + seats) * 31 / seats + 31
    overtook = [
        f for f in floor.told(facts.ContactAccepted) if f.accepted_at < low.accepted_at and f.contact_id != "low"
    ]
    queued = {f.contact_id: f.accepted_at - timedelta(milliseconds=f.waited_ms) for f in overtook}
    assert all(at <= T0 + timedelta(seconds=0.5 + window_s) for at in queued.values())


@pytest.mark.parametrize("gather_s", [0.0, 2.0])
def test_gathering_does_not_keep_a_debt_from_an_idle_seat(gather_s: float) -> None:
    floor = Floor(2, service_s=60, terms=replace(TERMS, gather_s=gather_s))
    for n in range(30):
        floor.comes(n, f"k{n}")
    floor.run(4 * 3600)
    assert floor.told(facts.DebtIncurred) and not floor.state.debts and not floor.told(facts.DebtOverdue)


def test_a_clock_that_went_back_gathers_no_longer_than_it_must() -> None:
    floor = Floor(2, terms=Terms(gather_s=2))
    floor.comes(3600, "k0")
    floor.run(3600)
    assert not floor.told(facts.ContactOffered)
    floor.now -= timedelta(hours=1)
    floor.agenda.clear()
    floor.send(events.SeatSignedIn, seat_id="s2", skills={}, capacity=1)
    floor.run(10)
    assert floor.told(facts.ContactOffered)


@pytest.mark.parametrize("hand_at", [400, 3100])
def test_a_hand_on_the_mode_keeps_no_promise_past_due(hand_at: int) -> None:
    floor = Floor(1, service_s=120)
    for n in range(10):
        floor.comes(n, f"k{n}")
    for n in range(60):
        floor.comes(20 + n * 60, f"vip{n}", protected=True)
    floor.at(hand_at, events.ModeRequested, by="boss", reason="r", mode="managed")
    floor.run(12 * 3600)
    assert floor.told(facts.DebtIncurred) and not floor.state.debts


@pytest.mark.parametrize("back", [False, True])
def test_a_seat_that_signed_out_and_is_cut_off_gives_its_customer_back_or_comes_back_to_end(back: bool) -> None:
    floor = Floor(1, service_s=10**7)
    floor.comes(0, "k0")
    floor.run(5)
    floor.send(events.SeatSignedOut, seat_id="s0")
    floor.send(events.SeatDisconnected, seat_id="s0")
    if back:
        floor.send(events.SeatReconnected, seat_id="s0")
    floor.run(3600)
    floor.send(events.SeatSignedIn, seat_id="s1", skills={}, capacity=1)
    floor.run(7200)
    held = floor.state.serving["k0"]
    assert held.seat_id == ("s0" if back else "s1")
    floor.send(events.ServiceFinished, seat_id=held.seat_id, contact_id="k0", token=held.token)
    assert set(floor.state.seats) == {"s1"}


def test_a_pool_that_the_policy_dropped_gives_nobody_to_a_pool_that_there_is_not() -> None:
    made = Policy("v2", UTC, (), Route("care"), Route("care"), {"care": Terms(), "other": Terms()})
    floor = Floor(1, terms=made.terms("dropped"))
    assert floor.terms is made.terms("dropped"), "the same to look at, each time"
    floor.comes(0, "k0")
    floor.run(5)
    given = {"seat_id": "s0", "contact_id": "k0", "token": 1, "reason": "r"}
    refused = floor.send(events.ServiceTransferred, to_pool="no_such", **given)
    assert [f.ok for f in refused if isinstance(f, facts.Answer)] == [False]
    moved = floor.send(events.ServiceTransferred, to_pool="other", **given)
    assert [f.ok for f in moved if isinstance(f, facts.Answer)] == [True]
