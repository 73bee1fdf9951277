"""How our runtime grows: with partitions and processes, with customers, and with tracing on."""

import asyncio
import statistics

import asyncpg

from bench import measure
from bench.contender import Bed
from bench.fresh import PARTITIONS, fresh
from bench.load import Load, fill
from bench.meter import Meter, totals, written
from bench.own_contenders import Runtime, Service, Traced
from bench.results import Result
from bench.session import Amount, say, sink_of
from bench.sink import judge, rate
from bench.workers.counting import PIPELINE
from deploy.embedded.layout import LOOPBACK

STEPS = (1, 2, 4, 8)
CUSTOMERS = (10_000, 1_000_000, 5_000_000)
ROUNDS = 3

# Events that make the tables, before they are filled.
_FIRST = 1_000

__all__ = ["Service", "customers", "processes", "tracing"]


class Member(Runtime):
    """One of several processes of the same group."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.name = f"runtime-{number}"


async def processes(bed: Bed, amount: Amount) -> list[Result]:
    """As many processes as partitions: 1, 2, 4, 8, on the same cores."""
    made = []
    for n in STEPS:
        say(f"runtime: {n} partitions, {n} processes")
        made.append(await _several(bed, n, amount.events))
    return made


async def _several(bed: Bed, count: int, events: int) -> Result:
    members = [Member(i + 1) for i in range(count)]
    first = members[0]
    await fresh(bed, first.source, first.sink, count)
    load, sink = first.load(), sink_of(bed, first)
    result = Result(f"runtime, {count} × {count}", "growth", f"{count} partitions, {count} processes", events)
    try:
        await sink.start()
        await first.prepare(bed, load)
        facts = await asyncio.to_thread(lambda: fill(bed.bootstrap, load.events(events)))
        before = await totals(bed)
        for member in members:
            await member.start(bed)
        meter = Meter(bed, [m.process() for m in members])
        told = await measure.until_done(first, sink, meter, events, facts)
        meter.into(result.costs, facts)
        found = rate(told)
        result.events_per_s, result.rss_mb = round(found, 1) if found else None, meter.rss_mb
        verdict = judge(told, load.sent)
        result.lost, result.doubled = verdict.lost, verdict.doubled
        await written(bed, before, first.source, result.costs, events)
    finally:
        await asyncio.gather(*(m.stop() for m in members))
        await sink.stop()
    return result


async def customers(bed: Bed, amount: Amount, most: int) -> list[Result]:
    """Throughput over a state of so many customers, each of whom was there before; drawn evenly, which no cache likes."""
    made = []
    for count in CUSTOMERS:
        if count <= most:
            made.append(await _state(bed, count, amount.events))
    return made


class Everybody(Load):
    """Events of customers drawn evenly."""

    def turn(self) -> tuple[str, tuple[str, int]]:
        customer = f"customer-{self.draw.randrange(self.customers):07d}"
        self.sent[customer] += 1
        return customer, (customer, self.sent[customer])


# Every customer as the runtime would have left it, and as many names of events: made by SQL, since making them event by event
# takes an hour of the machine and measures nothing.
_STATES = """INSERT INTO runtime.entity (pipeline, key, partition, version, body)
             SELECT $1, 'customer-' || lpad(n::text, 7, '0'), 0, 1, '{"events": 0}' FROM generate_series($2::int, $3::int) AS n
             ON CONFLICT DO NOTHING"""
_NAMES = """INSERT INTO runtime.seen_event (pipeline, name, seen_at)
            SELECT $1, gen_random_uuid(), now() FROM generate_series($2::int, $3::int)"""
_AT_ONCE = 100_000


async def _populate(bed: Bed, contender: Runtime, count: int) -> None:
    db = await asyncpg.connect(bed.stack.postgres.dsn(contender.database))
    try:
        for begin in range(0, count, _AT_ONCE):
            for statement in (_STATES, _NAMES):
                await db.execute(statement, PIPELINE, begin, min(begin + _AT_ONCE, count) - 1)
    finally:
        await db.close()


async def _state(bed: Bed, count: int, events: int) -> Result:
    contender = Runtime()
    await fresh(bed, contender.source, contender.sink)
    load, sink = Everybody(contender.source, customers=count), sink_of(bed, contender)
    result = Result(
        f"runtime, {count:,} customers", "state", "events of customers drawn evenly; the cache holds 50,000", events
    )
    try:
        await sink.start()
        await contender.prepare(bed, load)
        first = await asyncio.to_thread(lambda: fill(bed.bootstrap, load.events(_FIRST)))
        await contender.start(bed)
        await measure.until_done(contender, sink, None, _FIRST, first)
        await contender.stop()
        say(f"runtime: {count:,} customers get their state")
        await _populate(bed, contender, count)
        say(f"runtime: {events:,} events over {count:,} customers")
        facts = await asyncio.to_thread(lambda: fill(bed.bootstrap, load.events(events)))
        before, known = await totals(bed), len(await sink.all())
        await contender.start(bed)
        meter = Meter(bed, [contender.process()])
        told = await measure.until_done(contender, sink, meter, events, known + facts)
        found = rate(told[known:]) if len(told) > known else None
        result.events_per_s, result.rss_mb = round(found, 1) if found else None, meter.rss_mb
        verdict = judge(told, load.sent)
        result.lost, result.doubled = verdict.lost, verdict.doubled
        await written(bed, before, contender.source, result.costs, events)
    finally:
        await contender.stop()
        await sink.stop()
    return result


async def tracing(bed: Bed, amount: Amount) -> list[Result]:
    """The same events, of which 2 % carry a sampled trace, with tracing to Zipkin on and off in turns; the median of each."""
    zipkin = bed.stack.zipkin
    rates: dict[str, list[float]] = {"off": [], "on": []}
    rows: dict[str, Result] = {}
    await bed.stack.start("zipkin")
    try:
        for _ in range(ROUNDS):
            for name, found in rates.items():
                contender = Traced()
                contender.traces_url = f"http://{LOOPBACK}:{zipkin.port}" if name == "on" else ""
                say(f"runtime: tracing {name}")
                made = await _once(bed, contender, amount.events)
                if made.events_per_s:
                    found.append(made.events_per_s)
                made.system, made.workload = f"runtime, tracing {name}", "tracing"
                made.settings = (
                    f"2 % of the events traced; exporter {'Zipkin' if name == 'on' else 'none'}; median of {ROUNDS}"
                )
                worst = rows.get(name)
                made.lost = (made.lost or 0) + ((worst.lost or 0) if worst else 0)
                made.doubled = (made.doubled or 0) + ((worst.doubled or 0) if worst else 0)
                rows[name] = made
    finally:
        await bed.stack.stop("zipkin")
    for name, row in rows.items():
        row.events_per_s = round(statistics.median(rates[name]), 1) if rates[name] else None
        row.more["rates"] = rates[name]
    return list(rows.values())


async def _once(bed: Bed, contender: Runtime, events: int) -> Result:
    await fresh(bed, contender.source, contender.sink, PARTITIONS)
    load, sink = contender.load(), sink_of(bed, contender)
    try:
        await sink.start()
        await contender.prepare(bed, load)
        facts = await asyncio.to_thread(lambda: fill(bed.bootstrap, load.events(events)))
        return await measure.throughput(bed, contender, load, sink, events, facts)
    finally:
        await contender.stop()
        await sink.stop()
