"""What was sent and what was decided, each event once, with what came twice set apart."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.cli.audit.wire import POOLS, Bad, Broken, Event, Name, Record, from_cloud_event, read

TOUCHPOINTS = "touchpoint.events"
FACT_TOPICS = (
    "sentiment.scored", "sentiment.shifted", "routing.decided", "nps.changed", "escalation.flagged", "outreach.events",
    "cause.events",
)  # fmt: skip
EVENT_TOPICS = (TOUCHPOINTS, POOLS, *FACT_TOPICS)
# Not audited themselves, but what a service can't read there is a dead letter too.
FURTHER_TOPICS = ("sentiment.remarked", "survey.requested", "nps.actions", "team.events")
# Published for others: no service of ours reads them, so nothing on them is put aside.
UNREAD_TOPICS = ("nps.shifted", "refund.decided")
LETTER_TOPICS = (*EVENT_TOPICS, *FURTHER_TOPICS, *UNREAD_TOPICS)
METRIC_TOPICS = ("metrics.sentiment", "metrics.routing", "metrics.nps", "metrics.escalation")
DEAD = ".dlq"
# Facts that Touchline itself puts on the two topics on which channels publish.
INTERNAL = frozenset(
    (
        "ContactQueued", "ContactWithdrawn", "ContactLine", "TurnPassed", "AngerAbsorbed", "FollowUpCloseRequested",
        "ManagedModeEntered", "ManagedModeLeft", "SupervisorActed", "ModeRequested", "AssignmentRequested",
        "DrainRequested",
    )
)  # fmt: skip
ALL_TOPICS = (*EVENT_TOPICS, *FURTHER_TOPICS, *(topic + DEAD for topic in LETTER_TOPICS), *METRIC_TOPICS)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the audit looks at.

    journal: the player's lines, or None to take the topics' word for what was sent.
    records: topic → its records, in order by partition. now: of the system's clock, µs since 1970.
    nps: the answer of GetNps. follow_ups: of ListFollowUps, closed ones included; `all_listed` where none was left out.
    uplift: of GetUplift with a horizon of an hour, asked between the two moments `uplift_asked` of the system's clock.
    pools: pool → the answer of GetPool. policy: the triage policy as parsed TOML, its
    version with the hash of the text, as decisions name it.
    """

    journal: Sequence[Mapping[str, Any]] | None
    records: Mapping[str, Sequence[Record]]
    now: int
    nps: Any = None
    follow_ups: Sequence[Any] = ()
    all_listed: bool = True
    uplift: Any = None
    uplift_asked: tuple[int, int] = (0, 0)
    pools: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Ledger:
    """Events by what they are.

    sent: distinct events that channels sent and that count, by kind; from the journal where there is one.
    facts: distinct events and facts on the topics by kind, each at its first place.
    order: (topic, partition) → names in order of their first place.
    raw: topic → unreadable records that the journal says were sent. unsure: those of which the player can't tell.
    """

    evidence: Evidence
    sent: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    facts: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    by_topic: dict[str, dict[Name, Event]] = field(default_factory=lambda: defaultdict(dict))
    order: dict[tuple[str, int], list[Name]] = field(default_factory=lambda: defaultdict(list))
    repeats: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    altered: list[Event] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    raw: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    unsure: int = 0
    accepted: dict[Name, Event] = field(default_factory=dict)
    refused: set[Name] = field(default_factory=set)
    misread: list[str] = field(default_factory=list)

    def events(self) -> int:
        """How many distinct events are audited."""
        return sum(len(events) for events in self.sent.values())


def load_journal(path: Path) -> list[dict[str, Any]]:
    """The journal's lines. Raises ValueError, naming the line."""
    lines = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                parsed = json.loads(line.decode())
                if not isinstance(parsed, dict):
                    raise ValueError("is not an object")
            except ValueError as error:
                raise ValueError(f"{path.name}, line {number}: {error}") from None
            lines.append(parsed)
    return lines


def build(evidence: Evidence) -> Ledger:
    """Reads all of the evidence once."""
    ledger = Ledger(evidence)
    for topic in EVENT_TOPICS:
        _read_topic(ledger, topic, evidence.records.get(topic, ()))
    for topic in FURTHER_TOPICS:
        found = (read(record, evidence.now) for record in evidence.records.get(topic, ()))
        ledger.bad.extend(event for event in found if isinstance(event, Bad))
    if evidence.journal is None:
        for topic in (TOUCHPOINTS, POOLS):
            for event in ledger.by_topic[topic].values():
                if event.kind not in INTERNAL:
                    ledger.sent[event.kind].append(event)
    else:
        _read_journal(ledger, evidence.journal)
    return ledger


def _read_topic(ledger: Ledger, topic: str, records: Iterable[Record]) -> None:
    known = ledger.by_topic[topic]
    watched = topic in FACT_TOPICS
    for record in records:
        event = read(record, ledger.evidence.now)
        if isinstance(event, Bad):
            ledger.bad.append(event)
            continue
        first = known.get(event.name)
        if first is not None:
            ledger.repeats[topic] += 1
            # Bytes may differ where a map's entries were written in another order: the messages decide.
            if watched and first.content != event.content and first.message != event.message:
                ledger.altered.append(event)
            continue
        known[event.name] = event
        ledger.facts[event.kind].append(event)
        ledger.order[topic, record.partition].append(event.name)


def _read_journal(ledger: Ledger, journal: Iterable[Mapping[str, Any]]) -> None:
    for number, line in enumerate(journal, 1):
        if line.get("raw"):
            ledger.raw[str(line.get("topic") or TOUCHPOINTS)] += 1
            continue
        if "event" not in line:
            ledger.unsure += line.get("failed") == "unreadable record"
            # Lines about something else, such as a service that was killed, are the player's own.
            continue
        if line.get("via") == "rpc":
            continue
        event = line["event"]
        name = (str(event.get("source")), str(event.get("id")))
        if not line.get("accepted", True):
            ledger.refused.add(name)
            continue
        if name in ledger.accepted:
            continue
        try:
            known = from_cloud_event(event)
        except Broken as broken:
            ledger.misread.append(f"journal line {number}: {broken}")
            continue
        ledger.accepted[name] = known
        ledger.sent[known.kind].append(known)
    ledger.refused -= set(ledger.accepted)
