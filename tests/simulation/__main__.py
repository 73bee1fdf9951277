"""Many schedules in a row: `python -m tests.simulation --schedules N --seed S [--jobs 2]`, or one again: `--replay SEED`."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from deploy.embedded.process import die_with_parent
from tests.simulation.mutations import MUTATIONS
from tests.simulation.oracle import sort_of
from tests.simulation.run import TRUE, Outcome, Parts, run
from tests.simulation.schedule import Schedule, draw
from tests.simulation.shrink import shrink

CHUNK = 50
TELL_EVERY_S = 5.0


@dataclass(frozen=True)
class Tally:
    """What a stretch of seeds came to."""

    runs: int
    steps: int
    seconds: float
    cpu_s: float
    failures: tuple[tuple[int, tuple[str, ...]], ...]


def stretch(first: int, count: int, mutation: str = "") -> Tally:
    """Runs the schedules of `count` seeds."""
    steps, seconds, began = 0, 0.0, time.process_time()
    failures: list[tuple[int, tuple[str, ...]]] = []
    for seed in range(first, first + count):
        outcome = run(draw(seed), _parts(mutation))
        steps += outcome.steps
        seconds += outcome.seconds
        if outcome.failures:
            failures.append((seed, tuple(outcome.failures)))
    return Tally(count, steps, seconds, time.process_time() - began, tuple(failures))


def _parts(mutation: str) -> Parts:
    return MUTATIONS[mutation].parts if mutation else TRUE


def _tallies(first: int, count: int, jobs: int, mutation: str) -> Iterator[Tally]:
    chunks = [(at, min(CHUNK, first + count - at)) for at in range(first, first + count, CHUNK)]
    if jobs == 1:
        for at, size in chunks:
            yield stretch(at, size, mutation)
        return
    # Their work ends with us, also where we are killed: nobody would hear of it.
    with ProcessPoolExecutor(jobs, initializer=die_with_parent, initargs=(os.getpid(), signal.SIGKILL)) as pool:
        try:
            yield from pool.map(stretch, *zip(*chunks, strict=True), [mutation] * len(chunks))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def many(first: int, count: int, jobs: int, mutation: str, keep_going: bool) -> int:
    """Runs `count` schedules and tells how it goes. Returns the exit status: 0 only if every one is clean."""
    began = told = time.monotonic()
    done, steps, seconds, cpu_s = 0, 0, 0.0, 0.0
    failures: list[tuple[int, tuple[str, ...]]] = []
    for tally in _tallies(first, count, jobs, mutation):
        done += tally.runs
        steps += tally.steps
        seconds += tally.seconds
        cpu_s += tally.cpu_s
        failures += tally.failures
        for seed, words in tally.failures:
            print(f"seed {seed}: {words[0]}", flush=True)
        now = time.monotonic()
        if now - told >= TELL_EVERY_S or done == count:
            told = now
            print(f"{done:>7} of {count} schedules, {done / (now - began):.1f}/s, {len(failures)} failed", flush=True)
        if failures and not keep_going:
            break
    took = time.monotonic() - began
    print(
        f"{done} schedules (seeds {first} to {first + done - 1}) in {took:.1f} s by {jobs} jobs: "
        f"{done / took:.1f}/s, {done / cpu_s:.1f}/s a core, {steps / max(1, done):.0f} steps and {seconds / max(1, done):.1f} virtual s each"
    )
    if not failures:
        print("0 lost, 0 doubled, order kept in every one")
        return 0
    seed = min(seed for seed, _ in failures)
    again = [f"--replay {seed}", *([f"--mutation {mutation}"] if mutation else [])]
    print(f"first failing seed: {seed}\nagain, step by step: python -m tests.simulation {' '.join(again)}")
    print(f"as small as can be:  python -m tests.simulation {' '.join(again)} --shrink")
    return 1


def show(schedule: Schedule, outcome: Outcome) -> None:
    """A run as a story: what was drawn, each step, and what the oracle says."""
    plain = {n: getattr(schedule, n) for n in schedule.__slots__ if n not in ("events", "faults", "starts")}
    print(", ".join(f"{n}={v}" for n, v in plain.items()))
    for start in schedule.starts:
        print(f"  process {start.name} from {start.at:.2f} s")
    for fault in schedule.faults:
        print(f"  fault   {fault}")
    for event in schedule.events:
        print(f"  event   {event.at:8.4f} s  in{event.topic} {event.key} {event.kind}:{event.number}")
    for at, who, what in outcome.trace:
        print(f"{at:10.4f}  {who:6} {what}")
    print(f"{outcome.steps} steps, {outcome.seconds:.1f} virtual seconds, trace {outcome.fingerprint()}")
    for failure in outcome.failures:
        print(f"FAILED: {failure}")
    if not outcome.failures:
        print("clean: 0 lost, 0 doubled, order kept")


def one(seed: int, mutation: str, smaller: bool) -> int:
    """Replays a seed; or the smallest schedule that can be made of it and still fails."""
    schedule, parts = draw(seed), _parts(mutation)
    outcome = run(schedule, parts)
    if smaller and outcome.failures:
        sort = sort_of(outcome.failures[0])
        schedule = shrink(schedule, lambda s: any(sort_of(f) == sort for f in run(s, parts).failures))
        outcome = run(schedule, parts)
        print(
            f"shrunk to {len(schedule.faults)} faults, {len(schedule.events)} events, {len(schedule.starts)} processes"
        )
    show(schedule, outcome)
    return 1 if outcome.failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=2000, metavar="N", help="how many (2000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the first of them (1)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that run them (2)")
    parser.add_argument("--keep-going", action="store_true", help="run all of them, even if one fails")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one again and tell each step")
    parser.add_argument("--shrink", action="store_true", help="with --replay: make it small first")
    parser.add_argument("--mutation", choices=sorted(MUTATIONS), default="", help="break the checkpoint this way")
    words = parser.parse_args()
    if words.replay is not None:
        return one(words.replay, words.mutation, words.shrink)
    return many(words.seed, words.schedules, words.jobs, words.mutation, words.keep_going)


if __name__ == "__main__":
    sys.exit(main())
