"""Escalations in the audit: who asked for the complaint desk is told once, and the note says what following up did."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2 as pb
from touchline.ticket.v1 import events_pb2 as ticket_pb2

from services.cli.audit.ledger import Evidence, Ledger
from services.cli.audit.prevention import check_escalated


def ledger(sent: dict[str, list[Any]], facts: dict[str, list[Any]]) -> Ledger:
    found = Ledger(Evidence(None, {}, 0))
    found.sent = defaultdict(list, {k: [SimpleNamespace(message=m) for m in v] for k, v in sent.items()})  # type: ignore[arg-type]
    found.facts = defaultdict(list, {k: [SimpleNamespace(message=m) for m in v] for k, v in facts.items()})  # type: ignore[arg-type]
    return found


def at(second: int) -> Timestamp:
    return Timestamp(seconds=second)


SENT = {
    "ContactRequested": [
        contact_pb2.ContactRequested(contact_id="k1", topic="complaint"),
        contact_pb2.ContactRequested(contact_id="k2", topic="advice"),
    ],
    "TicketOpened": [ticket_pb2.TicketOpened(ticket_id="t1", topic="complaint")],
}
ESCALATED = [
    pb.ComplaintEscalated(customer_id="hu", about="k1", escalated_at=at(100)),
    pb.ComplaintEscalated(customer_id="wang", about="t1", escalated_at=at(200)),
]


def test_each_who_asked_is_told_once_and_the_note_counts_what_was_prevented() -> None:
    flags = [pb.ComplaintFlagged(follow_up_id=c, customer_id=c, flagged_at=at(50)) for c in ("hu", "li", "zhao")]
    ends = [
        pb.FollowUpClosed(follow_up_id=c, customer_id=c, closed_at=at(90), result=pb.RESULT_DONE) for c in ("hu", "li")
    ]
    check = check_escalated(
        ledger(SENT, {"ComplaintEscalated": ESCALATED, "ComplaintFlagged": flags, "FollowUpClosed": ends})
    )
    assert check.ok and check.expected == 2
    assert "flagged before: 1; followed up: 2 customers, 1 of them quiet since" in check.note


def test_one_lost_and_one_doubled_are_found() -> None:
    check = check_escalated(ledger(SENT, {"ComplaintEscalated": [ESCALATED[0], ESCALATED[0]]}))
    assert not check.ok
    assert any("t1" in d and "without" in d for d in check.differences)
    assert any("k1" in d and "too many" in d for d in check.differences)
