"""The whole live view: records of every topic in, changed rows out."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from touchline.escalation.v1 import escalation_pb2 as escalation
from touchline.router.v1 import events_pb2 as router
from touchline.seat.v1 import events_pb2 as seat
from touchline.sentiment.v1 import sentiment_pb2 as sentiment

from services.gateway.live.contacts import Contacts
from services.gateway.live.flags import Flags
from services.gateway.live.journeys import Journeys, Kept
from services.gateway.live.metrics import MetricBoard
from services.gateway.live.pools import Pools
from services.gateway.live.rows import Change, Row
from services.runtime import catalogue, records, topics
from services.runtime.errors import Unreadable
from services.runtime.recent import Recent
from services.runtime.records import PROTOBUF, Record

EVENT_TOPICS = (
    topics.TOUCHPOINT_EVENTS,
    topics.POOL_EVENTS,
    topics.SENTIMENT_SCORED,
    topics.SENTIMENT_SHIFTED,
    topics.ROUTING_DECIDED,
    topics.NPS_CHANGED,
    topics.ESCALATION_FLAGGED,
    topics.REFUND_DECIDED,
    topics.OUTREACH_EVENTS,
)

# They only name their pool: which of them count, and what else takes a seat away, the router decides.
SEAT_EVENTS = (
    seat.SeatSignedIn,
    seat.SeatPaused,
    seat.SeatResumed,
    seat.SeatDisconnected,
    seat.SeatReconnected,
    seat.SeatSignedOut,
)

# How many of the last records are told apart from their repeats: a fact may be published again, behind newer ones.
REMEMBERED = 50_000

_HEADERS = frozenset(("ce_id", "ce_source", "ce_type", "ce_time", "content-type", "traceparent"))


class LiveView:
    """What the dashboard shows. Not for two threads."""

    def __init__(self) -> None:
        self.journeys = Journeys()
        self._seen: Recent[tuple[str, str]] = Recent(REMEMBERED)
        self._contacts = Contacts()
        self._pools = Pools()
        self._flags = Flags()
        self._metrics = MetricBoard()
        self._changed: dict[tuple[object, ...], Change] = {}
        self._changed_pools: set[str] = set()
        handlers: list[tuple[type[Message], Callable[[Any, str], None]]] = [
            (router.ContactTriaged, self._triaged),
            (router.ContactQueued, self._queued),
            (router.ContactWithdrawn, lambda m, _: self._pool(self._pools.withdrawn(m))),
            (router.ContactOffered, self._offered),
            (router.OfferReturned, self._returned),
            (router.ContactAccepted, self._accepted),
            (router.ContactClosed, self._closed),
            (router.ManagedModeEntered, lambda m, _: self._pool(self._pools.mode(m))),
            (router.ManagedModeLeft, lambda m, _: self._pool(self._pools.mode(m))),
            (router.DebtIncurred, lambda m, _: self._pool(self._pools.promised(m))),
            (router.DebtCalled, lambda m, _: self._pool(self._pools.called(m))),
            (router.DebtPaid, lambda m, _: self._pool(self._pools.kept(m))),
            (router.DebtReleased, lambda m, _: self._pool(self._pools.kept(m))),
            (router.DebtOverdue, lambda m, _: self._pool(self._pools.late(m))),
            (router.WaitPredicted, lambda m, _: self._pool(self._pools.foretold(m))),
            (router.ContactMoved, lambda m, _: self._pool(self._pools.moved(m))),
            *((event, lambda m, _: self._pool(self._pools.named(m.pool))) for event in SEAT_EVENTS),
            (sentiment.MessageScored, lambda m, _: self._contact(self._contacts.scored(m))),
            (escalation.ComplaintFlagged, lambda m, trace: self._flag(self._flags.flagged(m, trace))),
            (escalation.FollowUpClosed, lambda m, _: self._flag(self._flags.closed(m))),
            (escalation.FollowUpClaimed, lambda m, _: self._flag(self._flags.claimed(m))),
            (escalation.FollowUpReleased, lambda m, _: self._flag(self._flags.released(m))),
            (escalation.FollowUpOverflowed, lambda m, _: self._flag(self._flags.overflowed(m))),
            (escalation.FollowUpOverdue, lambda m, _: self._flag(self._flags.overdue(m))),
        ]
        self._handlers = {catalogue.type_name(message.DESCRIPTOR): (message, handler) for message, handler in handlers}

    def apply(self, record: Record) -> None:
        """Takes one record. What can't be read changes nothing here: it is its consumer's to dead-letter."""
        if record.topic in topics.METRIC_TOPICS:
            put = self._metrics.put(record.topic, record.value) if record.value else None
            if put is not None:
                self._changed["metric", record.topic, *put[0]] = ("metric", put[1])
            return
        headers = {name: value for name, value in record.headers if name in _HEADERS}
        try:
            kind = headers["ce_type"].decode()
            kept = Kept(
                (headers["ce_source"].decode(), headers["ce_id"].decode()),
                kind,
                headers["ce_time"].decode(),
                headers.get("content-type", b"").decode().partition(";")[0].strip() or PROTOBUF,
                record.value or b"",
                headers.get("traceparent", b"").decode(),
            )
            key = (record.key or b"").decode()
        except (KeyError, UnicodeDecodeError):
            return
        if self._seen.known((kept.name,)):
            return
        self._seen.add((kept.name,))
        if record.topic != topics.POOL_EVENTS:
            self.journeys.add(key, kept)
        known = self._handlers.get(kind)
        if known is None:
            return
        try:
            message = records.decode(known[0], kept.content_type, kept.value)
        except Unreadable:
            return
        if isinstance(message, router.ContactQueued):
            self.journeys.add(message.customer_id, kept)
        known[1](message, kept.traceparent)

    def snapshot(self) -> list[Change]:
        """All rows that are kept, for one who has just come."""
        return [
            *(("metric", row) for row in self._metrics.rows()),
            *(("pool", row) for row in self._pools.rows()),
            *(("contact", row) for row in self._contacts.rows()),
            *(("flag", row) for row in self._flags.rows()),
        ]

    def take_changes(self) -> list[Change]:
        """The rows that changed since the last call, each once, as it stands now."""
        changes = [*self._changed.values(), *(("pool", self._pools.row(name)) for name in self._changed_pools)]
        self._changed.clear()
        self._changed_pools.clear()
        return changes

    def pools(self) -> list[str]:
        """The pools that are shown."""
        return self._pools.names()

    def seats(self, pool: str, seats: tuple[int, int]) -> None:
        """How many of a pool's seats are ready, and how many there are, as the router tells."""
        self._pool(self._pools.seats(pool, seats))

    def _contact(self, row: Row | None) -> None:
        if row is not None:
            self._changed["contact", row["contact_id"]] = ("contact", row)

    def _flag(self, row: Row | None) -> None:
        if row is not None:
            self._changed["flag", row["follow_up_id"]] = ("flag", row)

    def _pool(self, name: str | None) -> None:
        if name is not None:
            self._changed_pools.add(name)

    def _triaged(self, m: router.ContactTriaged, traceparent: str) -> None:
        self._contact(self._contacts.triaged(m, traceparent))

    def _queued(self, m: router.ContactQueued, _: str) -> None:
        self._pool(self._pools.queued(m))

    def _offered(self, m: router.ContactOffered, _: str) -> None:
        self._contact(self._contacts.offered(m))
        self._pool(self._pools.offered(m))

    def _returned(self, m: router.OfferReturned, _: str) -> None:
        self._contact(self._contacts.returned(m))
        self._pool(self._pools.returned(m))

    def _accepted(self, m: router.ContactAccepted, _: str) -> None:
        self._contact(self._contacts.accepted(m))
        self._pool(self._pools.accepted(m))

    def _closed(self, m: router.ContactClosed, _: str) -> None:
        self._contact(self._contacts.closed(m))
        self._pool(self._pools.closed(m))
