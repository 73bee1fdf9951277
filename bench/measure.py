"""The two workloads that every contender is put to: as fast as it goes, and at a steady rate."""

import asyncio
import gc
import time
from collections.abc import Sequence

from bench.contender import Bed, Contender
from bench.load import Fact, Load, Sender, Sent, open_loop
from bench.meter import Meter, totals, written
from bench.results import Result
from bench.sink import Sink, Told, judge, rate

RATE = 500.0
# Sent first at the same rate, and not counted.
WARM_S = 2.0
# How long facts may be under way after the last event was sent.
LATEST_S = 30.0


async def until_done(contender: Contender, sink: Sink, meter: Meter | None, events: int, facts: int) -> list[Told]:
    """Until the sink has as many facts and the contender nothing left to do. Gives the facts.

    Raises TimeoutError, or RuntimeError where it has ended.
    """
    # A contender that does a hundred events a second is broken, not slow.
    async with asyncio.timeout(60 + events / 100):
        while True:
            contender.alive()
            if contender.by_lag:
                behind = await contender.behind()
                done = max(0, events - behind) if behind is not None else 0
            else:
                done = await sink.size()
            if meter is not None:
                meter.sample(done)
            if done >= (events if contender.by_lag else facts):
                break
            await asyncio.sleep(0.25 if contender.by_lag else 0.1)
        told = await sink.all()
        while contender.one_to_one and len(told) < facts:
            await asyncio.sleep(0.2)
            contender.alive()
            told = await sink.all()
        while (await contender.behind()) not in (None, 0):  # noqa: ASYNC110, asked over the network
            await asyncio.sleep(0.1)
    return told


async def throughput(bed: Bed, contender: Contender, load: Load, sink: Sink, events: int, facts: int) -> Result:
    """Works off what lies ready; the contender is started here, and left running."""
    result = Result(contender.name, "throughput", contender.settings, events)
    before = await totals(bed)
    await contender.start(bed)
    meter = Meter(bed, [contender.process()])
    try:
        told = await until_done(contender, sink, meter, events, facts)
    except TimeoutError:
        result.errors.append("did not end in time")
        told = await sink.all()
    meter.into(result.costs, events if contender.by_lag else facts)
    result.rss_mb = meter.rss_mb
    found = meter.rate(events) if contender.by_lag else rate(told)
    result.events_per_s = round(found, 1) if found else None
    verdict(result, contender, told, load)
    await written(bed, before, contender.source, result.costs, events)
    return result


def verdict(result: Result, contender: Contender, told: Sequence[Told], load: Load) -> None:
    """What of the facts is wrong, where they can be foretold."""
    if contender.one_to_one:
        found = judge(told, load.sent)
        result.lost, result.doubled = found.lost, found.doubled


async def latency(
    bed: Bed,
    name: str,
    settings: str,
    load: Load,
    sink: Sink,
    seconds: float,
    expected: bool = True,
    *,
    rate: float = RATE,
    counted: dict[Fact, float] | None = None,
) -> Result:
    """Open loop: from each event's scheduled moment to when the fact that it causes is read from the sink.

    expected: False where it can't be foretold which events cause a fact: then those that came are what is measured.
    rate: events a second. counted: is filled with the scheduled moment of each event that is counted and causes a fact.
    """
    warm, count = int(rate * WARM_S), int(rate * seconds)
    events: list[Sent] = []
    while len(events) < warm + count:
        events += load.events(warm + count - len(events))
    due_of: dict[Fact, tuple[float, int]] = {}
    took: list[float] = []
    wanted = sum(e.fact is not None for e in events)
    seen = 0
    sent_all = asyncio.Event()

    def told(event: Sent, due: float, number: int) -> None:
        if event.fact is not None:
            due_of[event.fact] = (due, number)
            if counted is not None and number >= warm:
                counted[event.fact] = due

    async def watch() -> None:
        nonlocal seen
        while not sent_all.is_set() or seen < wanted:
            for fact in await sink.poll():
                at = time.perf_counter()
                sent = due_of.pop(fact.fact, None)
                if sent is None:
                    continue  # one too many: the facts' judgement will say so
                seen += 1
                if sent[1] >= warm:
                    took.append(at - sent[0])

    sender = Sender(bed.bootstrap, linger_ms=0)
    await sink.from_now()
    watching = asyncio.create_task(watch())
    # The collector's pauses here are not the contender's.
    gc.collect()
    gc.disable()
    try:
        late = await open_loop(sender, events, rate, told)
        sent_all.set()
        await asyncio.wait({watching}, timeout=LATEST_S if expected else 1.0)
    finally:
        gc.enable()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.to_thread(sender.flush)
    result = Result(name, "latency", settings, count)
    if expected:
        result.lost = wanted - seen
    took.sort()
    result.p50_ms, result.p99_ms, result.p999_ms = (quantile(took, q) for q in (0.5, 0.99, 0.999))
    result.late_p99_ms = quantile(sorted(late), 0.99)
    result.more["facts"] = len(took)
    return result


def quantile(ordered: list[float], q: float) -> float | None:
    """In ms, of seconds in order: the least value that at least the share q does not exceed."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1000, 2)
