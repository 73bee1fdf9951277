"""What is sent: the same events to every contender from the same seed, and the oracle of what must come out."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from confluent_kafka import KafkaException, Producer
from touchline.survey.v1 import events_pb2 as survey_pb2

from services.runtime.records import Outgoing, write

CUSTOMERS = 10_000
REGIONS, STORES, CHANNELS = 8, 40, ("app", "wechat", "phone", "store")
COMMENT = "送货很快，安装师傅也很耐心。Delivered on time, but nobody called before."
SAMPLED = 0.02  # the share of traces that the gateway begins, as shipped

Fact = tuple[str, int]  # a customer, and which of its events this is


@dataclass(frozen=True, slots=True)
class Sent:
    """An event, and the fact that it must cause: None where it causes none, or none that could be foretold."""

    event: Outgoing
    fact: Fact | None

    @property
    def key(self) -> bytes:
        return self.event.key

    @property
    def value(self) -> bytes:
        return self.event.value


@dataclass
class Load:
    """Survey answers in their order, drawn from a seed; `sent` is the oracle: how many of each customer's there are.

    A customer's k-th event answers the survey "<customer>/<k>", so that both a count and a survey's name tell which it is.
    customers: how many there are to draw from. traced: whether a share of the events, as the gateway has it, carries
    the context of a trace that is recorded.
    """

    topic: str
    seed: int = 1
    customers: int = CUSTOMERS
    traced: bool = False
    sent: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)

    def events(self, count: int) -> Iterator[Sent]:
        """The next `count` events."""
        now = datetime.now(UTC)
        for n in range(count):
            yield from self.next(now + timedelta(milliseconds=n))

    def next(self, at: datetime) -> Iterator[Sent]:
        """One more event of a customer by chance."""
        draw = self.draw
        customer, fact = self.turn()
        score = draw.randrange(11)
        self.groups["promoters" if score >= 9 else "passives" if score >= 7 else "detractors"] += 1
        answer = survey_pb2.SurveyAnswered(
            survey_id=f"{customer}/{fact[1]}",
            score=score,
            segments={
                "region": f"r{draw.randrange(REGIONS)}",
                "store": f"s{draw.randrange(STORES):02d}",
                "channel": draw.choice(CHANNELS),
            },
            comment=COMMENT,
        )
        yield Sent(self.record(answer, customer, at), fact)

    def turn(self) -> tuple[str, Fact]:
        """A customer by chance, and the fact that its next event must cause."""
        customer = f"customer-{self.draw.randrange(self.customers):05d}"
        self.sent[customer] += 1
        return customer, (customer, self.sent[customer])

    def record(self, message: object, customer: str, at: datetime, event_id: str = "") -> Outgoing:
        """An event as channels send it."""
        draw = self.draw
        trace = ""
        if self.traced and draw.random() < SAMPLED:
            trace = f"00-{draw.getrandbits(128) | 1:032x}-{draw.getrandbits(64) | 1:016x}-01"
        made = write(
            message,  # type: ignore[arg-type]
            event_id=event_id or str(UUID(int=draw.getrandbits(128), version=4)),
            source="bench",
            subject=customer,
            time=at,
            traceparent=trace,
        )
        return Outgoing(self.topic, made.key, made.value, made.headers) if self.topic else made


class Sender:
    """librdkafka's producer: it costs the machine a third of what the Python client does."""

    def __init__(self, bootstrap: str, linger_ms: float = 5) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "log_level": 0,
                "linger.ms": linger_ms,
                "batch.size": 256 * 1024,
                "queue.buffering.max.messages": 1_000_000,
                # Nothing comes twice from here. And a broker that is behind is given batches, not a request an event.
                "enable.idempotence": True,
                "max.in.flight.requests.per.connection": 5,
                # As all other clients of Kafka place keys: otherwise two topics' partitions would not match.
                "partitioner": "murmur2_random",
            }
        )
        self._refused: list[str] = []

    def send(self, event: Outgoing) -> None:
        """Hands it over; waits where too much is under way."""
        while True:
            try:
                self._producer.produce(
                    event.topic, event.value, event.key, headers=list(event.headers), on_delivery=self._told
                )
                break
            except BufferError:
                self._producer.poll(0.05)
        self._producer.poll(0)

    def _told(self, error: object, _: object) -> None:
        if error is not None:
            self._refused.append(str(error))

    def flush(self) -> None:
        """Returns when Kafka has acknowledged all. Raises RuntimeError where it has not."""
        try:
            left = self._producer.flush(60)
        except KafkaException as error:
            raise RuntimeError(f"Kafka did not take the events: {error}") from None
        if left or self._refused:
            raise RuntimeError(f"Kafka did not take {left + len(self._refused)} events: {self._refused[:1]}")


def fill(bootstrap: str, events: Iterable[Sent]) -> int:
    """Produces them all, and returns how many facts they must cause when Kafka has acknowledged them. Blocks."""
    sender = Sender(bootstrap)
    facts = 0
    for one in events:
        sender.send(one.event)
        facts += one.fact is not None
    sender.flush()
    return facts


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
    sender: Sender, events: Sequence[Sent], rate: float, told: Callable[[Sent, float, int], None]
) -> list[float]:
    """Sends each event at its scheduled moment, whatever became of those before it. Returns how late each was sent, in s.

    told: (event, the scheduled moment on time.perf_counter, number), before the event is sent.
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
            told(events[number], due[number], number)
            sender.send(events[number].event)
            late.append(time.perf_counter() - due[number])
    finally:
        pace.ended.set()
    return late
