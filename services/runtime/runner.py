"""The one path: poll, decode, decide, transact, publish, commit. Every service's events go this way and no other."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from opentelemetry.metrics import CallbackOptions, Observation

from services.runtime import faults, signals
from services.runtime.batch import Decider, Decisions, Read, States, encode
from services.runtime.checkpoint import FORGET_AT_ONCE, Claim, Commit, Place, Store, Unsent
from services.runtime.clock import Clock
from services.runtime.counters import counter_record, totals
from services.runtime.errors import Fenced, Misconfigured, Permanent, Transient
from services.runtime.patience import backoff
from services.runtime.pipeline import E, F, Pipeline, S
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing, Record
from services.runtime.relay import publish_one_by_one, traced
from services.runtime.settings import BatchSettings
from services.runtime.signals import Span
from services.runtime.source import Source
from services.runtime.telemetry import meters
from services.runtime.tracing import BatchTrace

log = logging.getLogger(__name__)

T = TypeVar("T")

TELL_GROUP_EVERY_S = 0.5
FORGET_EVERY_S = 60.0


class GivenUp(Exception):
    """The places are being taken from us: the batch under way is left to their next owner."""


class Runner(Generic[S, E, F]):
    """Runs one pipeline in this process, for whatever partitions the group gives it.

    The checkpoint, for each batch:

    1. Poll up to `max_records` records over all owned places.
    2. Decode. A record that can't be read becomes a dead letter.
    3. Decide: drop duplicates, look up what is needed, load states, and apply the pure decision.
    4. One transaction: compare-and-set of each place's offset (a former owner fails here), names of events, states,
       counters, read models, the outbox.
    5. Publish the outbox, until every replica in sync has acknowledged it.
    6. Commit the group's offsets, now and then, for the tools that show lag. The truth is the checkpoint's row.

    A crash after 4 leaves the outbox to the places' next owner, who publishes it before anything else.
    """

    def __init__(
        self,
        pipeline: Pipeline[S, E, F],
        source: Source,
        store: Store,
        publisher: Publisher,
        clock: Clock,
        settings: BatchSettings,
    ) -> None:
        self.pipeline = pipeline
        self._source = source
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._settings = settings
        self._states: States[S] = States(pipeline, settings.cached_keys)
        self._decider = Decider(pipeline, self._states)
        self._owned: dict[Place, Claim] = {}
        self._acknowledged: list[int] = []
        self._working = asyncio.Lock()
        self._giving_up = asyncio.Event()
        self._stopping = asyncio.Event()
        self._label = {"pipeline": pipeline.name}
        self._behind = (0, 0)
        self._next_telling = 0.0
        self.trouble = "starting"
        made = meters()
        self._events = made.counter(signals.EVENTS)
        self._facts = made.counter(signals.FACTS)
        self._counts = made.up_down(signals.COUNTS)
        self._seconds = made.histogram(signals.BATCH_SECONDS)
        self._retries = made.counter(signals.RETRIES)
        self._rebalances = made.counter(signals.REBALANCES)

    def stop(self) -> None:
        """Asks the loop to end after the batch under way."""
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`. Raises Fenced when another owner has taken over, for the caller to join the group anew."""
        await self._source.start(self._give_up)
        next_tick = next_flush = next_forget = 0.0
        try:
            while not self._stopping.is_set():
                if not self._owned:
                    self._giving_up.clear()  # the batch that outlasted the drain is over
                assigned = self._source.assigned()
                if assigned:
                    async with self._working:
                        with contextlib.suppress(GivenUp):
                            await self._patiently(partial(self._take_over, assigned))
                try:
                    # Step 1. Poll.
                    records = await self._source.poll(self._settings.max_records, self._settings.poll_ms)
                except Transient as error:
                    await self._wait(error, 0.5)
                    continue
                async with self._working:
                    with contextlib.suppress(GivenUp):
                        records = [r for r in records if Place(r.topic, r.partition) in self._owned]
                        if records:
                            await self._handle(records)
                        now = time.monotonic()
                        if self._owned and not records and now >= self._next_telling:
                            await self._tell_group()
                        if self._owned and now >= next_tick:
                            next_tick = now + self._settings.tick_every.total_seconds()
                            await self._tick()
                        if self._owned and now >= next_flush:
                            next_flush = now + self._settings.flush_every.total_seconds()
                            await self._flush()
                        if self._owned and now >= next_forget:
                            gone = await self._patiently(
                                partial(self._store.forget, self._clock() - self._settings.seen_for)
                            )
                            next_forget = now + (FORGET_EVERY_S if gone < FORGET_AT_ONCE else 0)
        finally:
            async with self._working:
                await self._leave()
            await self._source.stop()

    # -- places ---------------------------------------------------------------------------------------------------

    async def _take_over(self, places: set[Place]) -> None:
        """Claims places, publishes what their last owner left unpublished, and reads on from the checkpoint."""
        bounds = await self._source.bounds(places)
        claims = await self._store.claim({place: first for place, (first, _) in bounds.items()})
        unsent = await self._store.unsent({p.partition for p in places})
        await self._publish(unsent)
        for place, claim in claims.items():
            first, end = bounds[place]
            if claim.next_offset > end:
                raise Misconfigured(
                    f"{self.pipeline.name}: {place.topic}/{place.partition} ends at {end}, before our checkpoint "
                    f"{claim.next_offset}: the topic was made anew or truncated; see docs/runbook.md"
                )
            if claim.next_offset < first:
                log.error(
                    "the broker no longer keeps events that were not yet read",
                    extra={
                        "fields": {
                            "topic": place.topic,
                            "partition": place.partition,
                            "events": first - claim.next_offset,
                        }
                    },
                )
            self._owned[place] = claim
            self._source.seek(place, max(first, claim.next_offset))
        self._rebalances.add(1, self._label)
        self.trouble = ""

    async def _give_up(self) -> None:
        """Before places are taken from us: lets the batch under way end, in bounded time, and forgets everything."""
        self._giving_up.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                async with self._working:
                    await self._leave()
                    self._giving_up.clear()
        self._owned.clear()
        self._states.clear()

    async def _leave(self) -> None:
        """Clears rows of the outbox that Kafka has acknowledged, so that the next owner need not publish them again."""
        if self._owned and self._acknowledged:
            with contextlib.suppress(Transient, Fenced):
                await self._store.commit(self._commit_of(self._owned, self._clock()))
        self._owned.clear()
        self._states.clear()
        self._acknowledged.clear()

    # -- the checkpoint -------------------------------------------------------------------------------------------

    async def _handle(self, records: Sequence[Record]) -> None:
        """Brings a batch to stand. One that cannot be stored is halved until the record at fault is alone: a dead letter."""
        began = time.monotonic()
        try:
            await self._patiently(partial(self._checkpoint, records))
        except Permanent as error:
            self._states.clear()
            if len(records) > 1:
                middle = len(records) // 2
                await self._handle(records[:middle])
                await self._handle(records[middle:])
            else:
                await self._patiently(partial(self._checkpoint, records, error))
        self._seconds.record(time.monotonic() - began, self._label)

    async def _checkpoint(self, records: Sequence[Record], refused: Permanent | None = None) -> None:
        trace = BatchTrace(self.pipeline.name, len(records))
        now = self._clock()
        made = self._decider.begin()
        if refused is not None:
            self._decider.refuse(records[0], refused, made)
            reads: list[Read[E]] = []
        else:
            # Step 2. Decode.
            reads = self._decider.decode(records, now, made)
        faults.reach("decoded")
        # Step 3. Decide.
        fresh = await self._fresh(reads, made)
        for r in fresh:
            trace.begin(r.record, r.incoming, r.name)
        fresh = await self._enriched(fresh, trace)
        await self._fill(r.incoming.key for r in fresh)
        with trace.phase(Span.DECIDE):
            self._decider.decide(fresh, now, made, trace)
        faults.reach("decided")
        # Step 4. One transaction.
        moves = _moves(self._owned, records)
        commit = self._commit_of(moves, now, made)
        with trace.phase(Span.TRANSACT, {signals.Attribute.DB_SYSTEM: "postgresql"}):
            rows = await self._store.commit(commit)
        self._stands(commit, made)
        faults.reach("transacted")
        # Step 5. Publish.
        began = time.time_ns()
        unsent = [Unsent(row, tuple(out)) for row, out in zip(rows, commit.outbox.values(), strict=True)]
        await self._until_published(unsent)
        trace.sent(traced(unsent), began)
        trace.end()
        faults.reach("published")
        # Step 6. Commit the group's offsets: now and then, for whoever looks at them looks no more often.
        if time.monotonic() >= self._next_telling:
            await self._tell_group()
        faults.reach("committed")
        for outcome, count in (
            ("handled", made.handled),
            ("duplicate", made.duplicates),
            ("dead_letter", made.letters),
        ):
            if count:
                self._events.add(count, {**self._label, "outcome": outcome})

    async def _tell_group(self) -> None:
        self._next_telling = time.monotonic() + TELL_GROUP_EVERY_S
        await self._source.commit({place: claim.next_offset for place, claim in self._owned.items()})

    async def _fresh(self, reads: Sequence[Read[E]], made: Decisions[S, F]) -> list[Read[E]]:
        """Without the events that took effect before, here or in an earlier batch."""
        if not reads:
            return []
        known = await self._store.seen([r.name for r in reads])
        fresh = []
        for r in reads:
            if r.name in known:
                made.duplicates += 1
            else:
                known.add(r.name)
                fresh.append(r)
        return fresh

    async def _enriched(self, fresh: list[Read[E]], trace: BatchTrace) -> list[Read[E]]:
        if self.pipeline.enrich is None or not fresh:
            return fresh
        with trace.phase(Span.LOOK_UP):
            events = await self.pipeline.enrich([r.event for r in fresh])
        return [Read(r.record, r.incoming, event, r.name) for r, event in zip(fresh, events, strict=True)]

    async def _fill(self, keys: Iterable[str]) -> None:
        missing = self._states.missing(keys)
        if missing:
            self._states.fill(missing, await self._store.load(missing))
            if not self._owned:
                raise GivenUp  # a drain that took too long has emptied the states meanwhile

    def _commit_of(
        self, moves: Mapping[Place, Claim | tuple[Claim, int]], now: datetime, made: Decisions[S, F] | None = None
    ) -> Commit:
        """The transaction of a batch; or of a batch without records, which moves no offset but is fenced all the same."""
        commit = Commit({p: m if isinstance(m, tuple) else (m, m.next_offset) for p, m in moves.items()}, now)
        commit.done = list(self._acknowledged)
        if made is None:
            return commit
        commit.seen = made.seen
        due = self.pipeline.due
        commit.states = {
            key: (e.partition, e.version, made.postponed.get(key) or (due(e.state) if due else None), encode(e.state))
            for key, e in made.entries.items()
        }
        commit.cells = made.cells()
        commit.answers = made.answers
        commit.outbox = {partition: out for partition, out in made.outbox.items() if out}
        project, changes = self.pipeline.project, made.changes()
        if project is not None and changes:
            commit.project = lambda db: project(db, changes)
        return commit

    def _stands(self, commit: Commit, made: Decisions[S, F] | None = None) -> None:
        """The transaction is committed: what it says is now true in memory as well."""
        del self._acknowledged[: len(commit.done)]
        for place, (claim, offset) in commit.moves.items():
            if place in self._owned:
                self._owned[place] = Claim(offset, claim.epoch)
        if made is not None and self._owned:
            self._states.keep(made.entries)
        if self.pipeline.metric is not None:
            for field, count in totals(commit.cells, self.pipeline.metric).items():
                self._counts.add(count, {"metric": self.pipeline.metric.name, "field": field})

    # -- without records ------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """A batch without records: decides what is due by the clock."""
        if self.pipeline.tick is None:
            return
        await self._patiently(self._tick_once)

    async def _tick_once(self) -> None:
        now = self._clock()
        keys = await self._store.due({p.partition for p in self._owned}, now, self._settings.max_records)
        if not keys:
            return
        await self._fill(keys)
        made = self._decider.begin()
        self._decider.tick(keys, now, made)
        await self._commit_without_records(self._commit_of(self._owned, now, made), made)

    async def _flush(self) -> None:
        """A batch without records: publishes the counters that changed, and clears the outbox's acknowledged rows."""
        await self._patiently(self._flush_once)

    async def _flush_once(self) -> None:
        metric = self.pipeline.metric
        dirty = []
        if metric is not None:
            dirty = await self._store.dirty({p.partition for p in self._owned}, self._settings.flush_cells)
        if not dirty and not self._acknowledged:
            return
        commit = self._commit_of(self._owned, self._clock())
        if metric is not None:
            commit.sent = dirty
            for cell in dirty:
                commit.outbox.setdefault(cell.partition, []).append(
                    counter_record(self.pipeline.name, metric, cell, commit.now)
                )
        await self._commit_without_records(commit, None)

    async def _commit_without_records(self, commit: Commit, made: Decisions[S, F] | None) -> None:
        rows = await self._store.commit(commit)
        self._stands(commit, made)
        faults.reach("ticked")
        await self._until_published(
            [Unsent(row, tuple(out)) for row, out in zip(rows, commit.outbox.values(), strict=True)]
        )

    # -- publishing, and patience ---------------------------------------------------------------------------------

    async def _publish(self, unsent: Sequence[Unsent]) -> None:
        records: list[Outgoing] = [r for u in unsent for r in u.records]
        if records:
            try:
                await self._publisher.publish(records)
            except Permanent:
                await publish_one_by_one(self._publisher, records, self.pipeline.name)
            self._facts.add(len(records), self._label)
        self._acknowledged.extend(u.row for u in unsent)

    async def _until_published(self, unsent: Sequence[Unsent]) -> None:
        """The transaction stands, so that nothing may be decided before this is out: only publishing is tried again."""
        waits = backoff()
        while True:
            try:
                await self._publish(unsent)
                return
            except Transient as error:
                self._leave_if_asked()
                await self._wait(error, next(waits))

    async def _patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Tries until it succeeds, is refused for good, or the places are taken from us."""
        waits = backoff()
        while True:
            try:
                result = await action()
                self.trouble = ""
                return result
            except Transient as error:
                self._states.clear()
                self._leave_if_asked()
                await self._wait(error, next(waits))

    def _leave_if_asked(self) -> None:
        if self._giving_up.is_set() or self._stopping.is_set():
            raise GivenUp

    async def _wait(self, error: Transient, seconds: float) -> None:
        self.trouble = str(error)
        self._retries.add(1, {**self._label, "error": type(error).__name__})
        log.warning("waiting: %s", error, extra={"fields": self._label})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    # -- how far behind -------------------------------------------------------------------------------------------

    async def behind(self) -> tuple[int, int]:
        """(records not yet consumed, what is decided and not yet published), of the whole group, asked anew."""
        ends, (places, backlog) = await asyncio.gather(self._source.ends(), self._store.behind())
        unclaimed = await self._source.bounds(place for place in ends if place not in places)
        lag = sum(max(0, end - (places[p] if p in places else unclaimed[p][0])) for p, end in ends.items())
        self._behind = (lag, backlog)
        return lag, backlog

    def observe_lag(self, _: CallbackOptions) -> list[Observation]:
        return [Observation(self._behind[0], self._label)]

    def observe_backlog(self, _: CallbackOptions) -> list[Observation]:
        return [Observation(self._behind[1], self._label)]


def _moves(owned: Mapping[Place, Claim], records: Sequence[Record]) -> dict[Place, tuple[Claim, int]]:
    """Where each place of the batch goes: past its last record."""
    moves: dict[Place, tuple[Claim, int]] = {}
    for r in records:
        place = Place(r.topic, r.partition)
        if place not in owned:
            raise GivenUp
        moves[place] = (owned[place], r.offset + 1)
    return moves
