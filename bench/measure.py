"""The two workloads: as fast as it goes, and at a steady rate."""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
from aiokafka import AIOKafkaProducer

from bench.contender import Bed, Contender
from bench.load import Load, open_loop
from bench.sink import WARM_UP, Sink

RATE = 500.0
# Sent first at the same rate, and not counted.
WARM_S = 1.0


@dataclass
class Result:
    """One row: a system and a workload. None where it does not apply or was not measured."""

    system: str
    workload: str
    settings: str
    events: int = 0
    events_per_s: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    lost: int = 0
    doubled: int = 0
    rss_mb: float | None = None
    cpu_us_per_event: dict[str, float] | None = None
    late_p99_ms: float | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.errors)


@dataclass(frozen=True)
class Sample:
    """How far it was and what it had used: seconds of processor by part."""

    facts: int
    cpu: dict[str, float]


class Meter:
    """Processor time of a contender, of Kafka and of Postgres while it works."""

    def __init__(self, bed: Bed, contender: Contender) -> None:
        self._parts: dict[str, psutil.Process] = {
            name: psutil.Process(child.pid) for name, child in bed.stack.children.items()
        }
        own = contender.process()
        if own is not None:
            self._parts["own"] = own
        self._own = own
        self._samples: list[Sample] = []

    def sample(self, facts: int) -> None:
        cpu = {}
        for name, process in self._parts.items():
            family = [process, *process.children(recursive=True)] if name == "postgres" else [process]
            used = 0.0
            for one in family:
                try:
                    times = one.cpu_times()
                    used += times.user + times.system
                except psutil.NoSuchProcess:
                    continue
            cpu[name] = used
        self._samples.append(Sample(facts, cpu))

    def per_event(self, total: int) -> dict[str, float] | None:
        """Microseconds of processor an event by part, once warm; None where it was over before it could be measured."""
        warm = [s for s in self._samples if s.facts >= total * WARM_UP]
        if len(warm) < 2 or warm[-1].facts - warm[0].facts < total / 3:
            return None
        first, last = warm[0], warm[-1]
        return {
            name: round((used - first.cpu[name]) * 1e6 / (last.facts - first.facts), 1)
            for name, used in last.cpu.items()
        }

    def rss_mb(self) -> float | None:
        return self._own.memory_info().rss / 1e6 if self._own is not None else None


async def until(
    contender: Contender, sink: Sink, wanted: int, within_s: float, told: Callable[[int], None] | None = None
) -> None:
    """Until the sink has as many facts, and the contender nothing left to do. Raises TimeoutError, or what `done` raises."""
    async with asyncio.timeout(within_s):
        while (size := await sink.size()) < wanted:
            if told is not None:
                told(size)
            contender.alive()
            await asyncio.sleep(0.1)
        if told is not None:
            told(size)
        while not await contender.done():  # noqa: ASYNC110, asked over the network
            await asyncio.sleep(0.1)


async def throughput(bed: Bed, contender: Contender, load: Load, sink: Sink, count: int) -> Result:
    """Works off `count` events that lie ready; the contender is started here, and left running."""
    result = Result(contender.name, "throughput", contender.settings, count)
    await contender.start(bed)
    meter = Meter(bed, contender)
    # A contender that does a hundred events a second is broken, not slow.
    await until(contender, sink, count, 60 + count / 100, meter.sample)
    result.cpu_us_per_event = meter.per_event(count)
    result.rss_mb = meter.rss_mb()
    return result


async def latency(bed: Bed, name: str, settings: str, load: Load, sink: Sink, seconds: float) -> Result:
    """Open loop: from each event's scheduled moment to when the fact that it causes is read from the sink."""
    warm, count = int(RATE * WARM_S), int(RATE * seconds)
    events = list(load.events(warm + count))
    waiting: dict[str, deque[tuple[float, int]]] = {}
    took: list[float] = []
    seen = 0

    def told(customer: str, due: float, number: int) -> None:
        waiting.setdefault(customer, deque()).append((due, number))

    async def watch() -> None:
        nonlocal seen
        while seen < len(events):
            for customer in await sink.poll():
                at = time.perf_counter()
                if not waiting.get(customer):
                    continue  # one too many: the facts' judgement will say so
                due, number = waiting[customer].popleft()
                seen += 1
                if number >= warm:
                    took.append(at - due)

    producer = AIOKafkaProducer(bootstrap_servers=bed.bootstrap, acks="all")
    await producer.start()
    await sink.from_now()
    watching = asyncio.create_task(watch())
    # The collector's pauses here are not the contender's.
    gc.collect()
    gc.disable()
    try:
        late = await open_loop(producer, events, RATE, told)
        async with asyncio.timeout(30):
            await watching
    except TimeoutError:
        pass
    finally:
        gc.enable()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await producer.stop()
    result = Result(name, "latency", settings, count, lost=len(events) - seen)
    took.sort()
    result.p50_ms, result.p99_ms, result.p999_ms = (quantile(took, q) for q in (0.5, 0.99, 0.999))
    result.late_p99_ms = quantile(sorted(late), 0.99)
    return result


def quantile(ordered: list[float], q: float) -> float | None:
    """In ms, of seconds in order: the least value that at least the share q does not exceed."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1000, 2)
