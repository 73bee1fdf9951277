"""A broker in memory: topics of partitions, producers that keep order, and a coordinator of consumer groups."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zlib import crc32

from services.runtime.checkpoint import Place
from services.runtime.records import Headers, Outgoing, Record
from tests.simulation.link import Link


@dataclass(frozen=True, slots=True)
class Written:
    """A record on a topic: who wrote it, and when (the loop's seconds)."""

    key: bytes
    value: bytes
    headers: Headers
    by: str
    at: float


def partition_of(key: bytes, partitions: int) -> int:
    """Which partition a key is on."""
    return crc32(key) % partitions


class Bus:
    """Topics and groups. `session_s`, `rebalance_s`: as the broker has them."""

    def __init__(self, topics: Mapping[str, int], session_s: float = 3.0, rebalance_s: float = 6.0) -> None:
        self.logs: dict[Place, list[Written]] = {Place(t, p): [] for t, n in topics.items() for p in range(n)}
        self.partitions = dict(topics)
        self.session_s, self.rebalance_s = session_s, rebalance_s
        self.committed: dict[Place, int] = {}
        self.groups: dict[str, Group] = {}
        self.read_topics: set[str] = set()
        self._waiting: list[asyncio.Future[None]] = []

    def append(self, record: Outgoing, by: str) -> Place:
        place = Place(record.topic, partition_of(record.key, self.partitions[record.topic]))
        now = asyncio.get_running_loop().time()
        self.logs[place].append(Written(record.key, record.value, record.headers, by, now))
        if record.topic in self.read_topics:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if not one.done():
                    one.set_result(None)
        return place

    def news(self) -> "asyncio.Future[None]":
        """Done when something is appended to a topic that a group reads."""
        made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(made)
        return made

    def read(self, place: Place, offset: int, limit: int) -> list[Record]:
        return [
            Record(place.topic, place.partition, offset + n, w.key, w.value, w.headers)
            for n, w in enumerate(self.logs[place][offset : offset + limit])
        ]

    def end(self, place: Place) -> int:
        return len(self.logs[place])

    def group(self, name: str, topics: tuple[str, ...]) -> "Group":
        if name not in self.groups:
            self.groups[name] = Group(self, topics)
            self.read_topics.update(topics)
        return self.groups[name]


class Member:
    """A consumer as the coordinator knows it."""

    def __init__(self, link: Link, instance: str | None, rejoin: Callable[[], None]) -> None:
        self.link = link
        self.instance = instance
        self.rejoin = rejoin  # what is told it when it has to join anew
        self.known = True
        self.closed = False  # it has said good-bye; what it said before and arrives later means nothing
        self.joined: asyncio.Future[set[Place]] | None = None
        self.places: set[Place] = set()


class Group:
    """A consumer group by the eager protocol: all give up what they have, all join anew, all are given their part."""

    def __init__(self, bus: Bus, topics: tuple[str, ...]) -> None:
        self._bus = bus
        self._topics = topics
        self.members: list[Member] = []
        self._rebalancing = 0  # counts rebalances, so that an old deadline means nothing
        self._under_way = False

    def join(self, member: Member, answer: "asyncio.Future[set[Place]]") -> None:
        """A member asks for its part; a new one makes all others give up theirs."""
        if member.closed:
            return
        for old in self.members:
            if member.instance is not None and old.instance == member.instance and old is not member:
                self._replace(old, member)
                break
        member.joined = answer
        if member in self.members and member.known and not self._under_way:
            if member.places:  # static: the part that it had before it went away
                self._give(member)
                return
            self._begin()
        elif member not in self.members:
            member.known = True
            self.members.append(member)
            self._begin()
        self._complete_if_all()

    def _replace(self, old: Member, new: Member) -> None:
        self.members[self.members.index(old)] = new
        old.known, new.known, new.places = False, True, old.places

    def leave(self, member: Member) -> None:
        """A member says good-bye; a static one says nothing, for it may come back."""
        member.closed = True
        if member in self.members:
            if member.instance is not None:
                member.link.later(self._bus.session_s, self._remove_if_there, member)
            else:
                self._remove(member)

    def unheard(self, member: Member) -> None:
        """A member went away, and its good-bye did not arrive: it is out at its session's end."""
        member.closed = True
        member.link.later(self._bus.session_s, self._remove_if_there, member)

    def lost_sight_of(self, member: Member) -> None:
        """No heartbeat: after the session's end the member is out, unless it was heard of again."""
        member.link.later(self._bus.session_s, self._expire, member)

    def _expire(self, member: Member) -> None:
        since = member.link.lost_since()
        if since is not None and asyncio.get_running_loop().time() >= since + self._bus.session_s - 1e-9:
            self._remove_if_there(member)

    def _remove_if_there(self, member: Member) -> None:
        if member in self.members:
            self._remove(member)

    def _remove(self, member: Member) -> None:
        self.members.remove(member)
        member.known = False
        member.places = set()
        member.link.tell(member.rejoin)
        if self.members:
            self._begin()
            self._complete_if_all()
        else:
            self._under_way = False

    def _begin(self) -> None:
        if self._under_way:
            return
        self._under_way = True
        self._rebalancing += 1
        for member in self.members:
            if member.joined is None:
                member.link.tell(member.rejoin)
        if self.members:
            self.members[0].link.later(self._bus.rebalance_s, self._deadline, self._rebalancing)

    def _deadline(self, number: int) -> None:
        if not self._under_way or number != self._rebalancing:
            return
        for member in [m for m in self.members if m.joined is None]:
            self.members.remove(member)
            member.known = False
            member.places = set()
            member.link.tell(member.rejoin)
        self._under_way = bool(self.members)
        self._complete_if_all()

    def _complete_if_all(self) -> None:
        if not self._under_way or not self.members or any(m.joined is None for m in self.members):
            return
        self._under_way = False
        parts: list[set[Place]] = [set() for _ in self.members]
        most = max(self._bus.partitions[t] for t in self._topics)
        for partition in range(most):
            # By range: the same number of all topics goes to the same member.
            at = partition * len(self.members) // most
            parts[at].update(Place(t, partition) for t in self._topics if partition < self._bus.partitions[t])
        for member, places in zip(self.members, parts, strict=True):
            member.places = places
            self._give(member)

    def _give(self, member: Member) -> None:
        answer, member.joined = member.joined, None
        places = set(member.places)
        if answer is not None:
            member.link.later(member.link.delay_s(), lambda: None if answer.done() else answer.set_result(places))
