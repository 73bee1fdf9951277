"""The last contacts, and who took them."""

from touchline.router.v1 import events_pb2 as router
from touchline.sentiment.v1 import sentiment_pb2 as sentiment

from services.gateway.live.rows import Bounded, Row, iso, trace_id

KEPT = 300
_ENDED = {
    router.OUTCOME_BOT: "served_by_bot",
    router.OUTCOME_HUMAN: "served_by_human",
    router.OUTCOME_ABANDONED: "abandoned",
}


class Contacts:
    """Contacts by id, in the order in which they were routed. Each method gives the row that changed, or None."""

    def __init__(self, most: int = KEPT) -> None:
        self._rows: Bounded[str, Row] = Bounded(most)
        self._tokens: Bounded[str, int] = Bounded(most)
        # Sentiment may be ahead of the router: a mood can be here before its contact is.
        self._moods: Bounded[str, float] = Bounded(most)

    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def triaged(self, m: router.ContactTriaged, traceparent: str) -> Row | None:
        known = self._rows.get(m.contact_id)
        state = "bot" if m.pool == "bot" else "queued"
        if known is None:
            known = self._rows[m.contact_id] = {
                "contact_id": m.contact_id,
                "customer_id": m.customer_id,
                "channel": m.inputs.channel,
                "touchpoint": m.inputs.touchpoint,
                "state": state,
                "pool": m.pool,
                "seat_id": None,
                "rule": m.rule,
                "priority": m.priority,
                "mood": self._moods.get(m.contact_id, m.inputs.mood if m.inputs.HasField("mood") else None),
                "requested_at": iso(m.requested_at),
                "queued_at": None,
                "accepted_at": None,
                "ended_at": None,
                "waited_s": None,
                "trace_id": trace_id(traceparent),
            }
        elif known["ended_at"] is None:
            known.update(state=state, pool=m.pool, rule=m.rule, priority=m.priority, seat_id=None)
        if state == "queued" and known["queued_at"] is None:
            known["queued_at"] = iso(m.decided_at)
        while len(self._rows) > self._rows.most:
            self._rows.popitem(last=False)
        return known

    def _open(self, contact_id: str) -> Row | None:
        row = self._rows.get(contact_id)
        return row if row is not None and row["ended_at"] is None else None

    def offered(self, m: router.ContactOffered) -> Row | None:
        row = self._open(m.contact_id)
        if row is None or m.token < self._tokens.get(m.contact_id, 0):
            return None
        self._tokens.put(m.contact_id, m.token)
        row.update(state="offered", seat_id=m.seat_id, pool=m.pool, queued_at=iso(m.queued_at) or row["queued_at"])
        return row

    def returned(self, m: router.OfferReturned) -> Row | None:
        row = self._open(m.contact_id)
        if row is None or row["state"] != "offered" or m.token != self._tokens.get(m.contact_id):
            return None
        row.update(state="queued", seat_id=None)
        return row

    def accepted(self, m: router.ContactAccepted) -> Row | None:
        row = self._open(m.contact_id)
        if row is None:
            return None
        row.update(
            state="in_service",
            seat_id=m.seat_id,
            pool=m.pool,
            accepted_at=iso(m.accepted_at),
            waited_s=m.waited_ms / 1000,
        )
        return row

    def closed(self, m: router.ContactClosed) -> Row | None:
        row = self._open(m.contact_id)
        state = _ENDED.get(m.outcome)
        if row is None or state is None:
            return None
        row.update(state=state, ended_at=iso(m.closed_at), pool=m.pool, seat_id=m.seat_id or row["seat_id"])
        if m.outcome != router.OUTCOME_BOT:
            row["waited_s"] = m.waited_ms / 1000
        return row

    def scored(self, m: sentiment.MessageScored) -> Row | None:
        self._moods.put(m.contact_id, m.contact_mood)
        row = self._rows.get(m.contact_id)
        if row is None:
            return None
        row["mood"] = m.contact_mood
        return row
