"""A pool stored in parts, batch after batch, is the pool; a decision without reasons is the same decision."""

import json
import random
from dataclasses import FrozenInstanceError, fields, replace
from datetime import timedelta

import msgspec
import pytest

from services.router.domain import assignment, events, facts
from services.router.domain.copying import changed
from services.router.domain.draft import MAPS, live, stored
from services.router.domain.policy import Managed, Ring, Terms
from services.router.domain.pool import Mode, Pool, Seat, Waiting
from services.router.parts import IN_PARTS, whole
from services.runtime.checkpoint import Saved
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
def test_the_parts_are_the_whole(seed: int) -> None:
    draw, rows, before, state = random.Random(seed), Rows(), Pool("care"), live(Pool("care"))
    for event in story(seed):
        state, _ = assignment.decide(state, fitting(state, event, draw), event.time, TERMS)
        if draw.random() < 0.3:
            rows.write(before, state)
            assert rows.read() == state
            # A process that takes over decides on what was stored; what it writes first is what it changed.
            before = state = rows.read() if draw.random() < 0.2 else state
    assert state.tally is not None and state.tally.human > 5


class Rows:
    """What the database has of one pool: rewritten as jsonb does, with keys in another order."""

    def __init__(self) -> None:
        self.body, self.parts = b"", dict[str, bytes]()

    def write(self, before: Pool | None, after: Pool) -> int:
        self.body = shuffled(msgspec.json.encode(IN_PARTS.head(after)))
        for name, body in (changes := IN_PARTS.changed(before, after)).items():
            if body is None:
                del self.parts[name]  # it must have been there
            else:
                assert name not in self.parts or json.loads(self.parts[name]) != json.loads(body), (
                    f"{name} did not change"
                )
                self.parts[name] = shuffled(body)
        return len(changes)

    def read(self) -> Pool:
        return whole(Saved(0, 1, self.body, self.parts))


def shuffled(body: bytes) -> bytes:
    return json.dumps(json.loads(body), sort_keys=True).encode()


def test_a_pool_from_before_there_were_parts_is_written_in_parts_by_its_next_batch() -> None:
    state = live(Pool("care"))
    for event in story(1, 60):
        state, _ = assignment.decide(state, event, event.time, TERMS)
    old = whole(Saved(0, 7, msgspec.json.encode(stored(state))))
    assert old == state and old.waiting
    rows = Rows()
    assert rows.write(None, live(old)) == sum(len(getattr(state, name)) for name in MAPS)
    assert rows.read() == state
    assert json.loads(rows.body)["waiting"] == {}


def test_of_a_large_pool_only_what_changed_is_written() -> None:
    state = live(Pool("care"))
    for n in range(3000):
        at = T0 + timedelta(seconds=n)
        event = events.ContactQueued(
            event_id=str(n), source="t", time=at, pool="care", contact_id=f"k/{n}", customer_id=f"c{n}", queued_at=at, skills={}
        )  # fmt: skip
        state, _ = assignment.decide(state, event, at, record=False)
    gone = events.ContactWithdrawn(
        event_id="w", source="t", time=at, pool="care", contact_id="k/5", customer_id="c5", abandoned=True
    )
    after, _ = assignment.decide(state, gone, at)
    assert IN_PARTS.changed(state, after) == {"waiting/k/5": None}
    assert IN_PARTS.changed(after, after) == {}
    rows = Rows()
    rows.write(None, state)
    rows.write(state, after)
    assert rows.read() == after and len(rows.parts) == 2999


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
    with pytest.raises(AttributeError, match="rings"):
        changed(waiting, rings=2)
    with pytest.raises(FrozenInstanceError):
        changed(waiting, ring=2).ring = 3  # type: ignore[misc]
    assert changed(Mode(), hand="human") == Mode(hand="human")  # one that isn't quick
    with pytest.raises(TypeError, match="rings"):
        changed(Mode(), rings=2)
