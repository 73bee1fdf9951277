"""The SQL of waves: what orders share, waves, and who was looked at for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.escalation.domain import tasks
from services.escalation.domain.causes import Cause, CauseHeated
from services.escalation.domain.tasks import CaseFact
from services.runtime.pipeline import Change, Db
from services.runtime.retention import drop

BEFORE = timedelta(days=3)
"""How long before a wave's first report an order may have been placed, for the wave to hit it."""


@dataclass(frozen=True, slots=True)
class WaveRow:
    """A wave, whom it may hit as far as that was looked at, and who of them was reached."""

    cause: str
    wave: int
    customers: int
    expected: float
    since: datetime
    heated_at: datetime
    affected: int
    reached: int


async def project_shared(db: Db, facts: Sequence[CaseFact]) -> None:
    """Writes orders with what they share, and who was reached."""
    bought = [(cause, f) for f in facts if isinstance(f, tasks.Purchased) for cause in f.causes]
    if bought:
        await db.execute(
            """INSERT INTO purchase (cause, order_id, customer_id, at)
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) ON CONFLICT DO NOTHING""",
            [cause for cause, _ in bought],
            [f.order_id for _, f in bought],
            [f.customer_id for _, f in bought],
            [f.at for _, f in bought],
        )
    reached = [f for f in facts if isinstance(f, tasks.OutreachStarted)]
    if reached:
        await db.execute(
            """INSERT INTO affected (cause, wave, customer_id, reached)
               SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bool[])
               ON CONFLICT (cause, wave, customer_id) DO UPDATE SET reached = excluded.reached""",
            [f.cause for f in reached],
            [f.wave for f in reached],
            [f.customer_id for f in reached],
            [not f.withheld for f in reached],
        )


async def project_waves(db: Db, changes: Sequence[Change[Cause, CauseHeated]]) -> None:
    """Writes the waves that have begun."""
    for fact in (fact for change in changes for fact in change.facts):
        await db.execute(
            "INSERT INTO wave (cause, wave, customers, expected, since, heated_at) VALUES ($1, $2, $3, $4, $5, $6)",
            fact.cause,
            fact.wave,
            fact.customers,
            fact.expected,
            fact.since,
            fact.at,
        )


async def to_tell(pool: Any, since: datetime, limit: int) -> list[tuple[str, int, str]]:
    """Customers whom waves since then may hit and for whom nothing was looked at yet: cause, wave, customer."""
    rows = await pool.fetch(
        """SELECT DISTINCT w.cause, w.wave, p.customer_id FROM wave w
           JOIN purchase p ON p.cause = w.cause AND p.at >= w.since - $3::interval
           WHERE w.heated_at >= $1 AND NOT EXISTS (
               SELECT FROM affected a WHERE a.cause = w.cause AND a.wave = w.wave AND a.customer_id = p.customer_id)
           ORDER BY w.cause, w.wave, p.customer_id LIMIT $2""",
        since,
        limit,
        BEFORE,
    )
    return [tuple(row) for row in rows]


async def waves(pool: Any, limit: int) -> list[WaveRow]:
    """Waves, the latest first."""
    rows = await pool.fetch(
        """SELECT cause, wave, customers, expected, since, heated_at,
                  (SELECT count(*) FROM affected a WHERE a.cause = w.cause AND a.wave = w.wave),
                  (SELECT count(*) FROM affected a WHERE a.cause = w.cause AND a.wave = w.wave AND a.reached)
           FROM wave w ORDER BY heated_at DESC, cause LIMIT $1""",
        limit,
    )
    return [WaveRow(*row) for row in rows]


async def forget(pool: Any, before: datetime) -> None:
    """Drops orders and waves of before that moment."""
    await drop(pool, "purchase", "at < $1", before)
    of = "a.cause = w.cause AND a.wave = w.wave"
    await drop(pool, "affected a", f"EXISTS (SELECT FROM wave w WHERE {of} AND w.heated_at < $1)", before)
    # One of whose customers some are left, since a batch was writing them, goes the next time.
    await drop(pool, "wave w", f"heated_at < $1 AND NOT EXISTS (SELECT FROM affected a WHERE {of})", before)
