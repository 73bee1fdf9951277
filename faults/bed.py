"""Where schedules run: one real Kafka and one real Postgres for all of them, and a proxy before each.

A bed is begun and ended around each schedule: whatever was started in between is killed, the proxies are calm again,
and Kafka and Postgres are up.
"""

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import asyncpg
import psutil

from deploy.embedded.layout import LOOPBACK, assign_ports
from deploy.embedded.process import end_all
from deploy.embedded.stack import Stack
from faults.kafka import Client
from faults.process import Process
from faults.proxy import Proxy
from faults.schedule import BEDS
from services.runtime.admin import create_topics
from services.runtime.topics import DEAD_LETTERS, Topic

DATABASE = "touchline_faults"
# A batch is small, so that a schedule of a few hundred events has many; sessions are short, so that it ends soon.
QUICK = {
    "BATCH_MAX_RECORDS": "40",
    "BATCH_POLL_MS": "20",
    "BATCH_FLUSH_EVERY": "PT0.1S",
    "BATCH_TICK_EVERY": "PT0.1S",
    "BATCH_SESSION_TIMEOUT_MS": "1500",
    "OTEL_TRACES_EXPORTER": "none",
    "LOG_LEVEL": "INFO",
}


class _Stack(Stack):
    """The stack with one more listener of the broker, which tells its clients that it is at the proxy's port."""

    proxied: tuple[int, int] | None = None

    def prepare(self, part: str) -> None:
        super().prepare(part)
        if part == "kafka" and self.proxied is not None:
            inside, outside = self.proxied
            path = self.layout.data / "kafka" / "server.properties"
            settings = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
            settings["listeners"] += f",PROXIED://{LOOPBACK}:{inside}"
            settings["advertised.listeners"] += f",PROXIED://{LOOPBACK}:{outside}"
            settings["listener.security.protocol.map"] += ",PROXIED:PLAINTEXT"
            path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


class Bed:
    """`async with Bed(folder)`; `brokers` is 1 or 3 (with three there is no proxy before Kafka)."""

    def __init__(self, folder: Path, brokers: int = 1) -> None:
        self.folder = folder
        self.stack = _Stack(folder / "stack") if brokers == 1 else _Stack(folder / "stack", brokers=brokers)
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.processes: list[Process] = []
        self.story: list[str] = []
        self._topics: list[str] = []
        self._count = 0
        self._brokers = brokers
        names = ["faults.inside", "faults.outside", *(f"faults.{n}" for n in range(16))]
        self._ports = assign_ports(self.stack.layout, names)
        if brokers == 1:
            self.stack.proxied = (self._ports["faults.inside"], self._ports["faults.outside"])
        self.kafka_proxy = Proxy(
            lambda: asyncio.open_connection(LOOPBACK, self._ports["faults.inside"]), self._ports["faults.outside"]
        )
        self.database_proxy = Proxy(
            lambda: asyncio.open_unix_connection(str(self.stack.sockets / ".s.PGSQL.5432")),
        )

    async def __aenter__(self) -> Self:
        await self.stack.up()
        try:
            await self.stack.postgres.create_databases([DATABASE])
            await self.kafka_proxy.start()
            await self.database_proxy.start()
            self.client = Client(self.bootstrap)
        except BaseException:
            await self.stack.down()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._end_processes()
            self.client.close()
            await asyncio.gather(self.kafka_proxy.stop(), self.database_proxy.stop())
        finally:
            await self.stack.down()

    # -- around each schedule -------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Before a schedule: all is up and calm."""
        self.story = []
        await self.mend()

    async def end(self) -> None:
        """After it: nothing of it is left."""
        await self._end_processes()
        await self.mend()
        topics, self._topics = self._topics, []
        await self.client.remove(topics)

    async def mend(self) -> None:
        """Proxies pass everything, and Kafka and Postgres are up."""
        self.kafka_proxy.calm()
        self.database_proxy.calm()
        for part in self.stack.parts:
            child = self.stack.children.get(part)
            if child is None or child.exit_code is not None:
                await self.stack.start(part)

    async def crash(self, part: str) -> None:
        """SIGKILL of Kafka or of Postgres's postmaster; its children are gone as well when this returns."""
        child = self.stack.children.pop(part)
        family = psutil.Process(child.pid).children(recursive=True)
        child.popen.kill()
        await child.exited()
        # Postgres's own processes notice, and end by themselves; until then no other server may take the data.
        await end_all(family, 5.0)

    async def hang(self, part: str, seconds: float) -> None:
        """SIGSTOP of Kafka for a while: its connections stay, and nobody answers on them."""
        pid = self.stack.children[part].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    async def kill_backend(self, rng: Random) -> bool:
        """SIGKILL of one of the processes that serve Postgres's clients; False where there is none."""
        family = psutil.Process(self.stack.children["postgres"].pid).children()
        serving = [p for p in family if DATABASE in " ".join(p.cmdline())]
        if serving:
            rng.choice(serving).kill()
        return bool(serving)

    async def _end_processes(self) -> None:
        processes, self.processes = self.processes, []
        for process in processes:
            process.go_on()
            await process.kill()

    def tell(self, what: str) -> None:
        """One more line of what was done, for whoever reads a failed schedule."""
        self.story.append(what)

    # -- what kinds use -------------------------------------------------------------------------------------------

    @property
    def bootstrap(self) -> str:
        """Kafka itself."""
        return self.stack.bootstrap

    @property
    def proxied_bootstrap(self) -> str:
        """Kafka behind its proxy."""
        return f"{LOOPBACK}:{self.kafka_proxy.port}"

    def dsn(self, database: str = DATABASE, *, proxied: bool = False) -> str:
        """A database, itself or behind its proxy."""
        if proxied:
            return f"postgresql://postgres@{LOOPBACK}:{self.database_proxy.port}/{database}?sslmode=disable"
        return self.stack.postgres.dsn(database)

    async def topic(self, partitions: int = 4) -> str:
        """A new topic with its dead letters; it is removed after the schedule."""
        name = f"t{uuid4().hex[:10]}"
        replication = 1 if self._brokers == 1 else 3
        topics = [Topic(name, "", partitions), Topic(name + DEAD_LETTERS, "", 1)]
        await create_topics(self.bootstrap, topics, replication)
        self._topics += [t.name for t in topics]
        return name

    def start(self, name: str, words: Sequence[str], env: Mapping[str, str]) -> Process:
        """A service's process: `python -m <words>`. Kafka, quick batches and a free address are told to it."""
        slot = len(self.processes) % 16
        address = f"{LOOPBACK}:{assign_ports(self.stack.layout, [f'faults.{slot}'])[f'faults.{slot}']}"
        self._count += 1
        told = {**QUICK, "KAFKA_BOOTSTRAP": self.bootstrap, "GRPC_BIND": address, **env}
        log = self.logs / f"{self._count:04d}-{name}.log"
        process = Process(name, list(words), told, address, log)
        self.processes.append(process)
        return process

    async def fetch(self, sql: str, *args: object, database: str = DATABASE) -> list[Any]:
        """Rows, asked of Postgres itself."""
        limit = time.monotonic() + 20
        while True:
            try:
                connection = await asyncpg.connect(self.dsn(database), timeout=10)
                try:
                    return list(await connection.fetch(sql, *args))
                finally:
                    await connection.close()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if time.monotonic() > limit:  # Postgres may be recovering
                    raise
                await asyncio.sleep(0.1)


BEDS["single"] = Bed
