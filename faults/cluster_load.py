"""A steady load on three brokers, and what must have come of it in the end.

A real service's process counts each customer's messages and publishes the count after each: so a lost message is a count
too low, a doubled one a count too high, and a break of order a count that comes before a smaller one.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from types import TracebackType
from typing import Self

from touchline.contact.v1 import events_pb2 as contact
from touchline.nps.v1 import nps_pb2

from deploy.embedded.cluster import replicas
from faults.bed import Bed
from faults.kafka import Letter, Record
from services.runtime.records import write

FACTS = "nps.changed"
CUSTOMERS = 23
BURST = 20
PAUSE_S = 0.05
# Of the letters sent this share is one that was sent before, with its id: it must not count again.
REPEATED = 0.1


def letter(topic: str, customer: str, number: int) -> Letter:
    """A customer's message. `number` names it: the same again is a duplicate."""
    made = write(
        contact.MessageReceived(contact_id="c", speaker=contact.SPEAKER_CUSTOMER, text=customer),
        event_id=f"{customer}-{number}",
        source="faults",
        subject=customer,
        time=datetime.now(UTC),
    )
    return Letter(topic, made.key, made.value, tuple(made.headers))


class StalledError(RuntimeError):
    """The load stands still."""


class Load:
    """`async with Load(bed, rng) as load`: a topic, one or two processes of a service, and a sender that never ends before `stop`."""

    def __init__(self, bed: Bed, rng: Random) -> None:
        self._bed, self._rng = bed, rng
        self.sent: dict[str, int] = {}
        self.acknowledged = 0
        self.facts: list[tuple[str, str, int]] = []
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        bed = self._bed
        self.topic = await bed.topic()
        self.pipeline = f"counting.{self.topic}"
        self._next = await bed.client.ends([FACTS])
        words = ["tests.integration.counting_process", self.pipeline, self.topic]
        count = self._rng.randint(1, 2)
        processes = [bed.start(f"counting-{n}", words, {"DATABASE_URL": bed.dsn()}) for n in range(count)]
        await asyncio.gather(*(p.ready() for p in processes))
        self._sending = asyncio.create_task(self._send())
        await self.flows(20)
        bed.tell(f"{count} processes, load flows")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if kind is not None:
            # The thread that sends can't be cancelled; it ends once Kafka is back.
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send(self) -> None:
        rng = Random(self._rng.getrandbits(32))
        while not self._stopping.is_set():
            burst = []
            for _ in range(BURST):
                customer = f"k{rng.randrange(CUSTOMERS)}"
                last = self.sent.get(customer, 0)
                again = last > 0 and rng.random() < REPEATED
                number = rng.randint(1, last) if again else last + 1
                self.sent[customer] = max(last, number)
                burst.append(letter(self.topic, customer, number))
            await self._until_sent(burst)
            self.acknowledged += len(burst)
            await asyncio.sleep(PAUSE_S)

    async def _until_sent(self, burst: Sequence[Letter]) -> None:
        """As a channel does: what was not acknowledged is sent again, under the same ids."""
        while True:
            try:
                await self._bed.client.send(burst)
                return
            except RuntimeError as error:
                self._bed.tell(f"sent again: {error}")

    async def leader(self) -> int:
        """The id of the broker that leads most of the topic's partitions."""
        led = [r.leader for r in await replicas(self._bed.bootstrap, [self.topic])]
        return max(set(led), key=led.count)

    async def flows(self, within_s: float) -> float:
        """Waits until something that was sent after this call is decided and published; gives the seconds it took.

        Raises StalledError where nothing is in time.
        """
        began, sent = time.monotonic(), dict(self.sent)
        while not any(number > sent.get(key, 0) for key, number in (await self._published()).items()):
            if self._sending.done():
                self._sending.result()
            if time.monotonic() - began > within_s:
                raise StalledError(f"nothing new was published within {within_s:.0f} s")
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    async def _published(self) -> dict[str, int]:
        """The latest published count of each customer."""
        records = (await self._bed.client.since(self._next))[FACTS]
        self._next.update({(r.topic, r.partition): r.offset + 1 for r in records})
        self.facts += facts(records, self.pipeline)
        return {customer: number for _, customer, number in self.facts}

    async def judged(self, within_s: float = 60.0) -> list[str]:
        """Ends the load, waits until all of it is decided and published, and says what is wrong with it."""
        self._stopping.set()
        await self._sending
        counted: Mapping[str, int] = {}
        limit = time.monotonic() + within_s
        while time.monotonic() < limit:
            rows = await self._bed.fetch(
                "SELECT key, (body->>'messages')::int AS n FROM runtime.entity WHERE pipeline = $1", self.pipeline
            )
            counted = {row["key"]: row["n"] for row in rows}
            published = await self._published()
            if all(counted.get(k, 0) >= n and published.get(k, 0) >= n for k, n in self.sent.items()):
                break
            await asyncio.sleep(0.3)
        return judge(self.sent, counted, self.facts)


def facts(records: Sequence[Record], pipeline: str) -> list[tuple[str, str, int]]:
    """(id, customer, count) of what the pipeline published, in order by partition."""
    source, found = f"touchline/{pipeline}".encode(), []
    for r in records:
        headers = dict(r.headers)
        if headers.get("ce_source") == source:
            number = int(nps_pb2.NpsChanged.FromString(r.value or b"").survey_id)
            found.append((headers["ce_id"].decode(), (r.key or b"").decode(), number))
    return found


def judge(sent: Mapping[str, int], counted: Mapping[str, int], facts: Sequence[tuple[str, str, int]]) -> list[str]:
    """Compares what was sent (messages by customer), what was counted, and the facts in the order of their partitions."""
    wrong = []
    for customer in sorted(sent.keys() | counted.keys()):
        here, there = sent.get(customer, 0), counted.get(customer, 0)
        if here != there:
            wrong.append(
                f"{customer}: {here} sent, {there} counted: {abs(here - there)} {'lost' if here > there else 'doubled'}"
            )
    first: dict[str, tuple[str, int]] = {}
    for fact_id, customer, number in facts:
        if first.setdefault(fact_id, (customer, number)) != (customer, number):
            wrong.append(f"{customer}: two facts of one id")
    order: dict[str, list[int]] = {}
    for customer, number in first.values():
        order.setdefault(customer, []).append(number)
    told: dict[str, list[int]] = {}
    for _, customer, number in facts:
        told.setdefault(customer, []).append(number)
    for customer, count in sorted(counted.items()):
        numbers, all_of_them = order.get(customer, []), told.get(customer, [0])
        if sorted(numbers) != list(range(1, count + 1)):
            wrong.append(f"{customer}: {count} counted, {len(numbers)} facts ({len(set(numbers))} different)")
        elif numbers != sorted(numbers):
            wrong.append(f"{customer}: facts out of order")
        elif all_of_them[-1] != count:
            wrong.append(f"{customer}: the last word is {all_of_them[-1]}, not {count}")
        else:
            # Whoever publishes again must go on from there: a repeat that comes late stands among newer facts.
            jumps = [(a, b) for a, b in pairwise(all_of_them) if b > a + 1]
            wrong += [f"{customer}: from fact {a} to {b}: an old fact among newer ones" for a, b in jumps]
    return wrong
