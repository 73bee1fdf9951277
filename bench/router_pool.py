"""How many events a second one pool decides on one core: 2,000 seats, 20,000 contacts waiting, nothing but the decisions.

    python -m bench.router_pool [--seats 2000] [--waiting 20000] [--events 20000] [--needs 12] [--store 500] [--json]

The pool is filled first; then every event that follows is timed together: a seat finishes, the first whom it can serve is
offered to it, it accepts, a new contact comes, and now and then one leaves the queue, a seat declines or pauses. The queue
stays as long as it is. Timed is what the pool does; that somebody acts on it is not. `--store N` also encodes what is
stored of the state, every N events, as a batch of the service does.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.router.domain import assignment, events, facts
from services.router.domain.draft import live
from services.router.domain.policy import Terms
from services.router.domain.pool import Pool
from services.router.parts import IN_PARTS
from services.runtime.service import GARBAGE_THRESHOLD

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


class Bench:
    """A pool, the clock, and who is to act next."""

    def __init__(self, seats: int, waiting: int, needs: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.terms = Terms(offer_timeout_s=3600)
        self.state, self.now = live(Pool("care")), T0
        self.needs = [self._need(i) for i in range(needs)]
        self.decided_s = 0.0
        self.offered: deque[tuple[str, str, int]] = deque()
        self.serving: list[tuple[str, str, int]] = []
        self.n = self.contacts = 0
        for i in range(seats):
            skills = {name: self.random.randint(1, 3) for name in self.random.choice(self.needs) | {"care": 1}}
            self.send(events.SeatSignedIn, seat_id=f"s{i:05}", skills=skills, capacity=1)
        for _ in range(seats + waiting):
            self.comes()
        while self.offered:
            self.accepts()

    def _need(self, i: int) -> dict[str, int]:
        names = ("refund", "repair", "install", "complaint", "billing")
        return {names[i % len(names)]: 1 + i // len(names) % 2} if i else {}

    def send(self, kind: type[events.PoolEvent], **fields: Any) -> None:
        self.n += 1
        self.now += timedelta(milliseconds=1)
        event = kind(event_id=str(self.n), source="bench", time=self.now, pool="care", **fields)
        begun = time.process_time()
        self.state, made = assignment.decide(self.state, event, self.now, self.terms)
        self.decided_s += time.process_time() - begun
        for fact in made:
            if isinstance(fact, facts.ContactOffered):
                self.offered.append((fact.seat_id, fact.contact_id, fact.token))

    def comes(self) -> None:
        self.contacts += 1
        self.send(events.ContactQueued, contact_id=f"k{self.contacts}", customer_id=f"c{self.contacts}",
                  priority=self.random.choice((0, 0, 0, 20, 50)), skills=self.random.choice(self.needs),
                  queued_at=self.now)  # fmt: skip

    def accepts(self) -> None:
        seat, contact, token = self.offered.popleft()
        self.send(events.OfferAccepted, seat_id=seat, contact_id=contact, token=token)
        self.serving.append((seat, contact, token))

    def round(self) -> None:
        """One contact's share of what happens."""
        i = self.random.randrange(len(self.serving))
        seat, contact, token = self.serving[i]
        self.serving[i] = self.serving[-1]
        self.serving.pop()
        self.send(events.ServiceFinished, seat_id=seat, contact_id=contact, token=token)
        self.comes()
        if self.random.random() < 0.05 and self.offered:
            seat, contact, token = self.offered.popleft()
            self.send(events.OfferDeclined, seat_id=seat, contact_id=contact, token=token)
        if self.random.random() < 0.1:
            gone = f"k{self.random.randint(max(1, self.contacts - 10_000), self.contacts)}"
            if gone in self.state.waiting:
                self.send(events.ContactWithdrawn, contact_id=gone, customer_id="c", abandoned=True)
                self.comes()
        while self.offered:
            self.accepts()


def run(seats: int, waiting: int, count: int, needs: int, store: int, seed: int) -> dict[str, Any]:
    """Fill the pool, then time so many events. CPU time, and the garbage collector as the services set it."""
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 50)
    bench = Bench(seats, waiting, needs, seed)
    before = bench.state
    first, stored_s, sizes, since, bench.decided_s = bench.n, 0.0, [], bench.n, 0.0
    while bench.n - first < count:
        bench.round()
        if store and bench.n - since >= store:
            since, at = bench.n, time.process_time()
            changed = IN_PARTS.changed(before, bench.state)
            head = msgspec.json.encode(IN_PARTS.head(bench.state))
            sizes.append(len(head) + sum(len(body or b"") for body in changed.values()))
            before = bench.state
            stored_s += time.process_time() - at
    done = bench.n - first
    return {
        "seats": len(bench.state.seats),
        "waiting": len(bench.state.waiting),
        "events": done,
        "cpu_s": round(bench.decided_s + stored_s, 3),
        "events_per_s": round(done / bench.decided_s),
        "events_per_s_with_storing": round(done / (bench.decided_s + stored_s)),
        "bytes_a_batch": round(sum(sizes) / len(sizes)) if sizes else 0,
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (
        ("seats", 2000),
        ("waiting", 20_000),
        ("events", 20_000),
        ("needs", 12),
        ("store", 500),
        ("seed", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = run(args.seats, args.waiting, args.events, args.needs, args.store, args.seed)
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:28} {value:,}")


if __name__ == "__main__":
    main()
