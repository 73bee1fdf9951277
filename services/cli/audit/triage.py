"""Triage again: the inputs that each decision recorded, through the policy file, with an implementation of our own."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import SECOND, Event

Table = Mapping[str, Any]
BOT = "bot"


def decide(policy: Table, seen: Any) -> tuple[str, Table]:
    """The name of the first rule that matches, and where it sends the contact.

    A rule for a pool that is closed does not match; a handover never goes back to the bot.
    """
    for rule in policy.get("rules", ()):
        pool = rule["pool"]
        if pool == BOT:
            if seen.handover:
                continue
        elif not _open(policy.get("pools", {}).get(pool, {}).get("hours"), seen.minute_of_day):
            continue
        if matches(rule.get("when", {}), seen):
            return str(rule["name"]), rule
    return ("handover", policy["handover"]) if seen.handover else ("default", policy["default"])


def matches(when: Table, seen: Any) -> bool:
    """Whether everything that the rule states holds; a figure that is not known never matches. Raises KeyError for an unknown condition."""
    return all(_CONDITIONS[name](wanted, seen) for name, wanted in when.items())


def _in(field: str) -> Any:
    return lambda wanted, seen: not wanted or getattr(seen, field) in wanted


def _is(field: str) -> Any:
    return lambda wanted, seen: bool(getattr(seen, field)) == wanted


def _touches(wanted: list[str], seen: Any) -> bool:
    return not wanted or any(f"{seen.touchpoint}.".startswith(f"{point}.") for point in wanted)


_CONDITIONS: dict[str, Any] = {
    "tier": _in("tier"),
    "topic": _in("topic"),
    "channel": _in("channel"),
    "language": _in("language"),
    "touchpoint": _touches,
    "vulnerable": _is("vulnerable"),
    "wants_human": _is("wants_human"),
    "handover": _is("handover"),
    "mood_below": lambda limit, seen: seen.HasField("mood") and seen.mood < limit,
    "risk_above": lambda limit, seen: seen.HasField("risk") and seen.risk > limit,
    "nps_at_most": lambda limit, seen: seen.HasField("nps_score") and seen.nps_score <= limit,
    "hours": lambda span, seen: _open(span, seen.minute_of_day),
}


def _open(hours: Any, minute: int) -> bool:
    """Whether [from, to), two times of day, holds the minute; over midnight where from is later than to."""
    if hours is None:
        return True
    start, end = (_minute(part) for part in hours)
    return start <= minute < end if start < end else minute >= start or minute < end


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def _zone(name: str) -> tzinfo:
    if name[:1] in "+-":
        return datetime.strptime(name, "%z").tzinfo or UTC
    return ZoneInfo(name)


def _language(tag: str) -> str:
    return tag.replace("_", "-").split("-")[0].strip().lower()


def check(ledger: Ledger) -> Check:
    """Every ContactTriaged: the same pool, priority, skills and rule come out, and the inputs are what the request said."""
    findings, right = Findings(), 0
    policy = ledger.evidence.policy
    decided = ledger.facts.get("ContactTriaged", ())
    requests = {e.message.contact_id: e for e in reversed(ledger.sent.get("ContactRequested", []))}
    zone = _zone(str(policy.get("timezone", "UTC")))
    for event in decided:
        fact = event.message
        wrong = _replay(policy, fact) if policy else ["there is no policy to replay"]
        if request := requests.get(fact.contact_id):
            wrong += _inputs(request, fact, zone)
        for what in wrong:
            findings.add(f"contact {fact.contact_id}: {what}")
        right += not wrong
    return findings.check("分流重演", "triage replayed from its inputs", len(decided), right)


def _replay(policy: Table, fact: Any) -> list[str]:
    if fact.policy != str(policy.get("version")):
        return [f"decided by policy {fact.policy!r}, but the file is {policy.get('version')!r}"]
    rule, route = decide(policy, fact.inputs)
    pairs = {
        "rule": (rule, fact.rule),
        "pool": (route["pool"], fact.pool),
        "priority": (route.get("priority", 0), fact.priority),
        "skills": (dict(route.get("skills", {})), dict(fact.skills)),
    }
    return [f"{name}: expected {want}, got {have}" for name, (want, have) in pairs.items() if want != have]


def _inputs(request: Event, fact: Any, zone: tzinfo) -> list[str]:
    said, seen = request.message, fact.inputs
    pairs = {
        "customer": (request.key, fact.customer_id),
        "channel": (said.channel, seen.channel),
        "touchpoint": (said.touchpoint, seen.touchpoint),
        "topic": (said.topic, seen.topic),
        "language": (_language(said.language), seen.language),
        "tier": (said.customer.tier.lower(), seen.tier),
        "vulnerable": (said.customer.vulnerable, seen.vulnerable),
        "wants_human": (said.wants_human, seen.wants_human),
    }
    if not seen.handover:
        local = datetime.fromtimestamp(request.time // SECOND, UTC).astimezone(zone)
        pairs["minute_of_day"] = (local.hour * 60 + local.minute, seen.minute_of_day)
    return [f"input {name}: expected {want}, got {have}" for name, (want, have) in pairs.items() if want != have]
