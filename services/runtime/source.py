"""Polling: a consumer group's partitions, handed out paused so that nothing is read before its place is claimed."""

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from services.runtime.checkpoint import Place
from services.runtime.errors import Transient
from services.runtime.reach import why_away
from services.runtime.records import Record, record_of
from services.runtime.settings import BatchSettings, KafkaSettings

Revoked = Callable[[], Awaitable[None]]


class Source(Protocol):
    """Where records come from. Every method raises Transient while it is away."""

    async def start(self, revoked: Revoked) -> None:
        """Joins the group. `revoked` is awaited before places are given up, so that a batch under way can end."""
        ...

    async def stop(self) -> None:
        """Leaves the group."""
        ...

    def assigned(self) -> set[Place]:
        """Places given to us since the last call; they stay paused until `seek`."""
        ...

    async def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """The first offset that is kept and the next that will be written, asked of the broker now."""
        ...

    async def ends(self) -> dict[Place, int]:
        """The next offset that will be written, of every place of the topics, ours or not; asked of the broker now."""
        ...

    def seek(self, place: Place, offset: int) -> None:
        """Reads the place from there on."""
        ...

    async def poll(self, limit: int, timeout_ms: int) -> list[Record]:
        """Records in order by place; an empty list when none came in time."""
        ...

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tells the group's tools how far we are. The truth is the checkpoint, so failing here is harmless."""
        ...


class KafkaSource:
    """The Source on aiokafka."""

    def __init__(self, kafka: KafkaSettings, group: str, topics: tuple[str, ...], batch: BatchSettings) -> None:
        self._kafka = kafka
        self._topics = topics
        self._assigned: set[Place] = set()
        self._consumer = AIOKafkaConsumer(
            **kafka.client(),
            group_id=group,
            group_instance_id=f"{group}.{batch.member}" if batch.member else None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            # Range puts the same partition number of co-partitioned topics on the same member: two topics, one state.
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=batch.session_timeout_ms,
            heartbeat_interval_ms=max(300, batch.session_timeout_ms // 4),
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )

    async def start(self, revoked: Revoked) -> None:
        self._consumer.subscribe(self._topics, listener=_Listener(self._consumer, self._assigned, revoked))
        try:
            await self._consumer.start()
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise Transient(f"Kafka is away: {await why_away(self._kafka, error)}") from error

    async def stop(self) -> None:
        with contextlib.suppress(KafkaError, OSError):
            await self._consumer.stop()

    def assigned(self) -> set[Place]:
        taken = set(self._assigned)
        self._assigned.clear()
        return taken

    async def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        partitions = [TopicPartition(p.topic, p.partition) for p in places]
        if not partitions:
            return {}
        try:
            begin = await self._consumer.beginning_offsets(partitions)
            end = await self._consumer.end_offsets(partitions)
        except (KafkaError, OSError) as error:
            raise Transient(f"Kafka is away: {type(error).__name__}") from error
        return {Place(tp.topic, tp.partition): (begin[tp], end[tp]) for tp in partitions}

    async def ends(self) -> dict[Place, int]:
        found = [
            TopicPartition(t, p) for t in self._topics for p in sorted(self._consumer.partitions_for_topic(t) or ())
        ]
        if not found:
            raise Transient(f"Kafka does not know {', '.join(self._topics)} yet")
        try:
            ends = await self._consumer.end_offsets(found)
        except (KafkaError, OSError) as error:
            raise Transient(f"Kafka is away: {type(error).__name__}") from error
        return {Place(tp.topic, tp.partition): end for tp, end in ends.items()}

    def seek(self, place: Place, offset: int) -> None:
        partition = TopicPartition(place.topic, place.partition)
        if partition in self._consumer.assignment():
            self._consumer.seek(partition, offset)
            self._consumer.resume(partition)

    async def poll(self, limit: int, timeout_ms: int) -> list[Record]:
        try:
            polled = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=limit)
        except NoOffsetForPartitionError:
            return []  # a place that was just assigned: it is claimed next, and `seek` says where it begins
        except OffsetOutOfRangeError:
            self._again()
            return []
        except UnicodeDecodeError as error:
            # aiokafka cannot read past it, and neither can we: better to stand still and say so than to skip it unseen.
            raise Transient("a record's header has a name that is not UTF-8; see docs/runbook.md") from error
        except (KafkaError, OSError) as error:
            raise Transient(f"Kafka is away: {type(error).__name__}") from error
        return [record_of(r) for batch in polled.values() for r in batch]

    def _again(self) -> None:
        """The broker no longer keeps what we were to read: the places are taken over anew, which counts what is lost."""
        partitions = self._consumer.assignment()
        self._consumer.pause(*partitions)
        self._assigned.update(Place(p.topic, p.partition) for p in partitions)

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        with contextlib.suppress(KafkaError, OSError):
            await self._consumer.commit({TopicPartition(p.topic, p.partition): o for p, o in offsets.items()})


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: AIOKafkaConsumer, assigned: set[Place], revoked: Revoked) -> None:
        self._consumer = consumer
        self._assigned = assigned
        self._revoked = revoked

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._assigned.clear()
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        partitions = list(assigned)
        self._consumer.pause(*partitions)
        self._assigned.update(Place(p.topic, p.partition) for p in partitions)
