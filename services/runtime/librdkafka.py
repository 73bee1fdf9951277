"""What all readers on librdkafka share: its log, its records as ours, and questions to the broker beside a consumer."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from operator import methodcaller
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from services.runtime.checkpoint import Place
from services.runtime.errors import Fenced, Transient
from services.runtime.records import GARBLED, Headers, Record
from services.runtime.settings import KafkaSettings

# How long the client asks a broker that does not answer.
ASK_S = 10.0

FIRST, END = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]

_ASK_AGAIN_S = 0.1

_SAY_AGAIN_S = 60.0

# The leader was made anew, as after a broker that hung, and the client does not know it yet.
_OLD_EPOCH = (KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH)
_NO_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, *_OLD_EPOCH)

# After these a client is good for nothing. A static member gets the second also where nobody else has its name: when the
# answer to its own joining was cut, and it joined again.
ENDS = (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID)


class _Calm(logging.Filter):
    """Lets the client's complaint about one broker pass once a minute: it repeats it twenty times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        about = record.getMessage().partition(" failed")[0][:120]
        now = time.monotonic()
        if now - self._told.get(about, -_SAY_AGAIN_S) < _SAY_AGAIN_S:
            return False
        if len(self._told) > 100:
            self._told.clear()
        self._told[about] = now
        return True


@cache
def client_log() -> logging.Logger:
    """Where the client's own complaints go."""
    made = logging.getLogger("librdkafka")
    made.addFilter(_Calm())
    return made


def away(error: Exception) -> Transient | Fenced:
    """A failure of the client: worth another try, or its end, after which it does nothing any more and says nothing."""
    kafka = error.args[0] if error.args and isinstance(error.args[0], KafkaError) else None
    if kafka is not None and (kafka.fatal() or kafka.code() in ENDS):
        return Fenced(f"Kafka has ended this client: {kafka.str()}")
    if kafka is not None and kafka.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return Transient(f"Kafka does not know it yet: {kafka.str()}")  # names the topic; the broker itself is there
    return Transient(f"Kafka is away: {kafka.name() if kafka is not None else type(error).__name__}")


# Where a name is not UTF-8 the client raises and answers at once. A call by name sees that while it is seldom made; once it has
# become hot, the interpreter takes its shortcut, looks at the answer alone, and dies of it. This call is never a shortcut.
_headers = methodcaller("headers")


def headers_of(message: Any) -> Headers:
    """A message's headers as ours."""
    try:
        # Once and never again: where a name is not UTF-8, the client's second answer ends the process.
        polled = _headers(message) or ()
    except (SystemError, UnicodeDecodeError):
        return GARBLED
    if None in [value for _, value in polled]:
        return tuple((name, value or b"") for name, value in polled)
    return polled


def record_of(message: Any, timestamp: int = 0) -> Record:
    """A message as a record of ours. `timestamp` costs a call of its own, which only some need."""
    m = message
    return Record(m.topic(), m.partition(), m.offset(), m.key(), m.value(), headers_of(m), timestamp)


class Questions:
    """Asks the broker about topics and offsets, on a connection of its own: a consumer's answers nothing while it is
    polled without a pause. Every method raises Transient while the broker is away."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._made: AdminClient | None = None

    async def places(self, topics: Iterable[str]) -> list[Place]:
        """Every partition of the topics; none of a topic that the broker does not know yet."""
        asked = list(topics)
        try:
            answers = await asyncio.gather(*(asyncio.to_thread(self._client().list_topics, t, ASK_S) for t in asked))
        except (KafkaException, RuntimeError) as error:
            raise away(error) from error
        known = zip(asked, answers, strict=True)
        return [Place(topic, partition) for topic, said in known for partition in sorted(said.topics[topic].partitions)]

    async def co_partitioned(self, topics: Sequence[str]) -> None:
        """Raises Transient, with the counts, where the topics differ in their number of partitions: a customer would have
        two owners, each with a state of its own, until somebody mends that. One that isn't there yet doesn't count."""
        if len(topics) < 2:
            return
        counts = Counter(place.topic for place in await self.places(topics))
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{topic} {count}" for topic, count in sorted(counts.items()))
            raise Transient(f"topics that must have the same number of partitions do not: {told}")

    async def offsets(self, places: Sequence[Place], spec: OffsetSpec) -> dict[Place, int]:
        """FIRST: the first offset that is kept; END: the next that will be written. A new partition has no leader for a
        moment, and is asked again."""
        found: dict[Place, int] = {}
        until = asyncio.get_running_loop().time() + ASK_S
        while left := [p for p in places if p not in found]:
            asked = {TopicPartition(p.topic, p.partition): spec for p in left}
            answers = self._client().list_offsets(asked, request_timeout=ASK_S)
            for place, answer in zip(left, answers.values(), strict=True):
                try:
                    found[place] = (await asyncio.wrap_future(answer)).offset
                except KafkaException as error:
                    if error.args[0].code() in _OLD_EPOCH:
                        self._made = None  # it would ask with what it knows of the leader for five more minutes
                    if error.args[0].code() not in _NO_LEADER or asyncio.get_running_loop().time() > until:
                        raise away(error) from error
            if len(found) < len(places):
                await asyncio.sleep(_ASK_AGAIN_S)
        return found

    def _client(self) -> AdminClient:
        if self._made is None:
            self._made = AdminClient(self._kafka.librdkafka(), logger=client_log())
        return self._made
