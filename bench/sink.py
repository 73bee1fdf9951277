"""What came out: when Kafka had it, and whether it is what the oracle says."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, KafkaError, TopicPartition

from bench.load import Fact

# What comes before this share of the facts is warming up: joining the group, connecting, compiling, first touches of every page.
WARM_UP = 0.2
Read = Callable[[Any], Fact | None]


@dataclass(frozen=True, slots=True)
class Told:
    """A fact as the sink has it; `at_ms` is the broker's time of its append, `name` its own id where it has one."""

    fact: Fact
    at_ms: int
    name: bytes = b""


class Record(NamedTuple):
    """A record as contenders read it."""

    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class Sink:
    """One topic from its beginning, which is ours alone.

    committed: whether only what is committed counts. ids: whether facts carry ids of their own.
    """

    def __init__(self, bootstrap: str, topic: str, read: Read, *, committed: bool = False, ids: bool = False) -> None:
        self._bootstrap, self.topic, self._read, self._ids = bootstrap, topic, read, ids
        self._isolation = "read_committed" if committed else "read_uncommitted"
        self._found: list[Told] = []
        self._reader: Consumer | None = None
        self._places: list[TopicPartition] = []
        self._live: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connects."""
        await asyncio.to_thread(self._connect)

    def _connect(self) -> None:
        self._reader = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "bench.sink",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": self._isolation,
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )
        known = self._reader.list_topics(self.topic, timeout=10).topics[self.topic].partitions
        self._places = [TopicPartition(self.topic, p, 0) for p in sorted(known)]

    async def stop(self) -> None:
        if self._live is not None:
            await self._live.stop()
        if self._reader is not None:
            await asyncio.to_thread(self._reader.close)

    async def size(self) -> int:
        """How many records there are; with transactions their marks are among them."""
        return await asyncio.to_thread(self._size)

    def _size(self) -> int:
        assert self._reader is not None
        return sum(self._reader.get_watermark_offsets(p, timeout=10)[1] for p in self._places)

    async def all(self) -> list[Told]:
        """All facts so far, in order by partition."""
        await asyncio.to_thread(self._collect)
        return self._found

    def _collect(self) -> None:
        reader = self._reader
        assert reader is not None
        reader.assign(self._places)
        at = {p.partition: p for p in self._places}
        open_places = set(at)
        while open_places:
            for message in reader.consume(10_000, 1.0):
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        # Where it ends, marks of transactions included: there the next reading goes on.
                        at[message.partition()].offset = message.offset()
                        open_places.discard(message.partition())
                    continue
                if message.partition() not in open_places:
                    continue  # appended after its end was seen: the next reading has it
                headers = message.headers() or ()
                fact = self._read(Record(message.key(), message.value(), headers))
                if fact is not None:
                    name = dict(headers).get("ce_id", b"") if self._ids else b""
                    self._found.append(Told(fact, message.timestamp()[1], name))
        reader.unassign()

    async def from_now(self) -> None:
        """The next `poll` gives what is appended after this."""
        if self._live is None:
            self._live = AIOKafkaConsumer(
                self.topic,
                bootstrap_servers=self._bootstrap,
                group_id=None,
                enable_auto_commit=False,
                isolation_level=self._isolation,
            )
            await self._live.start()
            async with asyncio.timeout(10):
                while not self._live.assignment():  # noqa: ASYNC110, the client tells nobody
                    await asyncio.sleep(0.02)
        await self._live.seek_to_end()
        for place in self._live.assignment():
            await self._live.position(place)

    async def poll(self) -> list[Told]:
        """The facts that have just come."""
        assert self._live is not None
        polled = await self._live.getmany(timeout_ms=100)
        made = []
        for batch in polled.values():
            for record in batch:
                fact = self._read(record)
                if fact is not None:
                    made.append(Told(fact, record.timestamp))
        return made


@dataclass(frozen=True)
class Verdict:
    """How the facts differ from the oracle. `lost`: should be there and are not; `doubled`: are there and should not.

    repeated: the same fact again under the same name, where repeats are allowed for.
    """

    lost: int
    doubled: int
    repeated: int = 0


def judge(facts: Sequence[Told], sent: Mapping[str, int]) -> Verdict:
    """Each customer's events must be counted 1, 2, … up to as many as were sent, each once."""
    expected = Counter({(customer, k): 1 for customer, count in sent.items() for k in range(1, count + 1)})
    found = Counter(t.fact for t in facts)
    return Verdict((expected - found).total(), (found - expected).total())


def judge_after_crash(facts: Sequence[Told], sent: Mapping[str, int]) -> Verdict:
    """As `judge`, but a fact that is told again word for word is `repeated`: a reader can know it by its id or its count.

    Where facts have names of their own, the repeat must have the same; a fact under two names is doubled.
    """
    distinct = {(t.fact, t.name): t for t in facts}
    found = judge(list(distinct.values()), sent)
    return Verdict(found.lost, found.doubled, len(facts) - len(distinct))


def rate(facts: Sequence[Told], warm_up: float = WARM_UP) -> float | None:
    """Facts a second once warm; None where it was over before it could be measured.

    Facts come in batches, so the clock starts at one batch's append and what that batch held is not counted.
    """
    times = sorted(t.at_ms for t in facts)
    if not times:
        return None
    start, end = times[int(len(times) * warm_up)], times[-1]
    counted = sum(t > start for t in times)
    return counted * 1000 / (end - start) if end > start else None
