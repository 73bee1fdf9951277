"""One of Touchline's own services under harm: its process, what was sent to it, and the evidence for the oracle.

All schedules share the topics, the database and the consumer group of a service, as in life; each has customers of its
own, whose names begin with its prefix, and looks at nothing else.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import grpc.aio
from google.protobuf.message import Message
from touchline.metrics.v1 import counter_pb2

from deploy.embedded.services import database
from faults.bed import Bed
from faults.bench import NotSettled
from faults.kafka import Ends, Letter, Record
from faults.process import Process
from services.cli.audit.ledger import ALL_TOPICS, EVENT_TOPICS, FURTHER_TOPICS, METRIC_TOPICS, Evidence, Ledger, build
from services.cli.audit.report import Check
from services.cli.audit.wire import Record as WireRecord
from services.cli.audit.wire import kinds
from services.runtime.topics import COUNTERS

TOUCHPOINTS = "touchpoint.events"
_TYPES = {made.DESCRIPTOR.full_name: name for name, made in kinds().items()}
Cells = dict[tuple[str, int, tuple[tuple[str, str], ...]], dict[str, int]]


def letter(
    message: Message, key: str, event_id: str, *, topic: str = TOUCHPOINTS, source: str = "/faults",
    time: datetime | None = None,
) -> Letter:  # fmt: skip
    """An event on the wire."""
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", _TYPES[message.DESCRIPTOR.full_name].encode()),
        ("ce_time", (time or datetime.now(UTC)).isoformat().encode()),
        ("ce_subject", key.encode()),
        ("content-type", b"application/protobuf"),
    )
    return Letter(topic, key.encode(), message.SerializeToString(), headers)


@dataclass
class Findings:
    """What the topics hold of this schedule: the audit's ledger, and the counters' cells."""

    ledger: Ledger
    cells: Cells


class Service:
    """Use `await Service.on(bed, rng, "nps")`."""

    def __init__(self, bed: Bed, rng: Random, name: str) -> None:
        self.bed, self.rng, self.name = bed, rng, name
        self.prefix = f"x{uuid4().hex[:8]}"
        self.capacity = 10_000
        self.processes: list[Process] = []
        self.begin: Ends = {}
        self.sent: list[Letter] = []

    @classmethod
    async def on(cls, bed: Bed, rng: Random, name: str) -> "Service":
        """From now on."""
        made = cls(bed, rng, name)
        made.begin = await bed.client.ends([t for t in (*ALL_TOPICS, COUNTERS) if t not in METRIC_TOPICS])
        return made

    @classmethod
    async def caught_up(cls, bed: Bed, rng: Random, name: str) -> "Service":
        """The same, once what other kinds sent that the service has not seen is worked off, under names of no concern."""
        before = await cls.on(bed, rng, name)
        process = before.start()
        await before.settled()
        await process.leave()
        return await cls.on(bed, rng, name)

    def start(self, fault: str = "", *, member: str = "0", proxied: bool = False, **env: str) -> Process:
        """Its process. `proxied`: behind the proxies of Kafka and Postgres."""
        told = {"DATABASE_URL": self.bed.dsn(database(self.name), proxied=proxied), **env}
        told |= {"KAFKA_BOOTSTRAP": self.bed.proxied_bootstrap} if proxied else {}
        told |= {"ESCALATION_POLICY": str(self._budget())} if self.name == "escalation" else {}
        told |= {"TOUCHLINE_FAULT": fault} if fault else {}
        told |= {"BATCH_MEMBER": member} if member else {}
        process = self.bed.start(self.name, [f"services.{self.name}.main"], told)
        self.processes.append(process)
        self.bed.tell(f"{self.name} {len(self.processes)}" + (f" with {fault}" if fault else ""))
        return process

    def _budget(self) -> Path:
        """A follow-up policy with a team of this schedule's own; with its usual capacity nobody is displaced."""
        path = self.bed.folder / f"{self.prefix}.toml"
        if not path.exists():
            path.write_text(
                f'version = "faults"\ntimezone = "+00:00"\ndefault = "{self.prefix}"\n'
                f'[teams.{self.prefix}]\ncapacity = {self.capacity}\nkeep = 10000\nshifts = ["00:00"]\n',
                encoding="utf-8",
            )
        return path

    async def send(self, letters: Sequence[Letter]) -> None:
        """Sends them in order."""
        await self.bed.client.send(letters)
        self.sent += letters

    async def settled(self, within_s: float = 75.0) -> None:
        """Until it is healthy with nothing left, twice in a row. Raises NotSettled."""
        limit, calm, last = time.monotonic() + within_s, 0, "no process answers"
        while calm < 2:
            if time.monotonic() > limit:
                raise NotSettled(f"{self.name} has not settled within {within_s:.0f} s: {last}")
            answers = [s for s in await asyncio.gather(*(p.status() for p in self.processes)) if s is not None]
            if answers:
                last = f"lag {answers[-1].lag}, {answers[-1].detail or 'well'}"
            calm = calm + 1 if any(s.healthy and s.lag == 0 for s in answers) else 0
            await asyncio.sleep(0.1)

    async def ask(self, stub: Callable[[Any], Any], method: str, request: Message) -> Any:
        """Asks the process that was started last, over gRPC."""
        async with grpc.aio.insecure_channel(self.processes[-1].address) as channel:
            return await getattr(stub(channel), method)(request, timeout=10)

    async def findings(self, policy: Mapping[str, Any] | None = None, **more: Any) -> Findings:
        """Everything of this schedule that is on the topics now."""
        records = await self.bed.client.since(self.begin)
        ours = {topic: [r for r in records.get(topic, ()) if self._is_ours(r)] for topic in ALL_TOPICS}
        now = int(time.time() * 1_000_000)
        ledger = build(Evidence(journal=None, records=ours, now=now, policy=policy or {}, **more))
        return Findings(ledger, self._cells(records[COUNTERS]))

    def _is_ours(self, record: Record) -> bool:
        return (record.key or b"").startswith(self.prefix.encode())

    def _cells(self, records: Sequence[Record]) -> Cells:
        """Counts by window, start and segment, of segments that are this schedule's own: highest version of each share, summed."""
        latest: dict[tuple[Any, ...], tuple[int, dict[str, int]]] = {}
        for record in records:
            c = counter_pb2.CounterChanged.FromString(record.value or b"")
            segment = tuple(sorted(c.segment.items()))
            if any(value.startswith(self.prefix) for _, value in segment):
                place = (c.window, c.start.seconds, segment, c.share)
                latest[place] = max(latest.get(place, (0, {})), (c.version, dict(c.counts)), key=lambda x: x[0])
        cells: Cells = {}
        for (window, start, segment, _), (_, counts) in latest.items():
            cell = cells.setdefault((window, start, segment), {})
            for field, n in counts.items():
                cell[field] = cell.get(field, 0) + n
        return cells

    def not_on_topic(self, ledger: Ledger) -> list[str]:
        """What was sent and is not there: then the harm was done to us, not to the service."""
        names = {_named(x) for x in self.sent}
        there = {
            _named(r) for topic in (*EVENT_TOPICS, *FURTHER_TOPICS) for r in ledger.evidence.records.get(topic, ())
        }
        return [f"sent, but not on its topic: {name}" for name in sorted(names - there)][:5]


def _named(record: Letter | WireRecord) -> tuple[str, bytes, bytes]:
    told = dict(record.headers)
    return record.topic, told.get("ce_source", b""), told.get("ce_id", b"")


def sums(cells: Cells, window: str) -> dict[tuple[tuple[str, str], ...], dict[str, int]]:
    """Counts by segment over all windows of one length."""
    found: dict[tuple[tuple[str, str], ...], dict[str, int]] = {}
    for (length, _, segment), counts in cells.items():
        if length == window:
            cell = found.setdefault(segment, {})
            for field, n in counts.items():
                cell[field] = cell.get(field, 0) + n
    return found


def told(checks: Sequence[Check]) -> list[str]:
    """The audit's findings in words."""
    lines = []
    for check in checks:
        if not check.ok:
            lines.append(f"{check.name_en}: expected {check.expected}, got {check.got}, {check.found} differences")
            lines += [f"{check.name_en}: {d}" for d in check.differences[:4]]
    return lines
