"""The ceiling of librdkafka: confluent-kafka in, a dictionary, confluent-kafka out. Nothing is durable."""

import sys
from collections import Counter

from confluent_kafka import Consumer, Producer


def run(bootstrap: str, source: str, sink: str) -> None:
    """Counts events by key and publishes each count, for ever."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench.librdkafka",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
            # Its defaults hold Python to a third of what it can do.
            "queued.min.messages": 500_000,
            "queued.max.messages.kbytes": 262_144,
            "max.partition.fetch.bytes": 8 * 1024 * 1024,
        }
    )
    # No lingering: at saturation batches grow by themselves, and at a steady rate each event leaves at once.
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 0,
            "acks": 1,
            "queue.buffering.max.messages": 1_000_000,
            "partitioner": "murmur2_random",
        }
    )
    counts: Counter[bytes] = Counter()
    consumer.subscribe([source])
    while True:
        for record in consumer.consume(2000, 0.002):
            if record.error():
                continue
            key = record.key()
            counts[key] += 1
            while True:
                try:
                    producer.produce(sink, b"%d" % counts[key], key)
                    break
                except BufferError:
                    producer.poll(0.01)
        producer.poll(0)


if __name__ == "__main__":
    run(*sys.argv[1:])
