"""What an event costs escalation on one core: `python -m bench.escalation_speed [--customers 1000000] [--events 20000] [--json FILE]`.

No Kafka, no Postgres: what a process's own core does between them, in processor time, in batches of the service's own size, with the
garbage collector as the services set it. All customers are open, their states stored as JSON, and as many of them in memory as the
service keeps. Rows: the decision alone; with the record read before it, its facts written and the state encoded after it; the same with
the state read from JSON because memory did not have it. And what silence costs: the ticks that fall due in the hours in which nothing
happens to any of the customers, counted on a sample that is followed by the service's own timers.
"""

import argparse
import gc
import heapq
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bench.escalation_floor import NOW, Floor, number_of, stored
from services.escalation.domain.decide import Policy
from services.escalation.domain.decide import decide as decide_case
from services.escalation.domain.events import Event
from services.escalation.domain.state import WINDOW, Customer
from services.escalation.domain.team import ONE_TEAM
from services.escalation.main import case_pipeline
from services.runtime.batch import Decider, Decisions, States
from services.runtime.checkpoint import Commit, Saved
from services.runtime.records import Record
from services.runtime.service import GARBAGE_THRESHOLD
from services.runtime.settings import BatchSettings
from services.runtime.tracing import BatchTrace

HOURS = WINDOW / timedelta(hours=1) + 1
PIPELINE = case_pipeline(Policy(), ONE_TEAM)


@dataclass(frozen=True, slots=True)
class Row:
    """One way. us: processor microseconds an event, of each batch the least of the rounds; per_s: events a second of one core."""

    way: str
    events: int
    us: float

    @property
    def per_s(self) -> float:
        """Events a second of one core."""
        return 1e6 / self.us


@dataclass(frozen=True, slots=True)
class Silence:
    """Customers to whom nothing happens any more. us: processor microseconds a tick; ticks: of one customer, over `hours`."""

    customers: int
    hours: float
    ticks: float
    us: float
    first_hour: float

    @property
    def core(self) -> float:
        """Share of one core, where customers fall silent evenly over time, and there are always as many."""
        return self.customers * self.ticks * self.us / 1e6 / (self.hours * 3600)

    @property
    def core_first_hour(self) -> float:
        """Share of one core in the hour after all of them fell silent at the same moment."""
        return self.customers * self.first_hour * self.us / 1e6 / 3600


def decisions(floor: Floor, records: list[Record], batch: int) -> list[float]:
    """Seconds that each batch takes: the decision alone, on states that are in memory."""
    read = Decider(PIPELINE, States(PIPELINE, 1)).decode(records, NOW + timedelta(hours=1), Decisions())
    states: dict[str, Customer] = {}
    for r in read:
        states.setdefault(r.incoming.key, floor.state(number_of(r.incoming.key)))
    events: list[tuple[str, Event]] = [(r.incoming.key, r.event) for r in read]
    taken = []
    for start in range(0, len(events), batch):
        begun = time.process_time()
        for key, event in events[start : start + batch]:
            states[key], _ = decide_case(states[key], event, event.time)
        taken.append(time.process_time() - begun)
    return taken


def whole(floor: Floor, records: list[Record], batch: int, bound: int, *, cold: bool) -> list[float]:
    """Seconds that each batch takes: records to commits. cold: no state is in memory when its batch comes."""
    states = States(PIPELINE, bound)
    decider = Decider(PIPELINE, states)
    if not cold:
        _fill(floor, states, sorted({r.key.decode() for r in records if r.key}))
    taken = []
    for start in range(0, len(records), batch):
        some = records[start : start + batch]
        now = NOW + timedelta(milliseconds=start + batch)
        if cold:
            states.clear()
        begun = time.process_time()
        made = decider.begin()
        reads = decider.decode(some, now, made)
        missing = states.missing(r.incoming.key for r in reads)
        spent = time.process_time() - begun
        saved = stored(floor, missing, Saved)
        begun = time.process_time()
        states.fill(missing, saved)
        decider.decide(reads, now, made, BatchTrace(PIPELINE.name, len(some)))
        commit = Commit({}, now)
        made.changes()
        states.keep(made, commit)
        taken.append(spent + time.process_time() - begun)
        if made.letters:
            sys.exit(f"{made.letters} events could not be handled")
    return taken


def least(way: str, events: int, rounds: list[list[float]]) -> Row:
    """The rounds as one row: what else the machine does makes a batch slower, never quicker."""
    return Row(way, events, sum(map(min, zip(*rounds, strict=True))) / events * 1e6)


def _fill(floor: Floor, states: "States[Customer]", keys: list[str]) -> None:
    states.fill(keys, stored(floor, keys, Saved))


def silence(floor: Floor, sample: int, hours: float = HOURS) -> Silence:
    """Follows a sample of the customers by their own timers until nothing is left to say, each tick with its state read and written."""
    states = States(PIPELINE, sample)
    decider = Decider(PIPELINE, states)
    due = PIPELINE.due
    assert due is not None
    step = floor.customers // sample or 1
    keys = [floor.name(n * step) for n in range(min(sample, floor.customers))]
    agenda: list[tuple[datetime, str]] = []
    saved = stored(floor, keys, Saved)
    states.fill(keys, saved)
    for key in keys:
        if (at := due(states.get(key).state)) is not None:
            agenda.append((at, key))
    heapq.heapify(agenda)
    end, ticks, early, spent = NOW + timedelta(hours=hours), 0, 0, 0.0
    bodies = {key: s.body for key, s in saved.items()}
    while agenda and agenda[0][0] <= end:
        now = agenda[0][0] + timedelta(minutes=1)  # ticks are worked off together, as many as are due
        some = []
        while agenda and agenda[0][0] <= now:
            some.append(heapq.heappop(agenda)[1])
        begun = time.process_time()
        states.clear()
        states.fill(some, {k: Saved(0, 1, bodies[k], {}) for k in some})
        made = decider.begin()
        decider.tick(some, now, made)
        commit = Commit({}, now)
        states.keep(made, commit)
        spent += time.process_time() - begun
        for key in some:
            if key in commit.states:
                bodies[key] = commit.states[key][3]
            if (at := due(states.get(key).state)) is not None:
                heapq.heappush(agenda, (max(at, now), key))
        ticks += len(some)
        early += len(some) * (now <= NOW + timedelta(hours=1))
    return Silence(floor.customers, hours, ticks / len(keys), spent / ticks * 1e6, early / len(keys))


def measure(floor: Floor, count: int, rounds: int, sample: int) -> dict[str, Any]:
    """All rows."""
    records = floor.records(count)
    settings = BatchSettings()
    batch, bound = settings.max_records, max(settings.cached_keys, count)
    ways: dict[str, Callable[[], list[float]]] = {
        "decided": partial(decisions, floor, records, batch),
        "read, decided, written": partial(whole, floor, records, batch, bound, cold=False),
        "read, its state read as well, decided, written": partial(whole, floor, records, batch, bound, cold=True),
    }
    rows = [least(way, count, [make() for _ in range(rounds)]) for way, make in ways.items()]
    return {"rows": rows, "silence": silence(floor, sample) if sample else None}


def main() -> int:
    """Measures, prints, and writes the rows where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.escalation_speed", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sample", type=int, default=4_000, help="customers whose silence is followed")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    floor = Floor(args.customers)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 50)
    found = measure(floor, args.events, args.rounds, args.sample)
    told = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"{args.customers:,} open customers, {args.events:,} events, one core, load average {told:.1f}")
    for row in found["rows"]:
        print(f"{row.us:8.1f} µs an event {row.per_s:10,.0f} events/s  {row.way}")
    quiet: Silence | None = found["silence"]
    if quiet:
        print(
            f"silence: {quiet.ticks:.1f} ticks a customer in {quiet.hours:.0f} h, {quiet.us:.1f} µs each: {quiet.core:.4f} of a core, "
            f"{quiet.core_first_hour:.4f} in the hour after all fell silent at once"
        )
    if args.json:
        rows = [asdict(r) | {"per_s": r.per_s} for r in found["rows"]]
        silent = asdict(quiet) | {"core": quiet.core, "core_first_hour": quiet.core_first_hour} if quiet else None
        args.json.write_text(json.dumps({"rows": rows, "silence": silent}, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
