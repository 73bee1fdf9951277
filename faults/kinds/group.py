"""Several processes of one service: joining and leaving under load, and zombies that come back after they were given up."""

import asyncio
import time
from random import Random

import psutil

from faults.bed import Bed
from faults.bench import STEPS, Counting, Watch, all_ready
from faults.process import Process
from faults.schedule import kind


@kind("rebalance", weight=10)
async def joining_and_leaving(bed: Bed, rng: Random) -> list[str]:
    """A second and a third process join and leave, some by SIGTERM and some by SIGKILL, under a steady load."""
    counting = await Counting.on(bed, rng, 4)
    over = asyncio.Event()
    first = counting.start()
    stream = asyncio.create_task(counting.load.until(over.is_set))
    wrong = []
    try:
        await first.ready()
        second = counting.start()
        await asyncio.sleep(rng.uniform(0, 1.5))
        third = counting.start()
        await all_ready([second, third])
        await asyncio.sleep(rng.uniform(0, 1))
        leaving = rng.sample([first, second, third], 2)
        for process in leaving:
            if rng.random() < 0.5:
                code = await process.leave()
                bed.tell(f"SIGTERM, ended with {code}")
                if code != 0:
                    wrong.append(f"a process that was asked to leave ended with {code}")
            else:
                await process.kill()
                bed.tell("SIGKILL")
            await asyncio.sleep(rng.uniform(0, 1))
        if rng.random() < 0.5:
            counting.start()
    finally:
        over.set()
        await stream
    wrong += await counting.judged()
    if await _epoch(counting) < 2:
        wrong.append("no partition ever changed hands: the schedule did no harm")
    return wrong


async def _epoch(counting: Counting) -> int:
    rows = await counting.bed.fetch(
        "SELECT coalesce(max(epoch), 0) FROM runtime.checkpoint WHERE pipeline = $1", counting.name
    )
    return int(rows[0][0])


async def _stopped(process: Process, within_s: float) -> bool:
    limit = time.monotonic() + within_s
    while time.monotonic() < limit and process.alive:
        if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED:
            return True
        await asyncio.sleep(0.02)
    return False


async def _taken_over(counting: Counting, before: int, within_s: float) -> bool:
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        if await _epoch(counting) > before:
            return True
        await asyncio.sleep(0.05)
    return False


@kind("zombie.deciding", weight=6)
async def stopped_while_deciding(bed: Bed, rng: Random) -> list[str]:
    """A process stands still in the middle of a decision until another has taken over and gone on; then it wakes."""
    return await _zombie(bed, rng, FAULTS_STOP_AT=str(rng.randint(2, 120)))


@kind("zombie.step", weight=8)
async def stopped_at_a_step(bed: Bed, rng: Random) -> list[str]:
    """The same between two steps of the checkpoint: with a transaction that stands, say, and nothing of it published."""
    return await _zombie(bed, rng, FAULTS_STOP_STEP=f"{rng.choice(STEPS)}:{rng.randint(1, 4)}")


async def _zombie(bed: Bed, rng: Random, **where: str) -> list[str]:
    counting = await Counting.on(bed, rng, rng.choice([1, 2, 4]))
    # Under one name Kafka itself fences the elder; under none, only the checkpoint does.
    member = rng.choice(["", "", "0"])
    await counting.load.send(counting.load.some(150))
    zombie = counting.start(member=member, **where)
    bed.tell(f"it stops at {where}")
    if not await _stopped(zombie, 40):
        return ["the process never stood still: the schedule did no harm"]
    before = await _epoch(counting)
    counting.start(member=member)
    if not await _taken_over(counting, before, 45):
        return ["nobody took over from a process that stands still"]
    await counting.load.send(counting.load.some(rng.randint(1, 80)))
    await asyncio.sleep(rng.uniform(0, 2))
    async with Watch(counting) as watch:
        bed.tell("the zombie wakes")
        zombie.go_on()
        await counting.load.send(counting.load.some(60))
        # What the zombie still had in hand may reach Kafka after its successor's: known by its id, but no last word.
        wrong = await counting.judged(last_word=False)
    wrong += watch.wrong
    if not zombie.alive and not member:
        wrong.append(f"the zombie ended instead of joining anew\n{zombie.last_words()}")
    return wrong


@kind("zombie.storing", weight=4)
async def stopped_while_storing(bed: Bed, rng: Random) -> list[str]:
    """A process stands still within its transaction, and wakes when the others have long given it up."""
    counting = await Counting.on(bed, rng, rng.choice([1, 2]))
    await counting.load.send(counting.load.some(150))
    zombie = counting.start(FAULTS_STOP_IN=str(rng.randint(1, 4)))
    if not await _stopped(zombie, 40):
        return ["the process never stood still: the schedule did no harm"]
    counting.start()
    await counting.load.send(counting.load.some(60))
    # Its transaction holds the checkpoint's row, so that nobody takes over while it stands: the session has ended since.
    await asyncio.sleep(rng.uniform(2, 5))
    bed.tell("the zombie wakes")
    zombie.go_on()
    return await counting.judged(last_word=False)


@kind("zombie.random", weight=6)
async def stopped_at_random(bed: Bed, rng: Random) -> list[str]:
    """One of two processes stands still at any time for longer than its session, under a steady load."""
    counting = await Counting.on(bed, rng, 4)
    over = asyncio.Event()
    both = [counting.start(), counting.start()]
    stream = asyncio.create_task(counting.load.until(over.is_set))
    try:
        await all_ready(both)
        for _ in range(rng.choice((1, 2))):
            zombie = rng.choice(both)
            await asyncio.sleep(rng.uniform(0, 0.7))
            zombie.stop()
            await asyncio.sleep(rng.uniform(1.8, 4))
            zombie.go_on()
            await asyncio.sleep(rng.uniform(0, 1))
    finally:
        over.set()
        await stream
    return await counting.judged(last_word=False)
