"""metrics.routing and metrics.escalation, minute by minute, against the facts."""

from collections.abc import Callable
from typing import Any

from touchline.router.v1 import events_pb2

from services.cli.audit.cells import Segment, Tally, compare, rows
from services.cli.audit.flags import touchpoints
from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import micros

ROUTING = (
    "triaged_bot", "triaged_human", "handed_over", "queued", "offered", "returned", "accepted",
    "closed_bot", "closed_human", "abandoned", "lookups_missing",
)  # fmt: skip
WAITS = ("wait_ms_sum", "wait_ms_abandoned_sum")
ESCALATION = ("flagged", "closed", "overdue")
_CLOSED = {
    events_pb2.OUTCOME_BOT: "closed_bot",
    events_pb2.OUTCOME_HUMAN: "closed_human",
    events_pb2.OUTCOME_ABANDONED: "abandoned",
}


def check_routing(ledger: Ledger) -> Check:
    """Contacts by what became of them, per minute, pool and touchpoint."""
    findings, tally = Findings(), Tally()
    about = {e.message.contact_id: e.message.inputs.touchpoint for e in ledger.facts.get("ContactTriaged", ())}

    def count(kind: str, time: str, amounts: Callable[[Any], dict[str, int]]) -> None:
        for event in ledger.facts.get(kind, ()):
            fact = event.message
            segments: list[Segment] = [(), (("pool", fact.pool),)]
            # A return is the seat's doing: it counts for no touchpoint.
            if kind != "OfferReturned" and (touchpoint := about.get(fact.contact_id)):
                segments.append((("touchpoint", touchpoint),))
            tally.add(micros(getattr(fact, time)), segments, amounts(fact))

    count("ContactTriaged", "decided_at", _triaged)
    count("ContactQueued", "queued_at", lambda _: {"queued": 1})
    count("ContactOffered", "offered_at", lambda _: {"offered": 1})
    count("OfferReturned", "returned_at", lambda _: {"returned": 1})
    count("ContactAccepted", "accepted_at", lambda fact: {"accepted": 1, "wait_ms_sum": fact.waited_ms})
    count("ContactClosed", "closed_at", _closed)
    published = rows(ledger.evidence.records.get("metrics.routing", ()), findings)
    expected, got = compare(tally.cells, published, ROUTING, ledger.evidence.now, findings)
    compare(tally.cells, published, WAITS, ledger.evidence.now, findings)
    return findings.check("路由指标（按分钟与池）", "routing counts by minute and pool", expected, got)


def _triaged(fact: Any) -> dict[str, int]:
    where = "triaged_bot" if fact.pool == "bot" else "triaged_human"
    return {where: 1, "handed_over": int(bool(fact.inputs.handover)), "lookups_missing": int(bool(fact.inputs.missing))}


def _closed(fact: Any) -> dict[str, int]:
    outcome = _CLOSED.get(fact.outcome, "abandoned")
    return {outcome: 1, "wait_ms_abandoned_sum": fact.waited_ms if outcome == "abandoned" else 0}


def check_escalation(ledger: Ledger) -> Check:
    """Flags raised, closed and overdue, per minute and touchpoint."""
    findings, tally = Findings(), Tally()
    about = touchpoints(ledger)

    def count(time: int, follow_up_id: str, what: str) -> None:
        segments: tuple[Segment, ...] = ((), (("touchpoint", about[follow_up_id]),))
        tally.add(time, segments, {what: 1})

    for event in ledger.facts.get("ComplaintFlagged", ()):
        count(micros(event.message.flagged_at), event.message.follow_up_id, "flagged")
    for event in ledger.facts.get("FollowUpClosed", ()):
        count(micros(event.message.closed_at), event.message.follow_up_id, "closed")
    for event in ledger.facts.get("FollowUpOverdue", ()):
        count(micros(event.message.due_at), event.message.follow_up_id, "overdue")
    published = rows(ledger.evidence.records.get("metrics.escalation", ()), findings)
    expected, got = compare(tally.cells, published, ESCALATION, ledger.evidence.now, findings)
    return findings.check("升级指标（按分钟与触点）", "escalation counts by minute and touchpoint", expected, got)
