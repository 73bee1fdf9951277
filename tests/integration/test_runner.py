"""The one path on real Kafka and Postgres: every event has its effect exactly once, whatever happens on the way."""

import asyncio
import tempfile
from uuid import uuid4

import pytest
from msgspec.structs import replace

from deploy.embedded.stack import Stack
from services.runtime.admin import create_topics
from services.runtime.errors import Fenced, Permanent, Transient
from services.runtime.letters import original
from services.runtime.publisher import Publisher
from services.runtime.runner import Runner
from services.runtime.tail import read_all
from services.runtime.topics import Topic
from tests.integration.counting import POISON, Bench, message, pipeline

pytestmark = pytest.mark.integration


async def facts(bench):
    """Facts on nps.changed that this bench's pipeline published: (id, customer, count)."""
    source = f"touchline/{bench.pipeline.name}".encode()
    found = []
    for r in await read_all(bench.kafka, "nps.changed"):
        headers = dict(r.headers)
        if headers["ce_source"] == source:
            found.append((headers["ce_id"].decode(), r.key.decode()))
    return found


async def test_each_event_counts_once_and_is_published(bench, tasks):
    sent = [message(f"k{n % 7}", f"k{n % 7}", n, topic=bench.topic) for n in range(200)]
    await bench.publisher.publish(sent + sent[:50])
    runner = bench.runner(max_records=37)
    tasks.append(asyncio.create_task(runner.run()))
    await asyncio.sleep(0.5)
    await bench.settled(runner)
    assert await bench.counts() == {f"k{k}": len(range(k, 200, 7)) for k in range(7)}
    published = await facts(bench)
    assert len({i for i, _ in published}) == 200
    cells = await bench.pool.fetch(
        "SELECT sum(counts[1]) FROM runtime.counter_cell WHERE pipeline = $1", bench.pipeline.name
    )
    assert cells[0][0] == 200


async def test_a_poisonous_event_is_dead_lettered_alone_and_replayed(bench, tasks):
    good = [message("a", "a", n, topic=bench.topic) for n in range(5)]
    bad = [message("a", POISON, 100, topic=bench.topic), message("a", "forbidden", 101, topic=bench.topic)]
    garbled = replace(message("a", "a", 102, topic=bench.topic), value=b"\xff\xff\xff")
    nul = message("a", "nul \0 in text", 103, topic=bench.topic)
    await bench.publisher.publish([*good[:2], *bad, nul, garbled, *good[2:]])
    runner = bench.runner()
    tasks.append(asyncio.create_task(runner.run()))
    await asyncio.sleep(0.5)
    await bench.settled(runner)
    assert await bench.counts() == {"a": 5}
    letters = await read_all(bench.kafka, f"{bench.topic}.dlq")
    reasons = {dict(x.headers)["ce_id"].decode(): dict(x.headers)["dlq_reason"].decode() for x in letters}
    assert set(reasons) == {"a-100", "a-101", "a-102", "a-103"}
    assert reasons["a-101"] == "is forbidden"
    assert all(POISON not in r for r in reasons.values())
    # The cause is mended: here, by sending what the poison should have been.
    mended = original(next(x for x in letters if dict(x.headers)["ce_id"] == b"a-100"))
    await bench.publisher.publish([replace(mended, value=message("a", "a", 100).value)] * 2)
    await asyncio.sleep(0.3)
    await bench.settled(runner)
    assert await bench.counts() == {"a": 6}


async def test_time_alone_decides_once(bench, tasks):
    await bench.publisher.publish([message("a", "remind me", 1, topic=bench.topic)])
    runner = bench.runner()
    tasks.append(asyncio.create_task(runner.run()))
    async with asyncio.timeout(15):
        while not any(customer == "reminded" for _, customer in await facts(bench)):  # noqa: ASYNC110 (a broker is asked)
            await asyncio.sleep(0.2)
    await asyncio.sleep(0.6)
    assert [customer for _, customer in await facts(bench)].count("reminded") == 1


async def test_a_second_member_takes_over_and_nothing_is_lost_or_doubled(bench, tasks):
    sent = [message(f"k{n % 11}", f"k{n % 11}", n, topic=bench.topic) for n in range(3000)]

    async def produce():
        for n in range(0, len(sent), 100):
            await bench.publisher.publish(sent[n : n + 100])
            await asyncio.sleep(0.1)

    first, second = bench.runner(max_records=50), bench.runner(max_records=50)
    running = asyncio.create_task(first.run())
    tasks.append(running)
    producing = asyncio.create_task(produce())
    tasks.append(producing)
    await asyncio.sleep(1)
    tasks.append(asyncio.create_task(second.run()))
    await asyncio.sleep(1.5)
    first.stop()
    await running
    await producing
    await bench.settled(second, 40)
    assert await bench.counts() == {f"k{k}": len(range(k, 3000, 11)) for k in range(11)}
    assert len({i for i, _ in await facts(bench)}) == 3000


async def test_postgres_and_kafka_away_are_waited_out(tasks):
    """A stack of its own, for what is taken away here. Nothing is skipped, nothing is done twice, and it says why it waits."""
    with tempfile.TemporaryDirectory(prefix="touchline-") as folder:
        async with Stack(folder) as own:
            topic = f"t{uuid4().hex[:8]}"
            await create_topics(own.bootstrap, [Topic(topic, "", 2), Topic(f"{topic}.dlq", "", 1)])
            async with Bench(own, pipeline(f"counting.{topic}", topic)) as bench:
                bench.topic = topic
                sent = [message(f"k{n % 5}", f"k{n % 5}", n, topic=topic) for n in range(400)]
                runner = bench.runner(max_records=20)
                tasks.append(asyncio.create_task(_joining_anew(bench, runner)))
                await bench.publisher.publish(sent[:100])
                await asyncio.sleep(0.3)
                await own.stop("postgres")
                await bench.publisher.publish(sent[100:200])
                async with asyncio.timeout(20):
                    while "Postgres" not in runner.trouble:  # noqa: ASYNC110 (nothing tells of it)
                        await asyncio.sleep(0.05)
                await own.start("postgres")
                await bench.settled(runner, 90)
                await bench.publisher.publish(sent[200:300])
                await own.stop("kafka")
                await own.start("kafka")
                await bench.publisher.publish(sent[300:])
                await bench.settled(runner, 120)
                assert await bench.counts() == {f"k{k}": 80 for k in range(5)}
                assert len({i for i, _ in await facts(bench)}) == 400


async def _joining_anew(bench: Bench, runner: Runner) -> None:
    """As a service does: whoever its group doesn't let in again, once Kafka is back, is made anew."""
    while True:
        try:
            return await runner.run()
        except (Fenced, Transient):
            runner = bench.runner(max_records=20)


class Choosy(Publisher):
    """A publisher whose Kafka takes no record of one kind, as one with a smaller limit would not."""

    async def publish(self, records):
        if any(r.topic == "nps.changed" and b"unwelcome" in r.key for r in records):
            raise Permanent("the record is larger than Kafka takes")
        await super().publish(records)


async def test_a_fact_that_kafka_refuses_for_good_holds_up_nothing(bench, tasks):
    sent = [message("a", text, n, topic=bench.topic) for n, text in enumerate(["a", "unwelcome", "b", "c"])]
    await bench.publisher.publish(sent)
    await bench.publisher.stop()
    bench.publisher = Choosy(bench.kafka)
    await bench.publisher.start()
    runner = bench.runner()
    tasks.append(asyncio.create_task(runner.run()))
    await asyncio.sleep(0.5)
    await bench.settled(runner)
    assert await bench.counts() == {"a": 4}
    assert [customer for _, customer in await facts(bench)] == ["a", "b", "c"]
    letters = [x for x in await read_all(bench.kafka, "nps.changed.dlq") if bench.pipeline.name in str(x.headers)]
    assert len({dict(x.headers)["ce_id"] for x in letters}) == 1
