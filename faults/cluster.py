"""Kinds on three brokers, of which two must have a record: one lost costs seconds, two lost cost time, neither costs an event."""

import asyncio
import time
from random import Random

from deploy.embedded.cluster import until_in_sync
from faults.bed import Bed
from faults.cluster_harm import dies_ahead
from faults.cluster_load import Load, letter
from faults.schedule import BEDS, kind
from services.runtime.errors import Transient
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing
from services.runtime.settings import KafkaSettings

BEDS["cluster"] = lambda folder: Bed(folder, brokers=3)

# Above what a controller takes to give a dead broker's partitions to others (its session: 4 s), on a busy machine.
FLOWS_AGAIN_S = 90.0
LONG_S = 20.0


@kind("cluster.leader", bed="cluster", limit_s=180)
async def leader_dies(bed: Bed, rng: Random) -> list[str]:
    """The broker that leads most of a pipeline's partitions is killed under load; it comes back later."""
    async with Load(bed, rng) as load:
        await asyncio.sleep(rng.uniform(0, 2))
        part = bed.stack.part_of(await load.leader())
        if rng.random() < 0.5:
            await bed.stack.kill(part)
        else:
            await dies_ahead(bed, part, rng.uniform(0.5, 1.5))
        again = await load.flows(FLOWS_AGAIN_S)
        bed.tell(f"{part} killed; load flows again after {again:.1f} s")
        await asyncio.sleep(rng.uniform(0, 3))
        await bed.stack.start(part)
        bed.tell(f"{part} back, in sync after {await until_in_sync(bed.bootstrap, [load.topic]):.1f} s")
        return await load.judged()


@kind("cluster.away", bed="cluster", limit_s=240)
async def one_away_for_long(bed: Bed, rng: Random) -> list[str]:
    """One broker is away for twenty seconds and more, while load goes on without it; then it catches up."""
    async with Load(bed, rng) as load:
        part = bed.stack.part_of(rng.randint(1, 3))
        orderly = rng.random() < 0.5
        await (bed.stack.stop(part) if orderly else bed.stack.kill(part))
        bed.tell(f"{part} {'ended' if orderly else 'killed'}")
        limit, longest = time.monotonic() + LONG_S + rng.uniform(0, 10), 0.0
        while time.monotonic() < limit:
            longest = max(longest, await load.flows(FLOWS_AGAIN_S))
            await asyncio.sleep(1)
        bed.tell(f"longest wait for a new fact {longest:.1f} s; {load.acknowledged} acknowledged")
        await bed.stack.start(part)
        bed.tell(f"{part} back, in sync after {await until_in_sync(bed.bootstrap, [load.topic]):.1f} s")
        return await load.judged()


@kind("cluster.rolling", bed="cluster", limit_s=300)
async def rolling_restart(bed: Bed, rng: Random) -> list[str]:
    """All three are restarted, one at a time, each once the one before is in sync again."""
    async with Load(bed, rng) as load:
        for broker in rng.sample((1, 2, 3), 3):
            part = bed.stack.part_of(broker)
            await bed.stack.stop(part)
            await bed.stack.start(part)
            waited = await until_in_sync(bed.bootstrap)
            bed.tell(
                f"{part} restarted, all in sync after {waited:.1f} s; flows after {await load.flows(FLOWS_AGAIN_S):.1f} s"
            )
        return await load.judged()


@kind("cluster.two", bed="cluster", limit_s=240)
async def two_away(bed: Bed, rng: Random) -> list[str]:
    """Two of three are killed: nothing is acknowledged, publishers get an error or wait; once they are back, all goes on."""
    return await _two_away(bed, rng, rng.uniform(1, 5))


@kind("cluster.outage", bed="cluster", limit_s=300)
async def two_away_for_long(bed: Bed, rng: Random) -> list[str]:
    """The same for longer than a publisher waits: what it gave up is published again, and nothing old comes after it."""
    return await _two_away(bed, rng, rng.uniform(31, 36))


async def _two_away(bed: Bed, rng: Random, seconds: float) -> list[str]:
    wrong = []
    publisher = Publisher(KafkaSettings(bootstrap=bed.bootstrap), timeout_s=3)
    await publisher.start()
    try:
        async with Load(bed, rng) as load:
            probe = letter(load.topic, "k0", 1)
            record = Outgoing(probe.topic, probe.key or b"", probe.value or b"", probe.headers)
            parts = [bed.stack.part_of(n) for n in rng.sample((1, 2, 3), 2)]
            await asyncio.gather(*(bed.stack.kill(part) for part in parts))
            bed.tell(f"{' and '.join(parts)} killed")
            await asyncio.sleep(1)  # what was acknowledged before may still be on its way to us
            acknowledged, began = load.acknowledged, time.monotonic()
            try:
                async with asyncio.timeout(10):
                    await publisher.publish([record])
                wrong.append("a publisher was told that one broker of three is enough")
            except Transient:
                bed.tell(f"a publisher was told so after {time.monotonic() - began:.1f} s")
            except TimeoutError:
                bed.tell("a publisher was still waiting after 10 s, as it may")
            await asyncio.sleep(seconds)
            if load.acknowledged > acknowledged:
                wrong.append(f"{load.acknowledged - acknowledged} events were acknowledged by one broker of three")
            await asyncio.gather(*(bed.stack.start(part) for part in parts))
            waited = await load.flows(FLOWS_AGAIN_S)
            bed.tell(f"both back, load flows after {waited:.1f} s")
            wrong += await _publishes_again(publisher, record)
            await until_in_sync(bed.bootstrap, [load.topic])
            return wrong + await load.judged()
    finally:
        await publisher.stop()


async def _publishes_again(publisher: Publisher, record: Outgoing) -> list[str]:
    limit = time.monotonic() + FLOWS_AGAIN_S
    while True:
        try:
            await publisher.publish([record])
            return []
        except Transient as error:
            if time.monotonic() > limit:
                return [
                    f"a publisher that was refused once is refused {FLOWS_AGAIN_S:.0f} s after the mending: {error}"
                ]
            await asyncio.sleep(0.3)
