"""A process that dies at any step of the checkpoint, as a machine would: its successor finishes exactly what it began."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from touchline.metrics.v1 import counter_pb2
from touchline.nps.v1 import nps_pb2

from services.runtime.tail import read_all
from services.runtime.topics import COUNTERS
from tests.integration.counting import message

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

ROOT = Path(__file__).resolve().parents[2]
KEYS = 7
EVENTS = 140


@contextmanager
def process(bench, log: Path, fault: str = "") -> Iterator[subprocess.Popen]:
    """The pipeline's process; killed at the end if it still runs."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "KAFKA_", "BATCH_", "GRPC_"))},
        "KAFKA_BOOTSTRAP": bench.stack.bootstrap,
        "DATABASE_URL": bench.stack.dsn("nps"),
        "TOUCHLINE_FAULT": fault,
        "BATCH_MEMBER": "0",  # so that the successor need not wait for the dead one's session to end
        "BATCH_MAX_RECORDS": "25",
        "BATCH_POLL_MS": "20",
        "BATCH_FLUSH_EVERY": "PT0.1S",
    }
    words = [sys.executable, "-m", "tests.integration.counting_process", bench.pipeline.name, bench.topic]
    with log.open("ab") as out, subprocess.Popen(words, cwd=ROOT, env=environment, stdout=out, stderr=out) as running:
        try:
            yield running
        finally:
            running.kill()


async def settled(bench, expected: int) -> None:
    """Until all has been counted and published. Reads the database alone: the process keeps its own counsel."""
    async with asyncio.timeout(30):
        while True:
            counted = sum((await bench.counts()).values())
            unsent = await bench.pool.fetchval(
                """SELECT (SELECT count(*) FROM runtime.outbox WHERE pipeline = $1)
                        + (SELECT count(*) FROM runtime.counter_cell WHERE pipeline = $1 AND version > sent)
                        + (SELECT count(*) FROM runtime.entity WHERE pipeline = $1 AND due_at IS NOT NULL)""",
                bench.pipeline.name,
            )
            if counted >= expected and unsent == 0:
                return
            await asyncio.sleep(0.1)


async def facts(bench) -> list[tuple[str, str, int]]:
    """What the pipeline published, in order by partition: (id, key, count)."""
    source = f"touchline/{bench.pipeline.name}".encode()
    found = []
    for r in await read_all(bench.kafka, "nps.changed"):
        headers = dict(r.headers)
        if headers["ce_source"] == source:
            number = int(nps_pb2.NpsChanged.FromString(r.value).survey_id)
            found.append((headers["ce_id"].decode(), r.key.decode(), number))
    return found


async def counted(bench) -> int:
    """The total that a projection would make of the counters: the highest version of each share."""
    latest: dict[str, tuple[int, int]] = {}
    for r in await read_all(bench.kafka, COUNTERS):
        counter = counter_pb2.CounterChanged.FromString(r.value)
        if counter.share.startswith(f"{bench.pipeline.name}/"):
            found = (counter.version, counter.counts["messages"])
            latest[counter.share] = max(latest.get(counter.share, (0, 0)), found)
    return sum(count for _, count in latest.values())


@pytest.mark.parametrize(
    ("fault", "stands"),
    [
        ("decoded:1", False),
        ("decided:1", False),
        ("transacted:1", True),
        ("published:1", True),
        ("committed:1", True),
        ("ticked:1", True),
    ],
)
async def test_whoever_dies_there_loses_and_doubles_nothing(bench, tmp_path, fault, stands):
    log = tmp_path / "counting.log"
    sent = [message(f"k{n % KEYS}", f"k{n % KEYS}", n, topic=bench.topic) for n in range(EVENTS)]
    reminder = message("r", "remind me", 0, topic=bench.topic)
    await bench.publisher.publish([*sent[:60], *sent[40:], reminder, *sent[:10]])

    with process(bench, log, fault) as first:
        assert await asyncio.to_thread(first.wait, 20) == -signal.SIGKILL, log.read_text()
    # It died where it should: before the transaction nothing stands, from there on something does, and not all; but the
    # first tick that has anything to say may come when all are counted.
    before = sum((await bench.counts()).values())
    assert (before > 0) == stands and (before < EVENTS or fault == "ticked:1")
    with process(bench, log) as second:
        try:
            await settled(bench, EVENTS + 1)
        except TimeoutError:
            pytest.fail(log.read_text()[-4000:])
        second.terminate()
        assert await asyncio.to_thread(second.wait, 15) == 0, log.read_text()

    # Each event counted once.
    each = {f"k{k}": len(range(k, EVENTS, KEYS)) for k in range(KEYS)}
    assert await bench.counts() == {**each, "r": 1}
    # Every fact is out, the tick's too, under one id however often it was published; each key's in order.
    published = await facts(bench)
    first_seen: dict[str, tuple[str, int]] = {}
    for fact_id, key, number in published:
        assert first_seen.setdefault(fact_id, (key, number)) == (key, number)
    order: dict[str, list[int]] = {}
    for key, number in first_seen.values():
        order.setdefault(key, []).append(number)
    wanted = {key: list(range(1, count + 1)) for key, count in each.items()}
    assert order == {**wanted, "remind me": [1], "reminded": [1]}
    # A reader who keeps the last word of each key is right as well: a repeat ends where it must.
    assert {key: number for _, key, number in published} == {key: numbers[-1] for key, numbers in order.items()}
    assert await counted(bench) == EVENTS + 2
