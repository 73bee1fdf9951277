"""A ten-fold rush on the live stack: `python -m bench.rush`.

Every service on an embedded Kafka and Postgres, on loopback, on a clock that runs fast. Customers who want a human come
at a steady rate, ten times as often for some minutes, and at the steady rate again until all debts are paid and
a while longer; seats take, miss and decline offers as they do in the demo. The policy is the shipped one, but protected
customers stand in the pool that is rushed. Whatever the topics tell of it is judged then, and audited. Exit status 0
only if managed mode (托管) was entered once and left once, all debts are paid, no contact is lost and each protected
customer waited no longer than the bound of docs/adr/0013.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.rush_chart import Spans, draw
from bench.rush_course import Course, figures, guarded, wrong
from deploy.embedded import state
from deploy.embedded.layout import Layout
from services.cli.audit import audit
from services.cli.audit.collect import NotRunning
from services.cli.day.generator import population
from services.cli.day.journal import Journal
from services.cli.day.model import LOCAL, ContactPlan, Day, SeatPlan, Window, dice
from services.cli.day.player import Player, Target
from services.cli.day.policy import for_speed
from services.cli.day.run import DemoError, Stack, settle
from services.router.policyfile import DEFAULT, parse
from services.runtime.clock import clock_from
from services.runtime.errors import TouchlineError
from services.runtime.settings import KafkaSettings
from services.runtime.tail import read_all, tail
from services.runtime.topics import POOL_EVENTS, ROUTING_DECIDED

POOL = "service"
TOPICS = (ROUTING_DECIDED, POOL_EVENTS)
SHOPPERS = 4000
"""Customers before one comes again."""
EAGER = 0.2
"""The share of unprotected customers who hang up after half an hour to an hour; they are called."""
SAY_EVERY_S = 10.0
_PROTECTED = re.compile(r'^pool = "\w+"(\npriority = \d+\nprotected = true)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rush:
    """What is played. Seconds and minutes are the system's, of which `pace` go by in a real second.

    occupancy: of the seats, at the steady rate. longest_h: after which it ends, whatever is owed.
    """

    seed: int = 1
    pace: float = 30.0
    seats: int = 10
    service_s: float = 180.0
    occupancy: float = 0.4
    times: float = 10.0
    before_min: float = 5.0
    rush_min: float = 11.0
    after_min: float = 15.0
    longest_h: float = 5.0

    @property
    def steady(self) -> float:
        """Contacts a second before and after the rush."""
        return self.occupancy * self.seats / self.service_s

    def rate(self, at: float) -> float:
        """Contacts a second, so many seconds after the beginning."""
        begins = self.before_min * 60
        return self.steady * (self.times if begins <= at < begins + self.rush_min * 60 else 1.0)

    def arrivals(self, begin: float) -> Iterator[ContactPlan]:
        """Who comes, by chance (Poisson), without end; `begin` in seconds after midnight."""
        roll, shoppers, at, n = dice(self.seed, "rush"), population(self.seed, SHOPPERS), 0.0, 0
        while True:
            # Thinned from the highest rate, so that the change of the rate is felt at once.
            at += roll.expovariate(self.steady * self.times)
            if roll.random() * self.steady * self.times >= self.rate(at):
                continue
            who = replace(shoppers[n % len(shoppers)], language="zh")
            guarded_ = who.tier == "vip" or who.vulnerable
            eager = not guarded_ and roll.random() < EAGER
            yield ContactPlan(
                f"r-{self.seed}-{n:06d}", who, begin + at, "微信", "after_sales", "delivery", "水果", True, (), (),
                patience_s=roll.uniform(1800, 3600) if eager else 86_400,
                service_s=self.service_s * roll.uniform(0.8, 1.2),
            )  # fmt: skip
            n += 1

    def day(self, midnight: datetime, begin: float) -> Day:
        """The seats' day; who comes is told as it goes."""
        end = begin + self.longest_h * 3600
        skills = {"delivery": 3}
        seats = tuple(SeatPlan(f"seat-{i + 1:02d}", POOL, skills, ("zh",), 1, begin, end) for i in range(self.seats))
        return Day(self.seed, midnight, Window(begin, end, None), (), seats, (), ())


def policy_of(shipped: str, pace: float) -> str:
    """The shipped policy with protected customers in the pool that is rushed, and offers that can be answered at that pace."""
    told, found = _PROTECTED.subn(rf'pool = "{POOL}"\1', shipped)
    if not found:
        raise ValueError("the shipped policy protects nobody")
    return for_speed(told, pace)


class Run:
    """One run on a stack that is up."""

    def __init__(self, rush: Rush, found: dict[str, Any], data: Path, clock: str) -> None:
        self.rush, self.data, self.clock = rush, data, clock_from(clock)
        self.kafka = KafkaSettings(bootstrap=found["kafka"]["bootstrap"])
        now = state.read(Layout.of(data))
        if now is None:
            raise DemoError("the stack went away")
        self.target = Target(
            found["gateway"]["url"],
            found["gateway"]["api_key"],
            self.kafka.bootstrap,
            now.grpc["router"],
            now.grpc["escalation"],
            clock,
        )
        self.heard = Course(POOL)
        self.begin = self.clock() + timedelta(seconds=2 * rush.pace)
        self.midnight = self.begin.astimezone(LOCAL).replace(hour=0, minute=0, second=0, microsecond=0)
        self._said = 0.0

    def since(self) -> float:
        """Seconds of the system's clock since the beginning."""
        return (self.clock() - self.begin).total_seconds()

    async def play(self, journal: Journal) -> bool:
        """Plays the rush to its end. Returns whether all were served before the time ran out."""
        begin = (self.begin - self.midnight).total_seconds()
        player = Player(self.rush.day(self.midnight, begin), self.target, journal)
        tasks = [asyncio.create_task(work) for work in (self._feed(player, begin), player.run(), self._listen())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return not player.world.open_contacts

    async def _listen(self) -> None:
        async for records in tail(self.kafka, list(TOPICS), from_start=True):
            self.heard.hear(records)

    async def _feed(self, player: Player, begin: float) -> None:
        """Lets customers come until all debts are paid and a while longer, then waits until who came is served."""
        coming = self.rush.arrivals(begin)
        following, calm_since = next(coming), None
        over = (self.rush.before_min + self.rush.rush_min) * 60
        while (since := self.since()) < self.rush.longest_h * 3600:
            calm = since > over and not self.heard.managed and not self.heard.open_debts
            calm_since = None if not calm else calm_since if calm_since is not None else since
            if calm_since is not None and since - calm_since >= self.rush.after_min * 60:
                break
            while following.at <= begin + since + self.rush.pace:
                player.world.comes(following)
                following = next(coming)
            self._say(player)
            await asyncio.sleep(0.25)
        limit = time.monotonic() + 120
        while player.world.coming and time.monotonic() < limit:
            self._say(player)
            await asyncio.sleep(0.25)

    def _say(self, player: Player) -> None:
        if time.monotonic() - self._said < SAY_EVERY_S:
            return
        self._said, h = time.monotonic(), self.heard
        print(
            f"{self.since() / 60:6.1f} min  来访 came {len(h.queued):4}  进行中 open {player.world.open_contacts:4}"
            f"  欠 owed {len(h.open_debts):4}  已还 paid {len(h.paid):4}  {'托管 managed' if h.managed else ''}",
            file=sys.stderr,
            flush=True,
        )

    async def told(self) -> Course:
        """All that the topics hold of the pool."""
        course = Course(POOL)
        for topic in TOPICS:
            course.hear(await read_all(self.kafka, topic))
        return course


async def measure(rush: Rush, data: Path, svg: Path | None) -> dict[str, Any]:
    """The run, as one row of figures, with what is wrong of it in `wrong`."""
    policy = data / "policy.toml"
    policy.write_text(policy_of(DEFAULT.read_text("utf-8"), rush.pace), "utf-8")
    terms = parse(policy.read_text("utf-8")).terms(POOL).managed
    os.environ["ROUTER_POLICY"] = str(policy)
    morning = datetime.now(LOCAL).replace(hour=8, minute=0, second=0, microsecond=0)
    clock = f"scaled:{time.time():.3f}:{morning.timestamp():.3f}:{rush.pace:g}"
    stack, began = Stack(data), time.monotonic()
    try:
        run = Run(rush, await stack.up(clock), data, clock)
        _say(f"就绪 ready after {time.monotonic() - began:.0f} s")
        with Journal(data / "journal.jsonl") as journal:
            served = await run.play(journal)
        await settle(data, _say)
        course = await run.told()
        report = await audit(data, data / "journal.jsonl")
    finally:
        await stack.down()
    _say(report.table())
    row = figures(course, requested(data / "journal.jsonl"), terms, rush.seats)
    faults = wrong(row)
    if not served:
        faults.append("the time ran out before all were served")
    if not report.ok:
        faults.append("the audit found differences")
    if svg is not None:
        start = run.begin.timestamp()
        peak = start + rush.before_min * 60
        draw(svg, course, guarded(course, terms, rush.seats), Spans(start, peak, peak + rush.rush_min * 60))
    return {
        **row,
        "seats": rush.seats,
        "pace": rush.pace,
        "steady_per_min": round(60 * rush.steady, 2),
        "rush_per_min": round(60 * rush.steady * rush.times, 2),
        "rush_min": rush.rush_min,
        "audit": report.ok,
        "real_s": round(time.monotonic() - began, 1),
        "measured_at": datetime.now(UTC).date().isoformat(),
        "wrong": faults,
    }


def requested(journal: Path) -> set[str]:
    """The contacts whose request the gateway accepted."""
    lines = (json.loads(line) for line in journal.read_text("utf-8").splitlines())
    return {
        line["event"]["data"]["contactId"]
        for line in lines
        if line.get("accepted") and line.get("event", {}).get("type") == "touchline.contact.ContactRequested.v1"
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _until_told(rush: Rush, data: Path, svg: Path | None) -> dict[str, Any]:
    """Measures; SIGTERM ends it in order, as SIGINT does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await measure(rush, data, svg)


def main() -> None:
    """Prints the row; says on standard error what is wrong with it."""
    usual = Rush()
    parser = argparse.ArgumentParser(prog="python -m bench.rush", description=__doc__)
    for name, kind, what in (
        ("seed", int, "of who comes when"),
        ("pace", float, "simulated seconds a second"),
        ("seats", int, "of one contact at once"),
        ("occupancy", float, "of the seats, at the steady rate"),
        ("before-min", float, "at the steady rate"),
        ("rush-min", float, "how long it lasts"),
        ("after-min", float, "after all debts are paid"),
        ("longest-h", float, "after which it ends anyhow"),
    ):
        value = getattr(usual, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=kind, default=value, help=f"{what} ({value:g})")
    parser.add_argument("--svg", type=Path, help="where to draw it, such as docs/images/router-rush.svg")
    parser.add_argument("--data", type=Path, help="a folder to keep: the stack's, the journal, the logs")
    args = parser.parse_args()
    rush = replace(usual, **{key: told for key, told in vars(args).items() if key not in ("svg", "data")})
    try:
        with tempfile.TemporaryDirectory(prefix="touchline-rush-") as folder:
            data = args.data or Path(folder)
            data.mkdir(parents=True, exist_ok=True)
            row = asyncio.run(_until_told(rush, data, args.svg))
    except (DemoError, NotRunning, TouchlineError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"rush: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
    print(json.dumps(row, indent=2))
    for what in row["wrong"]:
        _say(f"rush: {what}")
    sys.exit(1 if row["wrong"] else 0)


if __name__ == "__main__":
    main()
