"""Reading topics without a group: for dashboards, tools and audits, which keep no place."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.runtime.checkpoint import Place
from services.runtime.errors import Transient
from services.runtime.librdkafka import END, FIRST, Questions, away, client_log, record_of
from services.runtime.records import Record
from services.runtime.settings import KafkaSettings
from services.runtime.worker import Worker

KNOWN_WITHIN_S = 10.0
SILENCE_S = 10.0

_AT_MOST = 2000
_WAIT_S = 0.25

# The first of a batch comes within this; there is nothing more to wait for then.
_NOTHING_MORE_S = 0.0


class _Reader:
    """A consumer that has the places it was given, on a thread of its own."""

    def __init__(self, kafka: KafkaSettings, begin: dict[Place, int]) -> None:
        # A group is asked for, though none is ever joined; and where a place's beginning is deleted meanwhile, on with what is kept.
        self._consumer = Consumer(
            {
                **kafka.librdkafka(),
                "group.id": "touchline-tail",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 16 * 1024,
                "fetch.queue.backoff.ms": 10,
            },
            logger=client_log(),
        )
        self._thread = Worker("tail")
        self.at_end: set[Place] = set()
        self._trouble: KafkaException | None = None
        self._consumer.assign([TopicPartition(p.topic, p.partition, offset) for p, offset in begin.items()])

    async def poll(self) -> list[Record]:
        """What has come, or nothing within a quarter of a second. Raises Transient."""
        try:
            found: list[Record] = await self._thread.do(self._poll)
            return found
        except KafkaException as error:
            raise away(error) from error

    def _poll(self) -> list[Record]:
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            raise trouble
        first = self._consumer.poll(_WAIT_S)
        if first is None:
            return []
        found = []
        messages: list[Any] = [first, *self._consumer.consume(_AT_MOST - 1, _NOTHING_MORE_S)]
        for m in messages:
            error = m.error()
            if error is None:
                found.append(record_of(m, max(m.timestamp()[1], 0)))
            elif error.code() == KafkaError._PARTITION_EOF:
                self.at_end.add(Place(m.topic(), m.partition()))
            elif error.code() != KafkaError._AUTO_OFFSET_RESET:  # which is told, and mended by itself
                self._trouble = KafkaException(error)  # told once what came beside it is handed over
        return found

    async def close(self) -> None:
        """Ends the consumer, which was in no group: nobody waits for it."""
        try:
            await self._thread.do(self._consumer.close)
        finally:
            self._thread.end()


async def _known(questions: Questions, topics: Iterable[str]) -> list[Place]:
    """All places of all topics. A topic that was made a moment ago may take another try to be seen."""
    wanted = sorted(set(topics))
    until = asyncio.get_running_loop().time() + KNOWN_WITHIN_S
    while True:
        places = await questions.places(wanted)
        missing = set(wanted) - {p.topic for p in places}
        if not missing:
            return places
        if asyncio.get_running_loop().time() > until:
            raise Transient(f"Kafka does not know {', '.join(sorted(missing))}")
        await asyncio.sleep(0.3)


async def tail(
    kafka: KafkaSettings, topics: Iterable[str], *, from_start: bool = False
) -> AsyncGenerator[list[Record]]:
    """Batches of records as they come, for ever; from the first one kept, or from now on. The first is empty: "now" has
    come. Raises Transient where Kafka is away."""
    questions = Questions(kafka)
    reader = _Reader(kafka, await questions.offsets(await _known(questions, topics), FIRST if from_start else END))
    try:
        yield []
        while True:
            yield await reader.poll()
    finally:
        await reader.close()


async def read_all(kafka: KafkaSettings, topic: str) -> list[Record]:
    """Every record that is on the topic now, by partition and offset. Raises Transient where Kafka is away."""
    questions = Questions(kafka)
    places = await _known(questions, [topic])
    begin, end = await questions.offsets(places, FIRST), await questions.offsets(places, END)
    found: list[Record] = []
    reader = _Reader(kafka, begin)
    # The last offset may hold no record, where the topic is compacted: then its end is told.
    left = {p for p in places if end[p] > begin[p]}
    now = asyncio.get_running_loop().time
    heard = now()
    try:
        while left := left - reader.at_end:
            records = await reader.poll()
            if records:
                heard = now()
            elif (
                now() - heard > SILENCE_S
            ):  # the reader waits for ever for a broker that is gone: this asks whether it is
                await questions.offsets(list(left), END)
                heard = now()
            for r in records:
                place = Place(topic, r.partition)
                if r.offset < end[place]:
                    found.append(r)
                if r.offset + 1 >= end[place]:
                    left.discard(place)
        return sorted(found, key=lambda r: (r.partition, r.offset))
    finally:
        await reader.close()
