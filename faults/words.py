"""Sentiment under harm: what customers say, each message scored once and counted once."""

from collections import Counter
from random import Random

from touchline.contact.v1 import events_pb2 as contact_pb2

from faults.kafka import Letter
from faults.real import Service, letter, sums, told
from services.cli.audit import delivery, sentiment

TEXTS = (
    "谢谢，很满意！",
    "还没修好，太差了",
    "我的包裹呢？",
    "this is unacceptable",
    "thank you so much",
    "好的",
    "差评！",
)


def events(prefix: str, rng: Random, count: int, first: int = 0) -> list[Letter]:
    """Messages of customers, bots and seats at a touchpoint of this schedule's own, repeats among them."""
    made: list[Letter] = []
    speakers = [contact_pb2.SPEAKER_CUSTOMER] * 4 + [contact_pb2.SPEAKER_BOT, contact_pb2.SPEAKER_SEAT]
    for n in range(first, first + count):
        customer = f"{prefix}-{rng.randrange(8)}"
        message = contact_pb2.MessageReceived(
            contact_id=f"{customer}-k{rng.randrange(3)}", speaker=rng.choice(speakers), text=rng.choice(TEXTS),
            touchpoint=prefix, channel="app",
        )  # fmt: skip
        made.append(letter(message, customer, f"{prefix}-m{n}"))
        if rng.random() < 0.15:
            made.append(rng.choice(made))
    return made


async def judged(service: Service) -> list[str]:
    """Every customer's message has one score, in order; the counters add up to the scores."""
    await service.settled()
    found = await service.findings()
    ledger = found.ledger
    wrong = service.not_on_topic(ledger)
    wrong += told([
        sentiment.check_scored(ledger),
        delivery.check_once(ledger),
        delivery.check_order(ledger),
        delivery.check_dead_letters(ledger),
    ])  # fmt: skip
    want: Counter[str] = Counter()
    for fact in ledger.facts.get("MessageScored", ()):
        want[sentiment.LABELS[fact.message.score.label]] += 1
        want["polarity_milli"] += round(fact.message.score.polarity * 1000)
    have = sums(found.cells, "PT1M").get((("touchpoint", service.prefix),), {})
    for field in sentiment.FIELDS:
        if want[field] != have.get(field, 0):
            wrong.append(f"counters {field}: expected {want[field]}, got {have.get(field, 0)}")
    service.bed.tell(f"{len(service.sent)} events sent, {len(ledger.facts.get('MessageScored', ()))} facts")
    return wrong
