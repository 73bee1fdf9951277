"""Kafka as the schedules use it: what was sent and where it lies, and what is on a topic from a moment on.

On librdkafka by itself, and not on the runtime's clients: the judge does not lean on what it judges.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A record to send. `partition`: −1 for the key's own."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int = -1


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies on a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


T = TypeVar("T")
Place = tuple[str, int, int]
Ends = dict[tuple[str, int], int]


class Client:
    """A producer that gives up nothing, and a reader without a group."""

    def __init__(self, bootstrap: str) -> None:
        common: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 500}
        self._producer = Producer(
            {**common, "enable.idempotence": True, "linger.ms": 2, "message.timeout.ms": 90_000,
             "message.max.bytes": 8_000_000, "partitioner": "murmur2_random"}
        )  # fmt: skip
        self._reading = asyncio.Lock()
        self._admin = AdminClient(common)
        self._consumer = Consumer(
            {**common, "group.id": "faults.reader", "enable.auto.commit": False, "auto.offset.reset": "error",
             "fetch.wait.max.ms": 20, "isolation.level": "read_uncommitted"}
        )  # fmt: skip

    async def send(self, letters: Sequence[Letter]) -> list[Place]:
        """Sends them in order and waits for all acknowledgements. Gives their places, in the order of the letters."""
        return await asyncio.to_thread(self._send, letters)

    def _send(self, letters: Sequence[Letter]) -> list[Place]:
        places: list[Place | None] = [None] * len(letters)
        failed: list[str] = []

        def told(n: int, error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed.append(str(error))
            else:
                places[n] = (str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))

        for n, letter in enumerate(letters):
            while True:
                try:
                    self._producer.produce(
                        letter.topic, letter.value, letter.key, letter.partition, headers=list(letter.headers),
                        on_delivery=partial(told, n),
                    )  # fmt: skip
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._producer.poll(0)
        self._producer.flush(100)
        found = [p for p in places if p is not None]
        if failed or len(found) != len(letters):
            raise RuntimeError(f"{len(letters) - len(found)} of {len(letters)} records could not be sent: {failed[:1]}")
        return found

    async def ends(self, topics: Iterable[str]) -> Ends:
        """The next offset that will be written, by topic and partition."""
        async with self._reading:
            return await asyncio.to_thread(self._ends, sorted(set(topics)))

    def _ends(self, topics: Sequence[str]) -> Ends:
        found: Ends = {}
        for topic in topics:
            for partition in self._partitions(topic):
                at = TopicPartition(topic, partition)
                found[topic, partition] = self._patiently(partial(self._end, at))
        return found

    def _end(self, at: TopicPartition) -> int:
        marks: Any = self._consumer.get_watermark_offsets(at, timeout=5)
        return int(marks[1])

    def _partitions(self, topic: str) -> list[int]:
        limit = time.monotonic() + 20
        while True:
            told = self._patiently(lambda: self._consumer.list_topics(topic, timeout=5)).topics[topic]
            if told.error is None and told.partitions:
                return sorted(told.partitions)
            if time.monotonic() > limit:
                raise RuntimeError(f"Kafka does not know {topic}: {told.error}")
            time.sleep(0.05)

    def _patiently(self, ask: Callable[[], T]) -> T:
        limit = time.monotonic() + 30
        while True:
            try:
                return ask()
            except KafkaException:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.1)

    async def since(self, begin: Mapping[tuple[str, int], int]) -> dict[str, list[Record]]:
        """Everything on these partitions from there up to now, by topic, in order of partition and offset."""
        async with self._reading:
            return await asyncio.to_thread(self._since, dict(begin))

    def _since(self, begin: Ends) -> dict[str, list[Record]]:
        ends = self._ends(sorted({topic for topic, _ in begin}))
        found: dict[str, list[Record]] = {topic: [] for topic, _ in begin}
        left = {place for place, end in ends.items() if end > begin.get(place, 0)}
        self._consumer.assign([TopicPartition(t, p, begin.get((t, p), 0)) for t, p in sorted(left)])
        limit = time.monotonic() + 60
        while left:
            if time.monotonic() > limit:
                raise RuntimeError(f"Kafka gives no records of {sorted(left)}")
            for message in self._consumer.consume(1000, 0.2):
                place = (str(message.topic()), int(message.partition() or 0))
                if message.error() or place not in left:
                    continue
                offset = int(message.offset() or 0)
                told: Any = message.headers() or ()
                headers = tuple((k, v or b"") for k, v in told)
                if offset < ends[place]:
                    key: Any = message.key()
                    found[place[0]].append(Record(*place, offset, key, message.value(), headers))
                if offset + 1 >= ends[place]:
                    left.discard(place)
        self._consumer.unassign()
        return {t: sorted(rs, key=lambda r: (r.partition, r.offset)) for t, rs in found.items()}

    async def remove(self, topics: Sequence[str]) -> None:
        """Removes topics, as far as that is possible now."""
        if topics:
            await asyncio.to_thread(lambda: [f.exception() for f in self._admin.delete_topics(list(topics)).values()])

    def close(self) -> None:
        self._consumer.close()
