"""Three brokers, two of which must have a record: the leader killed under load costs seconds, and not one event."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.embedded import cluster
from deploy.embedded.layout import Layout
from deploy.embedded.process import StartError
from deploy.embedded.stack import Stack
from faults.__main__ import one
from faults.cluster_load import judge, letter
from faults.schedule import BEDS, Schedule
from services.runtime.admin import create_topics
from services.runtime.errors import Transient
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing
from services.runtime.settings import KafkaSettings
from services.runtime.tail import read_all
from services.runtime.topics import Topic

pytestmark = [pytest.mark.integration, pytest.mark.timeout(290)]
SEED = 20261122


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="touchline-") as made:
        yield Path(made)


async def test_the_leader_killed_under_load_loses_and_doubles_nothing(folder: Path) -> None:
    async with BEDS["cluster"](folder) as bed:
        verdict = await one(bed, Schedule(SEED, "cluster.leader"))
        assert verdict.clean, [*verdict.wrong, *verdict.story]
        # Two of three copies are what a write needs, and what every topic has, Kafka's own too.
        standing = await cluster.replicas(bed.bootstrap)
        assert standing and {len(r.holders) for r in standing} == {3}


SENT = {"a": 3}
CLEAN = [("1", "a", 1), ("2", "a", 2), ("3", "a", 3)]


@pytest.mark.parametrize(
    ("counted", "facts", "word"),
    [
        ({"a": 3}, CLEAN, ""),
        ({"a": 3}, [*CLEAN[:2], *CLEAN], ""),
        ({"a": 2}, CLEAN[:2], "1 lost"),
        ({"a": 4}, [*CLEAN, ("4", "a", 4)], "1 doubled"),
        ({"a": 3}, CLEAN[:2], "2 facts"),
        ({"a": 3}, [*CLEAN, ("4", "a", 3)], "4 facts"),
        ({"a": 3}, [CLEAN[1], CLEAN[0], CLEAN[2]], "out of order"),
        ({"a": 3}, [*CLEAN, CLEAN[0]], "last word"),
        ({"a": 3}, [*CLEAN, CLEAN[0], CLEAN[2]], "among newer"),
        ({"a": 3}, [*CLEAN[:2], ("1", "a", 3)], "one id"),
    ],
)
def test_the_judge_sees_what_is_wrong(counted: dict, facts: list, word: str) -> None:
    wrong = judge(SENT, counted, facts)
    assert (not wrong) if not word else any(word in w for w in wrong), wrong


def test_a_folder_keeps_the_number_of_its_brokers(tmp_path: Path) -> None:
    here = Layout.of(tmp_path)
    here.create()
    assert (cluster.settle(here, None), cluster.settle(here, 3)) == (1, 3)
    with pytest.raises(ValueError, match="2 is neither 1 nor 3"):
        cluster.settle(here, 2)
    ports = {name: 20_000 + n for n, name in enumerate(cluster.port_names(3))}
    three = cluster.brokers(here, ports, 3)
    assert len({b.cluster for b in three}) == 1 and len({b.voters for b in three}) == 1
    for broker in three:
        (broker.data / "logs").mkdir(parents=True)
        (broker.data / "logs" / "meta.properties").write_text(f"cluster.id={broker.cluster}\n")
        (broker.data / "server.properties").write_text(f"controller.quorum.voters={broker.voters}\n")
    assert cluster.settle(here, None) == 3
    with pytest.raises(StartError, match=r"made with 3 broker\(s\), not 1"):
        cluster.settle(here, 1)
    shutil.rmtree(three[1].data)
    assert {b.cluster for b in cluster.brokers(here, ports, 3)} == {three[0].cluster}


async def test_a_publisher_whose_sequence_the_broker_no_longer_knows_begins_anew(folder: Path) -> None:
    """The broker comes back, after longer than a publisher waits, with a disk from the day before.

    It knows the producer, but not its latest records: an idempotent producer can't go on from there, whatever it repeats.
    """
    async with Stack(folder, ["kafka"], topics=False) as stack:
        topic, kafka = f"t{uuid4().hex[:8]}", KafkaSettings(bootstrap=stack.bootstrap)
        await create_topics(stack.bootstrap, [Topic(topic, "", 1)])
        publisher = Publisher(kafka, timeout_s=2)
        await publisher.start()
        try:
            await publisher.publish(_records(topic, 0, 3))
            await stack.stop("kafka")
            shutil.copytree(folder / "kafka", folder / "yesterday")
            await stack.start("kafka")
            await _until_published(publisher, _records(topic, 3, 40))
            await stack.stop("kafka")
            with pytest.raises((Transient, TimeoutError)):  # it may wait; then it is given up, as the gateway does
                async with asyncio.timeout(5):
                    await publisher.publish(_records(topic, 40, 50))
            shutil.rmtree(folder / "kafka")
            shutil.move(folder / "yesterday", folder / "kafka")
            await stack.start("kafka")
            await _until_published(publisher, _records(topic, 40, 60))
            found = [dict(r.headers)["ce_id"] for r in await read_all(kafka, topic)]
            assert found[:3] == [b"k-0", b"k-1", b"k-2"]
            assert found[-20:] == [b"k-%d" % n for n in range(40, 60)]
        finally:
            await publisher.stop()


def _records(topic: str, first: int, end: int) -> list[Outgoing]:
    made = (letter(topic, "k", n) for n in range(first, end))
    return [Outgoing(m.topic, m.key or b"", m.value or b"", list(m.headers)) for m in made]


async def _until_published(publisher: Publisher, records: list[Outgoing], within_s: float = 30.0) -> None:
    """As the runner does: all of them again after an error."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                await publisher.publish(records)
                return
            except Transient:
                await asyncio.sleep(0.2)
