"""Who waits for each pool, and how many seats are there for them."""

from dataclasses import dataclass, field

from touchline.router.v1 import events_pb2 as router

from services.gateway.live.rows import Bounded, Row, iso

# The two topics that speak of a contact are not ordered with each other: that a contact is over must outlive the
# record, still to come, that it waits.
GONE_KEPT = 50_000


@dataclass(slots=True)
class Pool:
    """One pool. waiting and offered: contact → since when it waits (RFC 3339)."""

    name: str
    waiting: dict[str, str] = field(default_factory=dict)
    offered: dict[str, str] = field(default_factory=dict)
    in_service: set[str] = field(default_factory=set)
    seats: tuple[int, int] | None = None
    """How many are ready, and how many there are, as the router has them; None until it has told."""
    managed: bool = False
    mode_at: str | None = None
    debts: dict[str, str] = field(default_factory=dict)
    """Promises not yet kept: contact → by when."""
    overdue: set[str] = field(default_factory=set)
    wait_s: float | None = None
    """What the last who came was told."""

    def row(self) -> Row:
        return {
            "pool": self.name,
            "waiting": len(self.waiting),
            "oldest_queued_at": min(self.waiting.values(), default=None),
            "offered": len(self.offered),
            "in_service": len(self.in_service),
            "seats_ready": self.seats[0] if self.seats else None,
            "seats_total": self.seats[1] if self.seats else None,
            "managed": self.managed,
            "debts": len(self.debts),
            "debts_overdue": len(self.overdue),
            "next_debt_due": min(self.debts.values(), default=None),
            "wait_s": self.wait_s if self.waiting else None,
        }


class Pools:
    """All pools by name. Each method changes one of them and gives it; its row is made once a tick, not once a record."""

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}
        self._gone: Bounded[str, None] = Bounded(GONE_KEPT)

    def rows(self) -> list[Row]:
        return [pool.row() for pool in self._pools.values()]

    def row(self, name: str) -> Row:
        return self._pool(name).row()

    def _pool(self, name: str) -> Pool:
        pool = self._pools.get(name)
        if pool is None:
            pool = self._pools[name] = Pool(name)
        return pool

    def names(self) -> list[str]:
        return list(self._pools)

    def named(self, pool: str) -> str:
        """Something is told of a pool's seats: the pool is there. What became of them the router decides."""
        return self._pool(pool).name

    def seats(self, pool: str, seats: tuple[int, int]) -> str | None:
        """The router told how many of the pool's seats are ready, and how many there are. None where that is known."""
        kept = self._pool(pool)
        if kept.seats == seats:
            return None
        kept.seats = seats
        return pool

    def queued(self, m: router.ContactQueued) -> str:
        pool = self._pool(m.pool)
        if not (m.contact_id in self._gone or m.contact_id in pool.offered or m.contact_id in pool.in_service):
            pool.waiting.setdefault(m.contact_id, iso(m.queued_at) or "")
        return m.pool

    def withdrawn(self, m: router.ContactWithdrawn) -> str:
        if m.contact_id not in self._pool(m.pool).debts:  # who was promised a human is still owed one
            self._leave(self._pool(m.pool), m.contact_id)
        return m.pool

    def offered(self, m: router.ContactOffered) -> str:
        pool = self._pool(m.pool)
        since = pool.waiting.pop(m.contact_id, "")
        if m.contact_id not in self._gone and m.contact_id not in pool.in_service:
            pool.offered[m.contact_id] = iso(m.queued_at) or since
        return m.pool

    def returned(self, m: router.OfferReturned) -> str:
        pool = self._pool(m.pool)
        since = pool.offered.pop(m.contact_id, None)
        if since is not None:
            pool.waiting.setdefault(m.contact_id, since)
        return m.pool

    def accepted(self, m: router.ContactAccepted) -> str:
        pool = self._pool(m.pool)
        pool.waiting.pop(m.contact_id, None)
        pool.offered.pop(m.contact_id, None)
        if m.contact_id not in self._gone:
            pool.in_service.add(m.contact_id)
        return m.pool

    def mode(self, m: router.ManagedModeEntered | router.ManagedModeLeft) -> str:
        """The pool's mode is another one; what is older than what is known changes nothing."""
        pool, at = self._pool(m.pool), iso(m.at) or ""
        if pool.mode_at is None or at >= pool.mode_at:
            pool.mode_at, pool.managed = at, isinstance(m, router.ManagedModeEntered)
        return m.pool

    def promised(self, m: router.DebtIncurred) -> str:
        pool = self._pool(m.pool)
        if m.contact_id not in self._gone and m.contact_id not in pool.in_service:
            pool.debts[m.contact_id] = iso(m.due_at) or ""
            if m.kind == "managed":
                pool.waiting.pop(m.contact_id, None)
        return m.pool

    def called(self, m: router.DebtCalled) -> str:
        pool = self._pool(m.pool)
        if m.contact_id in pool.debts:
            pool.waiting.setdefault(m.contact_id, iso(m.queued_at) or "")
        return m.pool

    def kept(self, m: router.DebtPaid | router.DebtReleased) -> str:
        pool = self._pool(m.pool)
        pool.debts.pop(m.contact_id, None)
        pool.overdue.discard(m.contact_id)
        return m.pool

    def late(self, m: router.DebtOverdue) -> str:
        pool = self._pool(m.pool)
        if m.contact_id in pool.debts:
            pool.overdue.add(m.contact_id)
        return m.pool

    def foretold(self, m: router.WaitPredicted) -> str:
        self._pool(m.pool).wait_s = m.wait_s if m.HasField("wait_s") else None
        return m.pool

    def moved(self, m: router.ContactMoved) -> str:
        pool = self._pool(m.pool)
        for places in (pool.waiting, pool.debts):
            places.pop(m.contact_id, None)
        pool.offered.pop(m.contact_id, None)
        pool.in_service.discard(m.contact_id)
        if m.to_pool == m.pool:
            pool.waiting.setdefault(m.contact_id, iso(m.queued_at) or "")
        return m.pool

    def closed(self, m: router.ContactClosed) -> str | None:
        if m.pool == "bot":
            return None
        self._leave(self._pool(m.pool), m.contact_id)
        return m.pool

    def _leave(self, pool: Pool, contact_id: str) -> None:
        pool.waiting.pop(contact_id, None)
        pool.offered.pop(contact_id, None)
        pool.in_service.discard(contact_id)
        pool.debts.pop(contact_id, None)
        pool.overdue.discard(contact_id)
        self._gone.put(contact_id, None)
