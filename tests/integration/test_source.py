"""What the contract's suite does not know of the source: it listens to its group while nobody polls, and reads on after."""

import asyncio
import contextlib
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient, NewPartitions

from services.runtime.admin import create_topics
from services.runtime.errors import Fenced, Transient
from services.runtime.publisher import Publisher
from services.runtime.records import Record
from services.runtime.settings import BatchSettings, KafkaSettings
from services.runtime.source import KafkaSource
from services.runtime.topics import Topic
from tests.integration.counting import message
from tests.members import given

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


async def _nothing_to_give_up() -> None:
    pass


@pytest.mark.parametrize("anew", [False, True])
async def test_it_reads_on_after_a_batch_that_took_long(stack, anew: bool) -> None:
    """Whether it goes on where it was, or begins again at the checkpoint: a pause outlives what it was made for."""
    topic = f"t{uuid4().hex[:8]}"
    await create_topics(stack.bootstrap, [Topic(topic, "", 1)])
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    publisher, source = Publisher(kafka), KafkaSource(kafka, f"g.{topic}", (topic,), BatchSettings())
    await publisher.start()
    await source.start(_nothing_to_give_up)
    try:
        await publisher.publish([message("hu", "a", n, topic=topic) for n in range(3)])
        found, places = [], await given(source)
        for place in places:
            source.seek(place, 0)
        async with asyncio.timeout(30):
            while len(found) < 3:
                found += await source.poll(10, 100)
            await asyncio.sleep(2.5)
            assert source._paused  # it has listened meanwhile
            if anew:
                for place in places:
                    source.seek(place, 1)
            await publisher.publish([message("hu", "b", 3, topic=topic)])
            wanted = [1, 2, 3] if anew else [3]
            later: list[int] = []
            while len(later) < len(wanted):
                later += [r.offset for r in await source.poll(10, 100)]
        assert later == wanted
    finally:
        await source.stop()
        await publisher.stop()


class _Troubled:
    """The client, which once tells of a trouble in the midst of what it has read, as it does of a broker that goes away."""

    def __init__(self, consumer: Any, at: int) -> None:
        self._consumer, self._at = consumer, at
        self.told = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def consume(self, limit: int, timeout: float) -> list[Any]:
        found = self._consumer.consume(limit, timeout)
        if found and not self.told:
            self.told = True
            return [*found[: self._at], _Trouble(), *found[self._at :]]
        return found


class _Trouble:
    def error(self) -> KafkaError:
        return KafkaError(KafkaError._TRANSPORT)


@pytest.mark.parametrize("at", [0, 2, 100])
async def test_what_it_has_read_beside_a_trouble_is_read_again(stack, at: int) -> None:
    topic = f"t{uuid4().hex[:8]}"
    await create_topics(stack.bootstrap, [Topic(topic, "", 1)])
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    publisher, source = Publisher(kafka), KafkaSource(kafka, f"g.{topic}", (topic,), BatchSettings())
    await publisher.start()
    await source.start(_nothing_to_give_up)
    try:
        await publisher.publish([message("hu", "a", n, topic=topic) for n in range(8)])
        for place in await given(source):
            source.seek(place, 0)
        source._consumer = troubled = _Troubled(source._consumer, at)
        found: list[int] = []
        async with asyncio.timeout(30):
            while len(found) < 8:
                with contextlib.suppress(Transient):
                    found += [r.offset for r in await source.poll(10, 100)]
        assert troubled.told
        assert found == list(range(8))
    finally:
        await source.stop()
        await publisher.stop()


async def test_a_topic_that_no_broker_knew_at_first_is_read_once_it_is_there(stack) -> None:
    """On several brokers it is enough that the one asked has yet to hear of it: the client by itself waits five minutes."""
    topic = f"t{uuid4().hex[:8]}"
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    source = KafkaSource(kafka, f"g.{topic}", (topic,), BatchSettings())
    await source.start(_nothing_to_give_up)
    try:
        async with asyncio.timeout(40):
            with pytest.raises(Transient, match=f"does not know it yet: .*{topic}"):
                while True:
                    await source.poll(10, 100)
            await asyncio.sleep(2)  # past the moments in which the client asks again by itself
            await create_topics(stack.bootstrap, [Topic(topic, "", 1)])
            await given(source)
    finally:
        await source.stop()


async def test_a_static_member_whose_name_another_takes_says_so_and_does_not_stand_still(stack) -> None:
    """The client is at its end then, and would answer every poll with nothing."""
    topic = f"t{uuid4().hex[:8]}"
    await create_topics(stack.bootstrap, [Topic(topic, "", 1)])
    kafka, batch = KafkaSettings(bootstrap=stack.bootstrap), BatchSettings(member="0", session_timeout_ms=3000)
    first, second = (KafkaSource(kafka, f"g.{topic}", (topic,), batch) for _ in range(2))

    async def polled() -> None:
        while True:
            await first.poll(10, 100)

    try:
        async with asyncio.timeout(40):
            await first.start(_nothing_to_give_up)
            await given(first)
            await second.start(_nothing_to_give_up)
            await given(second)
            with pytest.raises(Fenced):
                await polled()
            with pytest.raises(Fenced):  # and goes on saying it
                await first.poll(10, 100)
    finally:
        await first.stop()
        await second.stop()


async def test_records_gather_for_who_is_in_no_hurry(stack) -> None:
    """Two that come one after the other are fetched as one; the wait begins whenever it does, so not each time."""
    topic = f"t{uuid4().hex[:8]}"
    await create_topics(stack.bootstrap, [Topic(topic, "", 1)])
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    publisher, source = Publisher(kafka), KafkaSource(kafka, f"g.{topic}", (topic,), BatchSettings(), linger_ms=1000)
    await publisher.start()
    await source.start(_nothing_to_give_up)
    sizes: list[int] = []
    try:
        async with asyncio.timeout(50):
            for place in await given(source):
                source.seek(place, 0)
            while 2 not in sizes:
                polled = asyncio.create_task(_next(source))
                for _ in range(2):
                    await publisher.publish([message("hu", "a", 0, topic=topic)])
                    await asyncio.sleep(0.2)
                sizes.append(len(await polled))
                if sizes[-1] == 1:
                    await _next(source)
    finally:
        await source.stop()
        await publisher.stop()


async def _next(source: KafkaSource) -> list[Record]:
    while not (found := await source.poll(10, 100)):
        pass
    return found


async def test_a_member_that_is_never_let_in_tries_anew_and_one_with_nothing_to_do_does_not(stack) -> None:
    topic = f"t{uuid4().hex[:8]}"
    await create_topics(stack.bootstrap, [Topic(topic, "", 1)])
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    sources = [KafkaSource(kafka, f"g.{topic}", (topic,), BatchSettings()) for _ in range(2)]
    outside = KafkaSource(kafka, f"g.{topic}", (topic,), BatchSettings())
    try:
        for source in sources:
            await source.start(_nothing_to_give_up)
        async with asyncio.timeout(40):
            while any(source._outside_since is not None for source in sources):
                await asyncio.gather(*(source.poll(10, 100) for source in sources))
        told = [source.assigned() for source in sources]
        assert sorted(map(len, (t for t in told if t is not None))) == [0, 1], (
            "a spare is told that there is nothing for it"
        )
        for source in sources:
            source._patience_s = 0.0
        for _ in range(10):  # one partition: one of them has nothing to do, and is a member all the same
            await asyncio.gather(*(source.poll(10, 100) for source in sources))
        outside._patience_s = 0.0
        await outside.start(_nothing_to_give_up)
        with pytest.raises(Fenced, match="not let us in"):
            await outside.poll(10, 100)
    finally:
        for source in (*sources, outside):
            await source.stop()


async def test_topics_that_differ_in_their_partitions_are_not_read_until_they_do_not(stack) -> None:
    """A customer would be on one partition number here and on another there, with an owner each."""
    few, many = (f"t{uuid4().hex[:8]}.{n}" for n in ("few", "many"))
    await create_topics(stack.bootstrap, [Topic(few, "", 1), Topic(many, "", 2)])
    assert (await create_topics(stack.bootstrap, [Topic(few, "", 2), Topic(many, "", 2)])).others == {few: 1}
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    source = KafkaSource(kafka, f"g.{few}", (few, many), BatchSettings())
    await source.start(_nothing_to_give_up)
    try:
        async with asyncio.timeout(40):
            places = await given(source, 3)
            with pytest.raises(Transient, match=f"{few} 1, {many} 2"):
                await source.bounds(places)
            admin = AdminClient({"bootstrap.servers": stack.bootstrap})
            for made in admin.create_partitions([NewPartitions(few, 2)]).values():
                made.result(10)
            while True:
                with contextlib.suppress(Transient):
                    assert await source.bounds(places) == dict.fromkeys(places, (0, 0))
                    break
                await asyncio.sleep(0.1)
    finally:
        await source.stop()
