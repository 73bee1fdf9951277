"""Partitions of other processes' groups, held and not read: who answers lookups has nothing else to do meanwhile, as on a machine of its own."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Collection

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.fresh import PARTITIONS

_WITHIN_S = 60.0


class _Member(threading.Thread):
    """A member that reads nothing. As many as there are partitions, by names that sort before the others': by range they get them all."""

    def __init__(self, bootstrap: str, group: str, topics: list[str], number: int) -> None:
        super().__init__(name=f"hold-{group}-{number}", daemon=True)
        self.held: set[tuple[str, int]] = set()
        self._ended = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "group.instance.id": f"!{number}",
                "partition.assignment.strategy": "range",
                "enable.auto.commit": False,
                "session.timeout.ms": 6000,
            }
        )
        self._consumer.subscribe(topics, on_assign=self._given, on_revoke=self._taken)

    def run(self) -> None:
        while not self._ended.is_set():
            self._consumer.poll(0.2)
        self._consumer.close()

    def end(self) -> None:
        """Leaves the group within a session's time."""
        self._ended.set()

    def _given(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.assign([])
        self.held = {(p.topic, p.partition) for p in places}

    def _taken(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        consumer.unassign()
        self.held = set()


@contextlib.asynccontextmanager
async def held(bootstrap: str, services: Collection[str]) -> AsyncIterator[None]:
    """While inside, none of the services' pipelines has a partition. Raises TimeoutError where they don't let go."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    groups = {g: topics for g, topics in (await _groups(admin)).items() if g.partition(".")[0] in services}
    members = [_Member(bootstrap, g, topics, n) for g, topics in groups.items() for n in range(PARTITIONS)]
    wanted = sum(map(len, groups.values())) * PARTITIONS
    try:
        for member in members:
            member.start()
        async with asyncio.timeout(_WITHIN_S):
            while sum(len(m.held) for m in members) < wanted:  # noqa: ASYNC110, told by threads
                await asyncio.sleep(0.2)
        yield
    finally:
        for member in members:
            member.end()
        await asyncio.gather(*(asyncio.to_thread(m.join, _WITHIN_S) for m in members if m.is_alive()))


async def _groups(admin: AdminClient) -> dict[str, list[str]]:
    """The groups and the topics that each has."""
    listed = await asyncio.wrap_future(admin.list_consumer_groups())
    names = [g.group_id for g in listed.valid]
    found = {}
    for name, asked in admin.describe_consumer_groups(names).items():
        described = await asyncio.wrap_future(asked)
        found[name] = sorted({p.topic for m in described.members for p in m.assignment.topic_partitions})
    return {name: topics for name, topics in found.items() if topics}
