"""Several contacts and seats at once: against every assignment there is, and what rings, weights and choices do to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, permutations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.domain import assignment, draft, events, facts
from services.router.domain.draft import live
from services.router.domain.optimum import assign
from services.router.domain.policy import Overflow, Ring, Terms
from services.router.domain.pool import Pool
from services.router.parts import head, parts, whole
from services.runtime.checkpoint import Saved

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
_ids = count()
SCORE = st.one_of(st.none(), st.integers(-20, 20).map(float))


@st.composite
def matrices(draw: st.DrawFn) -> list[list[float | None]]:
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    return [[draw(SCORE) for _ in range(m)] for _ in range(n)]


def every(scores: list[list[float | None]]) -> tuple[tuple[bool, ...], float]:
    """The best of all assignments: whom it serves, in the queue's order, then the sum."""
    n, m = len(scores), len(scores[0])
    best: tuple[tuple[bool, ...], float] = ((False,) * n, 0.0)
    for way in permutations([*range(m), *[-1] * n], n):
        if any(j >= 0 and scores[i][j] is None for i, j in enumerate(way)):
            continue
        total = sum(scores[i][j] or 0.0 for i, j in enumerate(way) if j >= 0)
        best = max(best, (tuple(j >= 0 for j in way), total))
    return best


@settings(max_examples=150, deadline=None)
@given(matrices())
def test_it_is_the_best_of_all_assignments(scores: list[list[float | None]]) -> None:
    found = assign(scores)
    found += [-1] * (len(scores) - len(found))
    taken = [j for j in found if j >= 0]
    assert len(set(taken)) == len(taken) and all(scores[i][j] is not None for i, j in enumerate(found) if j >= 0)
    total = sum(scores[i][j] or 0.0 for i, j in enumerate(found) if j >= 0)
    assert (tuple(j >= 0 for j in found), total) == every(scores)


class Desk:
    """A pool with a clock."""

    def __init__(self, terms: Terms) -> None:
        self.state, self.now, self.terms = live(Pool("care")), T0, terms

    def send(self, kind: type[events.PoolEvent], **fields: object) -> list[facts.PoolFact]:
        event = kind(event_id=str(next(_ids)), source="t", time=self.now, pool="care", **fields)
        self.state, made = assignment.decide(self.state, event, self.now, self.terms)
        return list(made)

    def queue(self, contact: str, **fields: object) -> list[facts.PoolFact]:
        told = {"customer_id": f"c{contact}", "queued_at": self.now, **fields}
        return self.send(events.ContactQueued, contact_id=contact, **told)

    def seat(self, name: str, capacity: int = 1, **skills: int) -> list[facts.PoolFact]:
        return self.send(events.SeatSignedIn, seat_id=name, capacity=capacity, skills=skills)

    def later(self, seconds: float) -> list[facts.PoolFact]:
        self.now += timedelta(seconds=seconds)
        self.state, made = assignment.tick(self.state, self.now, self.terms)
        return list(made)


def offered(made: list[facts.PoolFact]) -> list[tuple[str, str]]:
    return [(f.contact_id, f.seat_id) for f in made if isinstance(f, facts.ContactOffered)]


def test_the_first_leaves_the_only_seat_that_the_second_can_have() -> None:
    desk = Desk(Terms(gather_s=2))
    desk.seat("expert", refund=3)
    desk.now += timedelta(seconds=60)
    desk.seat("any")
    assert desk.queue("k1") and offered(desk.queue("k2", skills={"refund": 2})) == []
    made = desk.later(2)
    assert offered(made) == [("k1", "any"), ("k2", "expert")], "one by one k1 had taken the expert, idle longest"
    first = next(f for f in made if isinstance(f, facts.ContactOffered))
    assert [(c.seat_id, c.why_not) for c in first.candidates] == [("any", ""), ("expert", "kept:k2")]


def test_who_has_the_most_in_hand_is_not_filled_up_beside_one_who_has_nothing() -> None:
    desk = Desk(Terms(gather_s=2))
    desk.seat("full", capacity=4)
    for held in ("h1", "h2"):
        desk.queue(held)
        desk.later(2)
    desk.seat("fresh", capacity=4)
    desk.queue("k1")
    desk.queue("k2")
    desk.queue("k3")
    assert offered(desk.later(2)) == [("k1", "fresh"), ("k2", "fresh"), ("k3", "full")], (
        "two each, then who idles longer"
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(0, 40)), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["call", "chat"])), min_size=1, max_size=12),
    st.sampled_from(["longest_idle", "best_skilled"]),
    st.lists(st.integers(0, 99), max_size=12),
)
def test_of_several_at_once_each_goes_to_the_seat_that_scores_highest_then(
    seats: list[tuple[int, int, int]], comes: list[tuple[int, str]], choice: str, declines: list[int]
) -> None:
    desk = Desk(Terms(gather_s=2, choice=choice, weights={"chat": 0.5}))
    for n, (capacity, skill, after_s) in enumerate(seats):
        desk.now += timedelta(seconds=after_s)
        desk.seat(f"s{n}", capacity=capacity, refund=skill)
    for n, (skill, channel) in enumerate(comes):
        desk.queue(f"k{n}", skills={"refund": skill} if skill else {}, channel=channel)
    made = desk.later(2)
    for one in declines:
        if desk.state.offers:
            offer = sorted(desk.state.offers.items())[one % len(desk.state.offers)][1]
            told = {"contact_id": offer.contact.contact_id, "token": offer.token}
            made += desk.send(events.OfferDeclined, seat_id=offer.seat_id, **told)
        made += desk.later(2 + one % 3)
    for fact in made:
        if isinstance(fact, facts.ContactOffered):
            scores = {c.seat_id: c.score for c in fact.candidates if c.eligible}
            assert scores[fact.seat_id] >= max(scores.values()) - 1e-6, (fact.contact_id, scores)


def test_rings_relax_what_is_asked_and_keep_the_place() -> None:
    desk = Desk(Terms(rings=(Ring(30, lower=1), Ring(60, drop=frozenset({"refund"}), any_language=True))))
    desk.seat("weak", refund=1)
    desk.queue("k1", skills={"refund": 2})
    desk.now += timedelta(seconds=1)
    desk.send(events.SeatPaused, seat_id="weak")
    desk.queue("k2")
    desk.send(events.SeatResumed, seat_id="weak")
    assert offered(desk.later(0)) == [] and "k1" in desk.state.waiting
    assert desk.state.waiting["k1"].place[1] < desk.now.timestamp() * 1e6
    desk.send(events.SeatSignedOut, seat_id="weak")
    place = desk.state.waiting["k1"].place
    desk.later(40)
    relaxed = desk.state.waiting["k1"]
    assert (relaxed.skills, relaxed.ring, relaxed.place) == ({"refund": 1}, 1, place)
    made = desk.seat("weak2", refund=1)
    assert offered(made) == [("k1", "weak2")], "it goes before k2, who came later"
    assert next(f for f in made if isinstance(f, facts.ContactOffered)).ring == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)), min_size=2, max_size=10),
    st.lists(st.tuples(st.integers(0, 2), st.integers(5, 60)), min_size=1, max_size=12),
    st.integers(5, 80),
)
def test_relaxing_never_lengthens_the_wait_of_whom_it_relaxes(
    comes: list[tuple[int, int]], frees: list[tuple[int, int]], ring_s: int
) -> None:
    """The same contacts and seats with the ring and without it: who is relaxed first of all is never offered later."""

    def waits(terms: Terms) -> dict[str, float]:
        desk = Desk(terms)
        found: dict[str, float] = {}

        def heard(made: list[facts.PoolFact]) -> None:
            for contact, _ in offered(made):
                found.setdefault(contact, (desk.now - T0).total_seconds())

        steps = [(sum(g for _, g in comes[: i + 1]), "comes", i, s) for i, (s, _) in enumerate(comes)]
        steps += [(sum(g for _, g in frees[: i + 1]), "seat", i, s) for i, (s, _) in enumerate(frees)]
        for at, what, i, skill in sorted(steps):
            while (due := assignment.due(desk.state)) is not None and due <= T0 + timedelta(seconds=at):
                heard(desk.later((due - desk.now).total_seconds()))
            desk.now = T0 + timedelta(seconds=at)
            if what == "comes":
                heard(desk.queue(f"k{i}", skills={"refund": skill} if skill else {}, channel="only" if i else ""))
            else:
                heard(desk.seat(f"s{i}", refund=skill))
        return found

    usual = Terms(offer_timeout_s=3600)
    with_ring = waits(replace(usual, rings=(Ring(ring_s, lower=2),)))
    without = waits(usual)
    assert with_ring.get("k0", 1e9) <= without.get("k0", 1e9), "k0 is the first that any ring touches"


def test_a_chat_that_waits_for_its_customer_weighs_less() -> None:
    desk = Desk(Terms(weights={"chat": 1.0}, waiting_weight=0.5))
    desk.seat("s", capacity=2)
    for i in range(3):
        desk.queue(f"k{i}", channel="chat")
    for contact, token in (("k0", 1), ("k1", 2)):
        desk.send(events.OfferAccepted, seat_id="s", contact_id=contact, token=token)
    assert desk.state.seats["s"].used == 2 and "k2" in desk.state.waiting
    assert offered(desk.send(events.TurnPassed, contact_id="k0", waits_for_customer=True)) == []
    assert offered(desk.send(events.TurnPassed, contact_id="k1", waits_for_customer=True)) == [("k2", "s")]
    desk.send(events.TurnPassed, contact_id="k0", waits_for_customer=False)
    assert desk.state.seats["s"].used == 2.5, "the customer is back: over capacity for a while, and no more offers"


def test_best_skilled_or_longest_idle_and_what_a_seat_bears() -> None:
    for choice, seat in (("longest_idle", "novice"), ("best_skilled", "master")):
        desk = Desk(Terms(choice=choice))
        desk.seat("novice", refund=1)
        desk.now += timedelta(seconds=60)
        desk.seat("master", refund=5)
        assert offered(desk.queue("k", skills={"refund": 1})) == [("k", seat)]
    desk = Desk(Terms(load_s=120))
    desk.seat("a")
    desk.now += timedelta(seconds=60)
    desk.seat("b")
    desk.send(events.AngerAbsorbed, seat_id="a", weight=1.0)
    assert offered(desk.queue("k")) == [("k", "b")], (
        "a minute longer idle, but it has borne two minutes' worth of anger"
    )


def test_the_last_seat_for_a_while_and_then_anybody() -> None:
    terms = Terms(last_seat_s=600, last_seat_hold_s=30)
    desk = Desk(terms)
    desk.seat("s1")
    desk.queue("k1", customer_id="bob")
    desk.send(events.OfferAccepted, seat_id="s1", contact_id="k1", token=1)
    desk.send(events.ServiceFinished, seat_id="s1", contact_id="k1", token=1)
    desk.seat("s0")
    desk.now += timedelta(seconds=5)
    assert offered(desk.queue("k2", customer_id="bob")) == [("k2", "s1")]
    desk.send(events.OfferAccepted, seat_id="s1", contact_id="k2", token=2)
    assert offered(desk.queue("k3", customer_id="bob")) == [] and "k3" in desk.state.parked, (
        "s1 is busy: k3 waits for it"
    )
    assert offered(desk.later(30)) == [("k3", "s0")]
    desk.send(events.ServiceFinished, seat_id="s1", contact_id="k2", token=2)
    desk.send(events.SeatSignedOut, seat_id="s1")
    desk.send(events.OfferAccepted, seat_id="s0", contact_id="k3", token=3)
    desk.send(events.ServiceFinished, seat_id="s0", contact_id="k3", token=3)
    desk.now += timedelta(seconds=601)
    assert desk.queue("k4", customer_id="bob")[0] is not None


def test_wrap_up_overflow_transfer_and_a_seat_that_is_cut_off_keep_the_clock() -> None:
    desk = Desk(Terms(wrap_up_s=10, overflow=Overflow("other", 100), reconnect_s=20, pools=("care", "other")))
    desk.seat("s1")
    desk.queue("k1")
    desk.send(events.OfferAccepted, seat_id="s1", contact_id="k1", token=1)
    desk.now += timedelta(seconds=5)
    refused = desk.send(events.ServiceTransferred, seat_id="s1", contact_id="k1", token=1, to_pool="none", reason="x")
    assert not next(f for f in refused if isinstance(f, facts.Answer)).ok
    made = desk.send(
        events.ServiceTransferred, seat_id="s1", contact_id="k1", token=1, to_pool="other", reason="engineer"
    )
    queued = next(f for f in made if isinstance(f, facts.ContactQueued))
    assert (queued.pool, queued.queued_at, queued.from_pool, queued.not_seat) == ("other", T0, "care", "s1")
    gone = desk.send(events.ContactWithdrawn, contact_id="k1", customer_id="c", abandoned=True)
    assert [(type(f), f.pool) for f in gone] == [(facts.ContactWithdrawn, "other")], "told on to where it is"
    assert offered(desk.queue("k2")) == [], "s1 is at the work after k1"
    assert offered(desk.later(10)) == [("k2", "s1")]
    desk.send(events.OfferAccepted, seat_id="s1", contact_id="k2", token=2)
    queued_at = desk.state.serving["k2"].contact.queued_at  # type: ignore[union-attr]
    desk.send(events.SeatDisconnected, seat_id="s1")
    desk.later(19)
    assert "k2" in desk.state.serving
    moved = [f for f in desk.later(1) if isinstance(f, facts.ContactMoved)]
    assert [(f.cause, f.queued_at) for f in moved] == [("disconnected", queued_at)] and "k2" in desk.state.waiting
    over = desk.later(100)
    assert [(f.cause, f.to_pool) for f in over if isinstance(f, facts.ContactMoved)] == [("overflow", "other")]


@pytest.mark.parametrize("what", ["call_back", "no_call_back", "cut_off", "connected"])
@pytest.mark.parametrize("how", ["overflow", "transfer"])
def test_what_triage_says_of_a_contact_that_moved_is_told_on_to_where_it_is(how: str, what: str) -> None:
    desk = Desk(Terms(overflow=Overflow("other", 100), pools=("care", "other")))
    desk.queue("k1", customer_id="c")
    if how == "overflow":
        desk.later(100)
    else:
        desk.seat("s1")
        desk.send(events.OfferAccepted, seat_id="s1", contact_id="k1", token=1)
        desk.send(events.ServiceTransferred, seat_id="s1", contact_id="k1", token=1, to_pool="other", reason="engineer")
    told = desk.send(events.ContactLine, contact_id="k1", customer_id="c", what=what)
    assert told == [facts.ContactLine(pool="other", contact_id="k1", customer_id="c", what=what, at=desk.now)]
    turn = desk.send(events.TurnPassed, contact_id="k1", customer_id="c", waits_for_customer=True)
    passed = facts.TurnPassed(pool="other", contact_id="k1", customer_id="c", waits_for_customer=True, at=desk.now)
    assert turn == [passed]
    desk.send(events.ContactQueued, contact_id="k1", customer_id="c", queued_at=T0, from_pool="other")
    assert not desk.send(events.TurnPassed, contact_id="k1", customer_id="c", waits_for_customer=True)
    back = desk.send(events.ContactLine, contact_id="k1", customer_id="c", what=what)
    assert not any(isinstance(f, facts.ContactLine) for f in back), "it is here again"


def _reloaded(pool: Pool) -> Pool:
    kept = {name: body for name, body in parts(None, pool).items() if body is not None}
    return live(whole(Saved(0, 1, msgspec.json.encode(head(pool)), kept)))


def test_the_end_of_a_contact_that_moved_is_told_on_however_many_went_after_it() -> None:
    desk = Desk(Terms(overflow=Overflow("other", 100), pools=("care", "other")))
    for i in range(1_500):
        desk.queue(f"k{i}")
    desk.later(100)
    for i in (0, 700, 1_499):
        desk.state = _reloaded(desk.state)
        told = desk.send(events.ContactWithdrawn, contact_id=f"k{i}", customer_id="c", abandoned=True)
        assert told == [
            facts.ContactWithdrawn(pool="other", contact_id=f"k{i}", customer_id="c", abandoned=True, at=desk.now)
        ]


def test_no_more_are_remembered_than_so_many_and_those_who_went_first_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(draft, "GONE_KEPT", 10)
    desk = Desk(Terms(overflow=Overflow("other", 100), pools=("care", "other")))
    for i in range(34):
        desk.now += timedelta(seconds=1)
        desk.queue(f"k{i:02}")
    desk.later(100)
    gone = sorted(desk.state.gone_to)
    assert 5 <= len(gone) <= 10 and gone == [f"k{i:02}" for i in range(34 - len(gone), 34)]


def test_a_contact_given_on_in_a_round_is_back_where_it_began() -> None:
    desk = Desk(Terms(pools=("care", "other", "third")))
    desk.seat("s1")
    desk.queue("k1", customer_id="c")
    desk.send(events.OfferAccepted, seat_id="s1", contact_id="k1", token=1)
    desk.send(events.ServiceTransferred, seat_id="s1", contact_id="k1", token=1, to_pool="other", reason="engineer")
    assert desk.queue("k1", customer_id="c") == [], "what triage said before is a repeat"
    assert offered(desk.queue("k1", customer_id="c", from_pool="third")) == [("k1", "s1")], "other gave it on to third"
    gone = desk.send(events.ContactWithdrawn, contact_id="k1", customer_id="c", abandoned=True)
    assert [type(f) for f in gone] == [facts.ContactClosed], "and it is told on no more"


def test_a_wait_is_foretold_by_the_pace_and_the_error_is_told() -> None:
    desk = Desk(Terms(offer_timeout_s=60))
    desk.seat("s")
    told = []
    accepted = []
    for i in range(60):
        made = desk.queue(f"k{i}")
        told += [f for f in made if isinstance(f, facts.WaitPredicted)]
        desk.now += timedelta(seconds=20)
        if desk.state.offers:
            (offer,) = desk.state.offers.values()
            key = offer.contact.contact_id
            mine = {"seat_id": "s", "contact_id": key, "token": offer.token}
            accepted += [f for f in desk.send(events.OfferAccepted, **mine) if isinstance(f, facts.ContactAccepted)]
        elif desk.state.serving:
            (held,) = desk.state.serving.values()
            made = desk.send(events.ServiceFinished, seat_id="s", contact_id=held.contact_id, token=held.token)
    known = [f for f in told if f.wait_s >= 0]
    assert len(known) > 20 and [f.position for f in told] == sorted(f.position for f in told)
    assert all(f.high_s >= f.wait_s for f in known)
    last = known[-1]
    assert 30 <= last.wait_s / last.position <= 50, "a seat takes one in 40 s"
    assert any(f.predicted_ms >= 0 for f in accepted)
    desk.send(events.SeatPaused, seat_id="s")
    (untold,) = [f for f in desk.queue("nobody-there") if isinstance(f, facts.WaitPredicted)]
    assert (untold.wait_s, untold.high_s) == (-1.0, -1.0), "while no seat is ready, nobody knows"
    desk.send(events.SeatResumed, seat_id="s")
    (again,) = [f for f in desk.queue("somebody-there") if isinstance(f, facts.WaitPredicted)]
    assert again.wait_s > 0
