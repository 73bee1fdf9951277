"""A small day by hand: what channels sent, and what a faultless system would have on its topics and answer."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from touchline.contact.v1 import events_pb2 as contact
from touchline.escalation.v1 import escalation_pb2 as escalation
from touchline.nps.v1 import nps_pb2 as nps
from touchline.router.v1 import events_pb2 as router
from touchline.router.v1 import router_pb2
from touchline.seat.v1 import events_pb2 as seat
from touchline.sentiment.v1 import sentiment_pb2 as sentiment
from touchline.survey.v1 import events_pb2 as survey

from services.cli.audit import Evidence

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOUCHPOINTS, POOLS, ROUTED = "touchpoint.events", "pool.events", "routing.decided"
Segments = tuple[tuple[tuple[str, str], ...], ...]

POLICY: dict[str, Any] = {
    "version": "1",
    "timezone": "+08:00",
    "rules": [
        {"name": "closed", "when": {"topic": ["advice"]}, "pool": "night", "priority": 1},
        {"name": "sad", "when": {"mood_below": -0.5}, "pool": "care", "priority": 5},
        {"name": "asked", "when": {"wants_human": True}, "pool": "care", "priority": 2, "skills": {"refund": 1}},
        {"name": "repair", "when": {"touchpoint": ["after_sales"]}, "pool": "care", "priority": 1},
    ],
    "default": {"pool": "bot"},
    "handover": {"pool": "care", "priority": 3},
    "pools": {"care": {"ageing": 1.0, "capacity": 1}, "night": {"hours": ["22:00", "06:00"]}},
}


@dataclass
class Raw:
    """A record that a test may change."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def at(seconds: float) -> Timestamp:
    """A moment of the day as protobuf has it."""
    stamp = Timestamp()
    stamp.FromDatetime(moment(seconds))
    return stamp


def moment(seconds: float) -> datetime:
    """A moment of the day."""
    return BEGIN + timedelta(seconds=seconds)


def type_of(message: Message) -> str:
    """A message's CloudEvents type."""
    _, area, version = message.DESCRIPTOR.file.package.split(".")
    return f"touchline.{area}.{message.DESCRIPTOR.name}.{version}"


@dataclass
class World:
    """The day; `evidence` is what the audit is given of it."""

    journal: list[dict[str, Any]] = field(default_factory=list)
    topics: dict[str, list[Raw]] = field(default_factory=lambda: defaultdict(list))
    cells: dict[tuple[str, str, datetime, tuple[tuple[str, str], ...]], Counter[str]] = field(default_factory=dict)
    figures: nps.GetNpsResponse = field(default_factory=nps.GetNpsResponse)
    uplift: escalation.GetUpliftResponse | None = None
    follow_ups: list[escalation.FollowUp] = field(default_factory=list)
    pools: dict[str, router_pb2.GetPoolResponse] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=lambda: dict(POLICY))
    touchpoints: dict[str, str] = field(default_factory=dict)
    serial: int = 0

    def put(
        self,
        topic: str,
        message: Message,
        *,
        name: tuple[str, str],
        key: str,
        seconds: float,
        subject: str = "",
        cause: tuple[str, str] | None = None,
    ) -> Raw:
        """A record on a topic."""
        headers = [
            ("ce_id", name[1].encode()),
            ("ce_source", name[0].encode()),
            ("ce_type", type_of(message).encode()),
            ("ce_time", moment(seconds).isoformat().encode()),
            ("ce_subject", (subject or key).encode()),
            ("content-type", b"application/protobuf"),
        ]
        if cause:
            headers += [("ce_causesource", cause[0].encode()), ("ce_causeid", cause[1].encode())]
        return self.append(topic, key.encode(), message.SerializeToString(), headers)

    def append(self, topic: str, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Raw:
        """Any record at the end of its partition."""
        partition = sum(key or b"") % 2
        offset = sum(r.partition == partition for r in self.topics[topic])
        raw = Raw(topic, partition, offset, key, value, list(headers))
        self.topics[topic].append(raw)
        return raw

    def send(
        self, message: Message, customer: str, seconds: float, *, key: str = "", event_id: str = ""
    ) -> tuple[str, str]:
        """A channel's event: in the journal and on its topic. Gives its name."""
        self.serial += 1
        name = ("/channels/app", event_id or f"e{self.serial}")
        event = {
            "specversion": "1.0",
            "id": name[1],
            "source": name[0],
            "type": type_of(message),
            "subject": customer,
            "time": moment(seconds).isoformat(),
            "data": MessageToDict(message),
        }
        self.journal.append(
            {"sent_at": moment(seconds).isoformat(), "via": "gateway", "accepted": True, "event": event}
        )
        self.put(
            POOLS if key else TOUCHPOINTS, message, name=name, key=key or customer, subject=customer, seconds=seconds
        )
        return name

    def fact(
        self, topic: str, message: Message, key: str, seconds: float, cause: tuple[str, str] | None, by: str = "router"
    ) -> Raw:
        """A fact that a service published."""
        self.serial += 1
        return self.put(
            topic, message, name=(f"touchline/{by}", f"f{self.serial}"), key=key, seconds=seconds, cause=cause
        )

    def count(self, metric: str, seconds: float, segments: Segments, window: str = "PT1M", **amounts: int) -> None:
        """Counts in the metric topics."""
        start = moment(seconds).replace(second=0, microsecond=0)
        if window == "ALL":
            start = datetime(1970, 1, 1, tzinfo=UTC)
        elif window != "PT1M":
            start = start.replace(minute=0, hour=0 if window == "P1D" else start.hour)
        for segment in segments:
            self.cells.setdefault((metric, window, start, segment), Counter()).update(amounts)

    def evidence(self, with_journal: bool = True) -> Evidence:
        """What the audit is given."""
        records: dict[str, list[Raw]] = {
            t: sorted(rs, key=lambda r: (r.partition, r.offset)) for t, rs in self.topics.items()
        }
        for (metric, window, start, segment), counts in self.cells.items():
            row: dict[str, Any] = {
                "metric": metric,
                "segment": dict(segment),
                "window": window,
                "start": start.isoformat().replace("+00:00", "Z"),
                "counts": dict(counts),
            }
            if metric == "nps":
                row |= {k: v for k, v in figure(counts).items() if k in ("nps", "low", "high")}
            topic = f"metrics.{metric}"
            key = json.dumps([window, row["start"], dict(segment)]).encode()
            records.setdefault(topic, []).append(
                Raw(topic, 0, len(records.get(topic, [])), key, json.dumps(row).encode(), [])
            )
        return Evidence(
            journal=self.journal if with_journal else None,
            records=records,  # type: ignore[arg-type]
            now=int(moment(86_400).timestamp()) * 1_000_000,
            nps=self.figures,
            follow_ups=self.follow_ups,
            uplift=self.uplift,
            uplift_asked=(int(moment(86_400).timestamp()) * 1_000_000,) * 2,
            pools=self.pools,
            policy=self.policy,
        )

    # --- what customers do ---

    def message(
        self, customer: str, contact_id: str, seconds: float, polarity: float = 0.4, touchpoint: str = "delivery"
    ) -> Raw:
        """A customer's message and its score."""
        said = contact.MessageReceived(
            contact_id=contact_id, speaker=contact.SPEAKER_CUSTOMER, text="很好", channel="app", touchpoint=touchpoint
        )
        name = self.send(said, customer, seconds)
        label = sentiment.LABEL_POSITIVE if polarity > 0 else sentiment.LABEL_NEGATIVE
        scored = sentiment.MessageScored(
            customer_id=customer, contact_id=contact_id, message_id=name[1], message_source=name[0], said_at=at(seconds),
            score=sentiment.Score(polarity=polarity, label=label), touchpoint=touchpoint, channel="app",
        )  # fmt: skip
        word = "positive" if polarity > 0 else "negative"
        amounts = {word: 1, "polarity_milli": round(polarity * 1000)}
        self.count("sentiment", seconds, ((), (("touchpoint", touchpoint),)), **amounts)
        return self.fact("sentiment.scored", scored, customer, seconds, name, "sentiment")

    def request(
        self, customer: str, contact_id: str, seconds: float, rule: str, route: Mapping[str, Any], **inputs: Any
    ) -> None:
        """A contact that is requested and triaged; queued where a human pool has it."""
        asked = contact.ContactRequested(
            contact_id=contact_id, channel="app", touchpoint=inputs.get("touchpoint", ""), topic=inputs.get("topic", ""),
            wants_human=inputs.get("wants_human", False),
        )  # fmt: skip
        name = self.send(asked, customer, seconds)
        self.triage(customer, contact_id, seconds, rule, route, name, **inputs)

    def triage(
        self,
        customer: str,
        contact_id: str,
        seconds: float,
        rule: str,
        route: Mapping[str, Any],
        cause: tuple[str, str],
        **inputs: Any,
    ) -> None:
        """Triage's decision."""
        local = moment(seconds) + timedelta(hours=8)
        seen = router.TriageInputs(channel="app", minute_of_day=local.hour * 60 + local.minute, **inputs)
        pool, priority, skills = route["pool"], route.get("priority", 0), route.get("skills", {})
        triaged = router.ContactTriaged(
            contact_id=contact_id, customer_id=customer, pool=pool, priority=priority, skills=skills, rule=rule, policy="1",
            inputs=seen, requested_at=at(seconds), decided_at=at(seconds + 0.1),
        )  # fmt: skip
        self.fact(ROUTED, triaged, customer, seconds, cause, "triage")
        by_pool: Segments = ((), (("pool", pool),))
        if inputs.get("touchpoint"):
            self.touchpoints[contact_id] = inputs["touchpoint"]
            by_pool = (*by_pool, (("touchpoint", inputs["touchpoint"]),))
        if inputs.get("handover"):
            self.count("routing", seconds, by_pool, handed_over=1)
        if pool == "bot":
            self.count("routing", seconds, by_pool, triaged_bot=1)
            return
        queued = router.ContactQueued(
            pool=pool,
            contact_id=contact_id,
            customer_id=customer,
            priority=priority,
            skills=skills,
            queued_at=at(seconds + 0.1),
        )
        self.fact(POOLS, queued, pool, seconds, cause, "triage")
        self.count("routing", seconds, by_pool, triaged_human=1, queued=1)

    def where(self, contact_id: str, pool: str = "care") -> Segments:
        """The segments in which a contact counts."""
        about = self.touchpoints.get(contact_id)
        return ((), (("pool", pool),), *(((("touchpoint", about),),) if about else ()))

    def offer(
        self, customer: str, contact_id: str, seconds: float, seat_id: str, token: int,
        waiting: Iterable[str] = (), candidates: Iterable[tuple[str, bool, float]] = (),
    ) -> Raw:  # fmt: skip
        """An offer to a seat of pool care."""
        offered = router.ContactOffered(
            contact_id=contact_id, customer_id=customer, pool="care", seat_id=seat_id, token=token, offered_at=at(seconds),
            expires_at=at(seconds + 20), waiting=list(waiting) or [contact_id],
            candidates=[router.Candidate(seat_id=s, eligible=e, idle_s=i) for s, e, i in candidates or [(seat_id, True, 9.0)]],
        )  # fmt: skip
        self.count("routing", seconds, self.where(contact_id), offered=1)
        return self.fact(ROUTED, offered, customer, seconds, None, "assignment")

    def give_back(self, customer: str, contact_id: str, seconds: float, seat_id: str, token: int) -> Raw:
        """An offer that comes back."""
        returned = router.OfferReturned(
            contact_id=contact_id, customer_id=customer, pool="care", seat_id=seat_id, token=token, reason="declined",
            returned_at=at(seconds),
        )  # fmt: skip
        self.count("routing", seconds, ((), (("pool", "care"),)), returned=1)
        return self.fact(ROUTED, returned, customer, seconds, None, "assignment")

    def accept(self, customer: str, contact_id: str, seconds: float, seat_id: str, token: int) -> Raw:
        """A seat accepts."""
        accepted = router.ContactAccepted(
            contact_id=contact_id, customer_id=customer, pool="care", seat_id=seat_id, token=token, waited_ms=1500,
            accepted_at=at(seconds),
        )  # fmt: skip
        self.count("routing", seconds, self.where(contact_id), accepted=1, wait_ms_sum=1500)
        return self.fact(ROUTED, accepted, customer, seconds, None, "assignment")

    def close(
        self, customer: str, contact_id: str, seconds: float, outcome: int, pool: str = "care", seat_id: str = ""
    ) -> Raw:
        """A contact is over."""
        names = {
            router.OUTCOME_BOT: "closed_bot",
            router.OUTCOME_HUMAN: "closed_human",
            router.OUTCOME_ABANDONED: "abandoned",
        }
        ended: Message = contact.ContactEnded(contact_id=contact_id)
        if outcome == router.OUTCOME_ABANDONED:
            ended = contact.ContactAbandoned(contact_id=contact_id)
        cause = self.send(ended, customer, seconds)
        closed = router.ContactClosed(
            contact_id=contact_id,
            customer_id=customer,
            pool=pool,
            seat_id=seat_id,
            outcome=outcome,
            closed_at=at(seconds),
        )
        self.count("routing", seconds, self.where(contact_id, pool), **{names[outcome]: 1})
        by, caused = ("triage", cause) if pool == "bot" else ("assignment", None)
        return self.fact(ROUTED, closed, customer, seconds, caused, by)

    def sign_in(self, seat_id: str, seconds: float, capacity: int = 1, skills: Mapping[str, int] | None = None) -> None:
        """A seat comes on shift in pool care."""
        self.send(
            seat.SeatSignedIn(pool="care", seat_id=seat_id, capacity=capacity, skills=skills or {}),
            seat_id,
            seconds,
            key="care",
        )

    def answer(self, customer: str, survey_id: str, seconds: float, score: int, region: str) -> tuple[str, str]:
        """A survey's answer, without its effect."""
        return self.send(
            survey.SurveyAnswered(survey_id=survey_id, score=score, segments={"region": region}), customer, seconds
        )

    def changed(
        self,
        customer: str,
        survey_id: str,
        answered: float,
        before: int | None,
        after: int | None,
        region: str,
        cause: tuple[str, str],
    ) -> Raw:
        """A change of what a survey counts."""
        fact = nps.NpsChanged(
            customer_id=customer, survey_id=survey_id, segments={"region": region}, answered_at=at(answered)
        )
        for name, score in (("before", before), ("after", after)):
            if score is not None:
                setattr(fact, name, score)
        for score, amount in ((before, -1), (after, 1)):
            if score is not None:
                word = "promoters" if score > 8 else "detractors" if score < 7 else "passives"
                for window in ("ALL", "P1D", "PT1H"):
                    self.count("nps", answered, ((), (("region", region),)), window, **{word: amount})
        return self.fact("nps.changed", fact, customer, answered, cause, "nps")

    def flag(self, customer: str, follow_up_id: str, seconds: float, due: float, arm: str = "") -> Raw:
        """A flag, of a case of its own."""
        flagged = escalation.ComplaintFlagged(
            follow_up_id=follow_up_id, customer_id=customer, risk=0.7, flagged_at=at(seconds), due_at=at(due), touchpoint="repair",
            case_id=follow_up_id, arm=arm,
            reasons=[escalation.Reason(code="mood_low", weight=0.4), escalation.Reason(code="waiting", weight=0.3)],
        )  # fmt: skip
        self.count("escalation", seconds, ((), (("touchpoint", "repair"),)), flagged=1)
        self.follow_ups.append(
            escalation.FollowUp(
                follow_up_id=follow_up_id, customer_id=customer, risk=0.7, flagged_at=at(seconds), due_at=at(due)
            )
        )
        return self.fact("escalation.flagged", flagged, customer, seconds, None, "escalation")

    def spoil(self, value: bytes, headers: Mapping[str, str]) -> None:
        """An unreadable record and its dead letters, one of each of two services."""
        kept = [(k, v.encode()) for k, v in headers.items()]
        raw = self.append(TOUCHPOINTS, b"legacy", value, kept)
        self.journal.append({"raw": True, "topic": TOUCHPOINTS, "reason_expected": "unreadable"})
        origin = {"dlq_topic": raw.topic, "dlq_partition": str(raw.partition), "dlq_offset": str(raw.offset)}
        for _ in range(2):
            added = [(k, v.encode()) for k, v in {**origin, "dlq_reason": "is wrong"}.items()]
            self.append(TOUCHPOINTS + ".dlq", raw.key, raw.value, kept + added)


def figure(counts: Mapping[str, int]) -> dict[str, float]:
    """An NPS figure, worked out here once more."""
    p, d, n = counts.get("promoters", 0), counts.get("detractors", 0), sum(counts.values())
    up, down = (p + 0.75) / (n + 3), (d + 0.75) / (n + 3)
    half = 1.959964 * ((up + down - (up - down) ** 2) / (n + 3)) ** 0.5
    return {
        "promoters": p, "passives": counts.get("passives", 0), "detractors": d, "n": n,
        "nps": 100 * (p - d) / n if n else 0.0, "low": 100 * (up - down - half), "high": 100 * (up - down + half),
    }  # fmt: skip
