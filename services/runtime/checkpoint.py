"""The checkpoint's contract: the one transaction in which a batch takes effect, and what it leaves to be published.

A pipeline's runner knows nothing else of the database; postgres.py keeps the contract on Postgres.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.runtime.pipeline import Answer, Db
from services.runtime.records import Outgoing


@dataclass(frozen=True, slots=True)
class Place:
    """A source partition."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Our right to a place: the next offset to take effect, and the epoch that fences earlier owners."""

    next_offset: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Saved:
    """A key's state as the database has it. parts: those that are kept beside the body, by name."""

    partition: int
    version: int
    body: bytes
    parts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """The change of one counter cell by one batch."""

    metric: str
    window: str
    start: datetime
    segment: str
    partition: int
    publish: bool
    counts: tuple[int, ...]
    traceparent: str


@dataclass(frozen=True, slots=True)
class Dirty:
    """A counter cell whose count is not yet published."""

    metric: str
    window: str
    start: datetime
    segment: str
    partition: int
    version: int
    counts: tuple[int, ...]
    traceparent: str


@dataclass
class Commit:
    """All that one batch changes.

    moves: place → (claim that we hold, next offset from now on).
    seen: the events' names. states: key → (partition, version, due, body).
    parts: key → the parts of its state that changed, by name; None for one that is gone.
    outbox: partition → records in order. done: rows of the outbox that Kafka has acknowledged.
    project: writes the service's own tables. sent: counter cells whose version is now in the outbox.
    """

    moves: dict[Place, tuple[Claim, int]]
    now: datetime
    seen: list[UUID] = field(default_factory=list)
    states: dict[str, tuple[int, int, datetime | None, bytes]] = field(default_factory=dict)
    parts: dict[str, Mapping[str, bytes | None]] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    sent: list[Dirty] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    outbox: dict[int, list[Outgoing]] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    project: Callable[[Db], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Unsent:
    """A row of the outbox."""

    row: int
    records: tuple[Outgoing, ...]


# Few enough that a batch waiting behind it does not notice; whoever forgets comes back at once while there are more.
FORGET_AT_ONCE = 10_000


class Store(Protocol):
    """Where a pipeline's effects are kept. Every method raises Transient while it is away."""

    async def claim(self, begin: Mapping[Place, int]) -> dict[Place, Claim]:
        """Takes over places, fencing all earlier owners; a place that is new begins at the offset given."""
        ...

    async def reclaim(self, held: Mapping[Place, Claim]) -> dict[Place, Claim]:
        """Takes places anew that are ours still, fencing what we have under way ourselves, however it ends.

        Raises Fenced where another has taken one over since: who is fenced does not fence back.
        """
        ...

    async def unsent(self, partitions: Iterable[int]) -> list[Unsent]:
        """What earlier owners decided and perhaps never published, in order."""
        ...

    async def load(self, keys: Sequence[str], *, parts: bool = False) -> dict[str, Saved]:
        """The states of keys, where there are any, of one moment. parts: with the parts beside them."""
        ...

    async def due(self, partitions: Iterable[int], now: datetime, limit: int) -> list[str]:
        """Keys whose time has come, the earliest first."""
        ...

    async def seen(self, names: Sequence[UUID]) -> set[UUID]:
        """Which of these events have taken effect already."""
        ...

    async def dirty(self, partitions: Iterable[int], limit: int) -> list[Dirty]:
        """Counter cells that are not yet published, chosen by chance, so that none waits for ever."""
        ...

    async def commit(self, commit: Commit) -> list[int]:
        """The transaction. Returns the ids of its rows in the outbox, by the order of `commit.outbox`.

        Raises Fenced where a place is no longer ours, Conflict where an event has taken effect before,
        Permanent where the data itself cannot be stored; then nothing stands. After any other Transient nobody knows
        whether it stands: `reclaim` tells.
        """
        ...

    async def forget(self, before: datetime) -> int:
        """Drops names of events and answers to commands that are older, FORGET_AT_ONCE of each at most. Returns how many of that of which there were more."""
        ...

    async def behind(self) -> tuple[dict[Place, int], int]:
        """Every place's next offset, and how much is decided but not yet published."""
        ...
