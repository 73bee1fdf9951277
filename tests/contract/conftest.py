"""Both keepers of each contract: the real one, and the simulation's, which stands or falls with it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from deploy.embedded.stack import Stack
from services.runtime.admin import create_topics
from services.runtime.checkpoint import Store
from services.runtime.migrate import migrate
from services.runtime.pipeline import Answer
from services.runtime.postgres import PostgresStore
from services.runtime.publisher import Publisher
from services.runtime.records import event_name
from services.runtime.settings import BatchSettings, KafkaSettings
from services.runtime.source import KafkaSource, Source
from services.runtime.topics import Topic
from tests.simulation.bus import Bus
from tests.simulation.client import MemoryPublisher, MemorySource
from tests.simulation.link import Direct
from tests.simulation.memory import Database, MemoryStore

MODELS = "CREATE TABLE IF NOT EXISTS contract_model (key text PRIMARY KEY, value text NOT NULL)"


class MemoryKeeper:
    """Stores of the simulation that share one database."""

    def __init__(self) -> None:
        self.database = Database(Random(1))

    def store(self) -> Store:
        return MemoryStore(self.database, Direct())

    async def put(self, db: Any, key: str, value: str) -> None:
        await db.put(key, value)

    async def model(self, key: str) -> object:
        return self.database.models.get(key)

    async def answered(self, answer: Answer) -> bool | None:
        found = self.database.answers.get((answer.source, answer.event_id))
        return found.ok if found else None


class PostgresKeeper:
    """Stores on Postgres, of a pipeline of this test's own."""

    def __init__(self, pool: "asyncpg.Pool[Any]") -> None:
        self._pool = pool
        self._pipeline = f"contract.{uuid4().hex[:8]}"

    def store(self) -> Store:
        return PostgresStore(self._pool, self._pipeline)

    async def put(self, db: Any, key: str, value: str) -> None:
        await db.execute(
            "INSERT INTO contract_model VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            key,
            value,
        )

    async def model(self, key: str) -> object:
        return await self._pool.fetchval("SELECT value FROM contract_model WHERE key = $1", key)

    async def answered(self, answer: Answer) -> bool | None:
        name = event_name(answer.source, answer.event_id)
        found: bool | None = await self._pool.fetchval("SELECT ok FROM runtime.command_answer WHERE name = $1", name)
        return found


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.integration)])
def running(request: pytest.FixtureRequest) -> Stack | None:
    """The embedded stack, or None for memory, which needs none."""
    if request.param == "memory":
        return None
    found: Stack = request.getfixturevalue("stack")
    return found


@pytest.fixture
async def keeper(running: Stack | None) -> AsyncIterator[MemoryKeeper | PostgresKeeper]:
    if running is None:
        yield MemoryKeeper()
        return
    url = running.dsn("nps")
    await migrate(url, None)
    pool = await asyncpg.create_pool(url, min_size=1, max_size=4)
    try:
        await pool.execute(MODELS)
        yield PostgresKeeper(pool)
    finally:
        await pool.close()


@dataclass
class Broker:
    """A topic of this test's own with three partitions, and clients of it."""

    topic: str
    source: Callable[[], Source]
    publisher: Callable[[], Any]


@pytest.fixture
async def broker(running: Stack | None) -> Broker:
    topic = f"contract{uuid4().hex[:8]}"
    if running is None:
        bus = Bus({topic: 3})
        return Broker(
            topic,
            lambda: MemorySource(bus, Direct(), topic, (topic,)),
            lambda: MemoryPublisher(bus, Direct()),
        )
    await create_topics(running.bootstrap, [Topic(topic, "", 3)])
    kafka = KafkaSettings(bootstrap=running.bootstrap)
    batch = BatchSettings(session_timeout_ms=6000)
    return Broker(topic, lambda: KafkaSource(kafka, topic, (topic,), batch), lambda: Publisher(kafka))
