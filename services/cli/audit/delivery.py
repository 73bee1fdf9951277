"""What was sent arrived, what was decided was published once and in order, and what nobody can read is a dead letter."""

from collections import Counter, defaultdict

from google.protobuf.timestamp_pb2 import Timestamp

from services.cli.audit.ledger import (
    DEAD,
    EVENT_TOPICS,
    FACT_TOPICS,
    INTERNAL,
    LETTER_TOPICS,
    TOUCHPOINTS,
    Ledger,
)
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import POOLS, Event, Name

Place = tuple[str, int, int]

# What desktops ask for by gRPC comes as an event that no channel sent.
_COMMANDS = frozenset(("OfferAccepted", "OfferDeclined", "ServiceFinished", "ServiceTransferred"))

NATURAL: dict[str, tuple[str, ...]] = {
    "MessageScored": ("message_source", "message_id"),
    "ContactQueued": ("pool", "contact_id"),
    "ContactWithdrawn": ("pool", "contact_id"),
    "ContactOffered": ("pool", "token"),
    "OfferReturned": ("pool", "token"),
    "ContactAccepted": ("pool", "token"),
    "ContactClosed": ("contact_id",),
    "DebtPaid": ("contact_id", "due_at"),
    "DebtOverdue": ("contact_id", "due_at"),
    "AngerAbsorbed": ("message_source", "message_id", "pool", "seat_id"),
    "ComplaintFlagged": ("follow_up_id",),
    "FollowUpClosed": ("follow_up_id",),
    "FollowUpOverdue": ("follow_up_id",),
    "FollowUpReminded": ("follow_up_id",),
    "FollowUpOverflowed": ("follow_up_id",),
    "CauseHeated": ("cause", "wave"),
    "CustomerAffected": ("cause", "wave", "customer_id"),
    "OutreachStarted": ("cause", "wave", "customer_id"),
}
"""What names a fact in the world, whatever its id: two facts with the same name are one effect done twice."""


def check_carried(ledger: Ledger) -> Check:
    """Every event that was accepted at the door is on its topic, unaltered, and nothing else is."""
    findings, right = Findings(), 0
    present = {**ledger.by_topic[TOUCHPOINTS], **ledger.by_topic[POOLS]}
    if ledger.evidence.journal is None:
        return findings.check(
            "事件到达（无日志）", "events on the topics, no journal", ledger.events(), ledger.events()
        )
    for line in ledger.misread:
        findings.add(f"was accepted, but can't be read: {line}")
    for name, sent in ledger.accepted.items():
        there = present.get(name)
        if there is None:
            findings.add(f"{sent.kind} {name[1]}: accepted, but not on the topic")
        elif (there.kind, there.time, there.message) != (sent.kind, sent.time, sent.message):
            findings.add(f"{sent.kind} {name[1]}: altered on the way")
        else:
            right += 1
    for name, event in present.items():
        if name in ledger.refused:
            findings.add(f"{event.kind} {name[1]}: refused at the door, but on the topic")
        elif name not in ledger.accepted and event.kind not in INTERNAL and event.kind not in _COMMANDS:
            findings.add(f"{event.kind} {name[1]}: on the topic, but never sent")
    note = f"重复 repeats {ledger.repeats[TOUCHPOINTS] + ledger.repeats[POOLS]:,}"
    return findings.check("受理的事件都到达", "accepted events on the topics", len(ledger.accepted), right, note)


def check_dead_letters(ledger: Ledger) -> Check:
    """Every unreadable record is a dead letter with a reason, and nothing else is."""
    findings = Findings()
    bad: dict[Place, str] = {b.place: b.reason for b in ledger.bad}
    letters: Counter[Place] = Counter()
    reasons: dict[Place, str] = {}
    for topic in LETTER_TOPICS:
        for record in ledger.evidence.records.get(topic + DEAD, ()):
            headers = dict(record.headers)
            try:
                place = (headers["dlq_topic"].decode(), int(headers["dlq_partition"]), int(headers["dlq_offset"]))
            except (KeyError, ValueError):
                findings.add(
                    f"dead letter {record.topic}/{record.partition}/{record.offset}: does not say where it came from"
                )
                continue
            if not headers.get("dlq_reason"):
                findings.add(f"dead letter of {_at(place)}: has no reason")
            if place[0] != topic:
                findings.add(f"dead letter of {_at(place)}: lies on {record.topic}")
            letters[place] += 1
            reasons.setdefault(place, _reason(headers))
    for place in sorted(bad.keys() - letters.keys()):
        findings.add(f"{_at(place)}: can't be read ({bad[place]}), but is no dead letter")
    for place in sorted(letters.keys() - bad.keys()):
        findings.add(f"{_at(place)}: is a dead letter ({reasons[place]}), but can be read")
    if ledger.evidence.journal is not None:
        arrived = Counter(place[0] for place in bad)
        for topic in sorted({*ledger.raw, *arrived}):
            if not ledger.raw[topic] <= arrived[topic] <= ledger.raw[topic] + ledger.unsure:
                findings.add(f"{topic}: {ledger.raw[topic]} unreadable records were sent, {arrived[topic]} are there")
    right = len(bad.keys() & letters.keys())
    note = f"各服务共 by all services {sum(letters.values()):,}"
    return findings.check("死信", "dead letters", len(bad), right, note)


def _reason(headers: dict[str, bytes]) -> str:
    """Why a letter was put aside, as it says."""
    field, reason = (headers.get(name, b"").decode(errors="replace") for name in ("dlq_field", "dlq_reason"))
    return f"{field}: {reason}" if field else reason or "no reason"


def _at(place: Place) -> str:
    return f"{place[0]}/{place[1]}/{place[2]}"


def check_order(ledger: Ledger) -> Check:
    """Each key's facts lie in the order of their causes: per facts topic, deciding pipeline, key, and cause's partition."""
    findings = Findings()
    places: dict[Name, Place] = {}
    for topic in EVENT_TOPICS:
        for name, event in ledger.by_topic[topic].items():
            if event.place is not None:
                places[name] = event.place
    total = right = 0
    last: dict[tuple[str, str, str, str, int], int] = defaultdict(lambda: -1)
    for topic in FACT_TOPICS:
        # by_topic holds first occurrences, in the order of each partition.
        for event in ledger.by_topic[topic].values():
            if event.kind == "MessageScored":
                cause: Name | None = (event.message.message_source, event.message.message_id)
            else:
                cause = event.cause
            place = places.get(cause) if cause is not None else None
            if place is None:
                continue
            total += 1
            line = (topic, event.name[0], event.key, place[0], place[1])
            if place[2] < last[line]:
                findings.add(f"{event.kind} {event.name[1]}: comes after a fact with a later cause ({_at(place)})")
            else:
                right += 1
                last[line] = place[2]
    return findings.check("每位客户的先后", "order per customer", total, right)


def check_once(ledger: Ledger) -> Check:
    """Each effect has one fact: ids are distinct per effect, and a repeated id says the same each time."""
    findings = Findings()
    ids = effects = 0
    for kind, fields in NATURAL.items():
        known: dict[tuple[object, ...], Event] = {}
        for event in ledger.facts.get(kind, ()):
            ids += 1
            natural = tuple(_plain(getattr(event.message, field)) for field in fields)
            if natural in known:
                findings.add(
                    f"{kind} {', '.join(map(str, natural))}: two facts, {known[natural].name[1]} and {event.name[1]}"
                )
            else:
                known[natural] = event
                effects += 1
    effects, ids = effects + _triaged(ledger, findings), ids + len(ledger.facts.get("ContactTriaged", ()))
    for event in ledger.altered:
        findings.add(f"{event.kind} {event.name[1]}: the repeat says something else")
    repeats = sum(ledger.repeats[topic] for topic in FACT_TOPICS)
    return findings.check("恰好一次", "each effect has one fact", effects, ids, f"重复发布 published again {repeats:,}")


def _plain(value: object) -> object:
    """A field's value that can be a key: a time as its nanoseconds."""
    return value.ToNanoseconds() if isinstance(value, Timestamp) else value


def _triaged(ledger: Ledger, findings: Findings) -> int:
    """A contact is triaged once, and once more where the bot hands it over; each time by an event that asked for it."""
    handed = {e.message.contact_id for e in ledger.sent.get("HandoverRequested", ())}
    times = Counter(e.message.contact_id for e in ledger.facts.get("ContactTriaged", ()))
    effects = 0
    for contact_id, count in times.items():
        most = 2 if contact_id in handed else 1
        if count > most:
            findings.add(f"contact {contact_id}: triaged {count} times, at most {most} were asked for")
        effects += min(count, most)
    return effects
