"""metrics.routing and metrics.escalation, minute by minute, against the facts."""

from touchline.router.v1 import events_pb2

from services.cli.audit.cells import Segment, Tally, compare, rows
from services.cli.audit.flags import touchpoints
from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import micros

ROUTING = (
    "triaged_bot", "triaged_human", "queued", "offered", "accepted", "returned",
    "closed_bot", "closed_human", "abandoned", "wait_ms_sum",
)  # fmt: skip
ESCALATION = ("flagged", "closed", "overdue")
_CLOSED = {
    events_pb2.OUTCOME_BOT: "closed_bot",
    events_pb2.OUTCOME_HUMAN: "closed_human",
    events_pb2.OUTCOME_ABANDONED: "abandoned",
}


def check_routing(ledger: Ledger) -> Check:
    """Contacts by what became of them, per minute and pool."""
    findings, tally = Findings(), Tally()

    def count(time: int, pool: str, **amounts: int) -> None:
        tally.add(time, ((), (("pool", pool),)), amounts)

    for event in ledger.facts.get("ContactTriaged", ()):
        fact = event.message
        count(micros(fact.decided_at), fact.pool, **{"triaged_bot" if fact.pool == "bot" else "triaged_human": 1})
    for event in ledger.facts.get("ContactQueued", ()):
        count(micros(event.message.queued_at), event.message.pool, queued=1)
    for event in ledger.facts.get("ContactOffered", ()):
        count(micros(event.message.offered_at), event.message.pool, offered=1)
    for event in ledger.facts.get("OfferReturned", ()):
        count(micros(event.message.returned_at), event.message.pool, returned=1)
    for event in ledger.facts.get("ContactAccepted", ()):
        fact = event.message
        count(micros(fact.accepted_at), fact.pool, accepted=1, wait_ms_sum=fact.waited_ms)
    for event in ledger.facts.get("ContactClosed", ()):
        fact = event.message
        count(micros(fact.closed_at), fact.pool, **{_CLOSED.get(fact.outcome, "abandoned"): 1})
    published = rows(ledger.evidence.records.get("metrics.routing", ()), findings)
    expected, got = compare(tally.cells, published, ROUTING[:-1], findings)
    compare(tally.cells, published, ROUTING[-1:], findings)
    return findings.check("路由指标（按分钟与池）", "routing counts by minute and pool", expected, got)


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
    expected, got = compare(tally.cells, published, ESCALATION, findings)
    return findings.check("升级指标（按分钟与触点）", "escalation counts by minute and touchpoint", expected, got)
