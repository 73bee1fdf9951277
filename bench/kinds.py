"""Events of the kinds that our services work on; each service's own load."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.message import Message
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.seat.v1 import events_pb2 as seat_pb2
from touchline.sentiment.v1 import sentiment_pb2

from bench.load import Fact, Load, Sent
from services.cli.day.phrases import BAD, TOPICS
from services.runtime.records import Outgoing, timestamp, write
from services.runtime.topics import SENTIMENT_SCORED

POOLS, SEATS = ("service", "care", "english"), 8
# Contacts that go on at the same time: the one that ends is this many behind the one that begins.
OPEN = 20
SKILLS = {"complaint": 5}
# Customers that complain at the same time, and what each says until it is heard no more.
ACTIVE, SAID = 50, 24


@dataclass
class Messages(Load):
    """What customers say, in Chinese and English; `by_id` tells which message a score's id means."""

    by_id: dict[str, Fact] = field(default_factory=dict)

    def next(self, at: datetime) -> Iterator[Sent]:
        customer, fact = self.turn()
        event = self.record(self.message(customer, fact[1]), customer, at)
        self.by_id[dict(event.headers)["ce_id"].decode()] = fact
        yield Sent(event, fact)

    def message(self, customer: str, number: int) -> contact_pb2.MessageReceived:
        """Something that is said; four messages make a contact."""
        draw = self.draw
        language = "zh" if draw.random() < 0.7 else "en"
        topic = draw.choice(TOPICS)
        said = draw.choice(topic.zh if language == "zh" else topic.en)
        if draw.random() < topic.bad:
            said += draw.choice(BAD[language])
        product = draw.choice(topic.products)
        return contact_pb2.MessageReceived(
            contact_id=f"{customer}/{number // 4}",
            speaker=contact_pb2.SPEAKER_CUSTOMER,
            text=said.format(p=product, s=f"s{draw.randrange(40)}"),
            channel="app",
            touchpoint=topic.touchpoint,
            language=language,
        )


@dataclass
class Contacts(Load):
    """Requests and ends of contacts: seven in ten are the bot's, the others wait for a seat and give up.

    A request causes one decision of triage; the end of a contact causes facts that are not counted.
    """

    open: list[tuple[str, str, bool]] = field(default_factory=list)
    shifts: int = 0

    def next(self, at: datetime) -> Iterator[Sent]:
        draw = self.draw
        if len(self.open) > OPEN or (self.open and draw.random() < 0.5):
            yield Sent(self._end(at), None)
            return
        customer, fact = self.turn()
        topic, human = draw.choice(TOPICS), draw.random() < 0.3
        contact = f"{customer}/{fact[1]}"
        asked = contact_pb2.ContactRequested(
            contact_id=contact,
            channel=draw.choice(("app", "phone", "web")),
            touchpoint=topic.touchpoint,
            topic="advice" if topic.name == "complaint" and not human else topic.name,
            language="zh" if draw.random() < 0.8 else "en",
            customer=contact_pb2.Customer(tier="vip" if human and draw.random() < 0.2 else "normal", region="r1"),
            wants_human=human,
        )
        self.open.append((customer, contact, human))
        yield Sent(self.record(asked, customer, at), fact)

    def _end(self, at: datetime) -> Outgoing:
        customer, contact, human = self.open.pop(0)
        ended: Message = contact_pb2.ContactEnded(contact_id=contact, ended_by=contact_pb2.SPEAKER_CUSTOMER)
        if human:
            ended = contact_pb2.ContactAbandoned(contact_id=contact)
        return self.record(ended, customer, at)

    def rest(self, at: datetime) -> Iterator[Outgoing]:
        """What is still open ends: no seat goes on ringing for it."""
        while self.open:
            yield self._end(at)

    def seats(self, at: datetime) -> Iterator[Outgoing]:
        """Seats of every pool sign in; whoever was paused is ready again."""
        self.shifts += 1
        for pool in POOLS:
            for n in range(SEATS):
                seat = seat_pb2.SeatSignedIn(
                    pool=pool, seat_id=f"{pool}-{n}", skills=SKILLS, capacity=2, languages=["zh", "en"]
                )
                yield write(seat, event_id=f"{pool}-{n}/{self.shifts}", source="bench", subject=pool, time=at)


@dataclass
class Cases(Messages):
    """What escalation reads: a customer's message, then its score from the sentiment service's topic, in turn.

    The customers of the day come and go: fifty at a time, each with six contacts about things that go badly, so that flags are
    raised all along. `by_name` tells which message a flag names as its cause; what is timed is its score, which comes last.
    """

    by_name: dict[str, Fact] = field(default_factory=dict)
    active: list[str] = field(default_factory=list)
    waiting: list[tuple[str, str, Fact, contact_pb2.MessageReceived, datetime]] = field(default_factory=list)

    def turn(self) -> tuple[str, Fact]:
        while len(self.active) < ACTIVE:
            self.active.append(
                f"customer-{len(self.sent) + ACTIVE - len(self.active):07d}-{self.draw.getrandbits(24):06x}"
            )
        at = self.draw.randrange(ACTIVE)
        customer = self.active[at]
        self.sent[customer] += 1
        if self.sent[customer] == SAID:
            del self.active[at]
        return customer, (customer, self.sent[customer])

    def next(self, at: datetime) -> Iterator[Sent]:
        if self.waiting:
            yield self._score(at)
            return
        customer, fact = self.turn()
        said = self.message(customer, fact[1])
        event = self.record(said, customer, at)
        name = dict(event.headers)["ce_id"].decode()
        self.by_name[name] = fact
        self.waiting.append((customer, name, fact, said, at))
        yield Sent(event, None)

    def _score(self, at: datetime) -> Sent:
        customer, name, fact, said, when = self.waiting.pop()
        scored = sentiment_pb2.MessageScored(
            customer_id=customer,
            contact_id=said.contact_id,
            message_id=name,
            message_source="bench",
            said_at=timestamp(when),
            score=sentiment_pb2.Score(
                polarity=self.draw.uniform(-1, 0.2), label=sentiment_pb2.LABEL_NEGATIVE, confidence=0.9
            ),
            touchpoint=said.touchpoint,
            channel=said.channel,
            model="bench",
        )
        event = self.record(scored, customer, at)
        return Sent(Outgoing(SENTIMENT_SCORED, event.key, event.value, event.headers), fact)
