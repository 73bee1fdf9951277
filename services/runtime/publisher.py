"""Publishing to Kafka: acknowledged by all replicas, in order, or not at all."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from services.runtime.errors import Permanent, Transient
from services.runtime.records import Outgoing
from services.runtime.settings import KafkaSettings


class Publisher:
    """An idempotent producer. One is shared by all that a process publishes."""

    def __init__(self, kafka: KafkaSettings, *, timeout_s: float = 30.0) -> None:
        self._kafka = kafka
        self._timeout_s = timeout_s
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connects. Raises Transient where Kafka is away."""
        producer = AIOKafkaProducer(
            **self._kafka.client(),
            acks="all",
            enable_idempotence=True,
            # A batch is handed over in one go, so that there is nothing to wait for.
            linger_ms=0,
            max_batch_size=256 * 1024,
            max_request_size=8 * 1024 * 1024,
            request_timeout_ms=int(self._timeout_s * 1000),
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise Transient(f"Kafka is away: {type(error).__name__}") from error
        self._producer = producer

    async def stop(self) -> None:
        """Flushes and disconnects."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Publishes all of them, in order by key; returns when every replica in sync has acknowledged every one.

        Raises Transient where Kafka does not: some may have been written, so publish all of them again (ids make that safe).
        """
        producer = self._producer
        if producer is None:
            raise Transient("Kafka is away: not connected")
        try:
            pending = [await producer.send(r.topic, r.value, key=r.key, headers=list(r.headers)) for r in records]
            if pending:
                await asyncio.gather(*pending)
        except MessageSizeTooLargeError as error:
            raise Permanent("the record is larger than Kafka takes") from error
        except (KafkaError, OSError, TimeoutError) as error:
            raise Transient(f"Kafka is away: {type(error).__name__}") from error
