"""What a contender costs the machine: processor by part, memory, bytes, rows."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from bench.contender import Bed
from bench.results import Costs
from bench.sink import WARM_UP

_SQL = """SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, sum(xact_commit)::bigint,
                 sum(tup_inserted + tup_updated + tup_deleted)::bigint,
                 sum(CASE WHEN datname LIKE 'touchline%' THEN pg_database_size(datname) ELSE 0 END)::bigint
          FROM pg_stat_database WHERE datname IS NOT NULL"""
# Postgres's backends tell their statistics a second after they fall idle.
_TOLD_AFTER_S = 1.3


@dataclass(frozen=True)
class Sample:
    """How far it was, when, and what it had used: seconds of processor by part."""

    at: float
    done: int
    cpu: dict[str, float]


@dataclass(frozen=True)
class Totals:
    """What was written so far: Kafka's logs by topic, Postgres's log, commits, rows and files."""

    topics: dict[str, int]
    wal: int
    commits: int
    rows: int
    disk: int


async def totals(bed: Bed) -> Totals:
    """What Kafka and Postgres have written."""
    topics = await asyncio.to_thread(_logs, bed.stack.layout.data)
    db = await asyncpg.connect(bed.stack.postgres.dsn("postgres"))
    try:
        wal, commits, rows, disk = await db.fetchrow(_SQL)
    finally:
        await db.close()
    return Totals(topics, wal, commits, rows, disk)


def _logs(data: Path) -> dict[str, int]:
    """Bytes of Kafka's logs by topic, replicas added up; topics that are being deleted are left out."""
    topics: dict[str, int] = {}
    for folder in data.glob("kafka*/logs"):
        for place in os.listdir(folder):  # noqa: PTH208, names are what is needed
            topic, _, partition = place.rpartition("-")
            if partition.isdigit():
                # Listed, not globbed: folders vanish meanwhile.
                with suppress(OSError):
                    size = sum(f.stat().st_size for f in os.scandir(folder / place) if f.name.endswith(".log"))
                    topics[topic] = topics.get(topic, 0) + size
    return topics


Parts = dict[str, list[psutil.Process]]


def shared(bed: Bed) -> Parts:
    """The processes of Kafka and Postgres, by part."""
    parts: Parts = {"kafka": [], "postgres": []}
    for name, child in bed.stack.children.items():
        parts.setdefault(name.partition("-")[0], []).append(psutil.Process(child.pid))
    return parts


def processor(parts: Parts) -> dict[str, float]:
    """Seconds of processor that each part has used so far, with all that its processes started."""
    found = {}
    for name, processes in parts.items():
        used = 0.0
        for process in processes:
            family = [process]
            with suppress(psutil.NoSuchProcess):
                family += process.children(recursive=True)
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    times = one.cpu_times()
                    used += times.user + times.system
        found[name] = used
    return found


class Meter:
    """Watches processes from their start to the end of a workload."""

    def __init__(self, bed: Bed, own: Sequence[psutil.Process | None]) -> None:
        self._own = [p for p in own if p is not None]
        self._parts: Parts = {"own": self._own, **shared(bed)}
        self.samples: list[Sample] = []
        self.rss_mb: float | None = None

    def sample(self, done: int) -> None:
        cpu = processor(self._parts)
        with suppress(psutil.NoSuchProcess):
            rss = sum(p.memory_info().rss for p in self._own) / 1e6
            self.rss_mb = round(max(self.rss_mb or 0.0, rss), 1) if self._own else None
        self.samples.append(Sample(time.perf_counter(), done, cpu))

    def steady(self, total: int) -> tuple[Sample, Sample] | None:
        """The first and last sample of the steady part; None where it was over before it could be measured."""
        warm = [s for s in self.samples if s.done >= total * WARM_UP]
        end = next((s for s in warm if s.done >= total), warm[-1] if warm else None)
        if end is None or end.done - warm[0].done < total / 3:
            return None
        return warm[0], end

    def rate(self, total: int) -> float | None:
        """Events a second in the steady part."""
        found = self.steady(total)
        return (found[1].done - found[0].done) / (found[1].at - found[0].at) if found else None

    def into(self, costs: Costs, total: int) -> None:
        """Microseconds of processor an event in the steady part, by part."""
        found = self.steady(total)
        if found:
            first, last = found
            for part in ("own", "kafka", "postgres"):
                used = (last.cpu[part] - first.cpu[part]) * 1e6 / (last.done - first.done)
                setattr(costs, f"{part}_us", round(used, 1))


async def written(bed: Bed, before: Totals, source: str, costs: Costs, count: int) -> None:
    """Bytes and rows an event over the whole workload."""
    await asyncio.sleep(_TOLD_AFTER_S)
    after = await totals(bed)
    grown = {t: size - before.topics.get(t, 0) for t, size in after.topics.items()}
    costs.bytes_in = round(after.topics.get(source, 0) / count, 1)
    costs.bytes_out = round(sum(max(0, g) for t, g in grown.items() if t != source) / count, 1)
    costs.wal_bytes = round((after.wal - before.wal) / count, 1)
    costs.rows = round((after.rows - before.rows) / count, 3)
    costs.commits = round((after.commits - before.commits) / count, 5)
    costs.disk_bytes = round((after.disk - before.disk) / count, 1)
