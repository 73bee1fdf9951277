"""The bare ceiling: aiokafka in, a dictionary, aiokafka out. Nothing is durable: what a crash loses is lost."""

import asyncio
import sys
from collections import Counter

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def run(bootstrap: str, source: str, sink: str) -> None:
    """Counts events by key and publishes each count, for ever."""
    consumer = AIOKafkaConsumer(
        source, bootstrap_servers=bootstrap, group_id="bench.bare", auto_offset_reset="earliest"
    )
    # No lingering: at saturation batches grow by themselves, and at a steady rate each event leaves at once.
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=256 * 1024)
    counts: Counter[bytes] = Counter()
    await asyncio.gather(consumer.start(), producer.start())
    while True:
        polled = await consumer.getmany(timeout_ms=100, max_records=2000)
        for batch in polled.values():
            for record in batch:
                counts[record.key] += 1
                await producer.send(sink, b"%d" % counts[record.key], key=record.key)


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))
