"""One run of a schedule: processes are started, hurt and healed; then the oracle says what it makes of the world."""

import asyncio
import hashlib
import logging
import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from services.runtime import runner as runner_module
from services.runtime.checkpoint import Store
from services.runtime.errors import Fenced, Transient
from services.runtime.patience import backoff
from services.runtime.publisher import Publisher
from services.runtime.runner import Runner
from services.runtime.settings import BatchSettings
from services.runtime.source import Source
from tests.simulation import oracle
from tests.simulation.client import MemoryPublisher, MemorySource
from tests.simulation.counting import NAME, message, pipeline
from tests.simulation.loop import Stuck
from tests.simulation.memory import MemoryStore
from tests.simulation.schedule import AT_REST, HEALED, Fault, Schedule, Start
from tests.simulation.world import Process, Wire, World

MOST_STEPS = 150_000
WATCH_EVERY_S = 0.4
ENDS_WITHIN_S = 25.0


@dataclass(frozen=True)
class Parts:
    """What a process is made of. A mutation puts a part of its own in the place of a true one."""

    store: Callable[[World, Wire, MemorySource, MemoryPublisher], Store] = lambda w, wire, s, p: MemoryStore(
        w.database, wire
    )
    source: Callable[[World, Wire, MemorySource], Source] = lambda w, wire, s: s
    publisher: Callable[[World, Wire, MemoryPublisher], Any] = lambda w, wire, p: p
    runner: Callable[..., Runner[Any, Any, Any]] = Runner


TRUE = Parts()


@dataclass
class Outcome:
    """What became of a schedule. `failures` is empty where nothing was lost, doubled, out of order or stuck."""

    schedule: Schedule
    failures: list[str]
    steps: int
    seconds: float  # virtual
    trace: list[tuple[float, str, str]] = field(repr=False)
    world: World = field(repr=False)

    def fingerprint(self) -> str:
        """Of every step of the run: two runs with the same one did the same."""
        text = "\n".join(f"{at:.9f} {who} {what}" for at, who, what in self.trace)
        return hashlib.blake2b(f"{text}\n{self.steps}\n{self.failures}".encode(), digest_size=12).hexdigest()


class Director:
    """Plays a schedule in its world."""

    def __init__(self, schedule: Schedule, parts: Parts) -> None:
        self.schedule, self.parts = schedule, parts
        self.world = World(schedule)
        self.world.crash, self.world.freeze = self.crash, self.freeze
        self.lives: dict[str, list[Process]] = {}
        self.everyone: list[Process] = []
        self.clients: dict[Process, list[MemorySource]] = {}
        self.pipeline = pipeline(self.world.inputs)
        self.settings = BatchSettings(
            max_records=schedule.max_records,
            poll_ms=schedule.poll_ms,
            tick_every=timedelta(milliseconds=300),
            flush_every=timedelta(milliseconds=400),
            flush_cells=schedule.flush_cells,
            cached_keys=schedule.cached_keys,
            drain_s=schedule.drain_s,
        )
        self.ended_at = 0.0

    def play(self) -> Outcome:
        world, loop = self.world, self.world.loop
        for start in self.schedule.starts:
            loop.later(start.at, self.start, start)
        for event in self.schedule.events:
            record = message(world.inputs[event.topic], event.key, event.kind, event.number)
            loop.later(event.at, world.bus.append, record, "channel")
        for fault in self.schedule.faults:
            if fault.what != "call":
                loop.later(fault.at, self.befall, fault)
        loop.later(HEALED, self.heal)
        failures = []
        with _quiet(world):
            try:
                loop.run(AT_REST, MOST_STEPS)
            except Stuck as stuck:
                failures.append(f"stuck: {stuck}; {oracle.unsettled(world) or 'processes do not end'}")
            failures += world.bugs + loop.errors
            world.over = True
            loop.bury([*self.everyone, loop.world])
        failures += [
            f"giving up failed: {c.revoke_failed!r}"
            for found in self.clients.values()
            for c in found
            if c.revoke_failed
        ]
        if not failures:
            failures += oracle.judge(world)
        return Outcome(self.schedule, failures, loop.steps, loop.time(), world.trace, world)

    # -- processes --------------------------------------------------------------------------------------------------

    def start(self, start: Start) -> None:
        if self.ended_at:
            return
        lives = self.lives.setdefault(start.name, [])
        process = Process(start.name, len(lives))
        lives.append(process)
        self.everyone.append(process)
        self.clients[process] = []
        self.world.note(process.name, "starts")
        self.world.loop.spawn(process, self._live(process))

    async def _live(self, process: Process) -> None:
        """A process as service.py runs it: a publisher, and a runner that is begun anew whenever it was fenced."""
        wire = Wire(self.world, process)
        waits = backoff()
        publisher = MemoryPublisher(self.world.bus, wire)
        while True:
            try:
                await publisher.start()
                break
            except Transient:
                await asyncio.sleep(next(waits))
        waits = backoff()
        try:
            while not process.leaving:
                process.runner = self._runner(process, wire, publisher)
                try:
                    await process.runner.run()
                except (Fenced, Transient) as error:
                    self.world.note(process.name, f"joins anew: {type(error).__name__}")
                    await asyncio.sleep(next(waits))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.world.bugs.append(f"{process.name} ended by a bug: {error!r} in {where.name}, line {where.lineno}")
        await publisher.stop()
        process.ended = True
        self.world.note(process.name, "ends")

    def _runner(self, process: Process, wire: Wire, publisher: MemoryPublisher) -> Runner[Any, Any, Any]:
        instance = process.place if self.schedule.static else None
        source = MemorySource(self.world.bus, wire, NAME, self.world.inputs, instance)
        self.clients[process].append(source)
        kafka: Publisher = self.parts.publisher(self.world, wire, publisher)
        store = self.parts.store(self.world, wire, source, publisher)
        return self.parts.runner(
            self.pipeline, self.parts.source(self.world, wire, source), store, kafka, self.world.now, self.settings
        )

    def crash(self, process: Process, restart_after: float) -> None:
        if not process.alive or process.ended:
            return
        self.world.note(process.name, "dies")
        process.alive = False
        process.queue.clear()
        self._lost(process)
        # Also once the world has healed: what was drawn before may strike a moment after it.
        self.world.loop.later(max(0.1, restart_after), self.start, Start(0, process.place))

    def _lost(self, process: Process) -> None:
        process.lost_at = self.world.loop.time()
        for client in self.clients[process]:
            client.lost()

    # -- faults -----------------------------------------------------------------------------------------------------

    def befall(self, fault: Fault) -> None:
        """At its time, and after so many more steps of the process that it is about."""
        world, now = self.world, self.world.loop.time()
        if world.healed:
            return
        if fault.what == "bus_away":
            world.note("world", "the bus is away")
            world.bus_away_until = world.bus_back_at = max(world.bus_away_until, now + fault.lasts)
            world.loop.later(fault.lasts, self._bus_is_back)
        elif fault.what == "db_away":
            world.note("world", "the database is away")
            world.db_away_until = max(world.db_away_until, now + fault.lasts)
        elif fault.what == "clock":
            world.note("world", f"the clock jumps by {fault.lasts}")
            world.offset_s += fault.lasts
            world.highest_s = max(world.highest_s, world.offset_s)
        else:
            process = self._living(fault.process)
            if process is not None:
                process.fuse.append((process.steps + fault.steps, lambda: self._hurt(fault, process)))

    def _living(self, name: str) -> Process | None:
        lives = self.lives.get(name)
        return lives[-1] if lives and lives[-1].alive and not lives[-1].ended else None

    def _hurt(self, fault: Fault, process: Process) -> None:
        world, now = self.world, self.world.loop.time()
        if world.healed or not process.alive or process.ended:
            return
        if fault.what == "crash":
            self.crash(process, fault.lasts)
            return
        world.note(process.name, fault.what)
        if fault.what == "pause":
            self.freeze(process, fault.lasts)
        elif fault.what == "cut_bus":
            process.cut_bus_until = now + fault.lasts
            self._lost(process)
            world.loop.later(fault.lasts, self._resume, process)
        elif fault.what == "cut_db":
            process.cut_db_until = now + fault.lasts
        elif fault.what == "leave":
            self.leave(process)
            world.loop.later(ENDS_WITHIN_S, self._must_have_ended, process)
            world.loop.later(fault.lasts + 0.1, self._back, process)

    def freeze(self, process: Process, lasts: float) -> None:
        """As SIGSTOP does, until SIGCONT."""
        process.paused = True
        self._lost(process)
        self.world.loop.later(lasts, self._resume, process)

    def _resume(self, process: Process) -> None:
        if not process.alive:
            return
        if process.paused and process.lost_at is not None:
            self.world.note(process.name, "goes on")
            self.world.loop.resume(process)
        if self.world.loop.time() >= process.cut_bus_until:
            process.lost_at = None

    def _bus_is_back(self) -> None:
        for process in self.everyone:
            if process.lost_at is not None:
                for client in self.clients[process]:
                    client.lost()

    def leave(self, process: Process) -> None:
        process.leaving = True
        if process.runner is not None:
            process.runner.stop()

    def _back(self, process: Process) -> None:
        """The process that left in good order is started again, once it has ended."""
        if self.world.healed or not process.alive:
            return
        if not process.ended:
            self.world.loop.later(0.5, self._back, process)
            return
        self.start(Start(0, process.place))

    def _must_have_ended(self, process: Process) -> None:
        if process.alive and not process.ended and not process.paused:
            self.world.bugs.append(f"{process.name} was asked to stop, and did not within {ENDS_WITHIN_S:.0f} s")
            self.world.loop.stop()

    # -- the end ----------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """From here on nothing goes wrong any more, and somebody is there."""
        world = self.world
        world.note("world", "heals")
        world.healed = True
        world.offset_s = max(world.highest_s, world.offset_s)
        world.bus_away_until = world.db_away_until = min(world.loop.time(), world.bus_away_until)
        for process in self.everyone:
            process.cut_bus_until = process.cut_db_until = 0.0
            if process.alive and process.lost_at is not None:
                world.loop.resume(process)
                process.lost_at = None
        if not any(p.alive and not p.ended and not p.leaving for p in self.everyone):
            self.start(Start(0, "z"))
        world.loop.later(WATCH_EVERY_S, self._watch)

    def _watch(self) -> None:
        if oracle.unsettled(self.world) or self.world.bugs:
            self.world.loop.later(WATCH_EVERY_S, self._watch)
            if self.world.bugs:
                self.world.loop.stop()
            return
        # It rests. Those who are there stop in good order, and must leave nothing behind.
        for process in self.everyone:
            if process.alive and not process.ended:
                self.leave(process)
        self.ended_at = self.world.loop.time()
        self.world.loop.later(0.1, self._farewell)

    def _farewell(self) -> None:
        staying = [p for p in self.everyone if p.alive and not p.ended]
        if not staying:
            self.world.loop.stop()
        elif self.world.loop.time() > self.ended_at + ENDS_WITHIN_S:
            self.world.bugs.append(f"{', '.join(p.name for p in staying)}: asked to stop, and did not")
            self.world.loop.stop()
        else:
            self.world.loop.later(0.2, self._farewell)


class _VirtualTime:
    """`time` as a module that measures with it sees it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def monotonic(self) -> float:
        return self._world.loop.time()

    def time_ns(self) -> int:
        return int(self._world.loop.time() * 1e9)


@contextmanager
def _quiet(world: World) -> Iterator[None]:
    """No logs, chance from the seed, and the runner's own clock set to virtual time."""
    log = logging.getLogger("services.runtime")
    level, state = log.level, random.getstate()
    real = getattr(runner_module, "time", None)
    log.setLevel(logging.CRITICAL + 1)
    random.seed(world.schedule.seed)
    if real is not None:
        runner_module.time = _VirtualTime(world)
    try:
        yield
    finally:
        log.setLevel(level)
        random.setstate(state)
        if real is not None:
            runner_module.time = real


def run(schedule: Schedule, parts: Parts = TRUE) -> Outcome:
    """Plays a schedule from its beginning to its end."""
    return Director(schedule, parts).play()
