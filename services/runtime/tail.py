"""Reading topics without a group: for dashboards, tools and audits, which keep no place."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from services.runtime.errors import Transient
from services.runtime.records import Record, record_of
from services.runtime.settings import KafkaSettings

KNOWN_WITHIN_S = 10.0


async def _consumer(kafka: KafkaSettings, topics: Iterable[str]) -> AIOKafkaConsumer:
    """A consumer that has all partitions of all topics. A topic that was made a moment ago may take another try to be seen."""
    wanted = set(topics)
    deadline = time.monotonic() + KNOWN_WITHIN_S
    while True:
        consumer = AIOKafkaConsumer(
            *wanted, **kafka.client(), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            async with asyncio.timeout(KNOWN_WITHIN_S):
                await consumer.start()
        except TimeoutError:
            await consumer.stop()
            raise Transient(f"Kafka does not know {', '.join(sorted(wanted))}, or is away") from None
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise Transient(f"Kafka is away: {type(error).__name__}") from error
        missing = wanted - {tp.topic for tp in consumer.assignment()}
        if not missing:
            return consumer
        await consumer.stop()
        if time.monotonic() > deadline:
            raise Transient(f"Kafka does not know {', '.join(sorted(missing))}")
        await asyncio.sleep(0.3)


async def tail(kafka: KafkaSettings, topics: Iterable[str], *, from_start: bool = False) -> AsyncIterator[list[Record]]:
    """Batches of records as they come, for ever; from the first one kept, or from now on. The first is empty: "now" has come."""
    consumer = await _consumer(kafka, topics)
    try:
        if from_start:
            await consumer.seek_to_beginning()
        else:
            await consumer.seek_to_end()
        yield []
        while True:
            polled = await consumer.getmany(timeout_ms=250, max_records=2000)
            yield [record_of(r) for batch in polled.values() for r in batch]
    finally:
        await consumer.stop()


async def read_all(kafka: KafkaSettings, topic: str) -> list[Record]:
    """Every record that is on the topic now, by partition and offset."""
    consumer = await _consumer(kafka, [topic])
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        await consumer.seek_to_beginning()
        found: list[Record] = []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            polled = await consumer.getmany(timeout_ms=250, max_records=10_000)
            found.extend(record_of(r) for tp, batch in polled.items() for r in batch if r.offset < ends[tp])
        return sorted(found, key=lambda r: (r.partition, r.offset))
    finally:
        await consumer.stop()
