"""The complaints that are about to escalate, and their follow-ups."""

from touchline.escalation.v1 import escalation_pb2 as escalation

from services.gateway.live.rows import Bounded, Row, iso, trace_id

KEPT = 200


class Flags:
    """Flags by follow-up id, the oldest first. Each method gives the row that changed, or None."""

    def __init__(self, most: int = KEPT) -> None:
        self._rows: Bounded[str, Row] = Bounded(most)

    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def flagged(self, m: escalation.ComplaintFlagged, traceparent: str) -> Row | None:
        if m.follow_up_id in self._rows:
            return None  # the same fact again
        if m.arm == "held_out":
            return None  # nobody is to see it
        row: Row = {
            "follow_up_id": m.follow_up_id,
            "customer_id": m.customer_id,
            "contact_id": m.contact_id or None,
            "risk": m.risk,
            "reasons": [{"code": r.code, "weight": r.weight, "value": r.value} for r in m.reasons],
            "flagged_at": iso(m.flagged_at),
            "due_at": iso(m.due_at),
            "closed_at": None,
            "outcome": None,
            "overdue": False,
            "touchpoint": m.touchpoint,
            "team": m.team or None,
            "owner": None,
            "supervisor": None,
            "trace_id": trace_id(traceparent),
        }
        self._rows.put(m.follow_up_id, row)
        return row

    def closed(self, m: escalation.FollowUpClosed) -> Row | None:
        row = self._rows.get(m.follow_up_id)
        if row is not None:
            row.update(closed_at=iso(m.closed_at), outcome=m.outcome)
        return row

    def claimed(self, m: escalation.FollowUpClaimed) -> Row | None:
        row = self._rows.get(m.follow_up_id)
        if row is not None:
            row["owner"] = m.owner
        return row

    def released(self, m: escalation.FollowUpReleased) -> Row | None:
        row = self._rows.get(m.follow_up_id)
        if row is not None:
            row["owner"] = None
        return row

    def overflowed(self, m: escalation.FollowUpOverflowed) -> Row | None:
        row = self._rows.get(m.follow_up_id)
        if row is not None:
            row["supervisor"] = m.supervisor
        return row

    def overdue(self, m: escalation.FollowUpOverdue) -> Row | None:
        row = self._rows.get(m.follow_up_id)
        if row is not None:
            row["overdue"] = True
        return row
