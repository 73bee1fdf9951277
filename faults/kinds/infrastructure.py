"""Kafka and Postgres themselves: killed and started again under load."""

import asyncio
import time
from random import Random

from faults.bed import Bed
from faults.bench import Counting
from faults.schedule import kind


async def _through(bed: Bed, rng: Random, part: str, backends: bool = False) -> list[str]:
    counting = await Counting.on(bed, rng, rng.choice([2, 4]))
    load = counting.load
    process = counting.start(member="0")
    await load.send(load.some(100))
    if backends or rng.random() < 0.6:
        await process.ready()
    wrong: list[str] = []
    over = asyncio.Event()
    stream = asyncio.create_task(load.until(over.is_set))
    try:
        for _ in range(rng.choice((1, 1, 2))):
            await asyncio.sleep(rng.uniform(0, 0.8))
            if backends:
                bed.tell("one of Postgres's processes is killed: it recovers by itself")
                if not await _killed(bed, rng):
                    wrong.append("Postgres served nobody: the schedule did no harm")
            else:
                bed.tell(f"{part} is killed")
                await bed.crash(part)
                await asyncio.sleep(rng.choice((0, 0, 1)) * rng.random())
                if rng.random() < 0.3:
                    await process.kill()
                    process = counting.start(member="0")
                await bed.mend()
            await asyncio.sleep(rng.uniform(0, 1))
    finally:
        over.set()
        await stream
    wrong += await counting.judged()
    if not process.alive:
        wrong.append(f"the service ended while {part} was away\n{process.last_words()}")
    return wrong


async def _killed(bed: Bed, rng: Random) -> bool:
    """One of the processes that serve clients; waits for one where Postgres is still recovering."""
    limit = time.monotonic() + 30
    while not await bed.kill_backend(rng):
        if time.monotonic() > limit:
            return False
        await asyncio.sleep(0.05)
    return True


@kind("broker.killed", weight=8)
async def broker_dies(bed: Bed, rng: Random) -> list[str]:
    """The broker dies and comes back, once or twice, under load; at times the service dies meanwhile."""
    return await _through(bed, rng, "kafka")


@kind("broker.hung", weight=2)
async def broker_hangs(bed: Bed, rng: Random) -> list[str]:
    """The broker stands still for longer than the group's session, and goes on as if nothing had been."""
    counting = await Counting.on(bed, rng, 2)
    process = counting.start(member="0")
    await counting.load.send(counting.load.some(100))
    await process.ready()
    over = asyncio.Event()
    stream = asyncio.create_task(counting.load.until(over.is_set))
    try:
        await asyncio.sleep(rng.uniform(0, 0.8))
        bed.tell("the broker hangs")
        await bed.hang("kafka", rng.uniform(8, 30))
        bed.tell("the broker goes on")
        await asyncio.sleep(rng.uniform(0, 1))
    finally:
        over.set()
        await stream
    wrong = await counting.judged()
    if not process.alive:
        wrong.append(f"the service ended after the broker had hung\n{process.last_words()}")
    return wrong


@kind("postgres.killed", weight=8)
async def postgres_dies(bed: Bed, rng: Random) -> list[str]:
    """Postgres dies whole (SIGKILL of the postmaster) and recovers, under load."""
    return await _through(bed, rng, "postgres")


@kind("postgres.backend", weight=4)
async def backend_dies(bed: Bed, rng: Random) -> list[str]:
    """One backend dies: Postgres ends all connections and recovers by itself, under load."""
    return await _through(bed, rng, "postgres", backends=True)
