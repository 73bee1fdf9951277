"""Contacts of different weights: whoever needs more room than is left gets it in turn, and nobody looks at the whole queue."""

from datetime import timedelta

import pytest

from services.router.domain import events, facts, matching
from services.router.domain.draft import Draft
from services.router.domain.explain import explain
from services.router.domain.policy import Managed, Terms
from services.router.domain.pool import Waiting
from services.router.domain.room import Kept
from tests.unit.test_router_optimum import Desk, offered

TERMS = Terms(weights={"call": 1.0, "chat": 0.5}, offer_timeout_s=3600)


class Floor(Desk):
    """Seats that accept at once, and serve first in, first out."""

    def take(self, made: list[facts.PoolFact]) -> list[tuple[str, str]]:
        given = [f for f in made if isinstance(f, facts.ContactOffered)]
        for fact in given:
            mine = {"seat_id": fact.seat_id, "contact_id": fact.contact_id, "token": fact.token}
            self.take(self.send(events.OfferAccepted, **mine))
        return offered(given)

    def finish(self, contact: str) -> list[tuple[str, str]]:
        held = self.state.serving[contact]
        mine = {"seat_id": held.seat_id, "contact_id": contact, "token": held.token}
        return self.take(self.send(events.ServiceFinished, **mine))


def busy(seats: int = 2) -> Floor:
    """Every seat has two chats, then a call comes, and chats behind it."""
    floor = Floor(TERMS)
    for i in range(seats):
        floor.seat(f"s{i}")
    for i in range(2 * seats):
        floor.now += timedelta(seconds=1)
        floor.take(floor.queue(f"k{i:03}", channel="chat"))
    floor.now += timedelta(seconds=1)
    floor.queue("call", channel="call")
    return floor


@pytest.mark.parametrize("seats", [1, 2, 5])
def test_a_call_gets_a_seat_though_chats_come_for_ever(seats: int) -> None:
    floor = busy(seats)
    for i in range(2 * seats, 20 * seats):
        floor.now += timedelta(seconds=1)
        floor.queue(f"k{i:03}", channel="chat")
        floor.finish(min(floor.state.serving))
        if "call" in floor.state.serving:
            break
    assert "call" in floor.state.serving and i <= 4 * seats, (
        "once a chat of each seat has gone, another goes, and it is its turn"
    )


def test_the_other_seats_go_on_with_those_behind_it_and_the_record_says_why_not_this_one() -> None:
    floor = busy(2)
    floor.queue("k9", channel="chat")
    assert floor.finish("k000") == [], "half of a seat is kept for the call"
    held = floor.state.serving["k001"]
    made = floor.send(events.ServiceFinished, seat_id=held.seat_id, contact_id="k001", token=held.token)
    offer = next(f for f in made if isinstance(f, facts.ContactOffered))
    assert offer.contact_id == "k9" and "call" in floor.state.waiting
    assert {c.why_not for c in offer.candidates} == {"", "reserved:call"}
    told = explain(offer)
    assert "留给排在前面、需要更多余量的联系 call" in told.zh
    assert "kept for contact call, which is before it and needs more room" in told.en


def test_the_seat_that_is_kept_stays_the_same_while_it_empties() -> None:
    floor = Floor(Terms(weights={"call": 3.0, "chat": 1.0}, offer_timeout_s=3600))
    for i in range(3):
        floor.seat(f"s{i}", capacity=3)
    for i in range(9):
        floor.now += timedelta(seconds=1)
        floor.take(floor.queue(f"k{i:03}", channel="chat"))
    floor.queue("call", channel="call")
    for i in range(9, 40):
        floor.now += timedelta(seconds=1)
        floor.queue(f"k{i:03}", channel="chat")
        floor.finish(min(floor.state.serving))
        if "call" in floor.state.serving:
            break
    assert "call" in floor.state.serving and i < 9 + 9, (
        "three chats of one seat, and no more than all of before have gone"
    )


def test_one_whom_no_seat_could_ever_take_keeps_none() -> None:
    floor = Floor(Terms(weights={"call": 3.0, "chat": 0.5}, offer_timeout_s=3600))
    floor.seat("s")
    floor.queue("call", channel="call")
    assert floor.take(floor.queue("k1", channel="chat")) == [("k1", "s")], (
        "its seats hold one, and the call weighs three"
    )
    assert floor.take(floor.queue("k2", channel="chat")) == [("k2", "s")]


def test_a_debt_is_not_called_to_a_seat_that_is_kept() -> None:
    terms = Terms(
        weights={"call": 1.0, "chat": 0.5}, offer_timeout_s=3600, managed=Managed(enter=0.1, leave=0.0, least=1)
    )
    floor = Floor(terms)
    floor.seat("s")
    floor.take(floor.queue("k0", channel="chat", protected=True))
    floor.take(floor.queue("k1", channel="chat", protected=True))
    floor.queue("call", channel="call", protected=True)
    floor.send(events.ModeRequested, mode="managed", by="lead", reason="")
    floor.now += timedelta(seconds=1)
    floor.queue("owed", channel="chat")
    floor.send(events.ModeRequested, mode="auto", by="lead", reason="")
    assert floor.state.mode.managed and "owed" in floor.state.debts
    assert floor.finish("k0") == [], "the half seat is kept for the call, which a debt does not pass"
    assert floor.finish("k1") == [("call", "s")]


def test_a_queue_that_needs_more_room_than_any_seat_has_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def best_seat(draft: Draft, contact: Waiting, kept: Kept | None) -> str | None:
        looked.append(contact.contact_id)
        return real(draft, contact, kept)

    floor = busy(3)
    for i in range(200):
        floor.queue(f"w{i:03}", channel="call")
    real = matching.best_seat
    monkeypatch.setattr(matching, "best_seat", best_seat)
    floor.finish("k000")
    assert len(looked) < 10, "two hundred wait for a whole seat, and half a one is free"
