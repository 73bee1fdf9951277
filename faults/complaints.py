"""Escalation under harm: stories whose end is known whatever the order of the two topics, and one flag for each that has one.

Angry customers threaten and complain, and their ticket comes back twice: the words weigh 0.5, the tickets 0.4, so that
the threshold of 0.6 is passed with or without any score. Some of them see the ticket resolved, which closes the
follow-up. Calm customers give no sign of anything.
"""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid5

from google.protobuf.timestamp_pb2 import Timestamp
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.sentiment.v1 import sentiment_pb2
from touchline.ticket.v1 import events_pb2 as ticket_pb2

from faults.kafka import Letter
from faults.real import Findings, Service, letter, sums, told
from services.cli.audit import delivery, flags

SCORED = "sentiment.scored"
TEAMS = "team.events"
NAMESPACE = UUID("0f7f5a9c-6a0e-5d0b-8c56-0a1f0d3c9b11")
"""In which a team names its flags."""
ANGRY, RESOLVED, CALM = "a", "b", "z"


def events(prefix: str, rng: Random, count: int, first: int = 0) -> list[Letter]:
    """About so many events: whole stories, woven into each other, each in its own order; repeats among them."""
    stories: list[list[Letter]] = []
    while sum(map(len, stories)) < count:
        sort = rng.choice((ANGRY, ANGRY, RESOLVED, CALM))
        stories.append(_story(prefix, rng, sort, f"{first + len(stories)}"))
    made: list[Letter] = []
    while stories:
        story = rng.choice(stories)
        made.append(story.pop(0))
        if not story:
            stories.remove(story)
        if rng.random() < 0.1:
            made.append(rng.choice(made))
    return made


def _story(prefix: str, rng: Random, sort: str, name: str) -> list[Letter]:
    customer = f"{prefix}-{sort}-{name}"
    contact, ticket = f"{customer}-k", f"{customer}-t"
    start = datetime.now(UTC) - timedelta(minutes=30)
    made: list[Letter] = []

    def add(message: object, what: str, minute: int) -> None:
        made.append(letter(message, customer, f"{customer}-{what}", time=start + timedelta(minutes=minute)))  # type: ignore[arg-type]

    def say(text: str, what: str, minute: int) -> None:
        said = contact_pb2.MessageReceived(
            contact_id=contact, speaker=contact_pb2.SPEAKER_CUSTOMER, text=text, touchpoint=prefix
        )
        add(said, what, minute)

    add(contact_pb2.ContactRequested(contact_id=contact, channel="app", touchpoint=prefix), "q", 0)
    if sort == CALM:
        say("谢谢，很满意", "m", 1)
        add(contact_pb2.ContactEnded(contact_id=contact), "e", 2)
        return made
    add(ticket_pb2.TicketOpened(ticket_id=ticket, contact_id=contact), "o", 1)
    for n in (1, 2):
        add(ticket_pb2.TicketUpdated(ticket_id=ticket, status=ticket_pb2.TICKET_STATUS_REOPENED), f"u{n}", 1 + n)
    say("我要投诉，还要曝光你们！", "m", 5)
    if rng.random() < 0.7:
        made.insert(rng.randrange(1, len(made)), _score(prefix, customer, contact, start + timedelta(minutes=5)))
    if sort == RESOLVED:
        add(ticket_pb2.TicketResolved(ticket_id=ticket), "r", 10)
    return made


def _score(prefix: str, customer: str, contact: str, said_at: datetime) -> Letter:
    at = Timestamp()
    at.FromDatetime(said_at)
    fact = sentiment_pb2.MessageScored(
        customer_id=customer, contact_id=contact, message_id=f"{customer}-m", message_source="/faults", said_at=at,
        score=sentiment_pb2.Score(polarity=-0.8, label=sentiment_pb2.LABEL_NEGATIVE, confidence=0.9),
        touchpoint=prefix, channel="app",
    )  # fmt: skip
    return letter(fact, customer, f"{customer}-score", topic=SCORED, source="touchline/sentiment", time=said_at)


async def judged(service: Service) -> list[str]:
    """One flag for each angry customer and none for a calm one; closed where the ticket was resolved; listed as published."""
    customers, found = await evidence(service)
    ledger = found.ledger
    wrong = sound(service, found)
    flagged = Counter(e.message.customer_id for e in ledger.facts.get("ComplaintFlagged", ()))
    closed = Counter(e.message.customer_id for e in ledger.facts.get("FollowUpClosed", ()))
    for customer in sorted(customers):
        sort = sort_of(customer)
        want = (int(sort != CALM), int(sort == RESOLVED))
        if (flagged[customer], closed[customer]) != want:
            wrong.append(
                f"{customer}: flagged and closed {(flagged[customer], closed[customer])} times, expected {want}"
            )
    service.bed.tell(f"{len(service.sent)} events sent, {flagged.total()} flags")
    return wrong


def sort_of(customer: str) -> str:
    """ANGRY, RESOLVED or CALM."""
    return customer.split("-")[1]


async def evidence(service: Service) -> tuple[set[str], Findings]:
    """The customers, and all that there is of them once nothing is left to do."""
    await service.settled()
    # What the customers' owner has published may reach the team's a moment later.
    await asyncio.sleep(1.0)
    await service.settled()
    customers = {(x.key or b"").decode() for x in service.sent if x.topic != TEAMS}
    listed = []
    for customer in sorted(customers):
        asked = escalation_pb2.ListFollowUpsRequest(include_closed=True, limit=100, customer_id=customer)
        answer = await service.ask(escalation_pb2_grpc.EscalationServiceStub, "ListFollowUps", asked)
        listed += answer.follow_ups
    return customers, await service.findings(follow_ups=listed)


def sound(service: Service, found: Findings) -> list[str]:
    """What is wrong whatever the budget: the audit's checks, the counters, and flags whose names leave one out or come twice.

    The team's owner names its flags by counting them, so that the names alone show a flag that was lost or raised twice.
    """
    ledger = found.ledger
    wrong = service.not_on_topic(ledger)
    wrong += told([
        flags.check_flags(ledger), flags.check_course(ledger), flags.check_list(ledger),
        delivery.check_once(ledger), delivery.check_dead_letters(ledger),
    ])  # fmt: skip
    names = [e.message.follow_up_id for e in ledger.facts.get("ComplaintFlagged", ())]
    due = [str(uuid5(NAMESPACE, f"{service.prefix}\0{n}")) for n in range(len(names))]
    if sorted(names) != sorted(due):
        lost, more = len(set(due) - set(names)), len(names) - len(set(names))
        wrong.append(f"{len(names)} flags, of whose names {lost} are missing and {more} come twice")
    have = sums(found.cells, "PT1M").get((("touchpoint", service.prefix),), {})
    for field, kind in (("flagged", "ComplaintFlagged"), ("closed", "FollowUpClosed")):
        n = len(ledger.facts.get(kind, ()))
        if have.get(field, 0) != n:
            wrong.append(f"counters {field}: expected {n}, got {have.get(field, 0)}")
    return wrong
