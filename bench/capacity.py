"""From the cost of an event to clusters: docs/capacity.md, computed from docs/benchmarks.json."""

import math
from dataclasses import dataclass

from bench.report import number, rows
from bench.results import Book, Result

TARGETS = (10_000, 100_000, 1_000_000)
SERVICES = ("sentiment", "router", "nps", "escalation")
# How full a part is run: what is left is for catching up after a crash, for compaction, vacuum and the peaks of a minute.
FULL = 0.5
# What one part is taken to be; change these with the hardware.
BROKER_CORES, POSTGRES_CORES = 8, 16
REPLICAS = 3
BROKER_DISK_MB_S, POSTGRES_WAL_MB_S = 200.0, 150.0
KEPT_DAYS = 7
# A partition is worked by one process, and moving one is the unit of growth: so many for each process that is needed now.
PARTITIONS_PER_PROCESS = 3
# From here on a topic's partitions are themselves a cost: open files, leader elections, rebalances.
MANY_PARTITIONS = 2000


@dataclass(frozen=True)
class Need:
    """What one service needs at a rate of events on its topic."""

    service: str
    processes: int
    partitions: int
    kafka_cores: float
    postgres_cores: float
    kafka_mb_s: float
    wal_mb_s: float
    rows_s: float
    commits_s: float
    memory_gb: float

    @property
    def postgres(self) -> int:
        """Servers: by processor or by the log, whichever is short first; each with a replica of its own beside."""
        return max(
            1, math.ceil(max(self.postgres_cores / (POSTGRES_CORES * FULL), self.wal_mb_s / (POSTGRES_WAL_MB_S * FULL)))
        )


def need(row: Result, per_s: float) -> Need | None:
    """From the measured cost of an event; None where that was not measured."""
    c = row.costs
    if c.own_us is None or c.kafka_us is None or c.postgres_us is None or c.wal_bytes is None:
        return None
    # A process is one core of Python, and it may also be slower than its processor time says: it waits for its answers.
    busy = max(c.own_us / 1e6, 1 / row.events_per_s if row.events_per_s else 0.0)
    processes = max(2, math.ceil(per_s * busy / FULL))  # two, so that one may die
    partitions = max(4, processes * PARTITIONS_PER_PROCESS)
    return Need(
        row.system,
        processes,
        partitions,
        per_s * c.kafka_us / 1e6 * REPLICAS,
        per_s * c.postgres_us / 1e6,
        per_s * (c.bytes_out or 0) / 1e6 * REPLICAS,
        per_s * c.wal_bytes / 1e6,
        per_s * (c.rows or 0),
        per_s * (c.commits or 0),
        processes * (row.rss_mb or 0) / 1000,
    )


def _brokers(needs: list[Need], entry_mb_s: float) -> tuple[int, str]:
    cores = sum(n.kafka_cores for n in needs) / (BROKER_CORES * FULL)
    disk = (sum(n.kafka_mb_s for n in needs) + entry_mb_s * REPLICAS) / (BROKER_DISK_MB_S * FULL)
    return max(3, math.ceil(max(cores, disk))), "processor" if cores >= disk else "disk"


def _first_to_break(per_s: int, needs: list[Need], brokers: int, limit: str) -> tuple[str, str]:
    """What is at its limit first, and what would be changed; from the figures, not from taste."""
    worst = max(needs, key=lambda n: n.processes)
    postgres = max(needs, key=lambda n: n.postgres_cores / POSTGRES_CORES)
    walls = max(needs, key=lambda n: n.wal_mb_s)
    partitions = sum(n.partitions for n in needs)
    if partitions > MANY_PARTITIONS:
        return (
            f"the number of partitions ({partitions:,}), because a process of Python does one core's work: {worst.service} alone "
            f"asks for {worst.processes:,} processes",
            "the decision's hot path out of Python (decode, decide, encode in a compiled extension), or regions with a cluster "
            "each; topics split by area, so that a service no longer reads what does not concern it",
        )
    if postgres.postgres > 1:
        why = (
            "its log"
            if walls.wal_mb_s / POSTGRES_WAL_MB_S > postgres.postgres_cores / POSTGRES_CORES
            else "its processors"
        )
        return (
            f"the Postgres of {postgres.service}: one server's worth is passed by {postgres.postgres}, for {why}",
            "a database for each range of partitions: keys never meet across partitions, so DATABASE_URL by process is all that "
            "changes; states written less often, with the outbox's rows as their log",
        )
    if per_s * worst.processes and worst.processes > 4:
        return (
            f"the processes of {worst.service}: {worst.processes} of them, one core each",
            "more partitions before the day comes (a key's order does not survive adding them later), and more processes",
        )
    return f"nothing: {brokers} brokers are there for safety, not for speed ({limit} first)", "nothing"


def page(book: Book) -> str:
    """docs/capacity.md."""
    measured = [
        r for name in SERVICES if (r := book.find("throughput", name)) is not None and r.costs.own_us is not None
    ]
    parts = [_HEAD]
    if not measured:
        return "\n".join([*parts, "Nothing is measured yet: `make bench`, then `python -m bench --write-docs`.\n"])
    absent = [n for n in SERVICES if n not in {r.system for r in measured}]
    if absent:
        parts.append(f"> Not in these sums, because not measured: {', '.join(absent)}.\n")
    parts += ["## What an event costs\n", _costs(measured), _assumed(), _machines(book, measured)]
    entry = max((r.costs.bytes_in or 0) for r in measured)
    for per_s in TARGETS:
        needs = [n for r in measured if (n := need(r, per_s)) is not None]
        parts.append(_target(per_s, needs, per_s * entry / 1e6))
    parts.append(_FOOT)
    return "\n".join(parts) + "\n"


def _costs(measured: list[Result]) -> str:
    lines = []
    for r in measured:
        c = r.costs
        lines.append(
            [
                r.system,
                number(r.events_per_s),
                *(number(x, ",.1f") for x in (c.own_us, c.kafka_us, c.postgres_us)),
                *(number(x) for x in (c.bytes_in, c.bytes_out, c.wal_bytes)),
                number(c.rows, ".2f"),
                number(r.rss_mb),
            ]
        )
    head = [
        "service",
        "events/s",
        "own µs",
        "Kafka µs",
        "Postgres µs",
        "bytes in",
        "bytes out",
        "WAL bytes",
        "rows",
        "MB",
    ]
    return rows(head, lines)


def _assumed() -> str:
    return (
        f"\nTaken for granted: every part is run half full ({FULL:.0%}); {REPLICAS} replicas, each of which costs the broker "
        f"what the first did; a broker has {BROKER_CORES} cores and {BROKER_DISK_MB_S:.0f} MB/s of disk; a Postgres server "
        f"{POSTGRES_CORES} cores and {POSTGRES_WAL_MB_S:.0f} MB/s of log, and a standby that is not counted here; "
        f"{PARTITIONS_PER_PROCESS} partitions a process, so that growth does not begin with more partitions; events kept for "
        f"{KEPT_DAYS} days. Every service is given the whole rate as events of its own kind, which is more than a real mix gives "
        "it: of what a customer does only a part concerns each service."
    )


def _machines(book: Book, measured: list[Result]) -> str:
    runs = sorted({r.run for r in measured})
    busy = [
        n for n in runs if book.runs.get(n, {}).get("load_average", [0])[0] > book.runs.get(n, {}).get("cores", 1) / 4
    ]
    said = f"\nMeasured in {', '.join(f'`{n}`' for n in runs)}; machines in [benchmarks.md](benchmarks.md)."
    if busy:
        said += " **That machine was not idle: rates are too low here, and processes too many.** Processor time is less touched by it."
    return said + "\n"


def _target(per_s: int, needs: list[Need], entry_mb_s: float) -> str:
    lines = [
        [
            n.service,
            f"{n.processes:,}",
            f"{n.partitions:,}",
            number(n.memory_gb, ",.1f"),
            str(n.postgres),
            *(number(x, ",.1f") for x in (n.postgres_cores, n.wal_mb_s)),
            number(n.rows_s),
            number(n.commits_s),
        ]
        for n in needs
    ]
    brokers, limit = _brokers(needs, entry_mb_s)
    breaks, change = _first_to_break(per_s, needs, brokers, limit)
    kept = (entry_mb_s * REPLICAS + sum(n.kafka_mb_s for n in needs)) * 86_400 * KEPT_DAYS / 1e6
    head = [
        "service",
        "processes",
        "partitions",
        "GB",
        "Postgres servers",
        "Postgres cores",
        "WAL MB/s",
        "rows/s",
        "commits/s",
    ]
    return "\n".join(
        [
            f"## {per_s:,} events a second\n",
            rows(head, lines),
            f"\n- **Brokers:** {brokers} ({limit} decides, or safety: never fewer than three); "
            f"{sum(n.kafka_cores for n in needs):,.1f} cores of Kafka in all, {kept:,.1f} TB kept.",
            f"- **Processes:** {sum(n.processes for n in needs):,} of the services, and as many gateways as twice the rate over what one takes.",
            f"- **Breaks first:** {breaks}.",
            f"- **Would be changed:** {change}.\n",
        ]
    )


_HEAD = """# Capacity

<!-- Written by `python -m bench --write-docs` from benchmarks.json. Don't edit: the text would drift from the figures. -->

How many of what for 10 thousand, 100 thousand and 1 million events a second. Everything here is the measured cost of one
event times a rate: no queueing theory, and no test of a cluster of that size, which a machine with two cores cannot give.
The sums are in `bench/capacity.py`; what it takes for granted stands beside them and is meant to be changed.
"""

_FOOT = """## What these sums cannot know

- **Skew.** A customer's events are one partition's, and a pool has one owner. The hottest partition decides, not the mean: size by
  the hottest partition's share of the rate times the number of partitions.
- **The network.** Loopback costs nothing, and a lookup across machines takes a millisecond that it does not take here.
- **Sync to disk.** Batches wait for one each. Where it takes milliseconds, latency grows by as much, and batches with it; the
  processor's share falls.
- **Postgres's own upkeep.** Vacuum and checkpoints of a database of hundreds of gigabytes are not in a run of minutes: that is what
  half of each part is left free for.
"""
