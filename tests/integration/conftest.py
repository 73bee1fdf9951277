"""What the integration tests share beside the stack: a publisher, and a topic of a test's own with the counting pipeline."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from deploy.embedded.stack import Stack
from services.runtime.admin import create_topics
from services.runtime.publisher import Publisher
from services.runtime.settings import KafkaSettings
from services.runtime.topics import Topic
from tests.integration.counting import Bench, pipeline


@pytest.fixture
async def publisher(stack: Stack) -> AsyncIterator[Publisher]:
    made = Publisher(KafkaSettings(bootstrap=stack.bootstrap))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def bench(stack: Stack) -> AsyncIterator[Bench]:
    """The counting pipeline over a topic of two partitions, and as many for its dead letters."""
    topic = f"t{uuid4().hex[:8]}"
    await create_topics(stack.bootstrap, [Topic(topic, "", 2), Topic(f"{topic}.dlq", "", 2)])
    async with Bench(stack, pipeline(f"counting.{topic}", topic)) as made:
        made.topic = topic
        yield made
