"""How much the online budget loses to hindsight: `python -m bench.escalation_budget [--data ../shared/data] [--days 20] [--json]`.

The incident log is played in time order. A case's risk is a plain one that is known at each row: how often incidents of its
category that were closed before had broken their promise, and what reassignments and reopenings add. People work: each of
`seats` takes the gravest follow-up that nobody has started, for as long as one may take. At the end of each day what they
started (by its risk when they did) is held against the best list that hindsight would have drawn up: the highest risk that each
case had while it was open that day, the gravest first, with the same capacity. Hindsight needs no people and no time, so that no
online rule can reach it. Beside the budget: a fixed threshold with the same capacity, first come, first served, and newest first.
"""

import argparse
import csv
import gzip
import heapq
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.escalation.domain.events import Reason
from services.escalation.domain.followups import decide, due, tick
from services.escalation.domain.tasks import CaseChanged, ClaimRequested
from services.escalation.domain.team import Team, Terms

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Move:
    """A case's risk from a moment on; over where it is None."""

    at: datetime
    case: str
    risk: float | None


@dataclass(frozen=True, slots=True)
class Day:
    """What one day gave: sums of risk over the follow-ups that were started, and over hindsight's list."""

    day: str
    cases: int
    capacity: int
    started: int
    online: float
    hindsight: float

    @property
    def regret(self) -> float:
        """The share of hindsight's sum that was missed."""
        return 1 - self.online / self.hindsight if self.hindsight else 0.0


def moves_of(path: Path) -> list[Move]:
    """The incident log as cases whose risk moves, in time order."""

    def moment(text: str) -> datetime:
        return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)

    with gzip.open(path, "rt", encoding="utf-8", newline="") as opened:
        rows = [(moment(r["sys_updated_at"]), int(r["sys_mod_count"]), r) for r in csv.DictReader(opened)]
    rows.sort(key=lambda r: r[:2])
    late: dict[str, int] = defaultdict(int)
    all_of: dict[str, int] = defaultdict(int)
    found, closed = [], set[str]()
    for at, _, row in rows:
        number, kind = row["number"], row["category"]
        if number in closed:
            continue
        if row["incident_state"] in ("Closed", "Resolved"):
            closed.add(number)
            all_of[kind] += 1
            late[kind] += row["made_sla"] == "False"
            found.append(Move(at, number, None))
            continue
        base = (late[kind] + 8 * 0.35) / (all_of[kind] + 8)
        risk = base + 0.07 * min(5, int(row["reassignment_count"])) + 0.2 * min(2, int(row["reopen_count"]))
        found.append(Move(at, number, min(1.0, risk)))
    return found


def gravest(team: Team, _: datetime) -> str | None:
    """The gravest follow-up that nobody has started."""
    open_now = [f for f in team.flags.values() if not f.started]
    return max(open_now, key=lambda f: f.case.rank).follow_up_id if open_now else None


class Floor:
    """The team, the people who work for it, and what hindsight would have."""

    def __init__(self, terms: Terms, seats: int) -> None:
        self.terms, self.seats = terms, seats
        self.team = Team("bench")
        self.takes = DAY * seats / terms.capacity
        self.busy: list[datetime] = []  # when each seat that works is free again
        self.clock = datetime.min.replace(tzinfo=UTC)
        self.live: dict[str, float] = {}
        self.best: dict[str, float] = {}
        self.started: dict[str, float] = {}
        self.done: set[str] = set()

    def work(self, until: datetime) -> None:
        """People take what is there as they become free, until that moment."""
        while len(self.busy) < self.seats or self.busy[0] <= until:
            at = max(self.clock, heapq.heappop(self.busy) if len(self.busy) == self.seats else self.clock)
            follow_up = gravest(self.team, at)
            if follow_up is None:
                return
            case = self.team.flags[follow_up].case
            command = ClaimRequested(source="b", event_id=str(len(self.done)), follow_up_id=follow_up, owner="x")
            self.team, _ = decide(self.team, command, at, self.terms)
            self.started[case.case_id] = case.risk
            self.done.add(case.case_id)
            heapq.heappush(self.busy, at + self.takes)

    def pass_time(self, until: datetime) -> None:
        """The ticks that are due by then."""
        while (at := due(self.team, self.terms)) is not None and at <= until:
            self.work(at)
            self.clock = max(self.clock, at)
            self.team, _ = tick(self.team, self.clock, self.terms)
        self.work(until)
        self.clock = until

    def take(self, move: Move) -> None:
        """One case moves."""
        if move.risk is None:
            self.live.pop(move.case, None)
        elif move.case not in self.done:
            self.live[move.case] = move.risk
            if move.risk >= self.terms.least:
                self.best[move.case] = max(self.best.get(move.case, 0.0), move.risk)
        if move.case in self.done:
            return
        risk = move.risk or 0.0
        event = CaseChanged(
            team="bench", case_id=move.case, customer_id=move.case, group="", contact_id="", touchpoint="", risk=risk,
            reasons=(Reason("log", risk, risk),), at=move.at, cause=move.case, ended="" if move.risk is not None else "over",
        )  # fmt: skip
        self.team, _ = decide(self.team, event, move.at, self.terms)

    def day(self, start: datetime) -> Day:
        """What the day gave; the next one begins with what is open."""
        top = heapq.nlargest(self.terms.capacity, self.best.values())
        gave = Day(
            f"{start:%Y-%m-%d}",
            len(self.best),
            self.terms.capacity,
            len(self.started),
            sum(self.started.values()),
            sum(top),
        )
        self.started = {}
        self.best = {c: r for c, r in self.live.items() if c not in self.done and r >= self.terms.least}
        return gave


def replay(moves: Iterable[Move], terms: Terms, seats: int, learn_days: int) -> Iterator[Day]:
    """Plays the moves day by day (one shift a day); the first `learn_days` days are not told."""
    floor, told = Floor(terms, seats), 0
    day: datetime | None = None
    for move in moves:
        start, _ = terms.shift_of(move.at)
        if day is None:
            floor.clock = day = start
        if start != day:
            floor.pass_time(start - timedelta(microseconds=1))
            gave = floor.day(day)
            told += 1
            if told > learn_days:
                yield gave
            day = start
        floor.pass_time(move.at)
        floor.take(move)
        floor.work(move.at)


def first_come(moves: Iterable[Move], terms: Terms, learn_days: int, threshold: float) -> Iterator[Day]:
    """A fixed threshold, first come, first served, until the day's capacity is spent: what a rule does."""
    day, told = None, 0
    best: dict[str, float] = {}
    started: dict[str, float] = {}
    done: set[str] = set()
    live: dict[str, float] = {}
    for move in moves:
        start, _ = terms.shift_of(move.at)
        if start != day:
            if day is not None:
                told += 1
                if told > learn_days:
                    top = heapq.nlargest(terms.capacity, best.values())
                    yield Day(
                        f"{day:%Y-%m-%d}", len(best), terms.capacity, len(started), sum(started.values()), sum(top)
                    )
            day, started = start, {}
            best = {c: r for c, r in live.items() if c not in done and r >= terms.least}
        if move.risk is None:
            live.pop(move.case, None)
        elif move.case not in done:
            live[move.case] = move.risk
            if move.risk >= terms.least:
                best[move.case] = max(best.get(move.case, 0.0), move.risk)
            if move.risk >= threshold and len(started) < terms.capacity:
                started[move.case] = move.risk
                done.add(move.case)


def judged(days: Iterable[Day]) -> dict[str, float]:
    """Sums over days."""
    found = list(days)
    hindsight = sum(d.hindsight for d in found)
    worst = max((d.regret for d in found), default=0.0)
    online = sum(d.online for d in found)
    return {
        "days": len(found),
        "cases": sum(d.cases for d in found),
        "started": sum(d.started for d in found),
        "regret": 1 - online / hindsight if hindsight else 0.0,
        "worst_day": worst,
    }


def main() -> int:
    """Prints the regret of each rule, and of each day under the budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--days", type=int, default=40, help="days that are judged")
    parser.add_argument("--learn", type=int, default=10, help="days before them, from which the price is learned")
    parser.add_argument("--capacity", type=int, default=60)
    parser.add_argument("--seats", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    log = given.data / "tickets/incidents.csv.gz"
    if not log.exists():
        print(f"{log} is missing", file=sys.stderr)
        return 1
    terms = Terms(capacity=given.capacity, shifts=(0,), least=0.3, keep=400)
    moves = moves_of(log)
    last = moves[0].at + (given.days + given.learn + 1) * DAY
    moves = [m for m in moves if m.at < last]
    days = list(replay(moves, terms, given.seats, given.learn))
    result = {
        "budget": judged(days),
        "threshold 0.3, first come": judged(first_come(moves, terms, given.learn, 0.3)),
        "threshold 0.6, first come": judged(first_come(moves, terms, given.learn, 0.6)),
    }
    if given.json:
        print(json.dumps({"rules": result, "days": [asdict(d) | {"regret": d.regret} for d in days]}, indent=1))
        return 0
    for name, figures in result.items():
        print(
            f"{name:28} "
            + "  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items())
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
