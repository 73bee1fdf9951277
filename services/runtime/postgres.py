"""The checkpoint on Postgres: each of the contract's calls is a statement or two, the batch's is one transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from asyncpg.pool import Pool

from services.runtime.checkpoint import FORGET_AT_ONCE, Cell, Claim, Commit, Dirty, Place, Saved, Unsent
from services.runtime.errors import Conflict, Fenced, Permanent, Transient
from services.runtime.outbox import pack, unpack
from services.runtime.pipeline import Answer, Db
from services.runtime.records import event_name

# Postgres errors that the data causes, whatever the time: class 22 (data exception), 23 (integrity) and 54 (too large for
# an index or a row), and what asyncpg refuses to encode. Everything else in the database's words is its trouble, and passes.
_DATA_ERRORS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    UnicodeEncodeError,
)
# What runtime.take_effect raises (migrations/V0002).
_FENCED, _CONFLICT = "TL001", "TL002"
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class _State(msgspec.Struct):
    key: str
    partition: int
    version: int
    due: datetime | None
    body: msgspec.Raw


_encoder = msgspec.json.Encoder()


def _guard(error: Exception) -> Exception:
    if isinstance(error, _DATA_ERRORS):
        return Permanent(f"cannot be stored: {type(error).__name__}")
    if isinstance(error, asyncpg.SyntaxOrAccessError):
        return error  # ours: a bug
    return Transient(f"Postgres is away: {type(error).__name__}")


async def states_of(
    db: "Pool[Any] | Db", pipeline: str, keys: Sequence[str] | None = None, *, parts: bool = False
) -> dict[str, Saved]:
    """A pipeline's states as committed, of one moment: of these keys, or all. parts: with the parts beside them."""
    which, wanted = ("AND key = ANY($2)", [keys]) if keys is not None else ("", [])
    sql = f"SELECT key, partition, version, body::text, NULL AS part FROM runtime.entity WHERE pipeline = $1 {which}"
    if parts:
        sql += f" UNION ALL SELECT key, 0, 0, body::text, part FROM runtime.entity_part WHERE pipeline = $1 {which}"
    rows = await db.fetch(sql, pipeline, *wanted)
    beside: dict[str, dict[str, bytes]] = {}
    for key, _, _, body, part in rows:
        if part is not None:
            beside.setdefault(key, {})[part] = body.encode()
    return {
        key: Saved(partition, version, body.encode(), beside.get(key, {}))
        for key, partition, version, body, part in rows
        if part is None
    }


class PostgresStore:
    """The Store on Postgres, for one pipeline."""

    def __init__(self, pool: "Pool[Any]", pipeline: str) -> None:
        self._pool = pool
        self._pipeline = pipeline

    async def _fetch(self, sql: str, *args: object) -> "list[asyncpg.Record]":
        try:
            return await self._pool.fetch(sql, *args)
        except _AWAY as error:
            raise _guard(error) from error

    async def claim(self, begin: Mapping[Place, int]) -> dict[Place, Claim]:
        places = sorted(begin, key=lambda p: (p.topic, p.partition))
        rows = await self._fetch(
            """INSERT INTO runtime.checkpoint AS c (pipeline, topic, partition, next_offset)
               SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[])
               ON CONFLICT (pipeline, topic, partition) DO UPDATE SET epoch = c.epoch + 1
               RETURNING topic, partition, next_offset, epoch""",
            self._pipeline,
            [p.topic for p in places],
            [p.partition for p in places],
            [begin[p] for p in places],
        )
        return {Place(r["topic"], r["partition"]): Claim(r["next_offset"], r["epoch"]) for r in rows}

    async def reclaim(self, held: Mapping[Place, Claim]) -> dict[Place, Claim]:
        places = sorted(held, key=lambda p: (p.topic, p.partition))
        rows = await self._fetch(
            """UPDATE runtime.checkpoint c SET epoch = c.epoch + 1
               FROM unnest($2::text[], $3::int[], $4::bigint[]) AS n(topic, partition, epoch)
               WHERE c.pipeline = $1 AND c.topic = n.topic AND c.partition = n.partition AND c.epoch = n.epoch
               RETURNING c.topic, c.partition, c.next_offset, c.epoch""",
            self._pipeline,
            [p.topic for p in places],
            [p.partition for p in places],
            [held[p].epoch for p in places],
        )
        if len(rows) != len(places):
            raise Fenced(f"{self._pipeline}: another owner has taken over")
        return {Place(r["topic"], r["partition"]): Claim(r["next_offset"], r["epoch"]) for r in rows}

    async def unsent(self, partitions: Iterable[int]) -> list[Unsent]:
        rows = await self._fetch(
            "SELECT id, body FROM runtime.outbox WHERE pipeline = $1 AND partition = ANY($2) ORDER BY id",
            self._pipeline,
            list(partitions),
        )
        return [Unsent(r["id"], unpack(r["body"])) for r in rows]

    async def load(self, keys: Sequence[str], *, parts: bool = False) -> dict[str, Saved]:
        try:
            return await states_of(self._pool, self._pipeline, keys, parts=parts)
        except _AWAY as error:
            raise _guard(error) from error

    async def due(self, partitions: Iterable[int], now: datetime, limit: int) -> list[str]:
        rows = await self._fetch(
            """SELECT key FROM runtime.entity WHERE pipeline = $1 AND partition = ANY($2) AND due_at <= $3
               ORDER BY due_at LIMIT $4""",
            self._pipeline,
            list(partitions),
            now,
            limit,
        )
        return [r["key"] for r in rows]

    async def seen(self, names: Sequence[UUID]) -> set[UUID]:
        rows = await self._fetch(
            "SELECT name FROM runtime.seen_event WHERE pipeline = $1 AND name = ANY($2)", self._pipeline, names
        )
        return {UUID(bytes=r["name"].bytes) for r in rows}

    async def dirty(self, partitions: Iterable[int], limit: int) -> list[Dirty]:
        rows = await self._fetch(
            """SELECT metric, win, start, segment, partition, version, counts, traceparent FROM runtime.counter_cell
               WHERE pipeline = $1 AND partition = ANY($2) AND publish AND version > sent
               ORDER BY random() LIMIT $3""",
            self._pipeline,
            list(partitions),
            limit,
        )
        return [Dirty(r[0], r[1], r[2], r[3], r[4], r[5], tuple(r[6]), r[7]) for r in rows]

    async def forget(self, before: datetime) -> int:
        answers = await self._fetch(
            """WITH gone AS (DELETE FROM runtime.command_answer WHERE ctid = ANY(ARRAY(
                   SELECT ctid FROM runtime.command_answer WHERE answered_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
                   RETURNING 1)
               SELECT count(*) FROM gone""",
            before,
            FORGET_AT_ONCE,
        )
        rows = await self._fetch(
            """WITH old AS (SELECT name, pipeline FROM runtime.seen_event WHERE pipeline = $1 AND seen_at < $2 LIMIT $3),
                    gone AS (DELETE FROM runtime.seen_event s USING old
                             WHERE s.name = old.name AND s.pipeline = old.pipeline RETURNING 1)
               SELECT count(*) FROM gone""",
            self._pipeline,
            before,
            FORGET_AT_ONCE,
        )
        return max(int(rows[0][0]), int(answers[0][0]))

    async def behind(self) -> tuple[dict[Place, int], int]:
        places = await self._fetch(
            "SELECT topic, partition, next_offset FROM runtime.checkpoint WHERE pipeline = $1", self._pipeline
        )
        unsent = await self._fetch(
            """SELECT (SELECT coalesce(sum(records), 0) FROM runtime.outbox WHERE pipeline = $1)
                    + (SELECT count(*) FROM runtime.counter_cell WHERE pipeline = $1 AND publish AND version > sent)""",
            self._pipeline,
        )
        return {Place(r[0], r[1]): r[2] for r in places}, int(unsent[0][0])

    async def commit(self, commit: Commit) -> list[int]:
        try:
            async with self._pool.acquire() as connection:
                if not (commit.cells or commit.sent or commit.answers or commit.project or commit.parts):
                    return await self._take_effect(connection, commit)
                async with connection.transaction():
                    rows = await self._take_effect(connection, commit)
                    await self._transact(connection, commit)
                    return rows
        except _AWAY as error:
            state = getattr(error, "sqlstate", "")
            if state == _FENCED:
                raise Fenced(f"{self._pipeline}: another owner has taken over") from None
            if state == _CONFLICT:
                raise Conflict("an event of the batch has taken effect before") from None
            raise _guard(error) from error
        except UnicodeEncodeError as error:
            raise Permanent("cannot be stored: it has a lone surrogate") from error

    async def _take_effect(self, db: Db, commit: Commit) -> list[int]:
        """What every batch changes: one statement, which is a transaction of its own where nothing else is to be done."""
        places = sorted(commit.moves, key=lambda p: (p.topic, p.partition))
        moves = [commit.moves[p] for p in places]
        written = await db.fetch(
            "SELECT * FROM runtime.take_effect($1, $2, $3, $4, $5, $6, $7::text::uuid[], $8, $9::text::jsonb, $10, $11, $12, $13)",
            self._pipeline,
            [p.topic for p in places],
            [p.partition for p in places],
            [claim.next_offset for claim, _ in moves],
            [claim.epoch for claim, _ in moves],
            [offset for _, offset in moves],
            # Thousands of values travel as one text: the driver's arrays cost ten times as much.
            "{" + ",".join([name.hex for name in commit.seen]) + "}",
            commit.now,
            _encoder.encode(
                [
                    _State(key, partition, version, due, msgspec.Raw(body))
                    for key, (partition, version, due, body) in commit.states.items()
                ]
            ).decode(),
            commit.done,
            list(commit.outbox),
            [len(records) for records in commit.outbox.values()],
            [pack(records) for records in commit.outbox.values()],
        )
        ids: dict[int, int] = {r["out_partition"]: r["out_id"] for r in written}
        return [ids[partition] for partition in commit.outbox]

    async def _transact(self, db: Db, commit: Commit) -> None:
        """What only some batches change, in the same transaction."""
        if commit.parts:
            await self._write_parts(db, commit.parts)
        if commit.cells:
            await self._add(db, commit.cells)
        if commit.sent:
            await db.execute(
                """UPDATE runtime.counter_cell c SET sent = greatest(c.sent, n.version)
                   FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::int[], $6::bigint[])
                        AS n(metric, win, start, segment, partition, version)
                   WHERE c.pipeline = $7
                     AND (c.metric, c.win, c.start, c.segment, c.partition) = (n.metric, n.win, n.start, n.segment, n.partition)""",
                [c.metric for c in commit.sent],
                [c.window for c in commit.sent],
                [c.start for c in commit.sent],
                [c.segment for c in commit.sent],
                [c.partition for c in commit.sent],
                [c.version for c in commit.sent],
                self._pipeline,
            )
        if commit.answers:
            await self._answer(db, commit.answers, commit.now)
        if commit.project is not None:
            await commit.project(db)

    async def _write_parts(self, db: Db, changed: Mapping[str, Mapping[str, bytes | None]]) -> None:
        gone = [(key, name) for key, parts in changed.items() for name, body in parts.items() if body is None]
        kept = [
            (key, name, msgspec.Raw(body))
            for key, parts in changed.items()
            for name, body in parts.items()
            if body is not None
        ]
        if gone:
            await db.execute(
                """DELETE FROM runtime.entity_part p USING unnest($2::text[], $3::text[]) AS n(key, part)
                   WHERE p.pipeline = $1 AND p.key = n.key AND p.part = n.part""",
                self._pipeline,
                [key for key, _ in gone],
                [name for _, name in gone],
            )
        if kept:
            await db.execute(
                """INSERT INTO runtime.entity_part (pipeline, key, part, body)
                   SELECT $1, n.value ->> 0, n.value ->> 1, n.value -> 2 FROM jsonb_array_elements($2::text::jsonb) AS n(value)
                   ON CONFLICT (pipeline, key, part) DO UPDATE SET body = excluded.body""",
                self._pipeline,
                _encoder.encode(kept).decode(),
            )

    async def _add(self, db: Db, cells: Sequence[Cell]) -> None:
        # Spelled out field by field: adding arrays by unnest and aggregate costs several times as much.
        fields = range(1, len(cells[0].counts) + 1)
        added = ", ".join(f"coalesce(c.counts[{i}], 0) + excluded.counts[{i}]" for i in fields)
        await db.execute(
            f"""INSERT INTO runtime.counter_cell AS c (pipeline, metric, win, start, segment, partition, publish, counts, traceparent)
               SELECT $1, n.metric, n.win, n.start, n.segment, n.partition, n.publish, n.counts::bigint[], n.traceparent
               FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::int[], $7::bool[], $8::text[], $9::text[])
                    AS n(metric, win, start, segment, partition, publish, counts, traceparent)
               ON CONFLICT (pipeline, metric, win, start, segment, partition) DO UPDATE SET
                   version = c.version + 1,
                   counts = ARRAY[{added}],
                   traceparent = CASE WHEN excluded.traceparent = '' THEN c.traceparent ELSE excluded.traceparent END""",
            self._pipeline,
            [c.metric for c in cells],
            [c.window for c in cells],
            [c.start for c in cells],
            [c.segment for c in cells],
            [c.partition for c in cells],
            [c.publish for c in cells],
            ["{" + ",".join(map(str, c.counts)) + "}" for c in cells],
            [c.traceparent for c in cells],
        )

    async def _answer(self, db: Db, answers: Sequence[Answer], now: datetime) -> None:
        names = [event_name(a.source, a.event_id) for a in answers]
        await db.execute(
            """INSERT INTO runtime.command_answer (name, ok, code, reason, body, answered_at)
               SELECT *, $6::timestamptz FROM unnest($1::uuid[], $2::bool[], $3::text[], $4::text[], $5::text[]::jsonb[])
               ON CONFLICT DO NOTHING""",
            names,
            [a.ok for a in answers],
            [a.code for a in answers],
            [a.reason for a in answers],
            [json.dumps(dict(a.body or {})) for a in answers],
            now,
        )
        for name in names:
            await db.execute("SELECT pg_notify('command_answer', $1)", str(name))
