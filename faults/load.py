"""Messages for the counting pipeline, drawn from a seed, and what the oracle must know of each."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from touchline.contact.v1 import events_pb2 as contact

from faults.kafka import Client, Letter, Place
from faults.oracle import Sent

SOURCE = "/faults"
BRISK = 600
KIND = b"touchline.contact.MessageReceived.v1"


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it is sent: the record, and the oracle's word on it, whose place is not known yet."""

    letter: Letter
    sent: Sent


def message(topic: str, customer: str, text: str, event_id: str, time: datetime | None = None) -> Letter:
    """A customer's message on the wire."""
    said = contact.MessageReceived(contact_id="c", speaker=contact.SPEAKER_CUSTOMER, text=text)
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", KIND),
        ("ce_time", (time or datetime.now(UTC)).isoformat().encode()),
        ("ce_subject", customer.encode()),
        ("content-type", b"application/protobuf"),
    )
    return Letter(topic, customer.encode(), said.SerializeToString(), headers)


class Load:
    """Messages to one topic; remembers all that was sent."""

    def __init__(self, client: Client, topic: str, rng: Random, keys: int = 7) -> None:
        self.client, self.topic, self.rng = client, topic, rng
        self.keys = [f"c{n}" for n in range(keys)]
        self.sent: list[Sent] = []
        self._drafts: list[Draft] = []
        self._count = 0

    def plain(self, key: str | None = None, what: str = "", time: datetime | None = None) -> Draft:
        """A new message; `what`: "", "remind", "poison", "forbidden" or "unstorable"."""
        self._count += 1
        customer, seq = key or self.rng.choice(self.keys), f"m{self._count}"
        letter = message(self.topic, customer, f"{seq} {what}" if what else seq, seq, time)
        dead = what in ("poison", "forbidden", "unstorable")
        return Draft(letter, Sent(("", 0, 0), customer, seq, seq, dead=dead, reminds=what == "remind"))

    def reminder(self) -> Draft:
        """A message that brings a second fact, of a customer who sends no other."""
        return self.plain(f"r{self._count}", "remind")

    def again(self) -> Draft:
        """One that was sent before, as it was."""
        return self.rng.choice(self._drafts) if self._drafts else self.plain()

    def some(self, count: int, *, repeats: float = 0.1, reminders: float = 0.02) -> list[Draft]:
        """Plain messages with some repeats and reminders among them."""
        made: list[Draft] = []
        for _ in range(count):
            draw = self.rng.random()
            if draw < repeats and (self._drafts or made):
                made.append(self.rng.choice(self._drafts[-200:] + made))
            elif draw < repeats + reminders:
                made.append(self.reminder())
            else:
                made.append(self.plain())
        return made

    async def send(self, drafts: list[Draft]) -> None:
        """Sends them in order, all acknowledged."""
        places: list[Place] = await self.client.send([d.letter for d in drafts])
        self.sent += [replace(d.sent, place=place) for d, place in zip(drafts, places, strict=True)]
        self._drafts += drafts

    async def until(self, over: Callable[[], bool]) -> None:
        """A stream until it is over: brisk at first, then a few at a time, so that a slow machine is not buried in it."""
        before = len(self.sent)
        while not over():
            brisk = len(self.sent) - before < BRISK
            await self.send(self.some(40 if brisk else 4))
            await asyncio.sleep(0.03 if brisk else 0.1)


def ago(hours: float) -> datetime:
    """So many hours before now."""
    return datetime.now(UTC) - timedelta(hours=hours)
