"""A small pipeline for the runtime's own tests: counts a customer's messages, and publishes the count so far."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
from touchline.contact.v1 import events_pb2 as contact
from touchline.nps.v1 import nps_pb2

from deploy.embedded.stack import Stack
from services.runtime.clock import wall_clock
from services.runtime.errors import Transient, Unreadable
from services.runtime.migrate import migrate
from services.runtime.pipeline import Answer, Delta, Metric, Pipeline, Publish
from services.runtime.postgres import PostgresStore
from services.runtime.publisher import Publisher
from services.runtime.records import Incoming, Outgoing, write
from services.runtime.runner import Runner
from services.runtime.settings import BatchSettings, KafkaSettings
from services.runtime.source import KafkaSource

METRIC = Metric("counting", ("messages",))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POISON = "poison"


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages a customer has sent, and when to say so again."""

    messages: int = 0
    due_at: datetime | None = None
    last: str = ""


def _decide(state: Count, text: str, now: datetime) -> tuple[Count, Sequence[tuple[str, int]]]:
    if text == POISON:
        raise ValueError(text)
    due = now + timedelta(milliseconds=300) if text == "remind me" else state.due_at
    after = Count(state.messages + 1, due, text)
    return after, ((text, after.messages),)


def _tick(state: Count, now: datetime) -> tuple[Count, Sequence[tuple[str, int]]]:
    return replace(state, due_at=None), (("reminded", state.messages),)


def _read(incoming: Incoming) -> str | None:
    if not isinstance(incoming.message, contact.MessageReceived):
        return None
    if incoming.message.text == "forbidden":
        raise Unreadable("data.text", "is forbidden")
    return incoming.message.text


def _write(fact: tuple[str, int]) -> Iterable[Publish | Answer]:
    text, number = fact
    yield Publish(nps_pb2.NpsChanged(customer_id=text, survey_id=str(number)), text, datetime.now(UTC))


def _count(fact: tuple[str, int]) -> Iterable[Delta]:
    yield Delta("counting", (), "ALL", EPOCH, {"messages": 1})


def pipeline(name: str, topic: str) -> Pipeline[Count, str, tuple[str, int]]:
    return Pipeline(
        name=name,
        topics=(topic,),
        state_type=Count,
        initial=lambda _: Count(),
        read=_read,
        decide=_decide,
        write=_write,
        tick=_tick,
        due=lambda s: s.due_at,
        count=_count,
        metric=METRIC,
    )


def message(customer: str, text: str, number: int, *, topic: str = "touchpoint.events") -> Outgoing:
    record = write(
        contact.MessageReceived(contact_id="c", speaker=contact.SPEAKER_CUSTOMER, text=text),
        event_id=f"{customer}-{number}",
        source="test",
        subject=customer,
        time=datetime.now(UTC),
    )
    return msgspec.structs.replace(record, topic=topic)


class Bench:
    """A database and a publisher for runners of one pipeline."""

    def __init__(self, stack: Stack, pipeline: Pipeline) -> None:
        self.stack, self.pipeline = stack, pipeline
        self.kafka = KafkaSettings(bootstrap=stack.bootstrap)
        self.publisher = Publisher(self.kafka)
        self.batch = BatchSettings(poll_ms=20, session_timeout_ms=6000, flush_every=timedelta(milliseconds=100))

    async def __aenter__(self) -> "Bench":
        url = self.stack.dsn("nps")
        await migrate(url, None)
        self.pool = await asyncpg.create_pool(url, min_size=1, max_size=6)
        await self.publisher.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.publisher.stop()
        await self.pool.close()

    def runner(self, **settings: object) -> Runner:
        batch = self.batch.model_copy(update=settings)
        source = KafkaSource(self.kafka, self.pipeline.name, self.pipeline.topics, batch)
        store = PostgresStore(self.pool, self.pipeline.name)
        return Runner(self.pipeline, source, store, self.publisher, wall_clock, batch)

    async def counts(self) -> dict[str, int]:
        rows = await self.pool.fetch(
            "SELECT key, (body->>'messages')::int FROM runtime.entity WHERE pipeline = $1", self.pipeline.name
        )
        return {r[0]: r[1] for r in rows}

    async def settled(self, runner: Runner, within_s: float = 20) -> None:
        """Until nothing is left to consume or to publish."""
        async with asyncio.timeout(within_s):
            while await self._behind(runner) != (0, 0):  # noqa: ASYNC110 (a broker is asked)
                await asyncio.sleep(0.05)

    async def _behind(self, runner: Runner) -> tuple[int, int] | None:
        try:
            return await runner.lag.ask()
        except Transient:
            return None  # away for now
