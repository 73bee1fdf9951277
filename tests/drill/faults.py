"""What goes wrong: each is a context in which it does, on the embedded system, and after which it is mended."""

import asyncio
import contextlib
import json
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient
from touchline.router.v1 import router_pb2, router_pb2_grpc
from touchline.survey.v1 import events_pb2 as survey

from deploy.embedded import state
from deploy.embedded.layout import Layout
from services.runtime.admin import create_topics
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing, write
from services.runtime.settings import BatchSettings, KafkaSettings
from services.runtime.source import KafkaSource
from services.runtime.topics import CATALOGUE, TOUCHPOINT_EVENTS
from tests.live import Live, calls, clock_of, event, fetch, post

BATCH = "application/cloudevents-batch+json"


def layout(live: Live) -> Layout:
    return Layout.of(live["data"])


def process(live: Live, part: str) -> psutil.Process:
    """The part's process now."""
    now = state.read(layout(live))
    assert now is not None
    return psutil.Process(now.parts[part].pid)


@contextmanager
def frozen(live: Live, part: str) -> Iterator[None]:
    """The process hangs: it is there, and does nothing."""
    hung = process(live, part)
    hung.suspend()
    try:
        yield
    finally:
        hung.resume()


@asynccontextmanager
async def kept_down(live: Live, part: str) -> AsyncIterator[None]:
    """The part is killed again whenever its supervisor has started it."""

    async def kill() -> None:
        while True:
            with contextlib.suppress(psutil.Error):
                process(live, part).kill()
            await asyncio.sleep(0.1)

    async with beside(kill()):
        yield


@asynccontextmanager
async def beside(*work: Awaitable[None]) -> AsyncIterator[None]:
    """Lets something go on meanwhile."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def published(live: Live) -> AsyncIterator[Callable[[Sequence[Outgoing]], Awaitable[None]]]:
    """A way past the door, straight to Kafka."""
    publisher = Publisher(kafka_of(live))
    await publisher.start()
    try:
        yield publisher.publish
    finally:
        await publisher.stop()


def kafka_of(live: Live) -> KafkaSettings:
    return KafkaSettings(bootstrap=live["kafka"]["bootstrap"])


def unreadable() -> Outgoing:
    """A record that no service can read."""
    return Outgoing(
        TOUCHPOINT_EVENTS, b"drill", b"\xff\xff", (("ce_id", uuid4().hex.encode()), ("ce_type", b"no.such"))
    )


def retractions(live: Live, count: int) -> list[Outgoing]:
    """Events that only NPS cares for, and that change nothing: answers withdrawn that nobody gave."""
    now = clock_of(live)()
    return [
        write(survey.SurveyRetracted(survey_id=f"none-{n}"), event_id=uuid4().hex, source="/drill", subject=f"d{n}", time=now)
        for n in range(count)
    ]  # fmt: skip


def answers(live: Live, count: int) -> list[Outgoing]:
    """Survey answers: each makes NPS publish a fact."""
    now = clock_of(live)()
    told = (survey.SurveyAnswered(survey_id=uuid4().hex, score=9) for _ in range(count))
    return [write(m, event_id=uuid4().hex, source="/drill", subject=uuid4().hex, time=now) for m in told]


def contacts(live: Live, count: int) -> list[dict]:
    """Customers who come: each is routed by what three peers know of them."""
    told = {"channel": "web", "touchpoint": "after_sales", "language": "zh"}
    return [
        event(live, "contact.ContactRequested", f"drill-{uuid4().hex[:8]}", {**told, "contactId": uuid4().hex})
        for _ in range(count)
    ]


def complaint(live: Live) -> list[dict]:
    """A customer whom escalation flags, and whom nobody calls back."""
    customer, contact = f"drill-{uuid4().hex[:8]}", uuid4().hex
    said = {"contactId": contact, "speaker": "SPEAKER_CUSTOMER"}
    came = {"contactId": contact, "channel": "web", "touchpoint": "after_sales", "language": "zh"}
    lines = ["太差了，我要投诉！", "一直没人处理，我要投诉你们，退款！", "再不解决我就去消协投诉，曝光你们！"]
    told = [event(live, "contact.MessageReceived", customer, {**said, "text": text}) for text in lines]
    return [event(live, "contact.ContactRequested", customer, came), *told]


@asynccontextmanager
async def locked(live: Live, service: str, held_s: float = 0.0) -> AsyncIterator[None]:
    """Somebody holds a lock on a service's states: all the time, or for so long again and again."""
    now = state.read(layout(live))
    assert now is not None
    connection = await asyncpg.connect(now.dsn[service])

    async def hold() -> None:
        while True:
            async with connection.transaction():
                await connection.execute("LOCK TABLE runtime.entity IN EXCLUSIVE MODE")
                await asyncio.sleep(held_s or 3600)
            await asyncio.sleep(0.1)

    try:
        async with beside(hold()):
            yield
    finally:
        connection.terminate()


@contextmanager
def policy_changed(live: Live, change: Callable[[str], str]) -> Iterator[None]:
    """The policy's file is another one meanwhile."""
    path = Path(live["data"]) / "policy.toml"
    before = path.read_text("utf-8")
    path.write_text(change(before), "utf-8")
    try:
        yield
    finally:
        path.write_text(before, "utf-8")


@asynccontextmanager
async def promised(live: Live, pool: str) -> AsyncIterator[None]:
    """A customer is promised a human within a minute, and nobody is there; in the end the customer needs none."""
    customer, contact = f"drill-{uuid4().hex[:8]}", uuid4().hex
    came = {"contactId": contact, "channel": "web", "touchpoint": "pre_sales", "language": "zh", "wantsHuman": True}
    with policy_changed(live, lambda text: text.replace("promise_s = 7200", "promise_s = 60")):
        async with calls(live, "router") as channel:
            stub = router_pb2_grpc.RouterServiceStub(channel)

            async def mode(wanted: str) -> None:
                asked = router_pb2.SetModeRequest(
                    pool=pool, mode=wanted, by="drill", reason="drill", command_id=uuid4().hex
                )
                await stub.SetMode(asked, timeout=10)

            await asyncio.sleep(2.5)  # until the router has read it
            await mode("managed")
            try:
                await asyncio.to_thread(post, live, [event(live, "contact.ContactRequested", customer, came)])
                yield
            finally:
                over = event(live, "contact.CallBackCancelled", customer, {"contactId": contact})
                await asyncio.to_thread(post, live, [over])
                await mode("human")
                await mode("auto")


@asynccontextmanager
async def stray_contact(live: Live, pool: str) -> AsyncIterator[None]:
    """The table of contacts has one that its pool was never sent."""
    now = state.read(layout(live))
    assert now is not None
    connection = await asyncpg.connect(now.dsn["router"])
    stray = f"stray-{uuid4().hex}"
    try:
        await connection.execute(
            "INSERT INTO contact (contact_id, customer_id, state, pool) VALUES ($1, 'nobody', 'queued', $2)",
            stray,
            pool,
        )
        yield
    finally:
        await connection.execute("DELETE FROM contact WHERE contact_id = $1", stray)
        await connection.close()


async def deleted(live: Live, topic: str) -> None:
    """Somebody deletes every record of a topic."""
    admin = AdminClient({"bootstrap.servers": live["kafka"]["bootstrap"]})

    def delete() -> None:
        partitions = admin.list_topics(topic, timeout=20).topics[topic].partitions
        ends = [TopicPartition(topic, p, OFFSET_END) for p in partitions]
        for made in admin.delete_records(ends).values():
            made.result(20)

    await asyncio.to_thread(delete)


@asynccontextmanager
async def without_topic(live: Live, name: str) -> AsyncIterator[None]:
    """Somebody deleted a topic; `touchline topics` makes it again."""
    admin = AdminClient({"bootstrap.servers": live["kafka"]["bootstrap"]})
    await asyncio.to_thread(lambda: [f.result(20) for f in admin.delete_topics([name]).values()])
    try:
        yield
    finally:
        await create_topics(live["kafka"]["bootstrap"], [t for t in CATALOGUE if t.name == name])


@asynccontextmanager
async def fickle_member(live: Live, group: str) -> AsyncIterator[None]:
    """A member that joins a pipeline's group and leaves it at once, again and again."""

    async def revoked() -> None:
        pass

    async def come_and_go() -> None:
        while True:
            batch = BatchSettings(member=None, session_timeout_ms=6000, drain_s=timedelta(seconds=1).total_seconds())
            source = KafkaSource(kafka_of(live), group, (TOUCHPOINT_EVENTS,), batch)
            try:
                await source.start(revoked)
                await source.poll(1, 500)
            finally:  # else it would hold its places, and take nothing from them
                await source.stop()

    async with beside(come_and_go()):
        yield


@asynccontextmanager
async def posting(live: Live, events: Callable[[], list[dict]], threads: int, *, key: str = "", every_s: float = 0.1) -> AsyncIterator[None]:  # fmt: skip
    """Channels that send again and again, whatever they are told."""
    over = threading.Event()

    def send() -> None:
        told = {"authorization": f"Bearer {key}"} if key else {}
        while not over.wait(every_s):
            with contextlib.suppress(OSError):
                post(live, events(), **told)

    working = [threading.Thread(target=send, daemon=True) for _ in range(threads)]
    for one in working:
        one.start()
    try:
        yield
    finally:
        over.set()
        for one in working:
            await asyncio.to_thread(one.join, 40)


@contextmanager
def slow_channel(live: Live) -> Iterator[str]:
    """A channel whose key allows one event a second; gives its key."""
    path: Path = layout(live).keys
    before = path.read_text()
    key = uuid4().hex
    channels = json.loads(before)["channels"]
    path.write_text(json.dumps({"channels": [*channels, {"name": "drill", "key": key, "rate_per_s": 1}]}))
    try:
        yield key
    finally:
        path.write_text(before)


def bad_event(live: Live) -> list[dict]:
    """What a channel's wrong release sends."""
    return [event(live, "survey.SurveyAnswered", "drill", {"surveyId": uuid4().hex, "score": 99})]


async def killed(live: Live, part: str, times: int) -> None:
    """The process dies, and dies again as soon as it is back."""
    for _ in range(times):
        dead = process(live, part)
        dead.send_signal(signal.SIGKILL)
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(_is_back, live, part, dead.pid):  # noqa: ASYNC110 (a process is asked)
                await asyncio.sleep(0.3)
        await asyncio.sleep(1)


def _is_back(live: Live, part: str, before: int) -> bool:
    ports = json.loads(layout(live).ports.read_text())
    with contextlib.suppress(OSError, psutil.Error):
        return process(live, part).pid != before and fetch(f"http://127.0.0.1:{ports[f'{part}.metrics']}/metrics")[0] == 200  # fmt: skip
    return False
