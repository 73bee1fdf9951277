"""`python -m bench`: each contender by itself on the embedded stack, first as fast as it goes, then at a steady rate."""

import argparse
import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import uvloop

from bench import measure, report
from bench.contender import Bed, Contender
from bench.contenders import ALL
from bench.load import Load, fill
from bench.measure import Result
from bench.sink import Fact, Sink, judge, rate
from deploy.embedded.process import StartError
from deploy.embedded.stack import Stack
from services.runtime.admin import create_topics
from services.runtime.topics import CATALOGUE, NPS_CHANGED, Topic

ROUND_TRIP, ROUND_TRIP_TOPIC = "round trip", "bench.round_trip"
LEAST = 5000
# The broker says when it had each fact: no watcher takes time from the contender while it works.
APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}

_began = time.monotonic()


def say(text: str) -> None:
    """Progress, on standard error."""
    print(f"[{time.monotonic() - _began:6.1f} s] {text}", file=sys.stderr, flush=True)


async def make_topics(bed: Bed, contenders: Sequence[Contender]) -> None:
    """All topics of the run at once, so that none is made while another contender is measured."""
    known = {t.name for t in CATALOGUE}
    topics = [replace(t, config={**t.config, **APPEND_TIME}) if t.name == NPS_CHANGED else t for t in CATALOGUE]
    for c in contenders:
        for name in (c.source, f"{c.source}.dlq", c.sink):
            if name not in known:
                known.add(name)
                topics.append(Topic(name, "", config=APPEND_TIME if name == c.sink else {}))
    topics.append(Topic(ROUND_TRIP_TOPIC, ""))
    await create_topics(bed.bootstrap, topics)


async def run_one(bed: Bed, contender: Contender, events: int, seconds: float) -> list[Result]:
    """Both workloads of one contender, and what it made of them."""
    count = max(LEAST, int(events * contender.share))
    load = Load(contender.source)
    sink = Sink(bed.bootstrap, contender.sink, contender.read)
    fast = Result(contender.name, "throughput", contender.settings, count)
    steady = Result(contender.name, "latency", contender.settings)
    try:
        await sink.start()
        say(f"{contender.name}: {count:,} events are laid ready")
        await fill(bed.bootstrap, load.events(count))
        say(f"{contender.name}: works them off")
        fast = await measure.throughput(bed, contender, load, sink, count)
        facts = await sink.all()
        fast.events_per_s = rate(facts)
        verdict = judge(facts, load.sent)
        fast.lost, fast.doubled = verdict.lost, verdict.doubled
        say(f"{contender.name}: {measure.RATE:.0f} events/s for {seconds:.0f} s")
        steady = await measure.latency(bed, contender.name, contender.settings, load, sink, seconds)
        await measure.until(contender, sink, load.sent.total(), 30)
        verdict = judge(await sink.all(), load.sent)
        steady.lost, steady.doubled = verdict.lost, verdict.doubled
        steady.errors += await contender.wrong(load)
    except (StartError, RuntimeError, TimeoutError) as error:
        # TimeoutError: it hangs, or facts are missing for good.
        last = steady if steady.events else fast
        last.errors.append(str(error).partition("\n")[0] or "did not end in time")
        verdict = judge(await sink.all(), load.sent)
        last.lost, last.doubled = verdict.lost, verdict.doubled
        say(f"{contender.name}: {error or 'did not end in time'}")
    finally:
        await contender.stop()
        await sink.stop()
    return [fast, steady] if steady.events else [fast]


async def round_trip(bed: Bed, seconds: float) -> Result:
    """From produce to consume, with nothing between."""
    say(f"{ROUND_TRIP}: {measure.RATE:.0f} events/s for {seconds:.0f} s")

    def nothing(_: object) -> Fact:
        return "", 0

    sink = Sink(bed.bootstrap, ROUND_TRIP_TOPIC, nothing)
    try:
        await sink.start()
        return await measure.latency(bed, ROUND_TRIP, "produce, consume", Load(ROUND_TRIP_TOPIC), sink, seconds)
    finally:
        await sink.stop()


async def run(options: argparse.Namespace) -> int:
    chosen = [c() for c in ALL if not options.only or c.name in options.only]
    machine = report.machine()
    if machine.load_average[0] > machine.cores / 4:
        say(f"this machine is busy (load average {machine.load_average[0]}): the figures will be worse than it can do")
    folder = tempfile.mkdtemp(prefix="touchline-bench-")
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    results: list[Result] = []
    try:
        say("Kafka and Postgres start")
        async with Stack(folder, topics=False) as stack:
            bed = Bed(stack)
            await make_topics(bed, chosen)
            results.append(await round_trip(bed, options.seconds))
            for contender in chosen:
                results += await run_one(bed, contender, options.events, options.seconds)
    finally:
        if options.keep:
            say(f"logs are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(machine.in_words() + "\n\n" + report.table(results))
    if options.json:
        report.write_json(options.json, results, machine)
    wrong = [f"{r.system}, {r.workload}" for r in results if not r.holds]
    if wrong:
        say("not exact: " + "; ".join(wrong))
    return 1 if wrong else 0


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer events, for a first look; ends in two or three minutes"
    )
    parser.add_argument("--events", type=positive, metavar="N", help="events to work off (50000; 10000 with --quick)")
    parser.add_argument("--seconds", type=positive, metavar="S", help="length of the steady rate (20; 5 with --quick)")
    names = [c.name for c in ALL]
    parser.add_argument("--only", action="append", choices=names, help="this contender (may be given again)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    options = parser.parse_args()
    # The clients warn of every broker that is still starting or already ending; what matters raises.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    options.events = options.events or (10_000 if options.quick else 50_000)
    options.seconds = options.seconds or (5 if options.quick else 20)
    try:
        return uvloop.run(run(options))
    except StartError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("stopped")
        return 130


if __name__ == "__main__":
    os.environ.pop("TOUCHLINE_FAULT", None)
    sys.exit(main())
