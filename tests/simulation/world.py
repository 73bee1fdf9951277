"""The world that processes run in: it carries their calls, and lets happen to them what the schedule says."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from services.runtime.checkpoint import Place
from services.runtime.errors import TouchlineError, Transient
from services.runtime.records import Outgoing
from tests.simulation.bus import Bus
from tests.simulation.counting import BEGIN, COUNTERS, FACTS
from tests.simulation.link import Locked
from tests.simulation.loop import Actor, Loop, Over
from tests.simulation.memory import Database
from tests.simulation.schedule import Fault, Schedule

T = TypeVar("T")

BUS_KINDS = frozenset(("connect", "leave", "join", "bounds", "ends", "poll", "offsets"))


class Process(Actor):
    """One life of a process, from its start to its death."""

    def __init__(self, name: str, life: int) -> None:
        super().__init__(f"{name}{life}")
        self.place = name
        self.life = life
        self.cut_bus_until = 0.0
        self.cut_db_until = 0.0
        self.lost_at: float | None = None
        self.leaving = False
        self.runner: Any = None
        self.ended = False


class World:
    """Bus, database, processes and clock of one run."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.rng = Random(f"touchline/{schedule.seed}/{schedule.salt}")
        self.loop = Loop(self.rng)
        self.inputs = tuple(f"in{n}" for n in range(schedule.topics))
        topics = dict.fromkeys(self.inputs, schedule.partitions)
        letters = {f"{t}.dlq": 2 for t in (*self.inputs, FACTS)}
        self.bus = Bus({**topics, **letters, FACTS: 3, COUNTERS: 2}, session_s=2.0, rebalance_s=3.0)
        self.database = Database(self.rng)
        self.calls = {(f.kind, f.nth): f for f in schedule.faults if f.what == "call"}
        self.counts: dict[str, int] = {}
        self.bus_away_until = self.db_away_until = 0.0
        self.bus_back_at = 0.0
        self.offset_s = self.highest_s = 0.0
        self.healed = self.over = False
        self.trace: list[tuple[float, str, str]] = []
        self.bugs: list[str] = []
        self.crash: Callable[[Process, float], None] = lambda *_: None
        self.freeze: Callable[[Process, float], None] = lambda *_: None

    def note(self, who: str, what: str) -> None:
        self.trace.append((self.loop.time(), who, what))

    def delay_s(self) -> float:
        """Mostly a few milliseconds, now and then many."""
        return 0.0004 + self.rng.random() ** 6 * 0.12

    def now(self) -> datetime:
        """The injected clock: it jumps, and every process sees the same."""
        return BEGIN + timedelta(seconds=self.loop.time() + self.offset_s)

    def fault(self, kind: str) -> tuple[int, Fault | None]:
        nth = self.counts[kind] = self.counts.get(kind, 0) + 1
        return nth, None if self.healed else self.calls.get((kind, nth))


class Wire:
    """A process's link to the world."""

    def __init__(self, world: World, process: Process) -> None:
        self.world, self.process = world, process

    def who(self) -> str:
        return self.process.name

    def spawn(self, coro: Coroutine[Any, Any, None]) -> "asyncio.Task[Any]":
        return self.world.loop.spawn(self.process, coro)

    def later(self, delay_s: float, callback: Callable[..., None], *args: Any) -> None:
        self.world.loop.later(delay_s, callback, *args)

    def delay_s(self) -> float:
        return self.world.delay_s()

    def shuffled(self, places: list[Place]) -> list[Place]:
        self.world.rng.shuffle(places)
        return places

    def tell(self, callback: Callable[..., None], *args: Any) -> None:
        self.later(0.02 + self.world.rng.random() * 0.4, self._attempt, callback, args)

    def _attempt(self, callback: Callable[..., None], args: tuple[Any, ...]) -> None:
        if not self.process.alive:
            return
        if not self.kafka_is_reachable():
            self.later(0.3, self._attempt, callback, args)
            return
        self.world.loop.call_soon(callback, *args, context=self.process.context)

    def kafka_is_reachable(self) -> bool:
        now = self.world.loop.time()
        return now >= self.world.bus_away_until and now >= self.process.cut_bus_until

    def lost_since(self) -> float | None:
        world = self.world
        if world.loop.time() < world.bus_away_until or self.process.lost_at is None:
            return None
        return max(self.process.lost_at, world.bus_back_at)

    def _away(self, kind: str) -> str:
        if kind in BUS_KINDS:
            return "" if self.kafka_is_reachable() else "Kafka is away"
        now = self.world.loop.time()
        there = now >= self.world.db_away_until and now >= self.process.cut_db_until
        return "" if there else "the database is away"

    # -- calls ------------------------------------------------------------------------------------------------------

    async def call(self, kind: str, effect: Callable[[], T], ghost: Callable[[float], None] | None = None) -> T:
        world, process = self.world, self.process
        if world.over or not process.alive:
            raise Over
        nth, fault = world.fault(kind)
        outcome = fault.outcome if fault else ""
        world.note(process.name, f"{kind} {nth} {outcome}")
        answer = world.loop.create_future()
        delay = world.delay_s()
        if outcome == "crash_before":
            world.crash(process, fault.lasts if fault else 0)
        elif outcome == "before":
            world.loop.later(delay, self._fail, answer, "cut before it took effect")
        elif outcome == "ghost" and ghost is not None and fault is not None:
            ghost(world.loop.time() + fault.lasts)
            world.loop.later(fault.lasts, self._haunt, kind, effect)
            world.loop.later(delay, self._fail, answer, "cut while it was under way")
        else:
            slow = fault.lasts if fault and outcome in ("slow", "freeze") else 0.0
            if (
                fault is not None and outcome == "freeze"
            ):  # a zombie: what it was about to send goes out when it goes on
                world.freeze(process, fault.lasts)
            world.loop.later(delay + slow, self._serve, kind, effect, answer, fault)
        result: T = await answer
        return result

    def _haunt(self, kind: str, effect: Callable[[], Any]) -> None:
        """A transaction whose client is gone comes to its end."""
        locks = self.world.database.locks
        for place in [p for p, until in locks.items() if until <= self.world.loop.time() + 1e-9]:
            del locks[place]
        try:
            effect()
        except TouchlineError as error:
            self.world.note(self.process.name, f"ghost {kind}: {type(error).__name__}")
        else:
            self.world.note(self.process.name, f"ghost {kind} stands")

    def _serve(self, kind: str, effect: Callable[[], Any], answer: "asyncio.Future[Any]", fault: Fault | None) -> None:
        away = self._away(kind)
        if away:
            self.world.loop.later(0.2, self._fail, answer, away)
            return
        try:
            result = effect()
        except Locked as held:
            wait = held.until - self.world.loop.time() + self.world.delay_s()
            self.world.loop.later(wait, self._serve, kind, effect, answer, fault)
            return
        except TouchlineError as error:
            self.world.note(self.process.name, f"{kind}: {type(error).__name__}")
            if not answer.done():
                answer.set_exception(error)
            return
        outcome = fault.outcome if fault else ""
        if fault is not None and outcome == "crash_after":
            self.world.crash(self.process, fault.lasts)
        elif outcome == "after":
            self._fail(answer, "cut after it took effect")
        elif fault is not None and outcome == "late":
            self.world.loop.later(fault.lasts, self._answer, answer, result)
        else:
            self._answer(answer, result)

    def _answer(self, answer: "asyncio.Future[Any]", result: Any) -> None:
        if not answer.done():
            answer.set_result(result)

    def _fail(self, answer: "asyncio.Future[Any]", why: str) -> None:
        if not answer.done():
            answer.set_exception(Transient(why))

    # -- publishing -------------------------------------------------------------------------------------------------

    async def deliver(
        self,
        lines: Mapping[Place, Sequence[Outgoing]],
        append: Callable[[Outgoing, str], Place],
        line: Callable[[Place, float], float],
    ) -> None:
        world, process = self.world, self.process
        if world.over or not process.alive:
            raise Over
        nth, fault = world.fault("publish")
        outcome = fault.outcome if fault else ""
        world.note(process.name, f"publish {nth} {sum(map(len, lines.values()))} {outcome}")
        answer = world.loop.create_future()
        if fault is not None and outcome == "crash_before":
            world.crash(process, fault.lasts)
        elif outcome == "before":
            world.loop.later(world.delay_s(), self._fail, answer, "Kafka is away: nothing was written")
        else:
            lasts = fault.lasts if fault else 0.0
            slow = min(lasts, 1.5) if outcome in ("slow", "ghost") else 0.0
            if fault is not None and outcome == "freeze":
                slow = lasts
                world.freeze(process, lasts)
            last = self._send(lines, append, line, slow, partial=outcome in ("partial", "crash_partial"))
            if outcome == "ghost":
                world.loop.later(world.delay_s(), self._fail, answer, "Kafka is away: not acknowledged in time")
            else:
                world.loop.later(last, self._acknowledge, answer, outcome, lasts, len(world.trace))
        await answer

    def _send(
        self,
        lines: Mapping[Place, Sequence[Outgoing]],
        append: Callable[[Outgoing, str], Place],
        line: Callable[[Place, float], float],
        slow: float,
        partial: bool,
    ) -> float:
        """Each partition's records arrive at a time of their own. Returns when the last have (seconds from now)."""
        world = self.world
        now = world.loop.time()
        last = 0.0
        for place, records in lines.items():
            chunk = list(records)
            if partial:
                chunk = chunk[: int(world.rng.random() * (len(chunk) + 1))]
            at = line(place, now + slow + world.delay_s()) - now
            last = max(last, at)
            world.loop.later(at, self._arrive, chunk, append)
        return last + 1e-5

    def _arrive(self, chunk: Sequence[Outgoing], append: Callable[[Outgoing, str], Place]) -> None:
        if not self.kafka_is_reachable():
            self.world.note(self.process.name, "unreachable: not written")
            self._missed = len(self.world.trace)
            return
        for record in chunk:
            append(record, self.process.name)

    _missed = -1

    def _acknowledge(self, answer: "asyncio.Future[Any]", outcome: str, lasts: float, since: int) -> None:
        if self._missed > since:
            self._fail(answer, "Kafka is away")
        elif outcome in ("crash_after", "crash_partial"):
            self.world.crash(self.process, lasts)
        elif outcome in ("after", "partial"):
            self._fail(answer, "Kafka is away: not acknowledged")
        elif outcome == "late":
            self.world.loop.later(lasts, self._answer, answer, None)
        else:
            self._answer(answer, None)
