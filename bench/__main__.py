"""`python -m bench`: each contender by itself on the embedded stack, never two at once."""

import argparse
import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop

from bench import plan
from bench.contenders import ALL
from bench.docs import BOOK, write_docs
from bench.machine import Machine, machine
from bench.report import ratios, table
from bench.results import Result, read_book, tell, write_book
from bench.routing import RATES
from bench.session import say
from deploy.embedded.process import StartError

WORKLOADS = ("throughput", "latency", "recovery", "growth", "state", "tracing", "lookups", "soak")
QUICK = ("throughput", "latency", "recovery")


def keep(results: Sequence[Result], told: Machine) -> None:
    """Puts the rows into the book and writes the docs anew."""
    book = read_book(BOOK)
    book.enter(told.began, asdict(told), results)
    write_book(BOOK, book)
    write_docs(book)


def finish(results: Sequence[Result], told: Machine, options: argparse.Namespace) -> int:
    """Says what was measured, and writes it where it was asked for."""
    print(told.in_words() + "\n\n" + table(results) + "\n\n" + "\n".join(ratios(results)))
    if options.json:
        tell(options.json, results)
    if options.keep_results:
        keep(results, told)
    for r in results:
        if r.skipped:
            say(f"not run: {r.system}, {r.workload}: {r.skipped}")
    # What others lose is a finding; what ours loses is a fault.
    wrong = [r for r in results if not r.holds and r.system not in plan.PEERS]
    for r in wrong:
        say(f"not as it should be: {r.system}, {r.workload}: {r.lost} lost, {r.doubled} doubled; {'; '.join(r.errors)}")
    return 1 if wrong else 0


async def run(options: argparse.Namespace) -> int:
    told = machine()
    if told.load_average[0] > told.cores / 4:
        say(f"this machine is busy (load average {told.load_average[0]}): the figures will be worse than it can do")
    folder = tempfile.mkdtemp(prefix="touchline-bench-")
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    results: list[Result] = []
    try:
        await plan.carry_out(Path(folder), options, results)
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("stopped; what was measured until then:")
        finish(results, told, options)
        return 130
    finally:
        if options.keep:
            say(f"logs are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return finish(results, told, options)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def parse() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    names = [c.name for c in ALL]
    parser.add_argument("--quick", action="store_true", help="fewer events and three workloads; within ten minutes")
    parser.add_argument("--events", type=positive, metavar="N", help="events to work off (400000; 100000 with --quick)")
    parser.add_argument("--seconds", type=positive, metavar="S", help="length of the steady rate (20; 5 with --quick)")
    parser.add_argument("--only", action="append", choices=names, help="this contender (may be given again)")
    parser.add_argument(
        "--workload", action="append", choices=WORKLOADS, help="this workload (may be given again); all but soak"
    )
    parser.add_argument("--soak", type=positive, metavar="MINUTES", help="a soak of so many minutes, and nothing else")
    parser.add_argument("--customers", type=positive, metavar="N", help="of --workload state, the most (5000000)")
    parser.add_argument(
        "--rate",
        action="append",
        type=positive,
        metavar="N",
        help="of --workload lookups, contacts a second (again for more)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    parser.add_argument(
        "--no-docs", action="store_true", help="leave docs/benchmarks.json alone; --quick always does, unless --docs"
    )
    parser.add_argument("--docs", action="store_true", help="put the rows into docs/ also with --quick")
    parser.add_argument("--write-docs", action="store_true", help="write the docs from docs/benchmarks.json, and end")
    options = parser.parse_args()
    options.events = options.events or (100_000 if options.quick else 400_000)
    options.seconds = options.seconds or (5 if options.quick else 20)
    options.customers = options.customers or 5_000_000
    options.rate = options.rate or list(RATES)
    options.keep_results = (options.docs or not options.quick) and not options.no_docs
    if options.soak:
        options.workload = ["soak"]
    options.workload = options.workload or list(QUICK if options.quick else [w for w in WORKLOADS if w != "soak"])
    options.soak = options.soak or 20
    return options


def main() -> int:
    options = parse()
    if options.write_docs:
        write_docs(read_book(BOOK))
        return 0
    # The clients warn of every broker that is still starting or already ending; what matters raises.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return uvloop.run(run(options))
    except StartError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    os.environ.pop("TOUCHLINE_FAULT", None)
    sys.exit(main())
