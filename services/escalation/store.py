"""The escalation service's SQL: follow-ups and risks, written in the batch's transaction and read by its calls."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from services.escalation.domain.events import ComplaintFlagged, Fact, FollowUpClosed, FollowUpOverdue, Reason
from services.escalation.domain.state import Customer
from services.runtime.pipeline import Change, Db


@dataclass(frozen=True, slots=True)
class FollowUpRow:
    """A follow-up as it stands; `closed_at` is None and `outcome` empty while it is open."""

    follow_up_id: str
    customer_id: str
    contact_id: str
    touchpoint: str
    risk: float
    reasons: tuple[Reason, ...]
    flagged_at: datetime
    due_at: datetime
    closed_at: datetime | None
    outcome: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class RiskRow:
    """A customer's risk as it stands; `flagged` while a follow-up is open."""

    risk: float
    reasons: tuple[Reason, ...]
    flagged: bool


async def project(db: Db, changes: Sequence[Change[Customer, Fact]]) -> None:
    """Writes what the batch did to follow-ups and risks."""
    facts = [fact for change in changes for fact in change.facts]
    await _flag(db, [f for f in facts if isinstance(f, ComplaintFlagged)])
    # A follow-up is overdue or closed only after it was flagged, so this order holds within a batch as well.
    await _overdue(db, [f for f in facts if isinstance(f, FollowUpOverdue)])
    await _close(db, [f for f in facts if isinstance(f, FollowUpClosed)])
    await _risks(db, changes)


async def _flag(db: Db, flags: Sequence[ComplaintFlagged]) -> None:
    if flags:
        await db.execute(
            """INSERT INTO follow_up (follow_up_id, customer_id, contact_id, touchpoint, risk, reasons, flagged_at, due_at)
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::text[]::jsonb[],
                                    $7::timestamptz[], $8::timestamptz[])""",
            [f.follow_up_id for f in flags],
            [f.customer_id for f in flags],
            [f.contact_id for f in flags],
            [f.touchpoint for f in flags],
            [f.risk for f in flags],
            [_json(f.reasons) for f in flags],
            [f.flagged_at for f in flags],
            [f.due_at for f in flags],
        )


async def _overdue(db: Db, late: Sequence[FollowUpOverdue]) -> None:
    if late:
        ids = [f.follow_up_id for f in late]
        await db.execute("UPDATE follow_up SET overdue = true WHERE follow_up_id = ANY($1)", ids)


async def _close(db: Db, closed: Sequence[FollowUpClosed]) -> None:
    if closed:
        await db.execute(
            """UPDATE follow_up f SET closed_at = n.closed_at, outcome = n.outcome
               FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS n(follow_up_id, closed_at, outcome)
               WHERE f.follow_up_id = n.follow_up_id""",
            [f.follow_up_id for f in closed],
            [f.closed_at for f in closed],
            [f.outcome for f in closed],
        )


async def _risks(db: Db, changes: Sequence[Change[Customer, Fact]]) -> None:
    calm = [c.key for c in changes if c.state.risk <= 0 and c.state.follow_up is None]
    others = sorted((c for c in changes if c.state.risk > 0 or c.state.follow_up), key=lambda c: c.key)
    if calm:
        await db.execute("DELETE FROM customer_risk WHERE customer_id = ANY($1)", calm)
    if others:
        await db.execute(
            """INSERT INTO customer_risk (customer_id, risk, reasons, flagged)
               SELECT * FROM unnest($1::text[], $2::float8[], $3::text[]::jsonb[], $4::bool[])
               ON CONFLICT (customer_id) DO UPDATE SET
                   risk = excluded.risk, reasons = excluded.reasons, flagged = excluded.flagged""",
            [c.key for c in others],
            [c.state.risk for c in others],
            [_json(c.state.reasons) for c in others],
            [c.state.follow_up is not None for c in others],
        )


async def risks(pool: Any, customer_ids: Sequence[str]) -> dict[str, RiskRow]:
    """Risks of the customers of whom any is known."""
    rows = await pool.fetch(
        "SELECT customer_id, risk, reasons::text, flagged FROM customer_risk WHERE customer_id = ANY($1)",
        list(customer_ids),
    )
    return {r[0]: RiskRow(r[1], _reasons(r[2]), r[3]) for r in rows}


async def follow_up(pool: Any, follow_up_id: str) -> FollowUpRow | None:
    """One follow-up, or None where there is none."""
    found = _rows(await pool.fetch(f"{_SELECT} WHERE follow_up_id = $1", follow_up_id))
    return found[0] if found else None


async def follow_ups(pool: Any, *, closed: bool, customer_id: str, limit: int) -> list[FollowUpRow]:
    """Follow-ups, those due first come first; with `closed`, closed ones as well; of one customer where one is named."""
    rows = await pool.fetch(
        f"""{_SELECT} WHERE ($1 OR closed_at IS NULL) AND ($2 = '' OR customer_id = $2)
            ORDER BY due_at, follow_up_id LIMIT $3""",
        closed,
        customer_id,
        limit,
    )
    return _rows(rows)


_SELECT = """SELECT follow_up_id, customer_id, contact_id, touchpoint, risk, reasons::text, flagged_at, due_at, closed_at,
                    outcome, overdue FROM follow_up"""


def _rows(rows: Any) -> list[FollowUpRow]:
    return [FollowUpRow(**{**row, "reasons": _reasons(row["reasons"])}) for row in rows]


def _json(reasons: Sequence[Reason]) -> str:
    return json.dumps([asdict(r) for r in reasons])


def _reasons(text: str) -> tuple[Reason, ...]:
    return tuple(Reason(**r) for r in json.loads(text))
