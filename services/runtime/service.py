"""A service's process, from its settings to its end: what every main.py hands its parts to."""

import asyncio
import faulthandler
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import uvloop
from asyncpg.pool import Pool
from touchline.runtime.v1 import status_pb2

from services.runtime import signals, telemetry
from services.runtime.clock import Clock, clock_from
from services.runtime.commands import CommandBus
from services.runtime.endings import ending, unheard
from services.runtime.errors import Fenced, Misconfigured, Transient
from services.runtime.migrate import migrate
from services.runtime.patience import backoff
from services.runtime.pipeline import Pipeline
from services.runtime.postgres import PostgresStore
from services.runtime.publisher import Publisher
from services.runtime.reader import Reader
from services.runtime.rpc import RpcServer, Servicer, channel
from services.runtime.runner import Runner
from services.runtime.settings import BatchSettings, KafkaSettings, RpcSettings, ServiceSettings, load
from services.runtime.source import KafkaSource

log = logging.getLogger(__name__)

T = TypeVar("T")

# A batch under way ends well within this; the supervisor's patience is 10 s.
DRAIN_S = 6.0
LAG_EVERY_S = 5.0

# Who asks how we are waits a second or more: an answer without the lag is better than none.
ASKED_FOR_S = 1.2

# A pipeline that ran for so long joins anew after a short wait, whatever was before.
LONG_S = 60.0

# A process that stands still in a transaction holds its partitions' rows: the database lets go after this. Of one that stood still while
# a statement was being prepared it waits for the rest, and is not idle: there the length of the transaction ends it (Postgres 17).
LETS_GO = {"idle_in_transaction_session_timeout": "15000", "transaction_timeout": "30000"}

# A batch makes tens of thousands of objects, nearly none of them in a circle: at the default of 700 the search for circles
# takes a tenth of the time.
GARBAGE_THRESHOLD = 50_000


@dataclass
class House:
    """What a service is built from: its clients, ready to use. Only `service.py` makes one.

    pool: for whatever writes, and for questions of any kind. reader: for lookups by key.
    """

    name: str
    clock: Clock
    kafka: KafkaSettings
    rpc: RpcSettings
    publisher: Publisher
    database_url: str
    pool: "Pool[Any]"
    reader: Reader
    closing: AsyncExitStack

    def commands(self) -> CommandBus:
        """A bus for commands to keys' owners, whose events come from this service."""
        bus = CommandBus(self.database_url, self.publisher, f"touchline/{self.name}/rpc")
        self.closing.push_async_callback(bus.stop)
        return bus

    def peer(self, address: str) -> Any:
        """A gRPC channel to another service."""
        made = channel(address, self.rpc)
        self.closing.push_async_callback(made.close)
        return made


@dataclass
class Parts:
    """What a service consists of. `tasks` run beside the pipelines until the process ends."""

    pipelines: Sequence[Pipeline[Any, Any, Any]] = ()
    servicers: Sequence[Servicer] = ()
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=tuple)


Build = Callable[[House], Awaitable[Parts]]


def serve(name: str, build: Build, *, migrations: Path | None = None) -> None:
    """Runs a service until SIGTERM or SIGINT. `migrations` is the folder that holds its `migrations/`.

    Ends with exit code 2 where a setting is wrong, 1 where it failed.
    """
    with ending(name):
        settings = load(ServiceSettings)
        telemetry.set_up(name, metrics_bind=settings.metrics_bind, log_level=settings.log_level)
        uvloop.run(_serve(name, build, settings, migrations))


async def _serve(name: str, build: Build, settings: ServiceSettings, migrations: Path | None) -> None:
    kafka, rpc, batch = load(KafkaSettings), load(RpcSettings), load(BatchSettings)
    if not settings.database_url:
        raise Misconfigured("DATABASE_URL: is missing")
    stopping = stop_signal()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _say_where)
    asyncio.get_running_loop().set_exception_handler(unheard)
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 50)
    async with AsyncExitStack() as closing:
        publisher = Publisher(kafka)
        await until_there(publisher.start, stopping)
        closing.push_async_callback(publisher.stop)
        await until_there(lambda: migrate(settings.database_url, migrations), stopping)
        pool = await until_there(lambda: _pool(settings.database_url), stopping)
        closing.push_async_callback(pool.close)
        reader, clock = Reader(settings.database_url), clock_from(settings.touchline_clock)
        closing.push_async_callback(reader.close)
        house = House(name, clock, kafka, rpc, publisher, settings.database_url, pool, reader, closing)
        parts = await build(house)
        pipelines = [_Pipeline(p, house, batch, publisher) for p in parts.pipelines]
        server = RpcServer(rpc, parts.servicers, _status_of(name, pipelines))
        await server.start()
        closing.push_async_callback(server.stop)
        await _until_stopped(pipelines, parts.tasks, server, stopping)


async def _pool(database_url: str) -> "Pool[Any]":
    try:
        return await asyncpg.create_pool(
            database_url,
            min_size=1,
            max_size=8,
            command_timeout=30,
            reset=_nothing_to_reset,
            server_settings=LETS_GO,
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise Transient(f"Postgres is away: {type(error).__name__}") from error


async def _nothing_to_reset(_: Any) -> None:
    """Nobody leaves a session's state behind on the pool's connections, so that the round trip of a reset is saved."""


class _Pipeline:
    """A pipeline's runner, begun anew whenever another owner has fenced it."""

    def __init__(
        self, pipeline: Pipeline[Any, Any, Any], house: House, batch: BatchSettings, publisher: Publisher
    ) -> None:
        self._pipeline, self._house, self._batch, self._publisher = pipeline, house, batch, publisher
        self.runner: Runner[Any, Any, Any] | None = None
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        if self.runner is not None:
            self.runner.stop()

    def tried_again(self, error: str) -> None:
        """Counts that something had to be tried again, for whoever is on call."""
        telemetry.meters().counter(signals.RETRIES).add(1, {"pipeline": self._pipeline.name, "error": error})

    def _make(self) -> Runner[Any, Any, Any]:
        name = self._pipeline.name
        linger_ms = self._batch.linger_ms if self._pipeline.unhurried else 0
        source = KafkaSource(self._house.kafka, name, self._pipeline.topics, self._batch, linger_ms)
        store = PostgresStore(self._house.pool, name)
        return Runner(self._pipeline, source, store, self._publisher, self._house.clock, self._batch)

    async def run(self) -> None:
        waits, now = backoff(), asyncio.get_running_loop().time
        while not self._stopped:
            self.runner, began = self._make(), now()
            try:
                await self.runner.run()
            except (Fenced, Transient) as error:
                log.warning("joining anew: %s", error)
                self.tried_again(type(error).__name__)
                if now() - began > LONG_S:
                    waits = backoff()  # what was before is over
                await asyncio.sleep(next(waits))


def _status_of(name: str, pipelines: Sequence[_Pipeline]) -> Callable[[], Awaitable[status_pb2.GetStatusResponse]]:
    made = telemetry.meters()
    made.gauge(signals.LAG, lambda o: [x for p in pipelines if p.runner for x in p.runner.lag.observe_lag(o)])
    made.gauge(signals.BACKLOG, lambda o: [x for p in pipelines if p.runner for x in p.runner.lag.observe_backlog(o)])

    async def behind(p: _Pipeline) -> tuple[int, int]:
        if p.runner is None:
            raise Transient("starting")
        async with asyncio.timeout(ASKED_FOR_S):
            return await p.runner.lag.ask()

    async def status() -> status_pb2.GetStatusResponse:
        found = await asyncio.gather(*(behind(p) for p in pipelines), return_exceptions=True)
        counted = [x for x in found if not isinstance(x, BaseException)]
        trouble = [str(x) or type(x).__name__ for x in found if isinstance(x, BaseException)]
        trouble += [p.runner.trouble for p in pipelines if p.runner is not None and p.runner.trouble]
        return status_pb2.GetStatusResponse(
            service=name,
            healthy=not trouble,
            lag=sum(map(sum, counted)) if len(counted) == len(found) else -1,
            backlog=sum(unsent for _, unsent in counted),
            detail="; ".join(trouble),
        )

    return status


async def _until_stopped(
    pipelines: Sequence[_Pipeline],
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]],
    server: RpcServer,
    stopping: asyncio.Event,
) -> None:
    """Until the process is asked to stop, or some part of its work ends: then all of it does, and the error is raised."""
    work = [asyncio.create_task(p.run()) for p in pipelines]
    beside = [asyncio.create_task(task()) for task in tasks] + [asyncio.create_task(_watch_lag(pipelines))]
    stopped = asyncio.create_task(stopping.wait())
    await server.healthy(True)
    done, _ = await asyncio.wait([stopped, *work, *beside], return_when=asyncio.FIRST_COMPLETED)
    await server.healthy(False)
    for p in pipelines:
        p.stop()
    if work:
        await asyncio.wait(work, timeout=DRAIN_S)
    for task in (stopped, *work, *beside):
        task.cancel()
    await asyncio.gather(stopped, *work, *beside, return_exceptions=True)
    for ended in done - {stopped}:
        ended.result()


async def _watch_lag(pipelines: Sequence[_Pipeline]) -> None:
    """Keeps the gauges of lag and backlog fresh, whether anybody asks for the status or not."""
    while True:
        await asyncio.sleep(LAG_EVERY_S)
        for p in pipelines:
            if p.runner is not None:
                try:
                    async with asyncio.timeout(LAG_EVERY_S):
                        await p.runner.lag.ask()
                except Exception as error:  # it may not end the process
                    # Who only listens is told of no broker that is away: this is where it shows.
                    log.debug("lag is not known now: %s", type(error).__name__)
                    p.runner.lag.unknown()
                    p.tried_again("LagUnknown")


def stop_signal() -> asyncio.Event:
    """Set when SIGTERM or SIGINT comes."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _say_where() -> None:
    """What every task and thread is at: for whoever is on call and sees a process stand still (SIGUSR1)."""
    for task in asyncio.all_tasks():
        print(task.get_name(), *task.get_stack(limit=8), sep="\n  ", file=sys.stderr, flush=True)
    faulthandler.dump_traceback()


async def until_there(connect: Callable[[], Awaitable[T]], stopping: asyncio.Event) -> T:
    """Connects, waiting for what is still starting. Ends the process in good order if it is asked to stop meanwhile."""
    waits = backoff()
    while True:
        try:
            return await connect()
        except Transient as error:
            log.warning("waiting: %s", error)
            await asyncio.sleep(next(waits))
            if stopping.is_set():
                raise SystemExit(0) from None
