"""Reading topics without a group: for dashboards, tools and audits, which keep no place."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from services.runtime.errors import Transient
from services.runtime.records import Record
from services.runtime.settings import KafkaSettings


def _record(r: "ConsumerRecord[bytes, bytes]") -> Record:
    return Record(r.topic, r.partition, r.offset, r.key, r.value, r.headers, r.timestamp)


async def _consumer(kafka: KafkaSettings, topics: Iterable[str]) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        *topics, **kafka.client(), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        async with asyncio.timeout(10):
            while not consumer.assignment():  # noqa: ASYNC110 (aiokafka has no event for it)
                await asyncio.sleep(0.02)
    except TimeoutError:
        await consumer.stop()
        raise Transient(f"Kafka does not know {', '.join(topics)}") from None
    except (KafkaError, OSError) as error:
        await consumer.stop()
        raise Transient(f"Kafka is away: {type(error).__name__}") from error
    return consumer


async def tail(kafka: KafkaSettings, topics: Iterable[str], *, from_start: bool = False) -> AsyncIterator[list[Record]]:
    """Batches of records as they come, for ever; from the first one kept, or from now on."""
    consumer = await _consumer(kafka, topics)
    try:
        if from_start:
            await consumer.seek_to_beginning()
        else:
            await consumer.seek_to_end()
        while True:
            polled = await consumer.getmany(timeout_ms=250, max_records=2000)
            yield [_record(r) for batch in polled.values() for r in batch]
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
            found.extend(_record(r) for tp, batch in polled.items() for r in batch if r.offset < ends[tp])
        return sorted(found, key=lambda r: (r.partition, r.offset))
    finally:
        await consumer.stop()
