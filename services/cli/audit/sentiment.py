"""Sentiment: every customer message scored once, and the minutes' counts as the scores say."""

from collections import defaultdict

from touchline.contact.v1.events_pb2 import SPEAKER_CUSTOMER
from touchline.sentiment.v1 import sentiment_pb2

from services.cli.audit.cells import Segment, Tally, compare, rows
from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import Event, Name, micros

LABELS = {
    sentiment_pb2.LABEL_NEGATIVE: "negative",
    sentiment_pb2.LABEL_NEUTRAL: "neutral",
    sentiment_pb2.LABEL_POSITIVE: "positive",
    sentiment_pb2.LABEL_UNSURE: "unsure",
}
FIELDS = (*LABELS.values(), "polarity_milli")


def check_scored(ledger: Ledger) -> Check:
    """Each distinct customer message has exactly one score, and each score its message."""
    findings = Findings()
    said = {e.name: e for e in ledger.sent.get("MessageReceived", ()) if e.message.speaker == SPEAKER_CUSTOMER}
    scores: dict[Name, list[Event]] = defaultdict(list)
    for fact in ledger.facts.get("MessageScored", ()):
        scores[fact.message.message_source, fact.message.message_id].append(fact)
    right = 0
    for name, message in said.items():
        facts = scores.get(name, [])
        if len(facts) != 1:
            findings.add(f"message {name[1]}: scored {len(facts)} times")
            continue
        before = findings.found
        _agrees(message, facts[0], findings)
        right += findings.found == before
    for name in scores.keys() - said.keys():
        findings.add(f"message {name[1]}: scored, but no customer sent it")
    return findings.check("客户消息各评分一次", "customer messages scored once", len(said), right)


def _agrees(message: Event, fact: Event, findings: Findings) -> None:
    sent, scored = message.message, fact.message
    pairs = {
        "customer": (message.key, scored.customer_id),
        "contact": (sent.contact_id, scored.contact_id),
        "touchpoint": (sent.touchpoint, scored.touchpoint),
        "channel": (sent.channel, scored.channel),
        "said_at": (message.time, micros(scored.said_at)),
    }
    for name, (want, have) in pairs.items():
        if want != have:
            findings.add(f"message {message.name[1]} {name}: expected {want}, got {have}")
    score = scored.score
    if score.label not in LABELS:
        findings.add(f"message {message.name[1]}: has no label")
    if not -1 <= score.polarity <= 1:
        findings.add(f"message {message.name[1]}: polarity {score.polarity} is out of range")


def check_metric(ledger: Ledger) -> Check:
    """metrics.sentiment by minute and touchpoint against the scores on sentiment.scored."""
    findings, tally = Findings(), Tally()
    for fact in ledger.facts.get("MessageScored", ()):
        scored = fact.message
        segments: tuple[Segment, ...] = ((), (("touchpoint", scored.touchpoint),))
        amounts = {
            LABELS.get(scored.score.label, "unlabelled"): 1,
            "polarity_milli": round(scored.score.polarity * 1000),
        }
        tally.add(micros(scored.said_at), segments, amounts)
    published = rows(ledger.evidence.records.get("metrics.sentiment", ()), findings)
    labels = {c: {k: v for k, v in n.items() if k != "polarity_milli"} for c, n in tally.cells.items()}
    expected, got = compare(labels, published, FIELDS[:-1], ledger.evidence.now, findings)
    polarity = {c: {"polarity_milli": n["polarity_milli"]} for c, n in tally.cells.items()}
    compare(polarity, published, FIELDS[-1:], ledger.evidence.now, findings)
    return findings.check("情绪计数（按分钟与触点）", "sentiment counts by minute and touchpoint", expected, got)
