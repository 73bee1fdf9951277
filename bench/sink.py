"""What came out: when Kafka had it, and whether it is what the oracle says."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

Fact = tuple[str, int]  # a customer, and which of its events this is

# What comes before this share of the facts is warming up: joining the group, connecting, first touches of every page.
WARM_UP = 0.1


@dataclass(frozen=True)
class Told:
    """A fact as the sink has it; `at_ms` is the broker's time of its append."""

    fact: Fact
    at_ms: int


class Sink:
    """One topic from now on: what was on it before is not ours."""

    def __init__(self, bootstrap: str, topic: str, read: "Callable[[ConsumerRecord[bytes, bytes]], Fact]") -> None:
        self.topic, self._read = topic, read
        self._consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
        self._begin: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        """Remembers where the topic ends."""
        await self._consumer.start()
        async with asyncio.timeout(10):
            while not self._consumer.assignment():  # noqa: ASYNC110, the client tells nobody
                await asyncio.sleep(0.02)
        self._begin = await self._consumer.end_offsets(self._consumer.assignment())

    async def stop(self) -> None:
        await self._consumer.stop()

    async def size(self) -> int:
        """How many facts there are."""
        ends = await self._consumer.end_offsets(list(self._begin))
        return sum(end - self._begin[tp] for tp, end in ends.items())

    async def all(self) -> list[Told]:
        """All facts, in no order across partitions."""
        ends = await self._consumer.end_offsets(list(self._begin))
        for tp, begin in self._begin.items():
            self._consumer.seek(tp, begin)
        found: list[Told] = []
        while any([await self._consumer.position(tp) < end for tp, end in ends.items()]):
            polled = await self._consumer.getmany(timeout_ms=200, max_records=10_000)
            for tp, batch in polled.items():
                found.extend(Told(self._read(r), r.timestamp) for r in batch if r.offset < ends[tp])
        return found

    async def from_now(self) -> None:
        """The next `poll` gives what is appended after this."""
        ends = await self._consumer.end_offsets(list(self._begin))
        for tp, end in ends.items():
            self._consumer.seek(tp, end)

    async def poll(self) -> list[str]:
        """The customers of the facts that have just come, in order by customer."""
        polled = await self._consumer.getmany(timeout_ms=100)
        return [r.key.decode() for batch in polled.values() for r in batch]


@dataclass(frozen=True)
class Verdict:
    """How the facts differ from the oracle. `lost`: should be there and are not; `doubled`: are there and should not."""

    lost: int
    doubled: int


def judge(facts: Sequence[Told], sent: Mapping[str, int]) -> Verdict:
    """Each customer's events must be counted 1, 2, … up to as many as were sent, each once."""
    expected = Counter({(customer, k): 1 for customer, count in sent.items() for k in range(1, count + 1)})
    found = Counter(t.fact for t in facts)
    return Verdict((expected - found).total(), (found - expected).total())


def rate(facts: Sequence[Told], warm_up: float = WARM_UP) -> float | None:
    """Facts a second once warm; None where it was over before it could be measured.

    Facts come in batches, so the clock starts at one batch's append and what that batch held is not counted.
    """
    times = sorted(t.at_ms for t in facts)
    start, end = times[int(len(times) * warm_up)], times[-1]
    counted = sum(t > start for t in times)
    return counted * 1000 / (end - start) if end > start else None
