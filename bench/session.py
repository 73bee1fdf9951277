"""One contender at a time: what it is put to, and what is said of one that fails."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench import measure
from bench.contender import Bed, Contender
from bench.fresh import fresh
from bench.load import Load, fill
from bench.recovery import recovery
from bench.results import Result
from bench.sink import Sink
from deploy.embedded.process import StartError

ROUND_TRIP, ROUND_TRIP_TOPIC = "round trip", "bench.round_trip"
LEAST = 5000
_began = time.monotonic()


def say(text: str) -> None:
    """Progress, on standard error."""
    print(f"[{time.monotonic() - _began:6.1f} s] {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Amount:
    """How much: events to work off, and seconds of the steady rate."""

    events: int
    seconds: int


def sink_of(bed: Bed, contender: Contender) -> Sink:
    """Where its facts come out."""
    return Sink(bed.bootstrap, contender.sink, contender.read, committed=contender.committed, ids=contender.ids)


async def fast_and_steady(bed: Bed, contender: Contender, amount: Amount, steady: bool = True) -> list[Result]:
    """Both workloads of one contender, and what it made of them."""
    events = max(LEAST, int(amount.events * contender.share))
    results: list[Result] = []
    await fresh(bed, contender.source, contender.sink)
    load, sink = contender.load(), sink_of(bed, contender)
    try:
        await sink.start()
        say(f"{contender.name}: {events:,} events are laid ready")
        await contender.prepare(bed, load)
        facts = await asyncio.to_thread(lambda: fill(bed.bootstrap, load.events(events)))
        say(f"{contender.name}: works them off")
        fast = await measure.throughput(bed, contender, load, sink, events, facts)
        results.append(fast)
        if steady and not fast.errors:
            say(f"{contender.name}: {measure.RATE:.0f} events/s for {amount.seconds} s")
            made = await measure.latency(
                bed, contender.name, contender.settings, load, sink, amount.seconds, contender.one_to_one
            )
            results.append(made)
            process = contender.process()
            made.rss_mb = round(process.memory_info().rss / 1e6, 1) if process else None
            told = await measure.until_done(contender, sink, None, 0, load.sent.total() if contender.one_to_one else 0)
            measure.verdict(made, contender, told, load)
        results[-1].errors += await contender.wrong(load)
    except (StartError, RuntimeError, TimeoutError) as error:
        if not results:
            raise
        results[-1].errors.append(reason(error))
        say(f"{contender.name}: {reason(error)}")
    finally:
        await contender.stop()
        await sink.stop()
    return results


async def crash(bed: Bed, contender: Contender) -> list[Result]:
    """Its recovery."""
    await fresh(bed, contender.source, contender.sink)
    sink = sink_of(bed, contender)
    try:
        await sink.start()
        say(f"{contender.name}: is killed under {measure.RATE:.0f} events/s")
        return [await recovery(bed, contender, sink)]
    finally:
        await contender.stop()
        await sink.stop()


async def round_trip(bed: Bed, seconds: int) -> list[Result]:
    """From produce to consume, with nothing between."""
    await fresh(bed, ROUND_TRIP_TOPIC, ROUND_TRIP_TOPIC)
    say(f"{ROUND_TRIP}: {measure.RATE:.0f} events/s for {seconds} s")
    load = Load(ROUND_TRIP_TOPIC)
    seen: dict[str, int] = {}

    def read(record: object) -> tuple[str, int]:
        customer = record.key.decode()  # type: ignore[attr-defined]
        seen[customer] = seen.get(customer, 0) + 1
        return customer, seen[customer]

    sink = Sink(bed.bootstrap, ROUND_TRIP_TOPIC, read)
    try:
        await sink.start()
        made = await measure.latency(bed, ROUND_TRIP, "produce, consume; nothing between", load, sink, seconds)
        made.doubled = 0
        return [made]
    finally:
        await sink.stop()


async def tried(name: str, workload: str, settings: str, do: Callable[[], Awaitable[list[Result]]]) -> list[Result]:
    """A contender that fails is a row that says so, and the others go on."""
    try:
        return await do()
    except Exception as error:
        say(f"{name}: {reason(error)}")
        return [Result(name, workload, settings, errors=[reason(error)])]


def reason(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, TimeoutError):
        return "did not end in time"
    told = str(error).partition("\n")[0]
    return told if isinstance(error, StartError | RuntimeError) else f"{type(error).__name__}: {told}"
