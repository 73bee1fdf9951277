"""SIGKILL of each of Touchline's own services, between each pair of numbered steps and at any other time."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Protocol

from faults import complaints, followups, surveys, words
from faults.bed import Bed
from faults.bench import STEPS
from faults.contacts import Router
from faults.kafka import Letter
from faults.process import Process
from faults.real import Service
from faults.schedule import kind

Events = Callable[[str, Random, int, int], list[Letter]]
Judge = Callable[[Service], Awaitable[list[str]]]


class Start(Protocol):
    """Starts a process of the service."""

    def __call__(self, fault: str = "", *, proxied: bool = False) -> Process: ...


async def _deaths(bed: Bed, rng: Random, start: Start, more: Callable[[], Awaitable[None]]) -> None:
    """One or two deaths, or a while of broken connections; with more to do before and after each."""
    for _ in range(rng.choice((1, 1, 2))):
        step = rng.choice((*STEPS, "random", "random", "cut"))
        if step == "cut":
            await _cut(bed, rng, start(proxied=True), more)
            continue
        process = start("" if step == "random" else f"{step}:{rng.randint(1, 3)}")
        await more()
        if step == "random":
            await process.ready()
            await more()
            await asyncio.sleep(rng.uniform(0, 0.3))
            await process.kill()
        elif not await process.died(20):
            await process.kill()
        await more()


async def _cut(bed: Bed, rng: Random, process: Process, more: Callable[[], Awaitable[None]]) -> None:
    """Answers of Kafka and of Postgres are cut in their middle for a while; the process must live through it."""
    await process.ready()
    bed.kafka_proxy.cut_answers(rng, rng.uniform(0.02, 0.1))
    bed.database_proxy.cut_answers(rng, rng.uniform(0.02, 0.1))
    await more()
    await asyncio.sleep(rng.uniform(0.5, 2))
    bed.tell(f"{bed.kafka_proxy.cuts} of Kafka's and {bed.database_proxy.cuts} of Postgres's answers cut so far")
    bed.kafka_proxy.calm()
    bed.database_proxy.calm()
    if not process.alive:
        raise RuntimeError(f"the service ended by itself\n{process.last_words()}")
    await process.kill()


async def _one(bed: Bed, rng: Random, service: Service, events: Events, judge: Judge) -> list[str]:
    count = 0

    async def more() -> None:
        nonlocal count
        some = rng.randint(30, 90)
        await service.send(events(service.prefix, rng, some, count))
        count += some

    await more()
    await _deaths(bed, rng, service.start, more)
    service.start()
    await more()
    return await judge(service)


@kind("service.nps", weight=8)
async def nps(bed: Bed, rng: Random) -> list[str]:
    """The NPS service dies; its figures must be the oracle's."""
    return await _one(bed, rng, await Service.on(bed, rng, "nps"), surveys.events, surveys.judged)


@kind("service.sentiment", weight=8)
async def sentiment(bed: Bed, rng: Random) -> list[str]:
    """The sentiment service dies; each message has one score."""
    return await _one(bed, rng, await Service.on(bed, rng, "sentiment"), words.events, words.judged)


@kind("service.escalation", weight=8)
async def escalation(bed: Bed, rng: Random) -> list[str]:
    """The escalation service dies; each angry customer has one flag."""
    return await _one(bed, rng, await Service.caught_up(bed, rng, "escalation"), complaints.events, complaints.judged)


@kind("service.escalation.budget", weight=8)
async def budget(bed: Bed, rng: Random) -> list[str]:
    """The escalation service dies with too much to follow up and people at work; no flag is lost, doubled or taken from them."""
    service = await Service.caught_up(bed, rng, "escalation")
    service.capacity = rng.randint(4, 12)
    asked: dict[str, str] = {}
    count = 0

    async def more() -> None:
        nonlocal count
        some = rng.randint(30, 90)
        await service.send(complaints.events(service.prefix, rng, some, count))
        await service.send(await followups.at_work(service, rng, asked))
        count += some

    await more()
    await _deaths(bed, rng, service.start, more)
    service.start()
    await service.settled()
    await more()
    return await followups.judged(service, asked)


@kind("service.router", weight=8)
async def router(bed: Bed, rng: Random) -> list[str]:
    """The router dies, with its two pipelines; no contact is lost or served twice."""
    made = await Router.on(bed, rng)
    count = 0

    async def more() -> None:
        nonlocal count
        some = rng.randint(8, 20)
        await made.service.send(made.requests(some, count))
        count += some

    await made.service.send(made.seats())
    await more()
    await _deaths(bed, rng, made.start, more)
    made.start()
    await more()
    return await made.judged()
