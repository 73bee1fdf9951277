"""Publishing to Kafka: acknowledged by all replicas, in order, or not at all."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

from services.runtime.errors import Misconfigured, Permanent, Transient
from services.runtime.reach import why_away
from services.runtime.records import Outgoing
from services.runtime.settings import KafkaSettings

# Half of what a broker takes by default, so that a batch fits with its overhead.
_BATCH_BYTES = 512 * 1024

# From here on, building batches by hand costs less than the client's queue of single records (a third, at 2,000).
_WORTH_A_BATCH = 16

# How long a producer that is let go may take to send what it still has.
_FLUSH_S = 5.0

# Keys whose hash is remembered: the hash is Python, and costs more than all else that is done for a record.
_KNOWN_KEYS = 100_000


class Publisher:
    """An idempotent producer. One is shared by all that a process publishes."""

    def __init__(self, kafka: KafkaSettings, *, timeout_s: float = 30.0) -> None:
        self._kafka = kafka
        self._timeout_s = timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._started = False
        self._has_served = False
        self._starting = asyncio.Lock()
        self._hashes: dict[bytes, int] = {}

    async def start(self) -> None:
        """Connects. Raises Transient where Kafka is away."""
        self._started = True
        await self._connected()

    async def _connected(self) -> AIOKafkaProducer:
        async with self._starting:
            if not self._started:
                raise Transient("Kafka is away: not connected")
            if self._producer is None:
                self._producer = await self._connect()
            return self._producer

    async def _connect(self) -> AIOKafkaProducer:
        try:
            client = self._kafka.client()
        except Misconfigured as error:
            if not self._has_served:
                raise
            # What was right before is being replaced just now; no record is at fault.
            raise Transient(f"Kafka is away: {error}") from error
        producer = AIOKafkaProducer(
            **client,
            acks="all",
            enable_idempotence=True,
            # A batch is handed over in one go, so that there is nothing to wait for.
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            max_request_size=8 * 1024 * 1024,
            request_timeout_ms=int(self._timeout_s * 1000),
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise Transient(f"Kafka is away: {await why_away(self._kafka, error)}") from error
        self._has_served = True
        return producer

    async def stop(self) -> None:
        """Flushes, where Kafka is there to take it, and disconnects."""
        self._started = False
        if self._producer is not None:
            await self._drop(self._producer)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Publishes all of them, in order by key; returns when every replica in sync has acknowledged every one.

        Raises Transient where Kafka does not: some may have been written, so publish all of them again (ids make that safe).
        """
        if not records:
            return
        producer = self._producer or await self._connected()
        try:
            if len(records) < _WORTH_A_BATCH:
                pending = [await producer.send(r.topic, r.value, key=r.key, headers=list(r.headers)) for r in records]
            else:
                pending = await self._send_in_batches(producer, records)
            await asyncio.gather(*pending)
        except MessageSizeTooLargeError as error:
            raise Permanent("the record is larger than Kafka takes") from error
        except (KafkaError, OSError, TimeoutError) as error:
            # A producer that lost its sequence fails for ever. But what is merely late is for the producer that has it:
            # from a second one it could overtake what comes after.
            if not getattr(error, "retriable", True):
                await self._drop(producer)
            raise Transient(f"Kafka is away: {type(error).__name__}") from error

    async def _send_in_batches(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> list[Any]:
        """Hands over the records in one batch a partition, or more where one is full; the client sends each whole."""
        counts = {topic: len(await producer.partitions_for(topic)) for topic in {r.topic for r in records}}
        pending: list[Any] = []
        filling: dict[tuple[str, int], Any] = {}
        for r in records:
            place = (r.topic, self._hash(r.key) % counts[r.topic])
            batch = filling.get(place)
            if batch is None or batch.append(timestamp=None, key=r.key, value=r.value, headers=list(r.headers)) is None:
                if batch is not None:
                    pending.append(await producer.send_batch(batch, place[0], partition=place[1]))
                batch = filling[place] = producer.create_batch()
                batch.append(timestamp=None, key=r.key, value=r.value, headers=list(r.headers))
        for (topic, partition), batch in filling.items():
            batch.close()
            pending.append(await producer.send_batch(batch, topic, partition=partition))
        return pending

    def _hash(self, key: bytes) -> int:
        """The key's hash as Kafka's own partitioner takes it: every client puts the same key on the same partition."""
        known = self._hashes.get(key)
        if known is None:
            if len(self._hashes) >= _KNOWN_KEYS:
                self._hashes.clear()
            known = self._hashes[key] = murmur2(key) & 0x7FFFFFFF
        return known

    async def _drop(self, producer: Any) -> None:
        """Lets a producer go: whoever publishes next connects anew."""
        current: Any = self._producer
        if current is producer:
            self._producer = None
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    await producer.stop()
