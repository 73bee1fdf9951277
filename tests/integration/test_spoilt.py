"""What librdkafka makes of a header's name that is not UTF-8: the record is at hand, its headers are not, and may be asked for once only."""

import asyncio
import subprocess
import sys
from contextlib import aclosing
from uuid import uuid4

import confluent_kafka
import pytest

from services.runtime.admin import create_topics
from services.runtime.records import GARBLED
from services.runtime.settings import KafkaSettings
from services.runtime.tail import read_all, tail
from services.runtime.topics import Topic
from tests.integration.counting import Bench, message, pipeline
from tests.integration.spoilt import send_spoilt

pytestmark = [pytest.mark.integration, pytest.mark.timeout(150)]


@pytest.fixture
async def topic(stack):
    name = f"t{uuid4().hex[:8]}"
    await create_topics(stack.bootstrap, [Topic(name, "", 1), Topic(f"{name}.dlq", "", 1)])
    async with Bench(stack, pipeline(name, name)) as bench:
        first, last = (message("a", "fine", n, topic=name) for n in (1, 3))
        await bench.publisher.publish([first])
        await send_spoilt(stack.bootstrap, name, b"a", b"value", list(last.headers))
        await bench.publisher.publish([last])
        yield name


def polled(bootstrap: str, topic: str) -> list[confluent_kafka.Message]:
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": topic})
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    try:
        found: list[confluent_kafka.Message] = []
        while len(found) < 3:
            found += consumer.consume(3 - len(found), 20)
        return found
    finally:
        consumer.close()


async def test_its_key_value_and_place_are_there_and_its_headers_raise(stack, topic):
    first, spoilt, last = await asyncio.to_thread(polled, stack.bootstrap, topic)
    assert (spoilt.error(), spoilt.offset(), spoilt.key(), spoilt.value()) == (None, 1, b"a", b"value")
    # SystemError now; UnicodeDecodeError is what it should be. Whoever reads catches both, and never asks again:
    with pytest.raises((SystemError, UnicodeDecodeError)):
        spoilt.headers()
    # ... nothing else is harmed by it.
    assert dict(first.headers())["ce_id"] == b"a-1" and dict(last.headers())["ce_id"] == b"a-3"


async def test_asked_for_a_second_time_they_end_the_process(stack, topic):
    """Why they may be asked for once only. Where this fails, librdkafka's Python client is mended, and the care can go."""
    program = """
import sys, confluent_kafka
consumer = confluent_kafka.Consumer({"bootstrap.servers": sys.argv[1], "group.id": "x"})
consumer.assign([confluent_kafka.TopicPartition(sys.argv[2], 0, 1)])
[spoilt] = consumer.consume(1, 20)
try:
    spoilt.headers()
except (SystemError, UnicodeDecodeError):
    pass
print([str(name) for name, _ in spoilt.headers()])
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, stack.bootstrap, topic], capture_output=True, timeout=40, check=False
    )  # fmt: skip
    assert done.returncode == -11, (done.returncode, done.stdout, done.stderr)


async def test_the_dashboard_and_the_tools_read_past_it(stack, topic):
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    kept = await read_all(kafka, topic)
    assert [r.offset for r in kept] == [0, 1, 2] and kept[1].headers is GARBLED and kept[1].timestamp > 0
    seen: list[int] = []
    async with asyncio.timeout(30), aclosing(tail(kafka, [topic], from_start=True)) as batches:
        async for batch in batches:
            seen += [r.offset for r in batch]
            if len(seen) == 3:
                break
    assert seen == [0, 1, 2]


async def test_asking_is_safe_where_it_has_become_hot(stack, topic):
    """The interpreter calls a method that is called often without the checks that it makes at first."""
    program = """
import sys, confluent_kafka
from services.runtime.librdkafka import headers_of
from services.runtime.records import GARBLED
consumer = confluent_kafka.Consumer({"bootstrap.servers": sys.argv[1], "group.id": "x"})
consumer.assign([confluent_kafka.TopicPartition(sys.argv[2], 0, 0)])
found = []
while len(found) < 3:
    found += consumer.consume(3 - len(found), 20)
for _ in range(10_000):
    headers_of(found[0])
print(headers_of(found[1]) is GARBLED, dict(headers_of(found[2]))["ce_id"])
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, stack.bootstrap, topic], capture_output=True, timeout=60, check=False
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"True b'a-3'\n"), (done.returncode, done.stdout, done.stderr)
