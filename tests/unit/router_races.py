"""Schedules of a pool under concurrent acceptors: commands cross on the way, come late, twice, or for an offer that is gone.

    python -m tests.unit.router_races [--schedules 10000] [--seats 200] [--acceptors 50] [--contacts 300] [--seed 1]

Each schedule is another interleaving: the acceptors act on what they saw, and their commands reach the pool's owner in
any order. After every event the facts are held against a plain account of who has which contact.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.router.domain import assignment, events, facts
from services.router.domain.draft import live
from services.router.domain.index import lacking
from services.router.domain.policy import Terms
from services.router.domain.pool import Pool, imbalance, micros

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TERMS = Terms(offer_timeout_s=20, ageing=20.0, max_misses=5)
HIGHEST = 20
OVERTAKEN_S = 60 * HIGHEST / TERMS.ageing
"""Nobody who came so much later is served before a contact that the same seat could serve, whatever their priorities."""
RECORDED = 20
"""In one schedule of so many the reasons are recorded as well."""
Command = tuple[type[events.PoolEvent], dict[str, Any]]


@dataclass
class Schedule:
    """One interleaving, by its seed."""

    seed: int
    seats: int
    acceptors: int
    contacts: int
    now: datetime = T0
    where: dict[str, str] = field(default_factory=dict)
    queued: dict[str, datetime] = field(default_factory=dict)
    accepted: dict[str, datetime] = field(default_factory=dict)
    holder: dict[str, str] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    wire: list[Command] = field(default_factory=list)
    """Commands on their way, in no order."""
    n: int = 0
    finished: bool = False

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.state = live(Pool("care"))

    def run(self) -> int:
        """Play it to its end, and check it. Returns how many events it took."""
        rng = self.random
        for i in range(self.seats):
            self.send(
                events.SeatSignedIn,
                seat_id=f"s{i}",
                skills={"x": rng.randint(1, 2) if i else 2},
                capacity=rng.choice((1, 1, 2)),
            )
        for i in range(self.contacts):
            contact = f"k{i}"
            self.where[contact], self.queued[contact] = "waiting", self.now
            self.send(events.ContactQueued, contact_id=contact, customer_id=contact, queued_at=self.now,
                      priority=rng.choice((0, 0, HIGHEST)), skills={"x": rng.randint(1, 2)} if rng.random() < 0.3 else {})  # fmt: skip
            self._deliver(rng.randint(0, 2))
            if rng.random() < 0.1:
                self.wait(rng.expovariate(1 / 8))
        for _ in range(200 * self.contacts):
            if not self.wire and all(place in ("closed",) for place in self.where.values()):
                break
            if not self._deliver(1) or rng.random() < 0.05:
                self.wait(rng.expovariate(1 / 8))
            if rng.random() < 0.03:
                self.send(
                    rng.choice((events.SeatResumed, events.SeatResumed, events.SeatPaused)),
                    seat_id=f"s{rng.randrange(self.seats)}",
                )
        self.finished = True
        for i in range(self.seats):  # whoever was paused comes back, and the rest is served
            self.send(events.SeatResumed, seat_id=f"s{i}")
        for _ in range(60 * self.contacts):
            if not self._deliver(1):
                if all(place == "closed" for place in self.where.values()):
                    break
                self.wait(21)
        lost = [contact for contact, place in self.where.items() if place != "closed"]
        assert not lost, f"schedule {self.seed}: {lost} never ended"
        assert imbalance(self.state) == 0
        return self.n

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.state, made = assignment.tick(self.state, self.now, TERMS, record=self.seed % RECORDED == 0)
        self._heard(made)

    def send(self, kind: type[events.PoolEvent], **fields: Any) -> None:
        self.n += 1
        self.now += timedelta(milliseconds=self.random.randint(0, 30))
        event = kind(event_id=str(self.n), source="race", time=self.now, pool="care", **fields)
        self.state, made = assignment.decide(self.state, event, self.now, TERMS, record=self.seed % RECORDED == 0)
        self._heard(made)

    def _deliver(self, most: int) -> int:
        done = 0
        while self.wire and done < most:
            i = self.random.randrange(min(len(self.wire), self.acceptors))
            self.wire[i], self.wire[-1] = self.wire[-1], self.wire[i]
            kind, fields = self.wire.pop()
            self.send(kind, **fields)
            done += 1
        return done

    def _heard(self, made: tuple[facts.PoolFact, ...]) -> None:
        rng = self.random
        for fact in made:
            match fact:
                case facts.ContactOffered():
                    assert self.where[fact.contact_id] == "waiting", f"schedule {self.seed}: offered twice"
                    self.where[fact.contact_id] = f"offered {fact.seat_id} {fact.token}"
                    self._nobody_starves(fact)
                    mine = {"seat_id": fact.seat_id, "contact_id": fact.contact_id, "token": fact.token}
                    what = events.OfferAccepted if self.finished or rng.random() < 0.9 else events.OfferDeclined
                    if self.finished or rng.random() < 0.95:  # else it is never answered
                        self.wire.append((what, mine))
                    if rng.random() < 0.2:  # the same again, or another seat that tries the token
                        self.wire.append((events.OfferAccepted, mine | {"seat_id": rng.choice((fact.seat_id, "s0"))}))
                case facts.OfferReturned():
                    assert self.where[fact.contact_id] == f"offered {fact.seat_id} {fact.token}"
                    self.where[fact.contact_id] = "waiting"
                case facts.ContactAccepted():
                    assert self.where[fact.contact_id] == f"offered {fact.seat_id} {fact.token}", "assigned twice"
                    assert fact.token not in self.used, "a token was used twice"
                    self.used.add(fact.token)
                    self.where[fact.contact_id] = f"served {fact.seat_id} {fact.token}"
                    self.accepted[fact.contact_id] = fact.accepted_at
                    mine = {"seat_id": fact.seat_id, "contact_id": fact.contact_id, "token": fact.token}
                    self.wire.append((events.ServiceFinished, mine))
                    if rng.random() < 0.1:
                        self.wire.append((events.ServiceFinished, mine))
                case facts.ContactClosed():
                    assert self.where[fact.contact_id].startswith("served"), "closed from nowhere"
                    self.where[fact.contact_id] = "closed"
                case _:
                    pass

    def _nobody_starves(self, fact: facts.ContactOffered) -> None:
        """Who still waits, and could have been served by this seat, came at most `OVERTAKEN_S` before whom it got."""
        profile = self.state.seats[fact.seat_id].profile
        before = self.queued[fact.contact_id] - timedelta(seconds=OVERTAKEN_S)
        for place in self.state.index.queue:
            contact = self.state.waiting[place[2]]
            if contact.queued_at >= before:
                if place > (micros(self.queued[fact.contact_id]), 0, ""):
                    break  # nobody behind can have waited so much longer
                continue
            if fact.seat_id not in contact.declined_by:
                assert lacking(contact.need, profile), f"schedule {self.seed}: {place[2]} is overtaken"


def main() -> None:
    """Run schedules, and tell how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("schedules", 10_000), ("seats", 200), ("acceptors", 50), ("contacts", 300), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    begun, events_ = time.perf_counter(), 0
    for i in range(args.schedules):
        events_ += Schedule(args.seed + i, args.seats, args.acceptors, args.contacts).run()
        if i and i % max(1, args.schedules // 20) == 0:
            print(f"{i:,} schedules, {events_:,} events, {time.perf_counter() - begun:.0f} s", flush=True)
    print(f"{args.schedules:,} schedules, {events_:,} events: no double assignment, nobody lost")


if __name__ == "__main__":
    main()
