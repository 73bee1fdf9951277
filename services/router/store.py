"""The router's SQL: read models written with the decisions, and read by lookups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from services.router.domain import facts
from services.router.domain.explain import Explained
from services.router.domain.facts import BOT, Outcome
from services.router.domain.pool import Pool
from services.router.domain.triage import Customer
from services.router.parts import whole
from services.runtime.pipeline import Change, Db
from services.runtime.postgres import states_of
from services.runtime.retention import drop

TURNS = 50
"""Turns of a conversation that the human sees on taking over."""

_ENDS = {Outcome.BOT: "served_by_bot", Outcome.HUMAN: "served_by_human", Outcome.ABANDONED: "abandoned"}
_KINDS: dict[str, type[Explained]] = {
    kind.__name__: kind
    for kind in (
        facts.ContactTriaged,
        facts.ContactOffered,
        facts.OfferReturned,
        facts.ContactAccepted,
        facts.ContactClosed,
        facts.WaitPredicted,
        facts.ContactMoved,
        facts.DebtIncurred,
        facts.DebtCalled,
        facts.DebtPaid,
        facts.DebtReleased,
        facts.DebtOverdue,
    )
}


@dataclass(slots=True)
class Row:
    """A contact as it stands; None where a change leaves what was."""

    contact_id: str
    customer_id: str
    state: str
    pool: str
    seat_id: str | None = None
    token: int | None = None
    requested_at: datetime | None = None
    queued_at: datetime | None = None
    accepted_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said."""

    speaker: str
    text: str
    said_at: datetime


async def project_triage(db: Db, changes: Sequence[Change[Customer, facts.TriageFact]]) -> None:
    """Write what a batch of triage decided."""
    made = [fact for change in changes for fact in change.facts]
    await _write(db, made)
    turns = [fact for fact in made if isinstance(fact, facts.TurnKept)]
    if turns:
        await db.execute(
            """INSERT INTO conversation_turn (contact_id, source, event_id, speaker, text, said_at)
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
               ON CONFLICT DO NOTHING""",
            [t.contact_id for t in turns],
            [t.source for t in turns],
            [t.event_id for t in turns],
            [t.speaker for t in turns],
            [t.text for t in turns],
            [t.said_at for t in turns],
        )


async def project_assignment(db: Db, changes: Sequence[Change[Pool, facts.PoolFact]]) -> None:
    """Write what a batch of assignment decided. The pool itself is read from its owner's committed state."""
    made = [fact for change in changes for fact in change.facts]
    await _write(db, made)
    done = [act for fact in made if (act := _act(fact)) is not None]
    if done:
        await db.execute(
            """INSERT INTO supervision (pool, at, what, by, reason, seat_id, contact_id, ok, refused)
               SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
                                    $7::text[], $8::boolean[], $9::text[])""",
            *map(list, zip(*done, strict=True)),
        )


def _act(fact: Any) -> tuple[Any, ...] | None:
    """A supervisor's act, or the load's, as a row; None for any other fact."""
    match fact:
        case facts.SupervisorActed():
            about = (fact.seat_id, fact.contact_id, fact.ok, fact.refused)
            return fact.pool, fact.at, fact.what, fact.by, fact.reason, *about
        case facts.ManagedModeEntered() | facts.ManagedModeLeft() if fact.cause == "load":
            what = "entered" if isinstance(fact, facts.ManagedModeEntered) else "left"
            why = f"{fact.waiting} waiting, {fact.seats} ready seats"
            return fact.pool, fact.at, what, "", why, "", "", True, ""
        case _:
            return None


async def _write(db: Db, made: Sequence[Any]) -> None:
    decided = [(fact, at) for fact in made if (at := _decided_at(fact)) is not None]
    if decided:
        await db.execute(
            """INSERT INTO decision (contact_id, kind, decided_at, fact)
               SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]::jsonb[])""",
            [fact.contact_id for fact, _ in decided],
            [type(fact).__name__ for fact, _ in decided],
            [at for _, at in decided],
            [msgspec.json.encode(fact).decode() for fact, _ in decided],
        )
    rows: dict[str, Row] = {}
    for fact in made:
        change = _CHANGES.get(type(fact))
        if change is not None:
            _merge(rows, change(fact))
        elif isinstance(fact, facts.DebtIncurred) and fact.kind == "managed":
            _merge(rows, _row(fact, "promised"))
    if rows:
        # In one order for every transaction, so that triage and assignment never wait for each other in a circle.
        await _upsert(db, [rows[key] for key in sorted(rows)])


def _decided_at(fact: Any) -> datetime | None:
    match fact:
        case facts.ContactTriaged():
            return fact.decided_at
        case facts.ContactOffered():
            return fact.offered_at
        case facts.OfferReturned():
            return fact.returned_at
        case facts.ContactAccepted():
            return fact.accepted_at
        case facts.ContactClosed():
            return fact.closed_at
        case facts.WaitPredicted() | facts.DebtFact():
            return fact.at
        case facts.ContactMoved():
            return fact.moved_at
        case _:
            return None


def _row(fact: Any, state: str, **more: Any) -> Row:
    return Row(fact.contact_id, fact.customer_id, state, fact.pool, **more)


_CHANGES: dict[type[Any], Callable[[Any], Row]] = {
    facts.ContactTriaged: lambda f: _row(f, "bot" if f.pool == BOT else "queued", requested_at=f.requested_at),
    facts.ContactQueued: lambda f: _row(f, "queued", seat_id="", token=0, queued_at=f.queued_at),
    facts.ContactMoved: lambda f: Row(f.contact_id, f.customer_id, "queued", f.to_pool, seat_id="", token=0),
    facts.DebtCalled: lambda f: _row(f, "queued"),
    facts.ContactOffered: lambda f: _row(f, "offered", seat_id=f.seat_id, token=f.token),
    facts.OfferReturned: lambda f: _row(f, "queued", seat_id="", token=0),
    facts.ContactAccepted: lambda f: _row(f, "in_service", seat_id=f.seat_id, token=f.token, accepted_at=f.accepted_at),
    facts.ContactClosed: lambda f: _row(f, _ENDS[f.outcome], seat_id=f.seat_id, token=0, ended_at=f.closed_at),
}


def _merge(rows: dict[str, Row], new: Row) -> None:
    old = rows.get(new.contact_id)
    if old is not None:
        for name in ("seat_id", "token", "requested_at", "queued_at", "accepted_at", "ended_at"):
            if getattr(new, name) is None:
                setattr(new, name, getattr(old, name))
    rows[new.contact_id] = new


async def _upsert(db: Db, rows: Sequence[Row]) -> None:
    await db.execute(
        """INSERT INTO contact AS c
               (contact_id, customer_id, state, pool, seat_id, token, requested_at, queued_at, accepted_at, ended_at)
           SELECT n.contact_id, n.customer_id, n.state, n.pool, coalesce(n.seat_id, ''), coalesce(n.token, 0),
                  n.requested_at, n.queued_at, n.accepted_at, n.ended_at
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[],
                       $8::timestamptz[], $9::timestamptz[], $10::timestamptz[])
                WITH ORDINALITY AS n(contact_id, customer_id, state, pool, seat_id, token, requested_at, queued_at,
                                     accepted_at, ended_at, i)
           ORDER BY n.i
           ON CONFLICT (contact_id) DO UPDATE SET
               customer_id = excluded.customer_id, state = excluded.state, pool = excluded.pool,
               seat_id = excluded.seat_id, token = excluded.token,
               requested_at = coalesce(excluded.requested_at, c.requested_at),
               queued_at = coalesce(excluded.queued_at, c.queued_at),
               accepted_at = coalesce(excluded.accepted_at, c.accepted_at),
               ended_at = coalesce(excluded.ended_at, c.ended_at)""",
        [r.contact_id for r in rows],
        [r.customer_id for r in rows],
        [r.state for r in rows],
        [r.pool for r in rows],
        [r.seat_id for r in rows],
        [r.token for r in rows],
        [r.requested_at for r in rows],
        [r.queued_at for r in rows],
        [r.accepted_at for r in rows],
        [r.ended_at for r in rows],
    )


async def contact(pool: Any, contact_id: str) -> Row | None:
    """A contact as it stands; None where it isn't known."""
    row = await pool.fetchrow(
        """SELECT contact_id, customer_id, state, pool, seat_id, token, requested_at, queued_at, accepted_at, ended_at
           FROM contact WHERE contact_id = $1""",
        contact_id,
    )
    return Row(*row) if row is not None else None


async def conversation(pool: Any, contact_id: str) -> list[Turn]:
    """What was said so far, oldest first, the last 50 turns."""
    rows = await pool.fetch(
        """SELECT speaker, text, said_at FROM conversation_turn WHERE contact_id = $1
           ORDER BY said_at DESC, event_id DESC LIMIT $2""",
        contact_id,
        TURNS,
    )
    return [Turn(*row) for row in reversed(rows)]


async def decisions(pool: Any, contact_id: str) -> list[Explained]:
    """Every decision about a contact, oldest first."""
    rows = await pool.fetch(
        "SELECT kind, fact::text FROM decision WHERE contact_id = $1 ORDER BY decided_at, id", contact_id
    )
    return [msgspec.json.decode(row[1], type=_KINDS[row[0]]) for row in rows]


async def pool_state(pool: Any, pipeline: str, name: str) -> Pool | None:
    """A pool as its owner last committed it; None where nothing has happened in it."""
    found = (await states_of(pool, pipeline, [name], parts=True)).get(name)
    return whole(found) if found is not None else None


async def forget(pool: Any, before: datetime) -> None:
    """Drop decisions, conversations and ended contacts that are older."""
    await drop(pool, "decision", "decided_at < $1", before)
    await drop(pool, "conversation_turn", "said_at < $1", before)
    await drop(pool, "contact", "ended_at < $1", before)
    await drop(pool, "supervision", "at < $1", before)


async def accounts(pool: Any, pipeline: str) -> tuple[list[Pool], list[tuple[str, str, str]]]:
    """Every pool as committed, and every contact (pool, contact, state) that the read model says one has: of one moment."""
    async with pool.acquire() as db, db.transaction(isolation="repeatable_read", readonly=True):
        states = await states_of(db, pipeline, parts=True)
        rows = await db.fetch("SELECT pool, contact_id, state FROM contact WHERE ended_at IS NULL AND pool <> $1", BOT)
    return [whole(saved) for saved in states.values()], [tuple(row) for row in rows]
