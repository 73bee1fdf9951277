"""Flags and follow-ups: each flag has its follow-up, one open per customer, overdue only what was open when due."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import iso, micros

TOLERANCE = 1e-6
_OPEN = 1 << 62


def check_flags(ledger: Ledger) -> Check:
    """Each flag by itself: its reasons add up to its risk, heaviest first, and it is due after it was raised."""
    findings, right = Findings(), 0
    flagged = ledger.facts.get("ComplaintFlagged", ())
    for event in flagged:
        fact = event.message
        weights = [reason.weight for reason in fact.reasons]
        wrong = []
        if not 0 < fact.risk <= 1 or not weights or not all(0 < w <= 1 for w in weights):
            wrong.append(f"risk {fact.risk:.3f} or a weight is not in 0 to 1")
        if abs(sum(weights) - fact.risk) > TOLERANCE:
            wrong.append(f"the weights add up to {sum(weights):.6f}, the risk is {fact.risk:.6f}")
        if any(b > a + TOLERANCE for a, b in pairwise(weights)):
            wrong.append("the heaviest reason is not first")
        if micros(fact.due_at) <= micros(fact.flagged_at):
            wrong.append(f"due at {iso(micros(fact.due_at))}, not after it was flagged")
        for what in wrong:
            findings.add(f"follow-up {fact.follow_up_id}: {what}")
        right += not wrong
    return findings.check("升级标记的理由", "flags: reasons, risk, due time", len(flagged), right)


class _Course:
    """What is open, as the facts of each customer go by in order."""

    def __init__(self, ledger: Ledger) -> None:
        self.flags = {e.message.follow_up_id: e.message for e in ledger.facts.get("ComplaintFlagged", ())}
        closed = ledger.facts.get("FollowUpClosed", ())
        self.closings = {e.message.follow_up_id: micros(e.message.closed_at) for e in closed}
        self.open: dict[str, str] = {}
        self.overdue: set[str] = set()

    def flagged(self, fact: Any) -> str:
        """What is wrong with a flag at this place; empty for nothing, as below."""
        before = self.open.get(fact.customer_id)
        self.open[fact.customer_id] = fact.follow_up_id
        return f"flagged while {before} is open" if before else ""

    def closed(self, fact: Any) -> str:
        """A closing."""
        if self.open.get(fact.customer_id) != fact.follow_up_id:
            return "closed while not open"
        del self.open[fact.customer_id]
        return ""

    def fell_due(self, fact: Any) -> str:
        """A follow-up that was not closed in time."""
        follow_up = fact.follow_up_id
        flag = self.flags.get(follow_up)
        if flag is None or follow_up in self.overdue:
            return "overdue twice" if flag else "overdue, but never flagged"
        self.overdue.add(follow_up)
        due = micros(flag.due_at)
        if due != micros(fact.due_at):
            return f"overdue at {iso(micros(fact.due_at))}, but due at {iso(due)}"
        if self.closings.get(follow_up, _OPEN) < due or self.open.get(fact.customer_id) != follow_up:
            return "overdue, but it was closed by then"
        return ""


def check_course(ledger: Ledger) -> Check:
    """The order of each customer's facts: at most one open follow-up, closed once, overdue only if open when due."""
    findings, total, right = Findings(), 0, 0
    course = _Course(ledger)
    walk = {"ComplaintFlagged": course.flagged, "FollowUpClosed": course.closed, "FollowUpOverdue": course.fell_due}
    # First occurrences, in the order of each partition.
    for event in ledger.by_topic["escalation.flagged"].values():
        if event.kind not in walk:
            continue
        total += 1
        if wrong := walk[event.kind](event.message):
            findings.add(f"follow-up {event.message.follow_up_id}: {wrong}")
        else:
            right += 1
    return findings.check("跟进的先后", "follow-ups: one open, closed once", total, right)


def check_list(ledger: Ledger) -> Check:
    """ListFollowUps against the facts, both ways."""
    findings, right = Findings(), 0
    flagged = {e.message.follow_up_id: e.message for e in ledger.facts.get("ComplaintFlagged", ())}
    closed = {e.message.follow_up_id: e.message for e in ledger.facts.get("FollowUpClosed", ())}
    overdue = {e.message.follow_up_id for e in ledger.facts.get("FollowUpOverdue", ())}
    listed: dict[str, Any] = {}
    for follow_up in ledger.evidence.follow_ups:
        if follow_up.follow_up_id in listed:
            findings.add(f"follow-up {follow_up.follow_up_id}: listed twice")
        listed[follow_up.follow_up_id] = follow_up
    for follow_up_id, fact in flagged.items():
        have = listed.get(follow_up_id)
        if have is None:
            findings.add(f"follow-up {follow_up_id}: flagged, but not listed")
            continue
        end = closed.get(follow_up_id)
        pairs = {
            "customer": (fact.customer_id, have.customer_id),
            "risk": (round(fact.risk, 6), round(have.risk, 6)),
            "flagged_at": (micros(fact.flagged_at), micros(have.flagged_at)),
            "due_at": (micros(fact.due_at), micros(have.due_at)),
            "closed_at": (
                micros(end.closed_at) if end else None,
                micros(have.closed_at) if have.HasField("closed_at") else None,
            ),
            "outcome": (end.outcome if end else "", have.outcome),
            "overdue": (follow_up_id in overdue, have.overdue),
        }
        wrong = [f"{name}: expected {a}, got {b}" for name, (a, b) in pairs.items() if a != b]
        for what in wrong:
            findings.add(f"follow-up {follow_up_id} {what}")
        right += not wrong
    for follow_up_id in listed.keys() - flagged.keys():
        findings.add(f"follow-up {follow_up_id}: listed, but never flagged")
    note = "" if ledger.evidence.all_listed else "未列全 the list was cut off"
    return findings.check("跟进清单（gRPC）", "follow-ups listed, gRPC", len(flagged), right, note)


def touchpoints(ledger: Ledger) -> dict[str, str]:
    """Follow-up → the touchpoint of its flag."""
    found: dict[str, str] = defaultdict(str)
    for event in ledger.facts.get("ComplaintFlagged", ()):
        found[event.message.follow_up_id] = event.message.touchpoint
    return found
