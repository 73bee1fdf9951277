"""Before each measurement: no topic, no group's place and no database of an earlier one is left."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

import asyncpg
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from bench.contender import Bed
from services.runtime.admin import create_topics
from services.runtime.topics import CATALOGUE, DEAD_LETTERS, Topic

# The broker says when it had each fact: no watcher takes time from the contender while it works.
APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}
PARTITIONS = 4


async def fresh(bed: Bed, source: str, sink: str, partitions: int = PARTITIONS) -> None:
    """Drops all topics and databases, and makes the catalogue's topics and the named ones. Raises KafkaException."""
    await asyncio.to_thread(_delete_topics, bed.bootstrap)
    await _drop_databases(bed)
    wanted = {t.name: t for t in CATALOGUE}
    for name in (source, f"{source}{DEAD_LETTERS}", sink):
        wanted.setdefault(name, Topic(name, ""))
    wanted[sink] = replace(wanted[sink], config={**wanted[sink].config, **APPEND_TIME})
    topics = [replace(t, partitions=partitions) for t in wanted.values()]
    await create_topics(bed.bootstrap, topics)
    await asyncio.to_thread(_led, bed.bootstrap, topics)


def _led(bootstrap: str, topics: list[Topic]) -> None:
    """Until the broker answers for every partition: it says that a topic is made before it leads it."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    places = [TopicPartition(t.name, p) for t in topics for p in range(t.partitions)]
    for _ in range(300):
        try:
            for future in admin.list_offsets({p: OffsetSpec.latest() for p in places}, request_timeout=10).values():
                future.result()
            return
        except KafkaException:
            time.sleep(0.1)
    raise RuntimeError("Kafka made the topics, but does not lead them")


def _delete_topics(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def there() -> list[str]:
        return [name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")]

    for _ in range(100):
        names = there()
        if not names:
            return
        for future in admin.delete_topics(names, operation_timeout=10).values():
            with suppress(KafkaException):  # one that is already going
                future.result()


async def _drop_databases(bed: Bed) -> None:
    db = await asyncpg.connect(bed.stack.postgres.dsn("postgres"))
    try:
        names = await db.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'touchline%'")
        for (name,) in names:
            await db.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await db.close()
