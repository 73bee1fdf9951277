"""The Source and the Publisher in memory: what a process holds of the bus."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence

from services.runtime.checkpoint import Place
from services.runtime.errors import Permanent, Transient
from services.runtime.records import Outgoing, Record
from services.runtime.source import Revoked
from tests.simulation.bus import Bus, Group, Member, partition_of
from tests.simulation.link import Link

LARGEST = 1_000_000
# A fact about this key is one that Kafka refuses for good, as a broker with a smaller limit would.
UNWELCOME = b"unwelcome"


class MemorySource:
    """The Source on the bus. Like a real consumer it goes on reading what it was given until it hears otherwise."""

    def __init__(self, bus: Bus, link: Link, group: str, topics: tuple[str, ...], instance: str | None = None) -> None:
        self.bus, self.link = bus, link
        self._group: Group = bus.group(group, topics)
        self._topics = topics
        self._instance = instance
        self._assigned: set[Place] | None = None
        self._given: set[Place] = set()
        self._positions: dict[Place, int] = {}
        self._anew = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._member = Member(link, instance, self._anew.set)
        self.revoke_failed: BaseException | None = None

    async def start(self, revoked: Revoked) -> None:
        await self.link.call("connect", lambda: None)
        self._tasks.append(self.link.spawn(self._belong(revoked)))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._positions.clear()
        try:
            await self.link.call("leave", lambda: self._group.leave(self._member))
        except Transient:
            self._group.unheard(self._member)

    async def _belong(self, revoked: Revoked) -> None:
        """Joins, and joins anew whenever the group says so; before that, all is given up."""
        while True:
            await self._join()
            await self._anew.wait()
            self._anew.clear()
            self._assigned = None
            try:
                await revoked()
            except Exception as error:  # a client tells its log, and goes on
                self.revoke_failed = error
            self._given.clear()
            self._positions.clear()
            if not self._member.known:
                self._member = Member(self.link, self._instance, self._anew.set)

    async def _join(self) -> None:
        loop = asyncio.get_running_loop()
        member = self._member
        while True:
            answer: asyncio.Future[set[Place]] = loop.create_future()
            try:
                await self.link.call("join", lambda answer=answer: self._group.join(member, answer))  # type: ignore[misc]
                break
            except Transient:
                await asyncio.sleep(0.3)
        places = await answer
        self._given = set(places)
        self._positions.clear()
        self._assigned = set(places)

    def lost(self) -> None:
        """The broker hears nothing of this process any more."""
        self._group.lost_sight_of(self._member)

    def assigned(self) -> set[Place] | None:
        taken, self._assigned = self._assigned, None
        return taken

    async def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        wanted = sorted(places, key=lambda p: (p.topic, p.partition))
        if not wanted:
            return {}
        return await self.link.call("bounds", lambda: {p: (0, self.bus.end(p)) for p in wanted})

    async def ends(self) -> dict[Place, int]:
        wanted = [Place(t, p) for t in self._topics for p in range(self.bus.partitions[t])]
        return await self.link.call("ends", lambda: {p: self.bus.end(p) for p in wanted})

    def seek(self, place: Place, offset: int) -> None:
        if place in self._given:
            self._positions[place] = offset

    async def poll(self, limit: int, timeout_ms: int) -> list[Record]:
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_ms / 1000
        while True:
            if not self.link.kafka_is_reachable():
                await asyncio.sleep(max(0.0, until - loop.time()))
                return []
            if any(self.bus.end(place) > at for place, at in self._positions.items()):
                records = self._taken(await self.link.call("poll", lambda: self._fetch(limit)))
                if records:
                    return records
            if loop.time() >= until:
                return []
            await self._news(until - loop.time())

    def _taken(self, found: Iterable[Record]) -> list[Record]:
        """Without what was fetched for a place that was given up, or sought anew, meanwhile."""
        records = []
        for r in found:
            place = Place(r.topic, r.partition)
            if self._positions.get(place) == r.offset:
                self._positions[place] = r.offset + 1
                records.append(r)
        return records

    async def _news(self, within_s: float) -> None:
        news = self.bus.news()
        timer = asyncio.get_running_loop().call_later(within_s, lambda: None if news.done() else news.set_result(None))
        try:
            await news
        finally:
            timer.cancel()

    def _fetch(self, limit: int) -> list[Record]:
        found: list[Record] = []
        for place in self.link.shuffled(sorted(self._positions, key=lambda p: (p.topic, p.partition))):
            found += self.bus.read(place, self._positions[place], limit - len(found))
            if len(found) >= limit:
                break
        return found

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        told = dict(offsets)
        with contextlib.suppress(Transient):
            await self.link.call("offsets", lambda: self.bus.committed.update(told))

    def committed(self, place: Place) -> int:
        """The group's committed offset: for tools, and for the test that shows why it is not the truth."""
        return self.bus.committed.get(place, 0)


class MemoryPublisher:
    """The Publisher on the bus: order by partition is kept, whatever is published after what."""

    def __init__(self, bus: Bus, link: Link) -> None:
        self.bus, self.link = bus, link
        self._free: dict[Place, float] = {}  # by partition, when the line to it is free
        self._started = False

    async def start(self) -> None:
        await self.link.call("connect", lambda: None)
        self._started = True

    async def stop(self) -> None:
        self._started = False

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if not self._started:
            raise Transient("Kafka is away: not connected")
        await self.send(records)

    async def send(self, records: Sequence[Outgoing]) -> None:
        for r in records:
            if len(r.value) > LARGEST or (r.key.startswith(UNWELCOME) and not r.topic.endswith(".dlq")):
                raise Permanent("the record is larger than Kafka takes")
        lines: dict[Place, list[Outgoing]] = {}
        for r in records:
            place = Place(r.topic, partition_of(r.key, self.bus.partitions[r.topic]))
            lines.setdefault(place, []).append(r)
        await self.link.deliver(lines, self.bus.append, self._line)

    def _line(self, place: Place, wanted_s: float) -> float:
        """When the next chunk for a partition arrives: never before an earlier one of the same producer."""
        at = max(self._free.get(place, 0.0) + 1e-6, wanted_s)
        self._free[place] = at
        return at
