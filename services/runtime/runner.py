"""The one path: poll, decode, decide, transact, publish, commit. Every service's events go this way and no other."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar
from uuid import UUID

from services.runtime import faults, signals
from services.runtime.batch import Decider, Decisions, Read, States
from services.runtime.checkpoint import FORGET_AT_ONCE, Claim, Commit, Place, Store, Unsent
from services.runtime.clock import Clock
from services.runtime.counters import counter_record
from services.runtime.errors import Conflict, Fenced, Misconfigured, Permanent, Transient
from services.runtime.flights import IN_FLIGHT, ONE_BY_ONE, SMALL, Flight, Flights, Passed, moves
from services.runtime.gauges import Gauges
from services.runtime.lag import Lag
from services.runtime.patience import GivenUp, Patience
from services.runtime.pipeline import E, F, Pipeline, S
from services.runtime.publisher import Publisher
from services.runtime.recent import Recent
from services.runtime.records import Record
from services.runtime.relay import Relay, traced
from services.runtime.settings import BatchSettings
from services.runtime.signals import Span
from services.runtime.source import Source
from services.runtime.tracing import BatchTrace

log = logging.getLogger(__name__)

TELL_GROUP_EVERY_S = 0.5
FORGET_EVERY_S = 60.0

T = TypeVar("T")
Act = Callable[[Sequence[T], Permanent | None], Awaitable[None]]


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

    Batches overlap: while one is in step 4 and the one before it in step 5, the next is decided on top of both. Each step
    takes the batches in their order. Whatever fails, all that is not yet transacted is dropped, and what stands in the
    database is where it begins again: then one batch at a time, asking the store for duplicates that memory may not know,
    and halving a batch that is refused until the record at fault is alone.

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
        self._clock = clock
        self._settings = settings
        self._states: States[S] = States(pipeline, max(settings.cached_keys, (IN_FLIGHT + 2) * settings.max_records))
        self._recent: Recent[UUID] = Recent(settings.recent_names)
        self._decider = Decider(pipeline, self._states)
        self._owned: dict[Place, Claim] = {}  # as the database has it
        self._ahead: dict[Place, Claim] = {}  # as it will be once all that is under way is transacted
        self._flights: Flights[S, F] = Flights()
        self._passed = Passed()
        self._one_by_one = 0  # records yet to be handled with care
        self._working = asyncio.Lock()
        self._patience = Patience(pipeline.name)
        self._relay = Relay(pipeline.name, publisher, self._patience)
        self._gauges = Gauges(pipeline)
        self.lag = Lag(pipeline.name, source, store)
        self._next_telling = 0.0
        self._troubled = False  # something was begun anew in this round

    @property
    def trouble(self) -> str:
        """What it waits for; empty where all is well."""
        return self._patience.trouble

    def stop(self) -> None:
        """Asks the loop to end after the batches under way."""
        self._patience.stopping.set()

    async def run(self) -> None:
        """Until `stop`. Raises Fenced when another owner has taken over, for the caller to join the group anew."""
        await self._source.start(self._give_up)
        next_tick = next_flush = next_forget = 0.0
        now = asyncio.get_running_loop().time
        try:
            while not self._patience.stopping.is_set():
                if not self._owned:
                    self._patience.giving_up.clear()  # the batch that outlasted the drain is over
                await self._heed_group()
                try:
                    # Step 1. Poll.
                    records = await self._source.poll(self._settings.max_records, self._settings.poll_ms)
                except Transient as error:
                    await self._patience.wait(error, 0.5)
                    continue
                async with self._working:
                    with contextlib.suppress(GivenUp):
                        if self._owned:
                            await self._surely(partial(self._handle, records))
                        if self._owned and not records and now() >= self._next_telling:
                            await self._tell_group()
                        if self._owned and now() >= next_tick:
                            next_tick = now() + self._settings.tick_every.total_seconds()
                            self._troubled = False
                            await self._surely(self._tick)
                            if not (self._troubled or self._flights):
                                self._patience.calm()  # also where nothing comes that would tell
                        if self._owned and now() >= next_flush:
                            next_flush = now() + self._settings.flush_every.total_seconds()
                            await self._surely(self._flush)
                        if self._owned and now() >= next_forget:
                            gone = await self._patience.until(
                                partial(self._store.forget, self._clock() - self._settings.seen_for)
                            )
                            next_forget = now() + (FORGET_EVERY_S if gone < FORGET_AT_ONCE else 0)
        except asyncio.CancelledError:
            self._flights.cancel()  # nobody waits for them any more
            raise
        finally:
            async with self._working:
                await self._leave()
            await self._source.stop()

    # -- places ---------------------------------------------------------------------------------------------------

    async def _heed_group(self) -> None:
        """Takes over what the group has given us since, if it has said anything."""
        assigned = self._source.assigned()
        if assigned:
            async with self._working:
                with contextlib.suppress(GivenUp):
                    await self._patience.until(partial(self._take_over, assigned))
        elif assigned is not None and not self._owned:
            self._patience.calm()  # a spare: the group knows it, and has nothing for it

    async def _take_over(self, places: set[Place]) -> None:
        """Claims places that the group has given us."""
        bounds = await self._source.bounds(places)
        claims = await self._store.claim({place: first for place, (first, _) in bounds.items()})
        await self._begin(claims, bounds)
        self._gauges.assigned()
        self._patience.calm()

    async def _begin(self, claims: Mapping[Place, Claim], bounds: Mapping[Place, tuple[int, int]]) -> None:
        """Publishes what a crash or a failure left unpublished, and reads on from the checkpoint."""
        self._passed.clear()
        unsent = await self._store.unsent({p.partition for p in claims})
        await self._relay.publish([u for u in unsent if u.row not in self._relay.acknowledged])
        self._patience.leave_if_asked()
        for place, claim in claims.items():
            first, end = bounds[place]
            if claim.next_offset > end:  # perhaps its last owner was at work until we claimed it
                first, end = (await self._source.bounds([place]))[place]
            if claim.next_offset > end:
                raise Misconfigured(
                    f"{self.pipeline.name}: {place.topic}/{place.partition} ends at {end}, before our checkpoint "
                    f"{claim.next_offset}: the topic was made anew or truncated; see docs/runbook.md"
                )
            if claim.next_offset < first:
                self._gauges.lost(place, first - claim.next_offset)
                self._passed.note({place: (claim, first)})  # told once, and not by whoever takes over next
            self._owned[place] = self._ahead[place] = claim
            self._source.seek(place, max(first, claim.next_offset))

    async def _start_over(self, error: Transient | Permanent) -> None:
        """After a failure: begins again at what stands in the database, which nothing else can tell for sure."""
        if isinstance(error, Permanent):
            log.warning(
                "a batch is refused, and sorted out record by record: %s", error, extra={"fields": self._gauges.label}
            )
        self._troubled = True
        await self._flights.abandon()
        self._forget_all()
        self._passed.clear()
        self._one_by_one = ONE_BY_ONE * self._settings.max_records
        if isinstance(error, Transient) and not isinstance(error, Conflict):
            self._patience.leave_if_asked()
            await self._patience.wait(error)
        if self._owned:
            await self._patience.until(self._begin_again)

    async def _begin_again(self) -> None:
        held = dict(self._owned)
        bounds = await self._source.bounds(held)
        claims = await self._store.reclaim(held)
        if self._owned:  # else the places were taken from us meanwhile
            self._owned.update(claims)  # for the next attempt, should this one fail
            await self._begin(claims, bounds)

    def _forget_all(self) -> None:
        self._states.clear()
        self._recent.clear()

    def _drop_all(self) -> None:
        self._owned.clear()
        self._ahead.clear()
        self._passed.clear()
        self._forget_all()

    async def _give_up(self) -> None:
        """Before places are taken from us: lets what is under way end, in bounded time, and forgets everything."""
        self._patience.giving_up.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                async with self._working:
                    await self._leave()
                    self._patience.giving_up.clear()
        self._flights.cancel()
        self._drop_all()

    async def _leave(self) -> None:
        """Lets what is under way end, and clears rows of the outbox that Kafka has acknowledged: nobody need publish them again."""
        with contextlib.suppress(Transient, Permanent, Fenced, GivenUp):
            await self._flights.settle()
        await self._flights.abandon()
        if self._owned and self._relay.acknowledged:
            with contextlib.suppress(Transient, Fenced):
                await self._transact(Commit({p: (c, c.next_offset) for p, c in self._owned.items()}, self._clock()))
        self._drop_all()
        self._relay.acknowledged.clear()

    # -- the checkpoint -------------------------------------------------------------------------------------------

    async def _surely(self, action: Callable[[], Awaitable[None]]) -> None:
        """Does it, or begins again from what stands. What Permanent a batch meets is sorted out one record at a time."""
        try:
            await action()
        except (Transient, Permanent) as error:
            if isinstance(error, Misconfigured):
                raise
            await self._start_over(error)

    async def _handle(self, records: Sequence[Record]) -> None:
        """Brings a batch on its way. What failed of those before it is raised here."""
        self._flights.reap()
        ours = {(p.topic, p.partition) for p in self._owned}
        records = [r for r in records if (r.topic, r.partition) in ours]
        if not records:
            if self._passed:
                await self._send(self._flight(dict(self._ahead), self._clock(), self._decider.begin()))
        elif self._one_by_one > 0:
            await self._flights.settle()
            await self._alone(records)
            self._one_by_one -= len(records)
        elif (flight := await self._decide(records)) is not None:
            await self._send(flight)
            if flight.size * SMALL < self._settings.max_records:
                await self._flights.settle()

    async def _send(self, flight: Flight[S, F]) -> None:
        await self._flights.room(1 if self._one_by_one > 0 else IN_FLIGHT)
        if not self._owned:
            raise GivenUp  # a drain that took too long has dropped what this one was decided on
        if self._one_by_one > 0:
            await self._carry(flight, None)
        else:
            self._flights.launch(flight, self._carry)

    async def _alone(self, records: Sequence[Record]) -> None:
        """A batch with no other under way. The record at fault of one that is refused becomes a dead letter."""

        async def carry(some: Sequence[Record], refused: Permanent | None = None) -> None:
            if (flight := await self._decide(some, refused)) is not None:
                await self._carry(flight, None)

        await self._halved(records, carry)

    async def _halved(self, items: Sequence[T], act: Act[T]) -> None:
        """Acts on all at once. What is refused is halved until the one at fault is alone, which is acted on with the refusal."""
        try:
            await act(items, None)
        except Permanent as error:
            self._forget_all()
            self._ahead.update(self._owned)
            if len(items) < 2:
                await act(items, error)
                return
            middle = len(items) // 2
            await self._halved(items[:middle], act)
            await self._halved(items[middle:], act)

    async def _decide(self, records: Sequence[Record], refused: Permanent | None = None) -> Flight[S, F] | None:
        """Steps 2 and 3, on top of what is under way. None for a batch from which nothing follows: it is passed over."""
        trace = BatchTrace(self.pipeline.name, len(records))
        now, began = self._clock(), asyncio.get_running_loop().time()
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
        if not fresh and not made.outbox:
            self._passed.note(moves(self._ahead, records))
            self._gauges.took(asyncio.get_running_loop().time() - began)
            self._gauges.handled(made)
            return None
        fresh = await self._known(fresh, trace)
        with trace.phase(Span.DECIDE):
            self._decider.decide(fresh, now, made, trace)
        faults.reach("decided")
        return self._flight(moves(self._ahead, records), now, made, trace, len(records))

    async def _carry(self, flight: Flight[S, F], before: Flight[S, F] | None) -> None:
        """Steps 4 to 6, each after the batch before."""
        # Step 4. One transaction.
        if before is not None:
            await before.after(before.transacted)
        with flight.trace.phase(Span.TRANSACT, {signals.Attribute.DB_SYSTEM: "postgresql"}):
            rows = await self._transact(flight.commit)
        flight.transacted.set()
        faults.reach("transacted" if flight.size else "ticked")
        # Step 5. Publish.
        if before is not None:
            await before.after(before.published)
        began = time.time_ns()
        unsent = [Unsent(row, tuple(out)) for row, out in zip(rows, flight.commit.outbox.values(), strict=True)]
        await self._relay.until_published(unsent)
        if flight.trace.active:
            flight.trace.sent(traced(unsent), began)
        flight.trace.end()
        flight.published.set()
        self._patience.calm()
        if not flight.size:
            return
        faults.reach("published")
        # Step 6. Commit the group's offsets: now and then, for whoever looks at them looks no more often.
        if asyncio.get_running_loop().time() >= self._next_telling:
            await self._tell_group()
        faults.reach("committed")
        self._gauges.took(asyncio.get_running_loop().time() - flight.began)
        self._gauges.handled(flight.made)

    async def _transact(self, commit: Commit) -> list[int]:
        """The transaction; once it stands, what it says is true in memory as well."""
        if not commit.moves:
            raise GivenUp  # nothing would fence it
        commit.done = list(self._relay.acknowledged)
        rows = await self._store.commit(commit)
        del self._relay.acknowledged[: len(commit.done)]
        for place, (claim, offset) in commit.moves.items():
            if place in self._owned:
                self._owned[place] = Claim(offset, claim.epoch)
        self._gauges.counted(commit.cells)
        return rows

    async def _tell_group(self) -> None:
        self._next_telling = asyncio.get_running_loop().time() + TELL_GROUP_EVERY_S
        await self._source.commit({place: claim.next_offset for place, claim in self._owned.items()})

    async def _fresh(self, reads: Sequence[Read[E]], made: Decisions[S, F]) -> list[Read[E]]:
        """Without the events that took effect before, here or in an earlier batch.

        Memory knows most duplicates, and the transaction the rest: it refuses a batch that holds one (Conflict), and
        only then is the store asked before.
        """
        known = self._recent.known(r.name for r in reads)
        if self._one_by_one > 0 and reads:
            known |= await self._store.seen([r.name for r in reads])
        fresh = []
        for r in reads:
            if r.name in known:
                made.duplicates += 1
            else:
                known.add(r.name)
                fresh.append(r)
        return fresh

    async def _known(self, fresh: list[Read[E]], trace: BatchTrace) -> list[Read[E]]:
        """With what is looked up elsewhere, while their states are loaded."""
        filling = self._fill(r.incoming.key for r in fresh)
        if self.pipeline.enrich is None or not fresh:
            await filling
            return fresh
        enriching = self.pipeline.enrich([r.event for r in fresh])
        with trace.phase(Span.LOOK_UP):
            events, _ = await asyncio.gather(enriching, filling)
        if not self._owned:
            raise GivenUp  # a drain that took too long has emptied the states meanwhile
        return [Read(r.record, r.incoming, event, r.name) for r, event in zip(fresh, events, strict=True)]

    async def _fill(self, keys: Iterable[str]) -> None:
        missing = self._states.missing(keys)
        if missing:
            self._states.fill(missing, await self._store.load(missing, parts=self.pipeline.parts is not None))
            if not self._owned:
                raise GivenUp  # a drain that took too long has emptied the states meanwhile

    def _flight(
        self,
        moves: Mapping[Place, Claim | tuple[Claim, int]],
        now: datetime,
        made: Decisions[S, F],
        trace: BatchTrace | None = None,
        size: int = 0,
    ) -> Flight[S, F]:
        """A batch that is decided. One without records moves no offset, but is fenced all the same."""
        told = {p: m if isinstance(m, tuple) else (m, m.next_offset) for p, m in moves.items()}
        commit = Commit({p: (claim, self._passed.beyond(p, offset)) for p, (claim, offset) in told.items()}, now)
        commit.seen = made.seen
        commit.cells = made.cells()
        commit.answers = made.answers
        commit.outbox = made.outbox
        project, changes = self.pipeline.project, made.changes()
        if project is not None and changes:
            commit.project = lambda db: project(db, changes)
        # From here on the next batch is decided on top of this one.
        for place, (claim, offset) in commit.moves.items():
            self._ahead[place] = Claim(offset, claim.epoch)
        self._states.keep(made, commit)
        self._recent.add(made.seen)
        return Flight(commit, made, trace or BatchTrace(self.pipeline.name, 0), size, asyncio.get_running_loop().time())

    # -- without records ------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """A batch without records: decides what is due by the clock."""
        if self.pipeline.tick is None or self.pipeline.due is None:
            return
        now = self._clock()
        keys = await self._store.due({p.partition for p in self._owned}, now, self._settings.max_records)
        await self._fill(keys)
        # What is under way may have decided anew when a key is due.
        due = [(key, self.pipeline.due(self._states.get(key).state)) for key in keys]
        ripe = [key for key, at in due if at is not None and at <= now]
        if self._one_by_one > 0:
            await self._flights.settle()
            await self._tick_alone(ripe, now)
        else:
            await self._tick_all(ripe, now)

    async def _tick_all(self, keys: Sequence[str], now: datetime, refused: Permanent | None = None) -> None:
        await self._fill(keys)
        made = self._decider.begin()
        if refused is None:
            self._decider.tick(keys, now, made)
        else:
            self._decider.postpone(keys[0], refused, now, made)
        if made.entries:
            await self._send(self._flight(dict(self._ahead), now, made))

    async def _tick_alone(self, keys: Sequence[str], now: datetime) -> None:
        """As `_alone`: of keys that are refused the one at fault is put off, and holds up no other."""

        async def decide(some: Sequence[str], refused: Permanent | None = None) -> None:
            try:
                await self._tick_all(some, now, refused)
            except Permanent as again:
                if refused is None:
                    raise
                raise Transient("a key that is refused cannot be put off either") from again

        await self._halved(keys, decide)

    async def _flush(self) -> None:
        """A batch without records: publishes the counters that changed, and clears the outbox's acknowledged rows."""
        metric = self.pipeline.metric
        dirty = []
        if metric is not None:
            dirty = await self._store.dirty({p.partition for p in self._owned}, self._settings.flush_cells)
        if not dirty and not self._passed and (self._flights or not self._relay.acknowledged):
            return
        flight = self._flight(dict(self._ahead), self._clock(), self._decider.begin())
        flight.commit.sent = dirty
        for cell in dirty:
            assert metric is not None
            record = counter_record(self.pipeline.name, metric, cell, flight.commit.now)
            flight.commit.outbox.setdefault(cell.partition, []).append(record)
        await self._send(flight)
