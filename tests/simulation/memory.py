"""The Store in memory: one database that processes share, and each one's way to it. It keeps the contract that Postgres keeps."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from services.runtime.checkpoint import FORGET_AT_ONCE, Cell, Claim, Commit, Dirty, Place, Saved, Unsent
from services.runtime.errors import Conflict, Fenced, Permanent
from services.runtime.pipeline import Answer
from services.runtime.records import Outgoing
from tests.simulation.link import Link, Locked

# Postgres's jsonb refuses it.
NUL = b"\\u0000"

CellKey = tuple[str, str, datetime, str, int]


@dataclass
class CellRow:
    publish: bool
    counts: list[int]
    version: int = 1
    sent: int = 0
    traceparent: str = ""


@dataclass
class Table:
    """Where a pipeline's read models are written: `put` in the transaction, or not at all."""

    rows: dict[str, object]
    written: dict[str, object] = field(default_factory=dict)

    async def put(self, key: str, value: object) -> None:
        self.written[key] = value


@dataclass
class Database:
    """What outlives every process."""

    rng: Random
    checkpoint: dict[Place, Claim] = field(default_factory=dict)
    seen: dict[UUID, datetime] = field(default_factory=dict)
    entities: dict[str, tuple[int, int, datetime | None, bytes]] = field(default_factory=dict)
    parts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    cells: dict[CellKey, CellRow] = field(default_factory=dict)
    outbox: dict[int, tuple[int, tuple[Outgoing, ...]]] = field(default_factory=dict)
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    answered: dict[tuple[str, str], datetime] = field(default_factory=dict)
    models: dict[str, object] = field(default_factory=dict)
    claimed: dict[Place, list[tuple[float, str]]] = field(default_factory=dict)  # who claimed it, and when
    locks: dict[Place, float] = field(default_factory=dict)
    rows: int = 0

    def wait_for(self, places: Iterable[Place]) -> None:
        """Raises Locked where another transaction, whose client is gone, still holds one of the places' rows."""
        if self.locks:
            now = asyncio.get_running_loop().time()
            until = max((self.locks.get(p, 0.0) for p in places), default=0.0)
            if until > now:
                raise Locked(until)

    def claim(self, begin: Mapping[Place, int], who: str) -> dict[Place, Claim]:
        self.wait_for(begin)
        now = asyncio.get_running_loop().time()
        for place, first in begin.items():
            found = self.checkpoint.get(place)
            self.checkpoint[place] = Claim(found.next_offset, found.epoch + 1) if found else Claim(first, 1)
            self.claimed.setdefault(place, []).append((now, who))
        return {place: self.checkpoint[place] for place in begin}

    def reclaim(self, held: Mapping[Place, Claim], who: str) -> dict[Place, Claim]:
        self.wait_for(held)
        if any(place not in self.checkpoint or self.checkpoint[place].epoch != c.epoch for place, c in held.items()):
            raise Fenced("another owner has taken over")
        return self.claim({place: claim.next_offset for place, claim in held.items()}, who)

    def commit(self, commit: Commit, *, fenced: bool = True, deduplicated: bool = True) -> list[int]:
        """All of it, or nothing. The two switches leave a check out, for tests that show what it is for."""
        self.wait_for(commit.moves)
        if fenced:
            self._check_moves(commit.moves)
        if deduplicated:
            self._check_seen(commit.seen)
        bodies = [body for _, _, _, body in commit.states.values()]
        bodies += [body for changed in commit.parts.values() for body in changed.values() if body is not None]
        if any(NUL in body for body in bodies):
            raise Permanent("cannot be stored: UntranslatableCharacterError")
        table = Table(self.models)
        if commit.project is not None:
            _drive(commit.project(table))  # type: ignore[arg-type]
        # From here on nothing can fail.
        for place, (claim, offset) in commit.moves.items():
            self.checkpoint[place] = Claim(
                offset, self.checkpoint[place].epoch if place in self.checkpoint else claim.epoch
            )
        for name in commit.seen:
            self.seen[name] = commit.now
        self.entities.update(commit.states)
        for key, changed in commit.parts.items():
            after = self.parts.get(key, {}) | changed
            self.parts[key] = {name: body for name, body in after.items() if body is not None}
        self._add(commit.cells)
        for sent in commit.sent:
            row = self.cells[(sent.metric, sent.window, sent.start, sent.segment, sent.partition)]
            row.sent = max(row.sent, sent.version)
        for answer in commit.answers:
            self.answers.setdefault((answer.source, answer.event_id), answer)
            self.answered.setdefault((answer.source, answer.event_id), commit.now)
        self.models.update(table.written)
        for done in commit.done:
            self.outbox.pop(done, None)
        made = []
        for partition, records in commit.outbox.items():
            self.rows += 1
            self.outbox[self.rows] = (partition, tuple(records))
            made.append(self.rows)
        return made

    def _check_moves(self, moves: Mapping[Place, tuple[Claim, int]]) -> None:
        for place, (claim, offset) in moves.items():
            if self.checkpoint.get(place) != claim or offset < claim.next_offset:
                raise Fenced("another owner has taken over")

    def _check_seen(self, seen: Sequence[UUID]) -> None:
        if len(set(seen)) != len(seen) or any(name in self.seen for name in seen):
            raise Conflict("an event of the batch has taken effect before")

    def _add(self, cells: Iterable[Cell]) -> None:
        for c in cells:
            key = (c.metric, c.window, c.start, c.segment, c.partition)
            row = self.cells.get(key)
            if row is None:
                self.cells[key] = CellRow(c.publish, list(c.counts), traceparent=c.traceparent)
                continue
            row.version += 1
            row.counts = [(row.counts[i] if i < len(row.counts) else 0) + added for i, added in enumerate(c.counts)]
            row.traceparent = c.traceparent or row.traceparent

    def states_of(self, keys: Iterable[str], *, parts: bool) -> dict[str, Saved]:
        found = {k: self.entities[k] for k in keys if k in self.entities}
        return {
            k: Saved(p, version, body, dict(self.parts.get(k, {})) if parts else {})
            for k, (p, version, _, body) in found.items()
        }

    def dirty(self, partitions: Iterable[int], limit: int) -> list[Dirty]:
        wanted = set(partitions)
        found = [
            Dirty(*key, row.version, tuple(row.counts), row.traceparent)
            for key, row in self.cells.items()
            if key[4] in wanted and row.publish and row.version > row.sent
        ]
        return found if len(found) <= limit else self.rng.sample(found, limit)

    def due(self, partitions: Iterable[int], now: datetime, limit: int) -> list[str]:
        wanted = set(partitions)
        found = [(due, key) for key, (p, _, due, _) in self.entities.items() if p in wanted and due and due <= now]
        return [key for _, key in sorted(found)[:limit]]

    def forget(self, before: datetime) -> int:
        old = [name for name, at in self.seen.items() if at < before][:FORGET_AT_ONCE]
        for name in old:
            del self.seen[name]
        told = [command for command, at in self.answered.items() if at < before][:FORGET_AT_ONCE]
        for command in told:
            del self.answers[command], self.answered[command]
        return max(len(old), len(told))

    def behind(self) -> tuple[dict[Place, int], int]:
        unsent = sum(len(records) for _, records in self.outbox.values())
        unsent += sum(1 for row in self.cells.values() if row.publish and row.version > row.sent)
        return {place: claim.next_offset for place, claim in self.checkpoint.items()}, unsent


def _drive(coro: "Coroutine[Any, Any, None]") -> None:
    """Runs a coroutine that never waits."""
    try:
        coro.send(None)
    except StopIteration:
        return
    raise AssertionError("a projection of the simulation may not wait")


class MemoryStore:
    """The Store of one pipeline, as one process sees it."""

    def __init__(self, database: Database, link: Link) -> None:
        self.database = database
        self.link = link

    async def claim(self, begin: Mapping[Place, int]) -> dict[Place, Claim]:
        wanted = {p: begin[p] for p in sorted(begin, key=lambda p: (p.topic, p.partition))}
        return await self.link.call("claim", lambda: self.database.claim(wanted, self.link.who()))

    async def reclaim(self, held: Mapping[Place, Claim]) -> dict[Place, Claim]:
        return await self.link.call("reclaim", lambda: self.database.reclaim(dict(held), self.link.who()))

    async def unsent(self, partitions: Iterable[int]) -> list[Unsent]:
        wanted = set(partitions)
        rows = self.database.outbox
        return await self.link.call(
            "unsent", lambda: [Unsent(row, records) for row, (p, records) in sorted(rows.items()) if p in wanted]
        )

    async def load(self, keys: Sequence[str], *, parts: bool = False) -> dict[str, Saved]:
        return await self.link.call("load", lambda: self.database.states_of(keys, parts=parts))

    async def due(self, partitions: Iterable[int], now: datetime, limit: int) -> list[str]:
        wanted = set(partitions)
        return await self.link.call("due", lambda: self.database.due(wanted, now, limit))

    async def seen(self, names: Sequence[UUID]) -> set[UUID]:
        return await self.link.call("seen", lambda: {n for n in names if n in self.database.seen})

    async def dirty(self, partitions: Iterable[int], limit: int) -> list[Dirty]:
        wanted = set(partitions)
        return await self.link.call("dirty", lambda: self.database.dirty(wanted, limit))

    async def commit(self, commit: Commit) -> list[int]:
        return await self.link.call("commit", self.effect_of(commit), self._holding(commit))

    async def forget(self, before: datetime) -> int:
        return await self.link.call("forget", lambda: self.database.forget(before))

    async def behind(self) -> tuple[dict[Place, int], int]:
        return await self.link.call("behind", self.database.behind)

    def effect_of(self, commit: Commit) -> Callable[[], list[int]]:
        """What the transaction does once it reaches the database."""
        return lambda: self.database.commit(commit)

    def _holding(self, commit: Commit) -> Callable[[float], None]:
        """The rows that a transaction holds while nobody knows whether it will stand."""
        places = list(commit.moves)

        def hold(until: float) -> None:
            for place in places:
                self.database.locks[place] = until

        return hold
