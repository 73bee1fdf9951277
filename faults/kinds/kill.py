"""SIGKILL of the counting pipeline: between each pair of numbered steps, and at any other time."""

import asyncio
from random import Random

from faults.bed import Bed
from faults.bench import STEPS, Counting
from faults.schedule import kind


async def _dies_at(bed: Bed, rng: Random, step: str) -> list[str]:
    counting = await Counting.on(bed, rng, rng.choice([1, 2, 4]))
    # Under a steady name the successor has its partitions at once; without, only when the dead one's session has ended.
    member = "0" if rng.random() < 0.7 else ""
    load = counting.load
    await load.send([*load.some(rng.randint(60, 200)), load.reminder()])
    deaths = rng.choice([1, 1, 2])
    for _ in range(deaths):
        process = counting.start(f"{step}:{rng.randint(1, 3)}", member=member)
        await load.send(load.some(rng.randint(10, 60)))
        if not await process.died(25):
            bed.tell(f"{step} was not reached so often: killed as it is")
            await process.kill()
        await load.send(load.some(rng.randint(1, 40)))
    counting.start(member=member)
    await load.send(load.some(rng.randint(1, 40)))
    return await counting.judged()


def _register(step: str) -> None:
    @kind(f"kill.{step}", weight=4)
    async def dies(bed: Bed, rng: Random) -> list[str]:
        return await _dies_at(bed, rng, step)

    dies.__doc__ = f"The counting pipeline dies at `{step}`, once or twice."


for _step in STEPS:
    _register(_step)


@kind("kill.random", weight=12)
async def dies_at_random(bed: Bed, rng: Random) -> list[str]:
    """The counting pipeline dies at any time, two to four times, under a steady load."""
    counting = await Counting.on(bed, rng, rng.choice([2, 4]))
    load = counting.load
    await load.send(load.some(100))
    over = asyncio.Event()
    stream = asyncio.create_task(load.until(over.is_set))
    try:
        for _ in range(rng.randint(2, 4)):
            process = counting.start(member="0")
            await process.ready()
            await asyncio.sleep(rng.uniform(0, 0.8))
            await process.kill()
    finally:
        over.set()
        await stream
    counting.start(member="0")
    return await counting.judged()
