"""A candidate policy beside the live one: what it would have decided of the same contacts, on the same inputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from touchline.router.v1 import events_pb2 as wire

from services.router.codec import moment
from services.router.domain.facts import BOT, Inputs
from services.router.domain.policy import Policy, Route
from services.runtime.errors import Unreadable
from services.runtime.records import Record, read

KEPT = 1_000
"""Contacts that are listed; beyond that they are only counted."""
REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a policy sends a contact."""

    rule: str
    pool: str
    priority: int
    skills: dict[str, int]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A contact that the candidate would have sent elsewhere, or with other terms."""

    contact_id: str
    decided_at: datetime
    handover: str
    """Why the bot had handed it over; empty at its request."""
    live: Decision
    candidate: Decision

    @property
    def what(self) -> str:
        """What differs: "pool", "priority" or "skills", the first of them."""
        if self.live.pool != self.candidate.pool:
            return "pool"
        return "priority" if self.live.priority != self.candidate.priority else "skills"


@dataclass(slots=True)
class Shadow:
    """What was seen so far."""

    candidate: Policy
    seen: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)
    """What differs → contacts' decisions."""
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)
    live: Counter[str] = field(default_factory=Counter)
    """Versions of the live policy."""
    contacts: list[Elsewhere] = field(default_factory=list)
    left_out: int = 0
    """Handovers of contacts that the candidate would not have given to the bot at all: told at their request."""
    unreadable: int = 0
    heard: dict[tuple[str, str], None] = field(default_factory=dict)
    """Facts by contact and time of decision, against those published twice."""
    humans: dict[str, None] = field(default_factory=dict)
    """Contacts with the live bot that the candidate sent to a human."""

    def hear(self, record: Record, now: datetime) -> Elsewhere | None:
        """Take in a record of routing.decided; None where it is no triage, or would go the same way."""
        kind = dict(record.headers).get("ce_type", b"")
        if kind != b"touchline.router.ContactTriaged.v1":
            return None
        try:
            incoming = read(record, now)
        except Unreadable:
            self.unreadable += 1
            return None
        triaged: Any = incoming.message
        return self.decide(triaged)

    def decide(self, triaged: wire.ContactTriaged) -> Elsewhere | None:
        """Decide what the live policy decided."""
        name = (triaged.contact_id, triaged.decided_at.ToJsonString())
        if _known(self.heard, name):
            return None
        if triaged.inputs.handover and triaged.contact_id in self.humans:
            self.left_out += 1
            return None
        self.seen += 1
        self.live[triaged.policy] += 1
        inputs = inputs_of(triaged, self.candidate)
        live = Decision(triaged.rule, triaged.pool, triaged.priority, dict(triaged.skills))
        ours = _decision(*self.candidate.route(inputs))
        if live.pool == BOT != ours.pool:
            _known(self.humans, triaged.contact_id)
        if (live.pool, live.priority, live.skills) == (ours.pool, ours.priority, ours.skills):
            return None
        found = Elsewhere(triaged.contact_id, moment(triaged.decided_at), inputs.handover, live, ours)
        self.elsewhere[found.what] += 1
        self.rules[live.rule, ours.rule] += 1
        if found.what == "pool":
            self.moves[live.pool, ours.pool] += 1
        if len(self.contacts) < KEPT:
            self.contacts.append(found)
        return found

    def body(self) -> dict[str, Any]:
        """What was seen, as the command prints it."""
        return {
            "candidate": self.candidate.version,
            "live": dict(self.live),
            "seen": self.seen,
            "elsewhere": self.elsewhere.total(),
            "by": {what: self.elsewhere[what] for what in ("pool", "priority", "skills")},
            "moves": _pairs(self.moves),
            "rules": _pairs(self.rules),
            "left_out": self.left_out,
            "unreadable": self.unreadable,
            "contacts": [_row(one) for one in self.contacts],
        }


def _known(heard: dict[Any, None], name: object) -> bool:
    """Tell whether a name was heard; remembers it, and forgets the oldest of too many."""
    if name in heard:
        return True
    heard[name] = None
    if len(heard) > REMEMBERED:
        del heard[next(iter(heard))]
    return False


def inputs_of(triaged: wire.ContactTriaged, policy: Policy) -> Inputs:
    """What the live decision was made on; the time of day by the policy's own zone."""
    told: Any = triaged.inputs
    known = {f.name for f in told.DESCRIPTOR.fields}
    given: dict[str, Any] = {}
    for f in fields(Inputs):
        if f.name not in known or (told.DESCRIPTOR.fields_by_name[f.name].has_presence and not told.HasField(f.name)):
            continue
        value = getattr(told, f.name)
        given[f.name] = tuple(value) if told.DESCRIPTOR.fields_by_name[f.name].is_repeated else value
    # A handover's own time is not told: it is decided as soon as it comes.
    at = moment(triaged.decided_at if told.handover else triaged.requested_at).astimezone(policy.zone)
    return replace(Inputs(**given), minute_of_day=at.hour * 60 + at.minute)


def _decision(rule: str, route: Route) -> Decision:
    return Decision(rule, route.pool, route.priority, dict(route.skills))


def _pairs(found: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"live": live, "candidate": ours, "contacts": n} for (live, ours), n in found.most_common()]


def _row(one: Elsewhere) -> dict[str, Any]:
    return {
        "contact_id": one.contact_id,
        "decided_at": one.decided_at.isoformat(),
        "handover": one.handover,
        "differs": one.what,
        "live": _side(one.live),
        "candidate": _side(one.candidate),
        "en": en(one),
        "zh": zh(one),
    }


def _side(of: Decision) -> dict[str, Any]:
    return {"rule": of.rule, "pool": of.pool, "priority": of.priority, "skills": of.skills}


def en(one: Elsewhere) -> str:
    """One contact, in a sentence."""
    live, ours = one.live, one.candidate
    return f"{_to_en(ours)} by “{ours.rule}” rather than {_to_en(live)} by “{live.rule}”"


def zh(one: Elsewhere) -> str:
    """The same in Chinese."""
    live, ours = one.live, one.candidate
    return f"按“{ours.rule}”去{_to_zh(ours)}，线上按“{live.rule}”去{_to_zh(live)}"


def _to_en(of: Decision) -> str:
    if of.pool == BOT:
        return "to the bot"
    return f"to {of.pool}, priority {of.priority}{_skills(', ', of.skills)}"


def _to_zh(of: Decision) -> str:
    if of.pool == BOT:
        return "机器人"
    return f" {of.pool}（优先级 {of.priority}{_skills('，', of.skills)}）"


def _skills(joint: str, skills: dict[str, int]) -> str:
    return "".join(f"{joint}{name} ≥ {level}" for name, level in sorted(skills.items()))
