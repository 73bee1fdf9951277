"""Escalations: each customer who asked for the complaint desk is one fact, and what following up did beside them."""

from collections import Counter
from typing import Any

from touchline.escalation.v1 import escalation_pb2

from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import micros


def check_escalated(ledger: Ledger) -> Check:
    """ComplaintEscalated against who asked. The note says how many had been flagged before, and what became of who was followed up."""
    findings = Findings()
    asked = Counter(e.message.contact_id for e in ledger.sent.get("ContactRequested", ()) if _complains(e.message))
    asked += Counter(e.message.ticket_id for e in ledger.sent.get("TicketOpened", ()) if _complains(e.message))
    told = Counter(e.message.about for e in ledger.facts.get("ComplaintEscalated", ()))
    for about, times in (asked - told).items():
        findings.add(f"{about}: asked for the complaint desk, {times} without a ComplaintEscalated")
    for about, times in (told - asked).items():
        findings.add(f"{about}: {times} ComplaintEscalated too many")
    right = sum((asked & told).values())
    return findings.check("升级", "escalations", sum(asked.values()), right, _note(ledger))


def _complains(message: Any) -> bool:
    return bool(message.topic == "complaint")


def _note(ledger: Ledger) -> str:
    flags = [e.message for e in ledger.facts.get("ComplaintFlagged", ()) if e.message.arm != "held_out"]
    ends = [e.message for e in ledger.facts.get("FollowUpClosed", ())]
    asks = [(e.message.customer_id, micros(e.message.escalated_at)) for e in ledger.facts.get("ComplaintEscalated", ())]
    before = sum(any(f.customer_id == who and micros(f.flagged_at) < at for f in flags) for who, at in asks)
    done = {e.customer_id: micros(e.closed_at) for e in ends if e.result == escalation_pb2.RESULT_DONE}
    since = {who for who, at in asks if who in done and at > done[who]}
    quiet = len(done.keys() - since)
    return (
        f"事先已标记 {before}；已跟进 {len(done)} 位，其后未升级 {quiet} 位 "
        f"flagged before: {before}; followed up: {len(done)} customers, {quiet} of them quiet since"
    )
