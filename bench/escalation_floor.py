"""Open customers and what happens to them, for the speed of escalation: as records from Kafka and as stored states, without either.

Every customer is open: something is not over, a ticket or a contact whose last word is theirs. Their histories are a few hundred that
differ, told again under every name: to decide for a million, none need be made.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from google.protobuf.message import Message
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.router.v1 import events_pb2 as router_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.ticket.v1 import events_pb2 as ticket_pb2

from services.cli.day.phrases import BAD, TOPICS
from services.escalation import codec
from services.escalation.domain.decide import decide
from services.escalation.domain.state import Customer
from services.runtime.records import Outgoing, Record, read, timestamp, write

NOW: Final = datetime(2026, 11, 22, 6, tzinfo=UTC)
HISTORIES: Final = 400
NAMELESS: Final = "#" * 20
TALKING: Final = 2000
"""Conversations that go on at the same time."""


class Floor:
    """Customers by number, their stored states, and the records of what happens next."""

    def __init__(self, customers: int, seed: int = 1, histories: int = HISTORIES, now: datetime = NOW) -> None:
        self.customers, self.now = customers, now
        self.draw = random.Random(seed)
        self._count = 0
        self.histories = [self._history(n) for n in range(histories)]

    def name(self, number: int) -> str:
        """A customer's id."""
        return f"customer-{number:011d}"

    def body(self, number: int) -> bytes:
        """A customer's state as the database has it."""
        return self.histories[number % len(self.histories)].replace(NAMELESS.encode(), self.name(number).encode())

    def state(self, number: int) -> Customer:
        """A customer's state."""
        return msgspec.json.decode(self.body(number), type=Customer)

    def _history(self, number: int) -> bytes:
        """The last days of a customer: some contacts, now and then a ticket, a late delivery, an order; the last one is open."""
        draw, state = self.draw, Customer(NAMELESS)
        began = self.now - timedelta(hours=draw.uniform(1, 60))
        contacts = draw.choice((1, 1, 1, 2, 2, 3))
        events: list[tuple[datetime, Message]] = []
        if draw.random() < 0.5:
            placed = order_pb2.OrderPlaced(order_id=f"o{number}", amount_cents=draw.randrange(2000, 400_000))
            events.append((began - timedelta(days=draw.uniform(0.1, 9)), placed))
            if draw.random() < 0.3:
                late = order_pb2.DeliveryDelayed(order_id=f"o{number}", delay_minutes=draw.randrange(10, 300))
                events.append((began, late))
        if draw.random() < 0.5:
            events.append((began, ticket_pb2.TicketOpened(ticket_id=f"t{number}", topic="repair")))
        for k in range(contacts):
            contact = f"{NAMELESS}/{number}/{k}"
            steps = list(self.contact(NAMELESS, contact))
            at = began + (self.now - began) * (k / contacts)
            for i, step in enumerate(steps[: -2 if k == contacts - 1 else None]):
                events.append((at + timedelta(seconds=40 * i), step))
        for at, message in sorted(events, key=lambda e: e[0]):
            record = self.record(message, NAMELESS, at)
            event = codec.read(read(record, at))
            if event is not None:
                state, _ = decide(state, event, at)
        return msgspec.json.encode(state)

    def record(self, message: Message, customer: str, at: datetime) -> Record:
        """An event as Kafka hands it over."""
        self._count += 1
        out: Outgoing = write(message, event_id=f"{self._count:032x}", source="bench", subject=customer, time=at)
        return Record(out.topic, 0, self._count, out.key, out.value, out.headers)

    def contact(self, customer: str, contact: str) -> Iterator[Message]:
        """A contact from its request to its end; of a message the score comes after it."""
        draw = self.draw
        topic, language = draw.choice(TOPICS), "zh" if draw.random() < 0.7 else "en"
        yield contact_pb2.ContactRequested(
            contact_id=contact,
            channel=draw.choice(("app", "phone", "web")),
            touchpoint=topic.touchpoint,
            topic=topic.name,
            language=language,
            customer=contact_pb2.Customer(tier="vip" if draw.random() < 0.05 else "normal", region="r1"),
            wants_human=draw.random() < 0.3,
        )
        served = draw.random() < 0.3
        if served:
            yield router_pb2.ContactAccepted(
                contact_id=contact, customer_id=customer, pool="care", seat_id=f"s{draw.randrange(40)}",
                waited_ms=draw.randrange(900_000),
            )  # fmt: skip
        for _ in range(draw.choice((1, 2, 2, 3))):
            bad = draw.random() < topic.bad
            said = draw.choice(topic.zh if language == "zh" else topic.en)
            said += draw.choice(BAD[language]) if bad else ""
            yield contact_pb2.MessageReceived(
                contact_id=contact,
                speaker=contact_pb2.SPEAKER_CUSTOMER,
                text=said.format(p=draw.choice(topic.products), s="s1"),
                channel="app",
                touchpoint=topic.touchpoint,
                language=language,
            )
            yield sentiment_pb2.MessageScored(
                customer_id=customer,
                contact_id=contact,
                message_id=f"{self._count:032x}",
                message_source="bench",
                score=sentiment_pb2.Score(
                    polarity=draw.uniform(-1, 0.1) if bad else draw.uniform(-0.3, 0.8),
                    label=sentiment_pb2.LABEL_NEGATIVE if bad else sentiment_pb2.LABEL_NEUTRAL,
                    confidence=0.9,
                    complaint=draw.random() if bad else 0.1,
                ),
                touchpoint=topic.touchpoint,
                channel="app",
                model="bench",
            )
            seat = contact_pb2.SPEAKER_SEAT if served else contact_pb2.SPEAKER_BOT
            yield contact_pb2.MessageReceived(
                contact_id=contact,
                speaker=seat,
                text="好的，马上为您处理。",
                channel="app",
                touchpoint=topic.touchpoint,
            )
        yield contact_pb2.ContactEnded(contact_id=contact, ended_by=contact_pb2.SPEAKER_CUSTOMER)

    def records(self, count: int, at: datetime | None = None) -> list[Record]:
        """What happens next: contacts of customers drawn evenly, many at the same time."""
        at = at or self.now
        going: list[tuple[str, Iterator[Message]]] = []
        found: list[Record] = []
        while len(found) < count:
            while len(going) < TALKING:
                customer = self.name(self.draw.randrange(self.customers))
                going.append((customer, self.contact(customer, f"{customer}/{self._count + len(going)}")))
            n = self.draw.randrange(len(going))
            customer, steps = going[n]
            message = next(steps, None)
            if message is None:
                going[n] = going[-1]
                going.pop()
                continue
            if isinstance(message, sentiment_pb2.MessageScored):
                message.said_at.CopyFrom(timestamp(at))
            found.append(self.record(message, customer, at))
            at += timedelta(milliseconds=1)
        return found


def number_of(customer: str) -> int:
    """The number in a customer's id."""
    return int(customer.rpartition("-")[2])


def stored(floor: Floor, keys: Sequence[str], saved: Any) -> dict[str, Any]:
    """What the database would say of these customers."""
    return {key: saved(0, 1, floor.body(number_of(key)), {}) for key in keys}
