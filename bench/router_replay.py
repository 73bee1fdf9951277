"""How fast a replay runs on one core: `python -m bench.router_replay [--data ../shared/data] [--json FILE]`.

Three rows: the event loop on a made-up floor, a call log's days under one rule (where the data is there), and contacts of our
own topics through the live router's decisions. A contact counts once for each run and policy. Processor time, the best of
several rounds, so that what else runs on the machine matters little.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from services.router import policyfile
from services.router.domain.events import ContactRequested, SeatSignedIn
from services.router.domain.simulation import engine
from services.router.domain.simulation.distributions import Quantiles
from services.router.domain.simulation.live import Run
from services.router.domain.simulation.period import BotDid, BotPart, Fate, Period, Rings, Visit
from services.router.domain.simulation.replay import draw, simulate
from services.router.domain.simulation.shifts import Reading
from services.router.replay import fitted
from services.router.replay.log import read
from services.router.replay.run import bank_rule

CALLS = "calls/bank_calls_1999_08.csv"
ASKED = 200_000
"""Contacts a minute."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to replay."""

    way: str
    contacts: int
    per_minute: float


class _Drawn:
    def __init__(self, seconds: list[float]) -> None:
        self.seconds = seconds

    def of(self, call: int, _queue: int) -> float:
        return self.seconds[call]


def floor(contacts: int, seed: int) -> Callable[[], object]:
    """M/M/N+M at 94 % load on 53 seats."""
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.exponential(6.0, contacts)).tolist()
    work = engine.Work(at, [0] * contacts, at, rng.exponential(300.0, contacts).tolist(), [0.0] * contacts)
    seats = engine.Seats((((0.0, 1e9, frozenset({0})),),) * 53)
    patience = _Drawn(rng.exponential(180.0, contacts).tolist())
    return lambda: engine.run(work, seats, patience)


def calls(path: Path) -> tuple[int, Callable[[], object]]:
    """All days of a log under the bank's rule, the drawing included."""
    days, fit, rule = read(path, Reading()), fitted.load(), bank_rule()
    return sum(len(day.calls) for day in days), lambda: [simulate(draw(day, fit, 1), rule, day.shifts) for day in days]


def topics(contacts: int, seed: int) -> Callable[[], object]:
    """Contacts of which half go to 60 seats of two pools, each rung for some seconds: all by the live decisions."""
    rng = np.random.default_rng(seed)
    start = datetime(2026, 11, 20, 1, tzinfo=UTC)
    at = start + np.cumsum(rng.exponential(5.0, contacts)) * timedelta(seconds=1)
    visits, fates = [], []
    for i in range(contacts):
        request = ContactRequested(
            event_id=f"r{i}", source="/app", time=at[i], customer_id=f"k{i}", contact_id=f"c{i}", channel="app",
            topic="advice", language="zh", tier="vip" if rng.random() < 0.2 else "normal",
            wants_human=bool(rng.random() < 0.4),
        )  # fmt: skip
        visits.append(Visit(request))
        part = BotPart(BotDid.ENDED, float(rng.exponential(60)))
        fates.append(
            Fate(part, float(rng.exponential(400)), float(rng.exponential(300)), tuple(rng.random(6).tolist()))
        )
    seats = tuple(
        SeatSignedIn(
            event_id=f"s{i}", source="/desk", time=start, pool="care" if i % 3 == 0 else "service", seat_id=f"s{i}",
            skills={"complaint": 3}, capacity=1,
        )
        for i in range(60)
    )  # fmt: skip
    period, policy = (
        Period(tuple(visits), seats, Rings(Quantiles((2.0, 4.0, 8.0)), 0.03, 0.02)),
        policyfile.load(policyfile.DEFAULT),
    )
    return lambda: Run(period, fates, policy).run()


def timed(way: str, contacts: int, run: Callable[[], object], rounds: int) -> Row:
    """The best of several rounds."""
    took = []
    for _ in range(rounds):
        begun = time.process_time()
        run()
        took.append(time.process_time() - begun)
    return Row(way, contacts, round(60 * contacts / min(took)))


def main() -> None:
    """Print a JSON line a row, and all of it to a file."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", type=Path, default=Path("../shared/data"))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--contacts", type=int, default=20_000, help="of the made-up floors")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--json", type=Path)
    args = p.parse_args()
    rows = [timed("event loop, M/M/53+M", args.contacts, floor(args.contacts, args.seed), args.rounds)]
    log = args.data / CALLS
    if log.exists():
        rows.append(timed("a bank's 19 days, one rule", *calls(log), args.rounds))
    few = args.contacts // 5
    rows.append(timed("our own topics, live decisions", few, topics(few, args.seed), args.rounds))
    for row in rows:
        print(json.dumps({**asdict(row), "asked": ASKED, "times_asked": round(row.per_minute / ASKED, 2)}))
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
