"""`python -m faults`: seeded schedules of faults, one after the other; exit code 0 only if every one is clean."""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from secrets import randbits
from typing import Any

# Before gRPC is loaded: it would tell of every process that is started.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

import faults.kinds  # noqa: F401, so that they are registered
from faults.schedule import BEDS, KINDS, Schedule, Verdict, draw


def options(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("make faults", description=__doc__)
    parser.add_argument("--schedules", type=int, default=24, metavar="N", help="how many (24)")
    parser.add_argument("--seed", type=int, help="draws the schedules; chosen by chance, and printed, where left out")
    parser.add_argument("--kind", help="only this kind, or those that begin with it; several joined by commas")
    parser.add_argument("--replay", type=int, metavar="SEED", help="the one schedule of that seed; needs its --kind")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes every verdict there")
    parser.add_argument("--keep-going", action="store_true", help="goes on after a schedule that is not clean")
    parser.add_argument("--list", action="store_true", help="lists the kinds")
    found = parser.parse_args(argv)
    if found.replay is not None and found.kind not in KINDS:
        parser.error("--replay needs the schedule's --kind")
    return found


async def one(bed: Any, schedule: Schedule) -> Verdict:
    """Runs one schedule, in bounded time. An error that is no verdict is a fault as well."""
    kind, began = KINDS[schedule.kind], time.monotonic()
    wrong: list[str] = []
    try:
        async with asyncio.timeout(kind.limit_s):
            await bed.begin()
            wrong = await kind.run(bed, Random(schedule.seed))
    except TimeoutError:
        wrong = [f"did not end within {kind.limit_s:.0f} s"]
    except Exception as error:  # whatever goes wrong is shown with its seed
        wrong = [f"{type(error).__name__}: {error}"]
    story = list(bed.story)
    if wrong:
        story += [f"{p.name}:\n{p.last_words()}" for p in bed.processes]
    try:
        async with asyncio.timeout(60):
            await bed.end()
    except Exception as error:
        wrong = [*wrong, f"could not be tidied up: {type(error).__name__}: {error}"]
    return Verdict(schedule, time.monotonic() - began, wrong, story)


async def run(schedules: Iterable[Schedule], folder: Path, keep_going: bool) -> list[Verdict]:
    """Runs them on the beds that they need, each bed made once; after a schedule that is not clean, anew."""
    verdicts: list[Verdict] = []
    beds: dict[str, tuple[Any, contextlib.AsyncExitStack]] = {}
    try:
        for number, schedule in enumerate(schedules, 1):
            name = KINDS[schedule.kind].bed
            if name not in beds:
                closing = contextlib.AsyncExitStack()
                beds[name] = await closing.enter_async_context(BEDS[name](folder / f"{name}-{number}")), closing
            verdict = await one(beds[name][0], schedule)
            verdicts.append(verdict)
            show(verdict, number)
            if not verdict.clean:
                if not keep_going:
                    break
                # What it left undone would be done in the next one's time, and counted against it.
                await beds.pop(name)[1].aclose()
    finally:
        for _, closing in beds.values():
            await closing.aclose()
    return verdicts


def show(verdict: Verdict, number: int) -> None:
    word = "clean" if verdict.clean else "WRONG"
    s = verdict.schedule
    print(f"{number:4d}  seed {s.seed:>10}  {s.kind:24}  {verdict.seconds:6.1f} s  {word}", flush=True)
    if not verdict.clean:
        for line in (*verdict.story, *verdict.wrong):
            print(f"      {line}")
        print(f"      again: {s.replay}", flush=True)


async def _main(found: argparse.Namespace, schedules: list[Schedule]) -> list[Verdict]:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    folder = Path(tempfile.mkdtemp(prefix="touchline-faults-"))
    try:
        return await run(schedules, folder, found.keep_going)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(argv: list[str] | None = None) -> int:
    found = options(argv)
    if found.list:
        print("\n".join(f"{k.name:24} weight {k.weight}  {(k.run.__doc__ or '').strip()}" for k in KINDS.values()))
        return 0
    seed = found.seed if found.seed is not None else randbits(31)
    if found.replay is not None:
        schedules = [Schedule(found.replay, found.kind)]
    else:
        try:
            schedules = list(draw(found.schedules, seed, found.kind))
        except ValueError as error:
            print(f"make faults: {error}", file=sys.stderr)
            return 2
        print(f"{len(schedules)} schedules, seed {seed}", flush=True)
    began = time.monotonic()
    try:
        verdicts = asyncio.run(_main(found, schedules))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted", file=sys.stderr)
        return 130
    dirty = [v for v in verdicts if not v.clean]
    if found.json:
        rows = [
            {"seed": v.schedule.seed, "kind": v.schedule.kind, "seconds": round(v.seconds, 1), "clean": v.clean,
             "wrong": v.wrong, "story": v.story}
            for v in verdicts
        ]  # fmt: skip
        found.json.write_text(json.dumps({"seed": seed, "schedules": rows}, indent=1, ensure_ascii=False))
    kinds = Counter(v.schedule.kind for v in verdicts)
    print(f"{len(verdicts)} schedules of {len(kinds)} kinds in {time.monotonic() - began:.0f} s: "
          + ("all clean" if not dirty else f"{len(dirty)} not clean"))  # fmt: skip
    return 0 if not dirty and len(verdicts) == len(schedules) else 1


if __name__ == "__main__":
    sys.exit(main())
