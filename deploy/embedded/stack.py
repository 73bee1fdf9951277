"""Kafka, Postgres and Zipkin started and ended together; tests use it by itself, the supervisor watches over its parts."""

import asyncio
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.embedded import cluster, jars
from deploy.embedded.kafka import Broker
from deploy.embedded.layout import WITH_DATABASE, Layout, assign_ports
from deploy.embedded.postgres import Postgres, socket_folder
from deploy.embedded.process import Child, Spec, StartError
from deploy.embedded.services import database
from deploy.embedded.zipkin import Zipkin

INFRASTRUCTURE = ("kafka", "postgres", "zipkin")
# Brokers that have just come up may not all be known to the controller yet.
TOPICS_LIMIT_S = 30.0


class Stack:
    """The infrastructure of one data folder, for tests: `async with Stack(folder) as stack`, or plain `with`.

    Starts Kafka with the catalogue's topics (unless `topics` is False) and Postgres with a database a service.
    Nothing is restarted by itself: `stop(part)`, `kill(part)` and `start(part)` are for tests of failure.

    With `brokers=3`, Kafka is three processes, the parts `kafka`, `kafka-2` and `kafka-3` (`part_of` an id): three
    replicas of each partition, of which two must have a record before it is acknowledged. None: as the folder was made with.

    postgres: settings of Postgres in place of the small ones that it has here.
    """

    def __init__(
        self,
        data: Path | str,
        parts: Iterable[str] = ("kafka", "postgres"),
        *,
        topics: bool = True,
        brokers: int | None = None,
        postgres: Mapping[str, str] | None = None,
    ) -> None:
        self.layout = Layout.of(data)
        self.layout.create()
        self.topics = topics
        self._postgres = dict(postgres or {})
        count = cluster.settle(self.layout, brokers)
        ports = assign_ports(self.layout, [*cluster.port_names(count), "zipkin"])
        self.brokers = cluster.brokers(self.layout, ports, count)
        nodes = tuple(broker.part for broker in self.brokers)
        self.parts = tuple(part for name in parts for part in (nodes if name == "kafka" else (name,)))
        self._sockets: Path | None = None
        self.zipkin = Zipkin(self.layout.logs / "zipkin.log", ports["zipkin"])
        self.children: dict[str, Child] = {}

    @property
    def bootstrap(self) -> str:
        """Kafka's address, host:port; those of several brokers joined by commas, in the order of their ids."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    @staticmethod
    def part_of(broker: int) -> str:
        """The name of a broker's part, by its id (from 1)."""
        return cluster.PARTS[broker - 1]

    @property
    def sockets(self) -> Path:
        """The folder of Postgres's socket; made when first asked for."""
        if self._sockets is None:
            self._sockets = socket_folder(self.layout.data)
        return self._sockets

    @property
    def postgres(self) -> Postgres:
        logs = self.layout.logs
        return Postgres(self.layout.data / "postgres", self.sockets, logs / "postgres.log", self._postgres)

    def dsn(self, service: str) -> str:
        """The address of a service's database."""
        return self.postgres.dsn(database(service))

    def prepare(self, part: str) -> None:
        """What must be done before a part starts: formatting, initdb. Blocks."""
        if part in cluster.PARTS:
            self._broker(part).prepare()
        elif part == "postgres":
            self.postgres.prepare()

    def spec(self, part: str) -> Spec:
        """How to start a part."""
        if part in cluster.PARTS:
            return self._broker(part).spec()
        return self.postgres.spec() if part == "postgres" else self.zipkin.spec()

    def _broker(self, part: str) -> Broker:
        return next(broker for broker in self.brokers if broker.part == part)

    async def furnish(self, part: str) -> None:
        """What must be there in a part that runs: topics, databases."""
        if part == "kafka" and self.topics:
            await self._make_topics()
        elif part == "postgres":
            await self.postgres.create_databases([database(name) for name in WITH_DATABASE])

    async def _make_topics(self) -> None:
        from services.runtime.admin import create_topics
        from services.runtime.topics import CATALOGUE

        limit = time.monotonic() + TOPICS_LIMIT_S
        while True:
            try:
                await create_topics(self.bootstrap, CATALOGUE, self.brokers[0].replication)
                return
            except Exception as error:  # whatever the client raises
                if time.monotonic() >= limit:
                    raise StartError(f"kafka: topics could not be made: {error!r}") from error
            await asyncio.sleep(0.2)

    async def start(self, part: str) -> Child:
        """Starts one part and waits until it serves. Raises StartError."""
        await asyncio.to_thread(self.prepare, part)
        child = self.children[part] = Child(self.spec(part))
        await child.wait_ready()
        await self.furnish(part)
        return child

    async def stop(self, part: str) -> None:
        """Ends one part."""
        await self.children.pop(part).stop()

    async def kill(self, part: str) -> None:
        """Ends one part by SIGKILL, as a machine that loses its power."""
        child = self.children.pop(part)
        child.popen.kill()
        await child.exited()

    async def up(self) -> None:
        """Starts all parts, side by side; where one fails, the others are ended."""
        await asyncio.to_thread(jars.ensure)
        try:
            async with asyncio.TaskGroup() as group:
                for part in self.parts:
                    group.create_task(self.start(part))
        except BaseException:
            await self.down()
            raise

    async def down(self) -> None:
        """Ends all parts and removes the socket's folder."""
        await asyncio.gather(*(self.stop(part) for part in list(self.children)))
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.down()

    def __enter__(self) -> Self:
        asyncio.run(self.up())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run(self.down())
