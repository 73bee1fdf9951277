"""What lies between a service and its Kafka and Postgres: slow, cut in the middle of an answer, silent, away."""

import asyncio
from random import Random

from faults.bed import Bed
from faults.bench import Counting
from faults.process import Process
from faults.proxy import Proxy
from faults.schedule import kind

BOUND = 40


async def _on(bed: Bed, rng: Random) -> tuple[Counting, Process]:
    """A pipeline whose process sees Kafka and Postgres only through the proxies."""
    counting = await Counting.on(bed, rng, rng.choice([2, 4]))
    await counting.load.send(counting.load.some(120))
    return counting, _behind_proxies(counting)


def _behind_proxies(counting: Counting, fault: str = "", **env: str) -> Process:
    bed = counting.bed
    return counting.start(
        fault, member="0", database=bed.dsn(proxied=True), KAFKA_BOOTSTRAP=bed.proxied_bootstrap, **env
    )


async def _harmed(counting: Counting, process: Process, rng: Random, proxies: list[Proxy]) -> list[str]:
    """More load while the harm lasts; then it ends, and all must be as if nothing had been."""
    await counting.load.send(counting.load.some(rng.randint(20, 120)))
    await asyncio.sleep(rng.uniform(0.5, 3))
    await counting.load.send(counting.load.some(20))
    for proxy in proxies:
        proxy.calm()
    wrong = await counting.judged(within_s=90)
    if not process.alive:
        wrong.append(f"the service ended by itself\n{process.last_words()}")
    return wrong


@kind("slow", weight=4)
async def both_slow(bed: Bed, rng: Random) -> list[str]:
    """Kafka and Postgres answer slowly: each piece of an answer takes 5 to 60 ms."""
    counting, process = await _on(bed, rng)
    bed.kafka_proxy.slow(rng.uniform(0.005, 0.06))
    bed.database_proxy.slow(rng.uniform(0.005, 0.06))
    await process.ready()
    return await _harmed(counting, process, rng, [bed.kafka_proxy, bed.database_proxy])


@kind("cut.postgres", weight=6)
async def postgres_cut(bed: Bed, rng: Random) -> list[str]:
    """Connections to Postgres break in the middle of an answer: nobody knows whether the transaction stands."""
    counting, process = await _on(bed, rng)
    if rng.random() < 0.7:
        await process.ready()
    return await _cut(counting, process, rng, bed.database_proxy, rng.uniform(0.02, 0.15))


@kind("cut.kafka", weight=6)
async def kafka_cut(bed: Bed, rng: Random) -> list[str]:
    """Connections to Kafka break in the middle of an answer: nobody knows whether the facts were taken."""
    counting, process = await _on(bed, rng)
    if rng.random() < 0.7:
        await process.ready()
    return await _cut(counting, process, rng, bed.kafka_proxy, rng.uniform(0.05, 0.3))


async def _cut(counting: Counting, process: Process, rng: Random, proxy: Proxy, share: float) -> list[str]:
    """Cuts this share of the answers, a few at least."""
    before = proxy.cuts
    proxy.cut_answers(rng, share)
    for n in range(300):  # a process may take long to come up
        if n < 30:
            await counting.load.send(counting.load.some(10))
        if proxy.cuts - before >= 2:
            break
        await asyncio.sleep(0.1)
    wrong = await _harmed(counting, process, rng, [proxy])
    counting.bed.tell(f"{proxy.cuts - before} answers cut")
    if proxy.cuts == before:
        wrong.append("no answer was ever cut: the schedule did no harm")
    return wrong


@kind("away", weight=4)
async def away(bed: Bed, rng: Random) -> list[str]:
    """Kafka, Postgres or both refuse every connection for a while, or say nothing at all."""
    counting, process = await _on(bed, rng)
    await process.ready()
    both = [bed.kafka_proxy, bed.database_proxy]
    chosen = rng.choice([both, both[:1], both[1:]])
    for proxy in chosen:
        proxy.away() if rng.random() < 0.6 else proxy.stall()
    return await _harmed(counting, process, rng, chosen)


@kind("outbox", weight=5)
async def outbox_full(bed: Bed, rng: Random) -> list[str]:
    """Kafka takes no facts while records go on coming: what is decided waits in the outbox, and its rows are bounded."""
    counting, process = await _on(bed, rng)
    await process.ready()
    bed.kafka_proxy.hold_producers()
    await counting.load.send(counting.load.some(1500))
    most = 0
    for _ in range(20):
        rows = await bed.fetch("SELECT count(*) FROM runtime.outbox WHERE pipeline = $1", counting.name)
        most = max(most, int(rows[0][0]))
        await asyncio.sleep(0.1)
    bed.tell(f"at most {most} rows in the outbox")
    wrong = []
    if most == 0:
        wrong.append("nothing ever waited in the outbox: the schedule did no harm")
    if most > BOUND:
        wrong.append(f"{most} rows waited in the outbox, more than {BOUND}: it is not bounded")
    if rng.random() < 0.5:
        bed.tell("the process dies with its outbox full")
        await process.kill()
        bed.kafka_proxy.calm()
        bed.kafka_proxy.drop()
        process = _behind_proxies(counting)
    bed.kafka_proxy.calm()
    wrong += await counting.judged(within_s=90)
    return wrong
