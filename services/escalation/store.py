"""The escalation service's SQL: follow-ups and risks, written in the batch's transaction and read by its calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from services.escalation import causes_store
from services.escalation.domain import tasks
from services.escalation.domain.credit import Account
from services.escalation.domain.events import Reason
from services.escalation.domain.fairness import GroupCount
from services.escalation.domain.state import Customer
from services.escalation.domain.tasks import CaseFact, TeamFact
from services.escalation.domain.team import Team
from services.escalation.domain.uplift import ArmCount
from services.runtime.pipeline import Change, Db
from services.runtime.retention import drop


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
    team: str
    owner: str
    claimed_at: datetime | None
    result: str
    supervisor: str
    threshold: float
    customer_group: str
    arm: str


@dataclass(frozen=True, slots=True)
class RiskRow:
    """A customer's risk as it stands; `flagged` while a follow-up is open that people see."""

    risk: float
    reasons: tuple[Reason, ...]
    flagged: bool


async def project_cases(db: Db, changes: Sequence[Change[Customer, CaseFact]]) -> None:
    """Writes customers' risks as the batch left them, and who has escalated."""
    escalated = [f for change in changes for f in change.facts if isinstance(f, tasks.Escalated)]
    if escalated:
        await db.execute(
            """INSERT INTO escalation (customer_id, at) SELECT * FROM unnest($1::text[], $2::timestamptz[])
               ON CONFLICT DO NOTHING""",
            [f.customer_id for f in escalated],
            [f.at for f in escalated],
        )
    facts = [fact for change in changes for fact in change.facts]
    await _refunds(db, facts)
    await causes_store.project_shared(db, facts)
    calm = [c.key for c in changes if c.state.risk <= 0]
    others = sorted((c for c in changes if c.state.risk > 0), key=lambda c: c.key)
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
            [c.state.case is not None for c in others],
        )


async def _refunds(db: Db, facts: Sequence[CaseFact]) -> None:
    decided = [f for f in facts if isinstance(f, tasks.RefundDecided)]
    if decided:
        await db.execute(
            """INSERT INTO quick_refund (customer_id, order_id, customer_group, started, amount_cents, decided_at)
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::bigint[], $6::timestamptz[])
               ON CONFLICT DO NOTHING""",
            [f.customer_id for f in decided],
            [f.order_id for f in decided],
            [f.group for f in decided],
            [f.decision.started for f in decided],
            [f.decision.cents for f in decided],
            [f.at for f in decided],
        )
    settled = [f for f in facts if isinstance(f, tasks.RefundSettled)]
    if settled:
        await db.execute(
            """UPDATE quick_refund q SET settled_at = n.at, lost_cents = n.lost
               FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[]) AS n(customer_id, order_id, at, lost)
               WHERE q.customer_id = n.customer_id AND q.order_id = n.order_id""",
            [f.customer_id for f in settled],
            [f.order_id for f in settled],
            [f.at for f in settled],
            [f.lost_cents for f in settled],
        )


async def accounts(pool: Any, pipeline: str, customer_ids: Sequence[str]) -> dict[str, Account]:
    """Accounts of customers as their owners last committed them."""
    rows = await pool.fetch(
        "SELECT key, body::text FROM runtime.entity WHERE pipeline = $1 AND key = ANY($2)", pipeline, list(customer_ids)
    )
    return {key: msgspec.json.decode(body, type=_Known).account for key, body in rows}


class _Known(msgspec.Struct):
    """Of a customer's state only the account."""

    account: Account = Account()


async def refund_counts(pool: Any, since: datetime) -> dict[str, GroupCount]:
    """Decisions on quick refunds by customer group."""
    rows = await pool.fetch(
        """SELECT customer_group, count(*), count(*) FILTER (WHERE started),
                  coalesce(sum(amount_cents) FILTER (WHERE started), 0)::bigint, sum(lost_cents)::bigint
           FROM quick_refund WHERE decided_at >= $1 GROUP BY customer_group""",
        since,
    )
    return {row[0]: GroupCount(*row[1:]) for row in rows}


async def project_teams(db: Db, changes: Sequence[Change[Team, TeamFact]]) -> None:
    """Writes what the batch did to follow-ups and budgets."""
    facts = [fact for change in changes for fact in change.facts]
    await _flag(db, [f for f in facts if isinstance(f, tasks.ComplaintFlagged)])
    # All else happens only after it was flagged, so this order holds within a batch as well.
    await _own(db, [f for f in facts if isinstance(f, tasks.FollowUpClaimed | tasks.FollowUpReleased)])
    await _overdue(db, [f for f in facts if isinstance(f, tasks.FollowUpOverdue)])
    await _overflow(db, [f for f in facts if isinstance(f, tasks.FollowUpOverflowed)])
    await _close(db, [f for f in facts if isinstance(f, tasks.FollowUpClosed)])
    await _budget(db, [f for f in facts if isinstance(f, tasks.ThresholdMoved)])


async def _flag(db: Db, flags: Sequence[tasks.ComplaintFlagged]) -> None:
    if flags:
        await db.execute(
            """INSERT INTO follow_up (follow_up_id, customer_id, contact_id, touchpoint, risk, reasons, flagged_at, due_at,
                                      team, case_id, customer_group, threshold, arm)
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::text[]::jsonb[],
                                    $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[], $11::text[],
                                    $12::float8[], $13::text[])""",
            [f.follow_up_id for f in flags],
            [f.customer_id for f in flags],
            [f.contact_id for f in flags],
            [f.touchpoint for f in flags],
            [f.risk for f in flags],
            [_json(f.reasons) for f in flags],
            [f.flagged_at for f in flags],
            [f.due_at for f in flags],
            [f.team for f in flags],
            [f.case_id for f in flags],
            [f.group for f in flags],
            [f.threshold for f in flags],
            [f.arm for f in flags],
        )


async def _own(db: Db, changes: Sequence[tasks.FollowUpClaimed | tasks.FollowUpReleased]) -> None:
    # One by one: it may be claimed, given back and taken over within a batch.
    for f in changes:
        owner, since = (f.owner, f.claimed_at) if isinstance(f, tasks.FollowUpClaimed) else ("", None)
        await db.execute(
            "UPDATE follow_up SET owner = $2, claimed_at = $3 WHERE follow_up_id = $1", f.follow_up_id, owner, since
        )


async def _overdue(db: Db, late: Sequence[tasks.FollowUpOverdue]) -> None:
    if late:
        ids = [f.follow_up_id for f in late]
        await db.execute("UPDATE follow_up SET overdue = true WHERE follow_up_id = ANY($1)", ids)


async def _overflow(db: Db, late: Sequence[tasks.FollowUpOverflowed]) -> None:
    if late:
        await db.execute(
            """UPDATE follow_up f SET supervisor = n.supervisor FROM unnest($1::text[], $2::text[]) AS n(id, supervisor)
               WHERE f.follow_up_id = n.id""",
            [f.follow_up_id for f in late],
            [f.supervisor for f in late],
        )


async def _close(db: Db, closed: Sequence[tasks.FollowUpClosed]) -> None:
    if closed:
        await db.execute(
            """UPDATE follow_up f SET closed_at = n.closed_at, outcome = n.outcome, result = n.result, owner = n.owner,
                                      displaced_by = n.displaced_by
               FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[])
                    AS n(follow_up_id, closed_at, outcome, result, owner, displaced_by)
               WHERE f.follow_up_id = n.follow_up_id""",
            [f.follow_up_id for f in closed],
            [f.closed_at for f in closed],
            [f.outcome for f in closed],
            [f.result for f in closed],
            [f.owner for f in closed],
            [f.displaced_by for f in closed],
        )


async def _budget(db: Db, moved: Sequence[tasks.ThresholdMoved]) -> None:
    last = {(f.team, f.at): f for f in moved}  # of one moment the last word
    if last:
        await db.execute(
            """INSERT INTO budget (team, at, threshold, capacity, started, open, waiting)
               SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::float8[], $4::int[], $5::int[], $6::int[], $7::int[])
               ON CONFLICT (team, at) DO UPDATE SET threshold = excluded.threshold, capacity = excluded.capacity,
                   started = excluded.started, open = excluded.open, waiting = excluded.waiting""",
            *zip(
                *((f.team, f.at, f.threshold, f.capacity, f.started, f.open, f.waiting) for f in last.values()),
                strict=True,
            ),
        )


async def budgets(pool: Any, team: str, limit: int) -> list[tasks.ThresholdMoved]:
    """Moves of teams' thresholds, of each team at most so many, the latest first; of all teams where none is named."""
    rows = await pool.fetch(
        """SELECT team, at, threshold, capacity, started, open, waiting FROM (
               SELECT *, row_number() OVER (PARTITION BY team ORDER BY at DESC) AS place FROM budget
               WHERE $1 = '' OR team = $1) AS ranked
           WHERE place <= $2 ORDER BY team, at DESC""",
        team,
        limit,
    )
    return [tasks.ThresholdMoved(*row) for row in rows]


async def arms(pool: Any, team: str, since: datetime, until: datetime, horizon: timedelta) -> dict[str, ArmCount]:
    """Cases of each arm that were flagged within that time, and those that escalated within the horizon after.

    A case that was flagged more than once belongs to the arm that the lot gave it first.
    """
    rows = await pool.fetch(
        """SELECT arm, count(*), count(*) FILTER (WHERE EXISTS (
                   SELECT FROM escalation e
                   WHERE e.customer_id = cases.customer_id AND e.at > flagged_at AND e.at <= flagged_at + $4)) FROM (
               SELECT DISTINCT ON (case_id) arm, customer_id, flagged_at FROM follow_up
               WHERE arm <> '' AND ($1 = '' OR team = $1) AND flagged_at >= $2 AND flagged_at < $3
               ORDER BY case_id, flagged_at) AS cases
           GROUP BY arm""",
        team,
        since,
        until,
        horizon,
    )
    return {arm: ArmCount(cases, escalated) for arm, cases, escalated in rows}


async def forget(pool: Any, before: datetime) -> None:
    """Drops what budgets were before that moment."""
    await drop(pool, "budget", "at < $1", before)


async def risks(reader: Any, customer_ids: Sequence[str]) -> dict[str, RiskRow]:
    """Risks of the customers of whom any is known. Who is held out is not told to be flagged: else the trial would be no trial."""
    rows = await reader.fetch(
        """SELECT customer_id, risk, reasons::text,
                  EXISTS (SELECT FROM follow_up f WHERE f.customer_id = r.customer_id AND f.closed_at IS NULL
                          AND f.arm <> 'held_out')
           FROM customer_risk r WHERE customer_id = ANY($1)""",
        list(customer_ids),
    )
    # All of them read at once: a call of the decoder for each costs as much as the reading.
    reasons = _READ_MANY.decode(f"[{','.join([r[2] for r in rows])}]")
    return {r[0]: RiskRow(r[1], told, r[3]) for r, told in zip(rows, reasons, strict=True)}


async def follow_up(pool: Any, follow_up_id: str) -> FollowUpRow | None:
    """One follow-up, or None where there is none."""
    found = _rows(await pool.fetch(f"{_SELECT} WHERE follow_up_id = $1", follow_up_id))
    return found[0] if found else None


async def follow_ups(pool: Any, *, closed: bool, customer_id: str, team: str, limit: int) -> list[FollowUpRow]:
    """Follow-ups, those due first come first; with `closed`, closed ones as well; of one customer or team where it is named.

    Who is held out of them is told only with the closed ones.
    """
    rows = await pool.fetch(
        f"""{_SELECT} WHERE ($1 OR (closed_at IS NULL AND arm <> 'held_out')) AND ($2 = '' OR customer_id = $2)
                AND ($3 = '' OR team = $3)
            ORDER BY due_at, follow_up_id LIMIT $4""",
        closed,
        customer_id,
        team,
        limit,
    )
    return _rows(rows)


_SELECT = """SELECT follow_up_id, customer_id, contact_id, touchpoint, risk, reasons::text, flagged_at, due_at, closed_at,
                    outcome, overdue, team, owner, claimed_at, result, supervisor, threshold, customer_group, arm
             FROM follow_up"""


def _rows(rows: Any) -> list[FollowUpRow]:
    return [FollowUpRow(**{**row, "reasons": _reasons(row["reasons"])}) for row in rows]


_READ_REASONS: Final = msgspec.json.Decoder(tuple[Reason, ...])
_READ_MANY: Final = msgspec.json.Decoder(list[tuple[Reason, ...]])


def _json(reasons: Sequence[Reason]) -> str:
    return msgspec.json.encode(reasons).decode()


def _reasons(text: str) -> tuple[Reason, ...]:
    return _READ_REASONS.decode(text)
