"""The router under harm: contacts requested, seats that answer their offers, and nobody lost between them.

The pools have names of this schedule's own, by a policy file of its own. A desk plays the seats: it follows the offers,
accepts most, declines some, lets some run out, finishes what it serves, and in the end lets the customers go who still wait.
"""

import asyncio
import time
from collections import Counter
from hashlib import sha256
from random import Random
from typing import Any

from google.protobuf.message import Message
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.router.v1 import events_pb2 as decided_pb2
from touchline.router.v1 import router_pb2, router_pb2_grpc
from touchline.seat.v1 import events_pb2 as seat_pb2

from faults.bed import Bed
from faults.kafka import Ends, Letter
from faults.process import Process
from faults.real import Service, letter, sums, told
from services.cli.audit import assignment, contacts, delivery, triage
from services.cli.audit.collect import policy as parsed

DECIDED, POOLS = "routing.decided", "pool.events"
PATIENCE_S, LIMIT_S = 4.0, 75.0
POLICY = """\
version = "faults"
timezone = "+08:00"
[default]
pool = "bot"
[handover]
pool = "{p}-s"
priority = 30
[pools.{p}-s]
offer_timeout_s = 1
ageing = 1.0
languages = ["zh"]
max_misses = 50
[pools.{p}-v]
offer_timeout_s = 1
ageing = 2.0
languages = ["zh", "en"]
max_misses = 50
[[rules]]
name = "vip"
when = {{ tier = ["vip"] }}
pool = "{p}-v"
priority = 80
[[rules]]
name = "likely_to_escalate"
when = {{ risk_above = 0.6 }}
pool = "{p}-v"
priority = 60
[[rules]]
name = "angry"
when = {{ mood_below = -0.5 }}
pool = "{p}-v"
priority = 50
[[rules]]
name = "unhappy_before"
when = {{ nps_at_most = 6 }}
pool = "{p}-s"
priority = 30
[[rules]]
name = "asks_for_a_human"
when = {{ wants_human = true }}
pool = "{p}-s"
priority = 20
"""


class Router:
    """The service with its policy and its desk. Use `await Router.on(bed, rng)`."""

    def __init__(self, bed: Bed, rng: Random, service: Service) -> None:
        self.bed, self.rng, self.service = bed, rng, service
        self.prefix = service.prefix
        self.text = POLICY.format(p=self.prefix)
        self.path = bed.folder / f"{self.prefix}.toml"
        self.path.write_text(self.text)
        self.pools = (f"{self.prefix}-s", f"{self.prefix}-v")
        self.handled: set[tuple[str, str, int]] = set()
        self.waiting: dict[str, str] = {}
        self._cursor: Ends = {k: v for k, v in service.begin.items() if k[0] == DECIDED}
        self._in_service: set[str] = set()

    @classmethod
    async def on(cls, bed: Bed, rng: Random) -> "Router":
        """From now on. What other kinds sent that the router has not seen is worked off first, in pools of no concern."""
        service = await Service.on(bed, rng, "router")
        made = cls(bed, rng, service)
        before = bed.folder / "before.toml"
        before.write_text(POLICY.format(p="before"))
        process = service.start(ROUTER_POLICY=str(before))
        await service.settled()
        await process.leave()
        return made

    def start(self, fault: str = "", *, proxied: bool = False, **more: str) -> Process:
        """A process of the router."""
        told: dict[str, Any] = {"ROUTER_POLICY": str(self.path), **more}
        return self.service.start(fault, proxied=proxied, **told)

    def seats(self, each: int = 3) -> list[Letter]:
        """Seats that come on shift."""
        made = []
        for pool in self.pools:
            for n in range(each):
                seat = seat_pb2.SeatSignedIn(
                    pool=pool, seat_id=f"{pool}-{n}", capacity=self.rng.choice((1, 2)), languages=["zh", "en"]
                )
                made.append(letter(seat, pool, f"{pool}-{n}-in", topic=POOLS))
        return made

    def requests(self, count: int, first: int = 0) -> list[Letter]:
        """Customers who ask for service, each in a story of its own order, woven into each other; repeats among them."""
        stories = [self._story(f"{self.prefix}-{n}") for n in range(first, first + count)]
        made: list[Letter] = []
        while stories:
            story = self.rng.choice(stories[:12])
            made.append(story.pop(0))
            if not story:
                stories.remove(story)
            if self.rng.random() < 0.1:
                made.append(self.rng.choice(made))
        return made

    def _story(self, customer: str) -> list[Letter]:
        contact, rng = f"{customer}-k", self.rng

        def event(message: Message, what: str) -> Letter:
            return letter(message, customer, f"{customer}-{what}")

        tier = contact_pb2.Customer(tier="vip" if rng.random() < 0.3 else "normal")
        human = rng.random() < 0.4
        asked = contact_pb2.ContactRequested(
            contact_id=contact, channel="app", touchpoint=self.prefix, language="zh", customer=tier, wants_human=human
        )
        story = [event(asked, "q")]
        self.waiting[contact] = customer
        said = contact_pb2.MessageReceived(
            contact_id=contact, speaker=contact_pb2.SPEAKER_CUSTOMER, text="我的包裹呢？"
        )
        story.append(event(said, "m"))
        if tier.tier == "vip" or human:
            if rng.random() < 0.15:
                story.append(event(contact_pb2.ContactAbandoned(contact_id=contact), "left"))
        elif rng.random() < 0.5:
            story.append(event(contact_pb2.HandoverRequested(contact_id=contact, reason="customer_asked"), "h"))
        else:
            story.append(event(contact_pb2.ContactEnded(contact_id=contact), "e"))
        return story

    async def desk(self) -> None:
        """Plays the seats until every contact is closed. Raises TimeoutError where that takes too long."""
        began, left = time.monotonic(), False
        async with asyncio.timeout(LIMIT_S):
            while self.waiting:
                answers = self._answers(await self._news())
                if not left and time.monotonic() > began + PATIENCE_S:
                    left = True
                    answers += [
                        letter(contact_pb2.ContactAbandoned(contact_id=k), c, f"{c}-gone")
                        for k, c in self.waiting.items()
                        if k not in self._in_service
                    ]
                if answers:
                    await self.service.send(answers)
                await asyncio.sleep(0.1)

    async def _news(self) -> list[tuple[str, Message]]:
        records = (await self.bed.client.since(self._cursor))[DECIDED]
        found: list[tuple[str, Message]] = []
        for record in records:
            self._cursor[record.topic, record.partition] = record.offset + 1
            if not (record.key or b"").startswith(self.prefix.encode()):
                continue
            kind = dict(record.headers)["ce_type"].decode().split(".")[2]
            found.append((kind, getattr(decided_pb2, kind).FromString(record.value or b"")))
        return found

    def _answers(self, news: list[tuple[str, Message]]) -> list[Letter]:
        made: list[Letter] = []
        for kind, fact in news:
            if kind == "ContactClosed":
                self.waiting.pop(fact.contact_id, None)  # type: ignore[attr-defined]
                continue
            if kind not in ("ContactOffered", "ContactAccepted"):
                continue
            offer = (fact.pool, fact.contact_id, fact.token)  # type: ignore[attr-defined]
            if (kind, *offer[1:]) in self.handled:
                continue
            self.handled.add((kind, *offer[1:]))
            same = {"pool": offer[0], "seat_id": fact.seat_id, "contact_id": offer[1], "token": offer[2]}  # type: ignore[attr-defined]
            name = f"{offer[1]}-{offer[2]}"
            if kind == "ContactAccepted":
                self._in_service.add(offer[1])
                made.append(letter(seat_pb2.ServiceFinished(**same), offer[0], f"{name}-f", topic=POOLS))
                continue
            # By the offer, not by when we happen to see it.
            draw = sha256(f"{offer[1].removeprefix(self.prefix)}|{offer[2]}".encode()).digest()[0] / 256
            if draw < 0.75:
                made.append(letter(seat_pb2.OfferAccepted(**same), offer[0], f"{name}-a", topic=POOLS))
            elif draw < 0.9:
                made.append(letter(seat_pb2.OfferDeclined(**same), offer[0], f"{name}-d", topic=POOLS))
        return made

    async def judged(self) -> list[str]:
        """Conservation: each contact in one place at each time, nothing decided twice, every offer as the rules say."""
        wrong: list[str] = []
        try:
            await self.desk()
        except TimeoutError:
            wrong.append(f"contacts that are never closed: {sorted(self.waiting)[:5]} of {len(self.waiting)}")
        await self.service.settled()
        pools = {}
        for pool in self.pools:
            asked = router_pb2.GetPoolRequest(pool=pool)
            pools[pool] = await self.service.ask(router_pb2_grpc.RouterServiceStub, "GetPool", asked)
        found = await self.service.findings(parsed(self.text), pools=pools)
        ledger = found.ledger
        courses = contacts.courses(ledger)
        wrong += self.service.not_on_topic(ledger)
        wrong += told([
            contacts.check_courses(ledger, courses), contacts.check_minutes(ledger, courses),
            contacts.check_ends(ledger, courses), triage.check(ledger), assignment.check_tokens(ledger),
            assignment.check_capacity(ledger), assignment.check_offers(ledger),
            delivery.check_once(ledger), delivery.check_order(ledger), delivery.check_dead_letters(ledger),
        ])  # fmt: skip
        fields = {"ContactQueued": "queued", "ContactOffered": "offered", "OfferReturned": "returned",
                  "ContactAccepted": "accepted"}  # fmt: skip
        counted = sums(found.cells, "PT1M")
        for pool in self.pools:
            have = counted.get((("pool", pool),), {})
            for kind, field in fields.items():
                want = Counter(e.message.pool for e in ledger.facts.get(kind, ()))[pool]
                if have.get(field, 0) != want:
                    wrong.append(f"counters of {pool} {field}: expected {want}, got {have.get(field, 0)}")
        sorts = {kind: len(facts) for kind, facts in ledger.facts.items() if kind.startswith(("Contact", "Offer"))}
        self.bed.tell(f"{len(self.service.sent)} events sent, on the topics {sorts}")
        return wrong
