"""Steps 2 and 3 of the checkpoint: records become events, events become decisions. No I/O but what is handed in."""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Generic
from uuid import UUID

import msgspec

from services.runtime.checkpoint import Cell, Commit, Saved
from services.runtime.counters import Tally
from services.runtime.errors import Permanent, Unreadable
from services.runtime.letters import about, dead_letter
from services.runtime.pipeline import Answer, Change, Delta, E, F, Pipeline, Publish, S
from services.runtime.records import Incoming, Outgoing, Record, event_name, read, write
from services.runtime.tracing import BatchTrace

log = logging.getLogger(__name__)

# A fact larger than this would not fit Kafka's default of 1 MiB a record with its headers.
LARGEST_FACT = 900_000

# When a key whose tick failed is asked again.
ASK_AGAIN = timedelta(minutes=1)


class Read(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """A record that could be read, and concerns this pipeline; `name` is the event's."""

    record: Record
    incoming: Incoming
    event: E
    name: UUID


class Entry(msgspec.Struct, Generic[S], gc=False):
    """A key's state in memory: as the database has it, or as this batch leaves it."""

    partition: int
    version: int
    state: S


class States(Generic[S]):
    """States of keys that are ours, as they were last decided: a bounded cache of the database, with what is on its
    way there. Thrown away when a place is given up, or a transaction fails.

    bound: keys at most. What is on its way is among the keys that were touched last, and must never be among those
    that are let go: no less than what can be under way at once.
    """

    def __init__(self, pipeline: "Pipeline[S, Any, Any]", bound: int) -> None:
        self._pipeline = pipeline
        self._bound = bound
        self._entries: OrderedDict[str, Entry[S]] = OrderedDict()
        self._unparted: set[str] = set()  # keys of which the database has no parts yet
        self._decoder = msgspec.json.Decoder(pipeline.state_type)

    def missing(self, keys: Iterable[str]) -> list[str]:
        return sorted({k for k in keys if k not in self._entries})

    def fill(self, keys: Iterable[str], saved: dict[str, Saved]) -> None:
        parts = self._pipeline.parts
        for key in keys:
            found = saved.get(key)
            if found is None:
                self._entries[key] = Entry(-1, 0, self._pipeline.initial(key))
            else:
                state = self._decoder.decode(found.body)
                self._entries[key] = Entry(
                    found.partition, found.version, parts.join(state, found.parts) if parts else state
                )
            if parts and (found is None or not found.parts):
                self._unparted.add(key)

    def get(self, key: str) -> Entry[S]:
        self._entries.move_to_end(key)
        return self._entries[key]

    def keep(self, decisions: "Decisions[S, Any]", commit: Commit) -> None:
        """Takes over what a batch decided, for the next batch to decide on top of it, and writes it into its transaction:
        JSON, which an engineer can read in the database, and of a state in parts only those that are not as they were.
        """
        due, parts = self._pipeline.due, self._pipeline.parts
        for key, entry in decisions.entries.items():
            state, body = entry.state, entry.state
            if parts:
                before = None if key in self._unparted else self._entries[key].state
                commit.parts[key] = parts.changed(before, state)
                self._unparted.discard(key)
                body = parts.head(state)
            at = decisions.postponed.get(key) or (due(state) if due else None)
            commit.states[key] = (entry.partition, entry.version, at, msgspec.json.encode(body))
        self._entries.update(decisions.entries)
        while len(self._entries) > self._bound:
            self._unparted.discard(self._entries.popitem(last=False)[0])

    def clear(self) -> None:
        self._entries.clear()
        self._unparted.clear()


@dataclass
class Decisions(Generic[S, F]):
    """All that a batch decided, ready for the transaction."""

    entries: dict[str, Entry[S]] = field(default_factory=dict)
    facts: dict[str, list[F]] = field(default_factory=dict)
    outbox: dict[int, list[Outgoing]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    seen: list[UUID] = field(default_factory=list)
    postponed: dict[str, datetime] = field(default_factory=dict)
    tally: Tally | None = None
    handled: int = 0
    letters: int = 0
    duplicates: int = 0

    def outcomes(self) -> Iterator[tuple[str, int]]:
        """What became of the batch's records, and of how many."""
        for outcome, count in (
            ("handled", self.handled),
            ("duplicate", self.duplicates),
            ("dead_letter", self.letters),
        ):
            if count:
                yield outcome, count

    def changes(self) -> list[Change[S, F]]:
        """What the read models are told."""
        return [Change(key, e.partition, e.state, tuple(self.facts.get(key, ()))) for key, e in self.entries.items()]

    def cells(self) -> list[Cell]:
        return self.tally.cells() if self.tally else []


class Decider(Generic[S, E, F]):
    """Applies one pipeline's pure decision to batches."""

    def __init__(self, pipeline: Pipeline[S, E, F], states: States[S]) -> None:
        self._pipeline = pipeline
        self._states = states
        self._source = f"touchline/{pipeline.name}"

    def begin(self) -> Decisions[S, F]:
        metric = self._pipeline.metric
        return Decisions(tally=Tally(metric) if metric else None)

    def decode(self, records: Sequence[Record], now: datetime, into: Decisions[S, F]) -> list[Read[E]]:
        """Step 2. What can't be read becomes a dead letter; what does not concern this pipeline is passed over."""
        found = []
        for record in records:
            try:
                incoming = read(record, now)
                event = self._pipeline.read(incoming)
            except Unreadable as error:
                self.refuse(record, error, into)
                continue
            except Exception as error:  # ours to mend, but no record may stop those behind it
                with about(record.headers):
                    log.error("a record could not be decoded: %s", type(error).__name__)
                self.refuse(record, error, into)
                continue
            if event is not None:
                found.append(Read(record, incoming, event, event_name(incoming.source, incoming.event_id)))
        return found

    def refuse(self, record: Record, error: Exception, into: Decisions[S, F]) -> None:
        """Makes a dead letter of one record."""
        into.letters += 1
        into.outbox.setdefault(record.partition, []).append(dead_letter(record, error, self._pipeline.name))

    def decide(self, reads: Sequence[Read[E]], now: datetime, into: Decisions[S, F], trace: BatchTrace) -> None:
        """Step 3. What can't be decided becomes a dead letter, alone: a state changes only where its decision succeeds."""
        for r in reads:
            incoming, partition = r.incoming, r.record.partition
            entry = into.entries.get(incoming.key) or self._states.get(incoming.key)
            try:
                state, facts = self._pipeline.decide(entry.state, r.event, now)
                prepared = [list(self._pipeline.write(fact)) for fact in facts]
                deltas = self._deltas(facts)
            except Exception as error:
                with about(r.record.headers):
                    log.exception("an event could not be decided", extra={"fields": {"event_type": incoming.type}})
                self.refuse(r.record, error, into)
                continue
            cause = (("ce_causesource", incoming.source.encode()), ("ce_causeid", incoming.event_id.encode()))
            traceparent = trace.carried(r.name) if trace.active else ""
            self._take(
                incoming.key, partition, entry, state, facts, prepared, deltas, into, r.name.hex, cause, traceparent
            )
            into.seen.append(r.name)
            into.handled += 1

    def tick(self, keys: Sequence[str], now: datetime, into: Decisions[S, F]) -> None:
        """Decides what time alone brings. A fact's id follows from the state's version, for there is no event to name."""
        assert self._pipeline.tick is not None
        for key in keys:
            entry = self._states.get(key)
            try:
                state, facts = self._pipeline.tick(entry.state, now)
                prepared = [list(self._pipeline.write(fact)) for fact in facts]
                deltas = self._deltas(facts)
            except Exception as error:  # ours to mend, but one key may not hold up the others: it is asked again later
                self.postpone(key, error, now, into)
                continue
            named = blake2b(f"tick\0{key}\0{entry.version}".encode(), digest_size=16).hexdigest()
            self._take(key, entry.partition, entry, state, facts, prepared, deltas, into, named, (), "")

    def postpone(self, key: str, error: Exception, now: datetime, into: Decisions[S, F]) -> None:
        """Leaves a key as it is, to be asked again later."""
        log.error("a key could not be decided by time alone: %s", type(error).__name__)
        entry = self._states.get(key)
        into.entries[key] = Entry(entry.partition, entry.version + 1, entry.state)
        into.postponed[key] = now + ASK_AGAIN

    def _deltas(self, facts: Sequence[F]) -> Sequence[Delta]:
        """What the counters change by."""
        count = self._pipeline.count
        return [delta for fact in facts for delta in count(fact)] if count is not None else ()

    def _take(
        self,
        key: str,
        partition: int,
        before: Entry[S],
        state: S,
        facts: Sequence[F],
        prepared: Sequence[Sequence[Publish | Answer]],
        deltas: Sequence[Delta],
        into: Decisions[S, F],
        name: str,
        cause: tuple[tuple[str, bytes], ...],
        traceparent: str,
    ) -> None:
        """Takes one decision into the batch. `name` is the cause's: the facts' ids follow from it, whoever decides."""
        if state is not before.state or facts:
            known = into.entries.get(key)
            into.entries[key] = Entry(partition, known.version if known else before.version + 1, state)
        if self._pipeline.project is not None:
            into.facts.setdefault(key, []).extend(facts)
        number = 0
        for effects in prepared:
            for effect in effects:
                if isinstance(effect, Answer):
                    into.answers.append(effect)
                    continue
                out = into.outbox.get(partition)
                if out is None:
                    out = into.outbox[partition] = []
                out.append(_outgoing(effect, f"{name}-{number}", self._source, cause, traceparent))
                number += 1
        if into.tally is not None:
            for delta in deltas:
                into.tally.add(delta, partition, traceparent)


def _outgoing(
    effect: Publish, fact_id: str, source: str, cause: tuple[tuple[str, bytes], ...], traceparent: str
) -> Outgoing:
    record = write(
        effect.message,
        event_id=fact_id,
        source=source,
        subject=effect.subject,
        time=effect.time,
        traceparent=traceparent,
        extensions=cause,
    )
    if len(record.value) > LARGEST_FACT:
        raise Permanent(f"the fact would have {len(record.value)} bytes; at most {LARGEST_FACT} fit a record")
    return record
