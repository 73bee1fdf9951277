"""What is sent: survey answers of 10,000 customers, the same ones to every contender; and the oracle of what must come out."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aiokafka import AIOKafkaProducer
from touchline.survey.v1 import events_pb2 as survey_pb2

from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing, write
from services.runtime.settings import KafkaSettings

CUSTOMERS = 10_000
REGIONS, STORES, CHANNELS = 8, 40, ("app", "wechat", "phone", "store")
COMMENT = "送货很快，安装师傅也很耐心。Delivered on time, but nobody called before."


@dataclass
class Load:
    """Events in their order, drawn from a seed; `sent` is the oracle: how many of each customer's there are.

    A customer's k-th event answers the survey "<customer>/<k>", so that both a count and a survey's name tell which it is.
    """

    topic: str
    seed: int = 1
    sent: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def events(self, count: int) -> Iterator[Outgoing]:
        """The next `count` events."""
        draw, now = self._random, datetime.now(UTC)
        for n in range(count):
            customer = f"customer-{draw.randrange(CUSTOMERS):05d}"
            self.sent[customer] += 1
            score = draw.randrange(11)
            self.groups["promoters" if score >= 9 else "passives" if score >= 7 else "detractors"] += 1
            answer = survey_pb2.SurveyAnswered(
                survey_id=f"{customer}/{self.sent[customer]}",
                score=score,
                segments={
                    "region": f"r{draw.randrange(REGIONS)}",
                    "store": f"s{draw.randrange(STORES):02d}",
                    "channel": draw.choice(CHANNELS),
                },
                comment=COMMENT,
            )
            record = write(
                answer,
                event_id=str(UUID(int=draw.getrandbits(128), version=4)),
                source="bench",
                subject=customer,
                time=now + timedelta(milliseconds=n),
            )
            yield replace(record, topic=self.topic)


async def fill(bootstrap: str, events: Iterator[Outgoing]) -> None:
    """Produces them all, and returns when Kafka has acknowledged them."""
    publisher = Publisher(KafkaSettings(bootstrap=bootstrap))
    await publisher.start()
    try:
        while chunk := [e for _, e in zip(range(5000), events, strict=False)]:
            await publisher.publish(chunk)
    finally:
        await publisher.stop()


class Pace(threading.Thread):
    """Calls the loop at each event's moment. A thread, because an event loop's timers are coarser than what is measured."""

    def __init__(self, due: Sequence[float], call: Callable[[int], object]) -> None:
        super().__init__(name="pace", daemon=True)
        self._due, self._call = due, call
        self._loop = asyncio.get_running_loop()
        self.ended = threading.Event()

    def run(self) -> None:
        for number, moment in enumerate(self._due):
            wait = moment - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            if self.ended.is_set():
                return
            self._loop.call_soon_threadsafe(self._call, number)


async def open_loop(
    producer: AIOKafkaProducer, events: Sequence[Outgoing], rate: float, told: Callable[[str, float, int], None]
) -> list[float]:
    """Sends each event at its scheduled moment, whatever became of those before it. Returns how late each was sent, in s.

    told: (customer, the scheduled moment on time.perf_counter, number), before the event is sent.
    """
    start = time.perf_counter() + 0.2
    due = [start + n / rate for n in range(len(events))]
    turns: asyncio.Queue[int] = asyncio.Queue()
    pace = Pace(due, turns.put_nowait)
    pace.start()
    late = []
    try:
        for _ in events:
            number = await turns.get()
            event = events[number]
            told(event.key.decode(), due[number], number)
            await producer.send(event.topic, event.value, key=event.key, headers=list(event.headers))
            late.append(time.perf_counter() - due[number])
    finally:
        pace.ended.set()
    return late
