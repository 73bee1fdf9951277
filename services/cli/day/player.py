"""Plays a day against a running Touchline, in a closed loop: what people do next depends on what the router decides."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.cli.day.crew import Called, Crew, Errand
from services.cli.day.desk import Desk, fact_of, notice_of, told_of
from services.cli.day.door import Door
from services.cli.day.grievances import PLANTED
from services.cli.day.journal import Journal
from services.cli.day.model import Day, Unreadable
from services.cli.day.world import Command, Send, Stayed, World
from services.runtime.clock import clock_from
from services.runtime.errors import Transient
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing
from services.runtime.settings import KafkaSettings
from services.runtime.tail import tail
from services.runtime.topics import ESCALATION_FLAGGED, OUTREACH_EVENTS, ROUTING_DECIDED

LARGEST_BATCH = 400
STEP_S = 0.05
# Simulated time after closing at which the play ends even though somebody is still waiting.
OVERTIME = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the running Touchline is. clock: its TOUCHLINE_CLOCK, empty for the wall clock."""

    gateway_url: str
    api_key: str
    bootstrap: str
    router: str
    escalation: str
    clock: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the play is. share: of the day's window, 0 to 1. behind: events that are due and not yet sent.

    planned: what people have yet to do, such as answering surveys. follow_ups: those that are not over.
    """

    now: datetime
    share: float
    counts: dict[str, int]
    open_contacts: int
    waiting: int
    behind: int
    finished: bool
    planned: int = 0
    follow_ups: int = 0


class Player:
    """One play of one day. `run` returns when everybody is served or gone; all that was sent is in the journal."""

    def __init__(
        self, day: Day, target: Target, journal: Journal, show: Callable[[Progress], None] | None = None
    ) -> None:
        self.day = day
        self.world = World(day)
        self.crew = Crew(day.seed)
        self.journal = journal
        self._clock = clock_from(target.clock)
        self._kafka = KafkaSettings(bootstrap=target.bootstrap)
        self._door = Door(target.gateway_url, target.api_key)
        self._desk = Desk(target.router, target.escalation, journal, self._clock)
        self._publisher = Publisher(self._kafka)
        self._outbound: asyncio.Queue[Send] = asyncio.Queue()
        self._calls: set[asyncio.Task[None]] = set()
        self._listening = asyncio.Event()
        self._show = show or (lambda _: None)
        self._pace = float(target.clock.rpartition(":")[2] or 1)

    def now(self) -> float:
        """The simulated time in seconds after the day's midnight."""
        return (self._clock() - self.day.midnight).total_seconds()

    def progress(self) -> Progress:
        """How far the play is."""
        window, world = self.day.window, self.world
        share = (self.now() - window.start) / (window.end - window.start)
        return Progress(self._clock(), min(1.0, max(0.0, share)), dict(self.journal.counts), world.open_contacts, world.waiting,
                        self._outbound.qsize(), self._finished, world.planned, self.crew.open)  # fmt: skip

    @property
    def _finished(self) -> bool:
        return self.world.finished and not self.crew.open

    async def reached(self, share: float) -> None:
        """Returns once that share of the day's window is played."""
        moment = self.day.window.at(share)
        await asyncio.sleep(max(0.0, moment - self.now()) / self._pace)

    async def run(self) -> Progress:
        """Plays to the end, or three simulated hours past closing. Raises DoorError or Transient where the system is away for good."""
        await self._publisher.start()
        helpers = [asyncio.create_task(self._listen()), asyncio.create_task(self._deliver())]
        live = asyncio.create_task(self._live())
        try:
            # A helper that fails ends the play: without it the rest would wait for ever.
            await asyncio.wait({live, *helpers}, return_when=asyncio.FIRST_COMPLETED)
            for task in (*helpers, live):
                if task.done():
                    task.result()
            await self._outbound.join()
            if self._calls:
                await asyncio.wait(self._calls, timeout=30)
        finally:
            pending = [live, *helpers, *self._calls]
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            await self._publisher.stop()
            await self._desk.close()
            self._door.close()
            self.journal.flush()
        return self.progress()

    async def _live(self) -> None:
        await asyncio.wait_for(self._listening.wait(), 60)
        limit = self.day.window.end + OVERTIME.total_seconds()
        if any(plan.doubt is not None for plan in self.day.contacts):
            self.journal.note(self._clock(), planted=PLANTED)
        while not (self._finished and self._outbound.empty()) and self.now() < limit:
            for action in self.world.step(self.now()):
                if isinstance(action, Send):
                    self._outbound.put_nowait(action)
                elif isinstance(action, Command):
                    self._start(self._desk.call(action))
                elif isinstance(action, Stayed):
                    self.journal.note(
                        self._clock(), stayed=action.customer_id, moved_by=action.moved_by, contact=action.contact_id
                    )
                else:
                    self._start(self._smuggle(action))
            for deed in self.crew.step(self.now()):
                if isinstance(deed, Called):
                    self.world.reached(deed.customer_id, "follow_up")
                else:
                    self._start(self._run(deed))
            self._show(self.progress())
            await asyncio.sleep(STEP_S)

    def _start(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _deliver(self) -> None:
        """Sends what is due, one batch after the other."""
        while True:
            batch = [await self._outbound.get()]
            while len(batch) < LARGEST_BATCH and not self._outbound.empty():
                batch.append(self._outbound.get_nowait())
            sent_at = self._clock()
            refusals = await self._door.send([s.event for s in batch])
            for i, sent in enumerate(batch):
                self.journal.event(sent_at, sent.event, repeat=sent.repeat, refusal=refusals.get(i))
                self._outbound.task_done()
            self.journal.flush()

    async def _smuggle(self, record: Unreadable) -> None:
        """Puts a bad record on Kafka exactly once as far as the player can tell, and says so."""
        try:
            await self._publisher.publish([Outgoing(record.topic, record.key, record.value, record.headers)])
        except Transient as error:
            # Whether it was written is not known: the journal must not claim either.
            self.journal.note(self._clock(), failed="unreadable record", reason=str(error))
            return
        self.journal.unreadable(self._clock(), record)

    async def _run(self, errand: Errand) -> None:
        """What somebody who follows up asks of the service, and what they hear."""
        ok = await self._desk.run(errand)
        self.crew.answered(errand, ok, self.now())

    async def _listen(self) -> None:
        """Tells the people what the services decide."""
        async for records in tail(self._kafka, [ROUTING_DECIDED, ESCALATION_FLAGGED, OUTREACH_EVENTS], from_start=True):
            self._listening.set()
            for record in records:
                if (fact := fact_of(record)) is not None:
                    self.world.observe(fact, self.now())
                elif (notice := notice_of(record, self.day.midnight)) is not None:
                    self.crew.observe(notice, self.now())
                elif (customer := told_of(record)) is not None:
                    self.world.reached(customer, "outreach")
