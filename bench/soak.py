"""Half of the maximum for a long while: memory flat, nothing behind at the end."""

import asyncio
import itertools
import statistics
import time

from bench import measure
from bench.contender import Bed
from bench.fresh import fresh
from bench.load import Sender, Sent, fill
from bench.meter import Meter, totals, written
from bench.own_contenders import Runtime
from bench.results import Result
from bench.session import Amount, say, sink_of
from bench.sink import rate

TURN_S = 0.02
SAMPLE_S = 5.0
PREPARED = 50_000


async def soak(bed: Bed, amount: Amount, minutes: int) -> list[Result]:
    """First the maximum, then half of it; the sender runs beside and takes its share of the same cores."""
    contender = Runtime()
    await fresh(bed, contender.source, contender.sink)
    load, sink = contender.load(), sink_of(bed, contender)
    try:
        await sink.start()
        await contender.prepare(bed, load)
        say("soak: the maximum first")
        facts = await asyncio.to_thread(lambda: fill(bed.bootstrap, load.events(amount.events)))
        before = await totals(bed)
        await contender.start(bed)
        told = await measure.until_done(contender, sink, None, amount.events, facts)
        most = rate(told)
        if most is None:
            raise RuntimeError("the maximum was over before it could be measured: more --events")
        known = len(told)
        result = Result("runtime", "soak", f"{minutes} min at half of {most:,.0f} events/s")
        say(f"soak: {most / 2:,.0f} events/s for {minutes} min")
        meter = Meter(bed, [contender.process()])
        rss: list[float] = []
        lags: list[int] = []
        sending = asyncio.create_task(asyncio.to_thread(_send, bed.bootstrap, load, most / 2, minutes * 60.0))
        while not sending.done():
            contender.alive()
            meter.sample(await sink.size())
            process = contender.process()
            rss.append(process.memory_info().rss / 1e6 if process else 0.0)
            lags.append(await contender.behind() or 0)
            await asyncio.wait({sending}, timeout=SAMPLE_S)
        sent, late = await sending
        ended = time.perf_counter()
        async with asyncio.timeout(120):
            while (await contender.behind()) != 0:  # noqa: ASYNC110, asked over the network
                await asyncio.sleep(0.1)
        result.events, result.events_per_s = sent, round(sent / (minutes * 60.0), 1)
        made = await sink.size() - known
        result.lost, result.doubled = max(0, sent - made), max(0, made - sent)
        result.rss_mb = round(max(rss), 1)
        calm = rss[len(rss) // 5 :] or rss
        fifth = max(1, len(calm) // 5)
        result.more = {
            "asked_per_s": round(most / 2, 1),
            "late_s": round(late, 2),
            "rss_first_mb": round(statistics.median(calm[:fifth]), 1),
            "rss_last_mb": round(statistics.median(calm[-fifth:]), 1),
            "lag_median": statistics.median(lags),
            "lag_most": max(lags),
            "to_no_lag_s": round(time.perf_counter() - ended, 2),
            "lag_at_end": await contender.behind(),
        }
        await written(bed, before, contender.source, result.costs, sent + amount.events)
        return [result]
    finally:
        await contender.stop()
        await sink.stop()


def _send(bootstrap: str, load: object, per_s: float, seconds: float) -> tuple[int, float]:
    """Sends on a fixed schedule. How many, and by how many seconds it was late at worst."""
    sender = Sender(bootstrap)
    events = itertools.chain.from_iterable(load.events(PREPARED) for _ in itertools.count())  # type: ignore[attr-defined]
    start, sent, late = time.perf_counter(), 0, 0.0
    while (passed := time.perf_counter() - start) < seconds:
        due = int(min(seconds, passed + TURN_S) * per_s)
        late = max(late, passed - sent / per_s)
        one: Sent
        for one in itertools.islice(events, due - sent):
            sender.send(one.event)
        sent = max(sent, due)
        time.sleep(max(0.0, start + passed + TURN_S - time.perf_counter()))
    sender.flush()
    return sent, late
