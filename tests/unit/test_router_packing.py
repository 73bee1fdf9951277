"""What is stored of a pool in pieces is what it would be as a whole; a decision without reasons is the same decision."""

import random
from dataclasses import fields, replace
from datetime import timedelta

import msgspec
import pytest

from services.router.domain import assignment, events, facts
from services.router.domain.copying import changed
from services.router.domain.draft import live, stored
from services.router.domain.policy import Managed, Ring, Terms
from services.router.domain.pool import Pool, Seat, Waiting
from services.router.packing import Packing
from tests.unit.router_races import T0, Schedule

TERMS = Terms(
    ageing=2.0, last_seat_s=600, last_seat_hold_s=20, wrap_up_s=5, rings=(Ring(60, lower=1),),
    managed=Managed(enter=2, leave=0.5, least=4, min_stay_s=30, promise_s=300, call_before_s=60),
)  # fmt: skip


def story(seed: int, steps: int = 150) -> list[events.PoolEvent]:
    """What may come to a pool, by chance; tokens are guessed from a small range, so that some answers fit."""
    draw, at, made = random.Random(seed), T0, []
    for n in range(steps):
        at += timedelta(seconds=draw.expovariate(0.3))
        head = {"event_id": str(n), "source": "t", "time": at, "pool": "care"}
        seat, contact, token = f"s{draw.randrange(4)}", f"k{draw.randrange(30)}", draw.randrange(1, 2 + n // 4)
        what = draw.random()
        if what < 0.12:
            made.append(events.SeatSignedIn(**head, seat_id=seat, skills={"x": draw.randint(0, 2)}, capacity=2))
        elif what < 0.45:
            made.append(
                events.ContactQueued(
                    **head, contact_id=contact, customer_id=contact, queued_at=at, priority=draw.choice((0, 20)),
                    skills={"x": draw.randint(0, 2)}, protected=draw.random() < 0.2,
                )
            )  # fmt: skip
        elif what < 0.5:
            made.append(events.ContactWithdrawn(**head, contact_id=contact, customer_id=contact, abandoned=True))
        elif what < 0.55:
            made.append(events.AngerAbsorbed(**head, seat_id=seat, weight=1.0))
        else:
            kind = draw.choice((events.OfferAccepted, events.OfferAccepted, events.ServiceFinished))
            made.append(kind(**head, seat_id=seat, contact_id=contact, token=token))
    return made


def fitting(state: Pool, event: events.PoolEvent, draw: random.Random) -> events.PoolEvent:
    """An answer that fits what the pool waits for, where it waits for one."""
    open_ = state.offers if isinstance(event, events.OfferAccepted) else state.serving
    if isinstance(event, events.OfferEvent) and open_:
        about = open_[draw.choice(sorted(open_))]
        contact = about.contact.contact_id if about.contact is not None else ""
        return replace(event, seat_id=about.seat_id, contact_id=contact, token=about.token)
    return event


@pytest.mark.parametrize("seed", range(6))
def test_the_pieces_are_the_whole(seed: int) -> None:
    draw, packing, state = random.Random(seed), Packing(), live(Pool("care"))
    for event in story(seed):
        state, _ = assignment.decide(state, fitting(state, event, draw), event.time, TERMS)
        if draw.random() < 0.3:
            text = msgspec.json.encode(packing(state))
            assert msgspec.json.decode(text) == msgspec.json.decode(msgspec.json.encode(stored(state)))
            assert msgspec.json.decode(text, type=Pool) == state
    assert state.tally is not None and state.tally.human > 5


@pytest.mark.parametrize("seed", range(6))
def test_a_decision_without_reasons_is_the_same_decision(seed: int) -> None:
    draw, told, bare = random.Random(seed), live(Pool("care")), live(Pool("care"))
    for came in story(seed):
        event = fitting(told, came, draw)
        told, said = assignment.decide(told, event, event.time, TERMS)
        bare, said_bare = assignment.decide(bare, event, event.time, TERMS, record=False)
        assert [_plain(f) for f in said if not isinstance(f, facts.WaitPredicted)] == [_plain(f) for f in said_bare]
    assert {k: (s.holds, s.rank_us) for k, s in told.seats.items()} == {
        k: (s.holds, s.rank_us) for k, s in bare.seats.items()
    }
    assert (set(told.waiting), told.debts.keys(), told.token, told.mode) == (
        set(bare.waiting), bare.debts.keys(), bare.token, bare.mode,
    )  # fmt: skip


def _plain(fact: facts.PoolFact) -> dict[str, object]:
    reasons = {"candidates", "waiting", "others", "predicted_ms"} if hasattr(fact, "contact_id") else set()
    return {"is": type(fact)} | {f.name: getattr(fact, f.name) for f in fields(fact) if f.name not in reasons}


def test_a_changed_copy_is_that_of_the_standard_library() -> None:
    state = Schedule(3, seats=3, acceptors=4, contacts=6)
    state.run()
    for seat in state.state.seats.values():
        assert changed(seat, misses=2, used=0.5) == replace(seat, misses=2, used=0.5) and isinstance(seat, Seat)
    waiting = Waiting("k", "c", 1, {}, "", T0, (0, 0, "k"), "[]")
    assert changed(waiting) == waiting and changed(waiting, ring=2).ring == 2 and waiting.ring == 0
    with pytest.raises(KeyError, match="rings"):
        changed(waiting, rings=2)
