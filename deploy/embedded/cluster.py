"""How many brokers a data folder has, and how they stand to each other."""

import asyncio
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.kafka import Broker, new_cluster_id
from deploy.embedded.layout import LOOPBACK, Layout
from deploy.embedded.process import StartError

SIZES = (1, 3)
PARTS = ("kafka", "kafka-2", "kafka-3")
# Enough for a cluster that is only there to be broken: three of them on one machine.
HEAP_MB = 256
# The last of a quorum to be asked can't end in an orderly way: nobody is left to hand its partitions to.
GRACE_S = 6.0


def port_names(count: int) -> list[str]:
    """The names under which the brokers' ports are kept."""
    return [name for part in PARTS[:count] for name in (part, f"{part}.controller")]


def made_with(layout: Layout) -> int | None:
    """How many brokers the folder's storage was formatted for; None where it was not."""
    storage = layout.data / "kafka"
    if not (storage / "logs" / "meta.properties").exists():
        return None
    voters = re.search(r"^controller\.quorum\.voters=(.*)$", (storage / "server.properties").read_text(), re.MULTILINE)
    return voters[1].count("@") if voters else 1


def settle(layout: Layout, wanted: int | None) -> int:
    """The number of brokers to start: as wanted, else as the folder was made with, else one.

    Raises StartError where the folder was made with another number, ValueError where it is neither one nor three.
    """
    if wanted is not None and wanted not in SIZES:
        raise ValueError(f"brokers: {wanted} is neither 1 nor 3")
    made = made_with(layout)
    if made is not None and wanted not in (None, made):
        raise StartError(
            f"kafka: {layout.data} was made with {made} broker(s), not {wanted}: their number can't be changed afterwards"
        )
    return made or wanted or 1


def brokers(layout: Layout, ports: dict[str, int], count: int) -> tuple[Broker, ...]:
    """The nodes of a data folder. Three hold three replicas of everything, two of which must be in sync for a write."""
    first = Broker(layout.data / "kafka", layout.logs / "kafka.log", ports["kafka"], ports["kafka.controller"])
    if count == 1:
        return (first,)
    voters = ",".join(f"{n}@{LOOPBACK}:{ports[f'{part}.controller']}" for n, part in enumerate(PARTS, 1))
    cluster = _cluster_id(layout) or new_cluster_id()
    return tuple(
        Broker(
            data=layout.data / part,
            log=layout.logs / f"{part}.log",
            port=ports[part],
            controller_port=ports[f"{part}.controller"],
            node_id=n,
            voters=voters,
            cluster=cluster,
            replication=3,
            in_sync=2,
            heap_mb=HEAP_MB,
            grace_s=GRACE_S,
        )
        for n, part in enumerate(PARTS, 1)
    )


def _cluster_id(layout: Layout) -> str:
    """The id that a broker of the folder was formatted with; one whose storage was wiped must get the same again."""
    for part in PARTS:
        meta: Path = layout.data / part / "logs" / "meta.properties"
        if meta.exists() and (found := re.search(r"^cluster\.id=(\S+)$", meta.read_text(), re.MULTILINE)):
            return found[1]
    return ""


@dataclass(frozen=True, slots=True)
class Replicas:
    """One partition: the id of its leader (-1: none), the brokers that hold it, and those of them that are in sync."""

    topic: str
    partition: int
    leader: int
    holders: frozenset[int]
    in_sync: frozenset[int]


async def replicas(bootstrap: str, topics: Collection[str] = (), limit_s: float = 5.0) -> list[Replicas]:
    """How the partitions of the topics stand (none named: all topics), asked now. Raises OSError where no broker answers."""
    return await asyncio.to_thread(_replicas, bootstrap, frozenset(topics), limit_s)


def _replicas(bootstrap: str, topics: frozenset[str], limit_s: float) -> list[Replicas]:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    # A broker that is away is what we are here to look at: nothing to be logged.
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 500})
    try:
        found = admin.list_topics(timeout=limit_s)
    except KafkaException as error:
        raise OSError(f"no broker answers at {bootstrap}: {error}") from None
    return [
        Replicas(name, number, p.leader, frozenset(p.replicas), frozenset(p.isrs))
        for name, topic in found.topics.items()
        if not topics or name in topics
        for number, p in sorted(topic.partitions.items())
    ]


async def until_in_sync(bootstrap: str, topics: Collection[str] = (), within_s: float = 60.0) -> float:
    """Waits until every holder of every partition is in sync and each has a leader; gives the seconds it took.

    Raises TimeoutError, naming how many partitions are not.
    """
    loop = asyncio.get_running_loop()
    began, behind = loop.time(), -1
    while loop.time() - began < within_s:
        try:
            found = await replicas(bootstrap, topics)
            behind = sum(r.leader < 0 or r.in_sync != r.holders for r in found)
            if found and not behind:
                return loop.time() - began
        except OSError:
            behind = -1
        await asyncio.sleep(0.2)
    raise TimeoutError(f"kafka: {behind if behind >= 0 else 'all'} partitions not in sync after {within_s:.0f} s")
