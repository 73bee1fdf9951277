"""What a service gives to the runtime: a pure decision, and how its words translate to the wire and to SQL."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from asyncpg import Connection
from asyncpg.pool import PoolConnectionProxy
from google.protobuf.message import Message

from services.runtime.records import Incoming

S = TypeVar("S")  # the state of one key
E = TypeVar("E")  # an event in the domain's words
F = TypeVar("F")  # a fact in the domain's words

Db: TypeAlias = "Connection[Any] | PoolConnectionProxy[Any]"


class Publish(msgspec.Struct, frozen=True, gc=False):
    """Publish a fact as an event.

    message: its data; the message's options in proto/ name the topic and the key.
    subject: the customer id (for facts keyed by a field of the message: what the fact is about).
    time: the fact's event time, UTC.
    """

    message: Message
    subject: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a command that came as an event: whoever waits for it (CommandBus.send) is told.

    event_id, source: name the command's event.
    ok: whether it was carried out; if not, `code` is a gRPC status name such as "FAILED_PRECONDITION".
    body: small, JSON-able facts for the caller, such as times.
    """

    event_id: str
    source: str
    ok: bool
    reason: str = ""
    code: str = "FAILED_PRECONDITION"
    body: Mapping[str, str] | None = None


class Delta(NamedTuple):
    """A change of one counter cell.

    metric: a Metric's name. segment: dimension → value, empty for all.
    window: "PT1M", "PT1H", "P1D" or "ALL"; start: when that window begins (UTC).
    counts: by the metric's field names.
    publish: False keeps the cell for lookups by SQL alone.
    """

    metric: str
    segment: tuple[tuple[str, str], ...]
    window: str
    start: datetime
    counts: Mapping[str, int]
    publish: bool = True


@dataclass(frozen=True, slots=True)
class Metric:
    """What a service counts: the metric's name and its fields, whose order never changes (new ones go last)."""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change(Generic[S, F]):
    """What one batch did to one key: its state now, and the facts that were decided, in order."""

    key: str
    partition: int
    state: S
    facts: tuple[F, ...]


@dataclass(frozen=True)
class InParts(Generic[S]):
    """How a large state is kept in parts, each a row of its own, so that a batch writes only the parts that it changed.

    head: the state without its parts, as msgspec can write it and read it again as `state_type`.
    changed: (before, after) → part's name → its JSON, or None where it is gone; with no before, every part of after.
    join: (head, part's name → JSON) → the state. A state that was stored whole comes with no parts, and is the head.
    """

    head: Callable[[S], S]
    changed: Callable[[S | None, S], Mapping[str, bytes | None]]
    join: Callable[[S, Mapping[str, bytes]], S]


@dataclass(frozen=True)
class Pipeline(Generic[S, E, F]):
    """One consumer: topics in, a pure decision, facts out.

    name: names the consumer group, its offset rows and its facts' source; never changes once deployed.
    topics: co-partitioned topics (the same key is on the same partition number of each).
    state_type, initial: the state of one key, a frozen dataclass that msgspec can write as JSON; `initial(key)` begins it.
    read: an incoming event in the domain's words, or None where it does not concern this pipeline. Raises Unreadable.
    decide: (state, event, now) → (state, facts). Pure. What it raises dead-letters the event.
    write: a fact as what becomes of it: events to publish and answers to commands (none for facts that only the store wants).
    tick, due: (state, now) → (state, facts) when `due(state)` has come.
    enrich: looks up what `decide` needs from other services or a model, for a whole batch at once; never raises, a failed lookup stands in the event.
    project: writes read models in the batch's transaction, from its changes.
    count: the counter changes that follow from a fact.
    parts: how a large state is kept in parts, beside a head; None where it is written whole.
    unhurried: nobody waits for what it decides: its records may gather for BATCH_LINGER_MS before they are fetched.
    """

    name: str
    topics: tuple[str, ...]
    state_type: type[S]
    initial: Callable[[str], S]
    read: Callable[[Incoming], E | None]
    decide: Callable[[S, E, datetime], tuple[S, Sequence[F]]]
    write: Callable[[F], Iterable[Publish | Answer]]
    tick: Callable[[S, datetime], tuple[S, Sequence[F]]] | None = None
    due: Callable[[S], datetime | None] | None = None
    enrich: Callable[[Sequence[E]], Awaitable[Sequence[E]]] | None = None
    project: Callable[[Db, Sequence[Change[S, F]]], Awaitable[None]] | None = None
    count: Callable[[F], Iterable[Delta]] | None = None
    metric: Metric | None = None
    parts: InParts[S] | None = None
    unhurried: bool = False
