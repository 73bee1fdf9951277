"""Polling: a consumer group's partitions, none of which is read before its place is claimed."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.runtime.checkpoint import Place
from services.runtime.errors import Fenced, Transient
from services.runtime.librdkafka import ASK_S, END, ENDS, FIRST, Questions, away, client_log, record_of
from services.runtime.reach import why_away
from services.runtime.records import Record
from services.runtime.settings import BatchSettings, KafkaSettings
from services.runtime.worker import Worker

Revoked = Callable[[], Awaitable[None]]


class Source(Protocol):
    """Where records come from. Every method raises Transient while it is away, and Fenced where it has come to its end."""

    async def start(self, revoked: Revoked) -> None:
        """Joins the group. `revoked` is awaited before places are given up, so that a batch under way can end."""
        ...

    async def stop(self) -> None:
        """Leaves the group."""
        ...

    def assigned(self) -> set[Place] | None:
        """Places given to us since the last call, none at all for a spare member; None where the group has said nothing since.
        Nothing is read of them until `seek`."""
        ...

    async def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """The first offset that is kept and the next that will be written, asked of the broker now. Raises Transient as well
        while the topics differ in their number of partitions."""
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


_CLOSE_S = 4.0

# Partitions are added once in a while: how many there are is not asked each time.
_KNOWN_FOR_S = 60.0

# At least so long a consumer is outside its group before another one is tried.
_OUTSIDE_S = 30.0

# While nobody polls, because a batch waits for something that is away, the group is still heard at this interval.
_LISTEN_EVERY_S = 1.0

# Records of so many bytes are worth fetching at once: some batches of ordinary ones.
_MANY_BYTES = 1024 * 1024

# The broker no longer keeps the offset that we were to read.
_GONE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)


class KafkaSource:
    """The Source on librdkafka, whose calls and callbacks have a thread of their own.

    librdkafka rather than the asyncio client: it reads ahead without the interpreter's lock, and costs a third less for
    each record (docs/adr/0009).
    """

    def __init__(
        self, kafka: KafkaSettings, group: str, topics: tuple[str, ...], batch: BatchSettings, linger_ms: int = 0
    ) -> None:
        """Take where Kafka is, the group's name, what to read, and how long the broker may let records gather, unless there are many."""
        self._topics = topics
        self._kafka = kafka
        self._settings: dict[str, Any] = {
            **kafka.librdkafka(),
            "group.id": group,
            **({"group.instance.id": f"{group}.{batch.member}"} if batch.member else {}),
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            # Range puts the same partition number of co-partitioned topics on the same member: two topics, one state.
            "partition.assignment.strategy": "range",
            "session.timeout.ms": batch.session_timeout_ms,
            "heartbeat.interval.ms": max(300, batch.session_timeout_ms // 4),
            "max.partition.fetch.bytes": 4 * 1024 * 1024,
            # Read ahead by some batches, in bounded memory; and when that is full, look again soon (default: a second).
            "queued.min.messages": max(1000, 5 * batch.max_records),
            "queued.max.messages.kbytes": 16 * 1024,
            "fetch.queue.backoff.ms": 10,
            # A broker that has yet to hear of a new topic says that there is none, and is asked again then (default: 5 min).
            "topic.metadata.refresh.interval.ms": 3000,
            **({"fetch.min.bytes": _MANY_BYTES, "fetch.wait.max.ms": linger_ms} if linger_ms else {}),
            "error_cb": self._on_error,
        }
        self._thread = Worker(f"{group}-poll")
        self._consumer: Consumer | None = None
        self._questions = Questions(kafka)
        self._known: list[Place] = []
        self._known_until = 0.0
        self._revoked: Revoked | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # The group's callbacks come in the source's thread, also while a batch is at work in the loop's.
        self._lock = Lock()
        self._given: set[Place] = set()
        self._assigned: set[Place] | None = None
        self._next: dict[Place, int] = {}
        self._moved = False
        self._ended: KafkaError | None = None
        self._paused = False
        self._held: list[Any] = []
        self._polled_at = 0.0
        self._polling = False
        self._listening: asyncio.Task[None] | None = None
        self._outside_since: float | None = None
        """Since when the group has given us nothing, not even the word that there is nothing for us (monotonic)."""
        self._patience_s = max(_OUTSIDE_S, 3 * batch.session_timeout_ms / 1000)

    async def start(self, revoked: Revoked) -> None:
        self._revoked, self._loop = revoked, asyncio.get_running_loop()
        try:
            self._consumer = Consumer(self._settings, logger=client_log())
            # Nobody else tells whether there is a broker at all.
            await self._in_thread(self._consumer.list_topics, timeout=ASK_S)
            await self._in_thread(
                self._consumer.subscribe,
                list(self._topics),
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_revoke,
            )
        except KafkaException as error:
            await self.stop()
            raise Transient(f"Kafka is away: {await why_away(self._kafka, error)}") from error
        self._polled_at = self._loop.time()
        self._outside_since = time.monotonic()
        self._listening = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            # While its coordinator is away the client would wait a minute for the answers that it is owed.
            with contextlib.suppress(KafkaException, RuntimeError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._in_thread(consumer.close)
        self._thread.end()

    async def _in_thread(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return await self._thread.do(lambda: call(*args, **named))

    def assigned(self) -> set[Place] | None:
        with self._lock:
            taken, self._assigned = self._assigned, None
        return taken

    async def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        asked = list(places)
        await self._questions.co_partitioned(self._topics)
        first = await self._questions.offsets(asked, FIRST)
        end = await self._questions.offsets(asked, END)
        return {place: (first[place], end[place]) for place in asked}

    async def ends(self) -> dict[Place, int]:
        now = asyncio.get_running_loop().time()
        if not self._known or now > self._known_until:
            self._known, self._known_until = await self._questions.places(self._topics), now + _KNOWN_FOR_S
        if not self._known:
            raise Transient(f"Kafka does not know {', '.join(self._topics)} yet")
        return await self._questions.offsets(self._known, END)

    def seek(self, place: Place, offset: int) -> None:
        with self._lock:
            if place in self._given:
                self._next[place] = offset
                self._moved = True

    async def poll(self, limit: int, timeout_ms: int) -> list[Record]:
        self._polling = True
        try:
            found: list[Record] = await self._in_thread(self._poll, limit, timeout_ms / 1000)
            return found
        except (KafkaException, RuntimeError) as error:
            raise away(error) from error
        finally:
            self._polling = False
            self._polled_at = asyncio.get_running_loop().time()

    def _poll(self, limit: int, timeout_s: float) -> list[Record]:
        consumer = self._consumer
        if consumer is None:
            raise Transient("Kafka is away: not connected")
        if self._ended is not None:
            raise KafkaException(self._ended)
        outside = self._outside_since
        if outside is not None and time.monotonic() - outside > self._patience_s:
            # After a coordinator that hung the client may wait for its answers for ever; a new one is let in at once.
            raise Fenced(f"the group has not let us in for {self._patience_s:.0f} s")
        if self._moved:
            self._moved, self._paused = False, False
            self._held.clear()
            places = [TopicPartition(p.topic, p.partition, offset) for p, offset in self._next.items()]
            consumer.assign(places)
            if places:
                # A pause outlives the assignment that it was made in, and would go on in silence.
                consumer.resume(places)
        elif self._paused:
            self._paused = False
            consumer.resume(consumer.assignment())
        try:
            return self._take(consumer, limit, timeout_s)
        except BaseException:
            # What came beside the trouble has left the client and is handed to nobody: it must be read again.
            self._moved = self._moved or bool(self._next)
            raise

    def _take(self, consumer: Consumer, limit: int, timeout_s: float) -> list[Record]:
        messages, self._held = self._held, []
        if not messages:
            first = consumer.poll(timeout_s)
            if first is None:
                return []
            messages = [first]
        # Not in one call: that one would wait for `limit` messages until its time is up.
        messages += consumer.consume(limit - len(messages), 0) if len(messages) < limit else []
        if self._moved:  # taken from us, or to be read again from elsewhere, while we polled
            self._heed(messages)
            return []
        return self._records(messages)

    def _records(self, messages: Sequence[Any]) -> list[Record]:
        found = []
        for m in messages:
            error = m.error()
            if error is not None:
                self._trouble(error)
                continue
            found.append(record_of(m))
        for (topic, partition), offset in {(r.topic, r.partition): r.offset for r in found}.items():
            place = Place(topic, partition)
            if place in self._next:
                self._next[place] = offset + 1
        return found

    def _trouble(self, error: KafkaError) -> None:
        self._on_error(error)
        if error.code() in _GONE:
            # The places are taken over anew, which counts what is lost.
            with self._lock:
                self._assigned = (self._assigned or set()) | self._given
        elif error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        if self._consumer is not None and offsets:
            told = [TopicPartition(p.topic, p.partition, o) for p, o in offsets.items()]
            with contextlib.suppress(KafkaException, RuntimeError):
                self._consumer.commit(offsets=told, asynchronous=True)  # returns at once

    def _heed(self, messages: Sequence[Any]) -> None:
        """Hears the client's end among messages that nobody will read."""
        for error in filter(None, (m.error() for m in messages)):
            self._on_error(error)

    def _on_error(self, error: KafkaError) -> None:
        # What ends the client is told once, to whoever polls just then.
        if error.fatal() or error.code() in ENDS:
            self._ended = error

    # -- the group, in the source's thread ----------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        # Assigned to nothing until they are claimed: `seek` says where each begins.
        consumer.assign([])
        with self._lock:
            self._next.clear()
            self._given = {Place(p.topic, p.partition) for p in partitions}
            self._assigned = set(self._given)
            self._outside_since = None

    def _on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        with self._lock:
            self._assigned = None
            self._given = set()
            self._next.clear()
            self._held.clear()
            self._moved = True
            self._outside_since = time.monotonic()
        if self._loop is not None and self._revoked is not None and not self._loop.is_closed():
            with contextlib.suppress(Exception):  # nobody may be there any more to give anything up
                asyncio.run_coroutine_threadsafe(_awaited(self._revoked), self._loop).result(60)
        consumer.unassign()

    async def _listen(self) -> None:
        """The group's callbacks come only to those who poll: while a batch waits for long, this does, of nothing."""
        while True:
            await asyncio.sleep(_LISTEN_EVERY_S)
            if not self._polling and asyncio.get_running_loop().time() - self._polled_at > _LISTEN_EVERY_S:
                with contextlib.suppress(KafkaException, RuntimeError):
                    await self._in_thread(self._serve)

    def _serve(self) -> None:
        consumer = self._consumer
        if consumer is None:
            return
        if not self._paused and not self._moved:
            consumer.pause(consumer.assignment())
            self._paused = True
        message = consumer.poll(0)
        if message is not None:
            self._heed([message])  # what is held may be dropped
            self._held.append(message)


async def _awaited(action: Revoked) -> None:
    await action()
