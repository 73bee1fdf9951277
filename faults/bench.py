"""One counting pipeline under harm: its topic, its load, its processes, and the verdict on what came of it."""

import asyncio
import time
from collections.abc import Sequence
from random import Random

import asyncpg

from faults import oracle
from faults.bed import Bed
from faults.counting import TABLE
from faults.load import Load
from faults.process import Process
from services.runtime.topics import COUNTERS, DEAD_LETTERS, NPS_CHANGED

STEPS = ("decoded", "decided", "transacted", "published", "committed", "ticked")


class Counting:
    """Use `await Counting.on(bed, rng)`."""

    def __init__(self, bed: Bed, rng: Random, topic: str) -> None:
        self.bed, self.rng, self.topic = bed, rng, topic
        self.name = f"counting.{topic}"
        self.load = Load(bed.client, topic, rng, rng.randint(3, 12))
        self.processes: list[Process] = []

    @classmethod
    async def on(cls, bed: Bed, rng: Random, partitions: int = 4) -> "Counting":
        """On a new topic."""
        made = cls(bed, rng, await bed.topic(partitions))
        await bed.fetch(TABLE)
        made.begin = await bed.client.ends([NPS_CHANGED, COUNTERS])
        made.begin.update({(made.topic + DEAD_LETTERS, 0): 0})
        return made

    begin: dict[tuple[str, int], int]

    def start(self, fault: str = "", *, member: str = "", database: str = "", **env: str) -> Process:
        """One process of the pipeline. `fault`: TOUCHLINE_FAULT; `member`: a name that it keeps across restarts."""
        told = {"DATABASE_URL": database or self.bed.dsn(), **env}
        told |= {"TOUCHLINE_FAULT": fault} if fault else {}
        told |= {"BATCH_MEMBER": member} if member else {}
        process = self.bed.start("counting", ["faults.counting", self.name, self.topic], told)
        self.processes.append(process)
        self.bed.tell(f"process {len(self.processes)}" + (f" with {fault}" if fault else ""))
        return process

    async def settled(self, within_s: float = 75.0) -> None:
        """Until a process says that nothing is left, reminders included. Raises TimeoutError."""
        _, reminders, _ = oracle.expected(self.load.sent)
        limit = time.monotonic() + within_s
        last = "no process answers"
        while time.monotonic() < limit:
            # Before anything is said of what is left: a reminder is counted, and its counter is published after it.
            reminded = await self._reminded() >= sum(reminders.values())
            for process in self.processes:
                status = await process.status() if process.alive else None
                if status is None:
                    continue
                last = f"lag {status.lag}, {status.detail or 'well'}"
                if status.healthy and status.lag == 0 and reminded:
                    return
            await asyncio.sleep(0.05)
        raise NotSettled(f"not settled within {within_s:.0f} s: {last}")

    async def _reminded(self) -> int:
        rows = await self.bed.fetch(
            "SELECT coalesce(sum(reminded), 0) FROM faults_count WHERE pipeline = $1", self.name
        )
        return int(rows[0][0])

    async def judged(self, *, last_word: bool = True, within_s: float = 75.0) -> list[str]:
        """Settles, and asks the oracle."""
        wrong = []
        try:
            await self.settled(within_s)
        except NotSettled as error:
            wrong.append(str(error))
        records = await self.bed.client.since(self.begin)
        rows = await self.bed.fetch(
            "SELECT key, added, stated, reminded FROM faults_count WHERE pipeline = $1", self.name
        )
        found = oracle.Found(
            facts=records[NPS_CHANGED],
            counters=records[COUNTERS],
            letters=records[self.topic + DEAD_LETTERS],
            rows={r[0]: (r[1], r[2], r[3]) for r in rows},
            behind=await self._behind(),
        )
        wrong += oracle.judge(self.name, self.load.sent, found, last_word=last_word)
        self.bed.tell(f"{len(self.load.sent)} records sent, {len(found.letters)} dead letters")
        return wrong

    async def _behind(self) -> dict[str, int]:
        """What Postgres says is not done."""
        ends = await self.bed.client.ends([self.topic])
        places = await self.bed.fetch(
            "SELECT partition, next_offset FROM runtime.checkpoint WHERE pipeline = $1 AND topic = $2",
            self.name,
            self.topic,
        )
        next_offset = {r[0]: r[1] for r in places}
        outbox = await self.bed.fetch("SELECT count(*) FROM runtime.outbox WHERE pipeline = $1", self.name)
        lag = sum(end - next_offset.get(partition, 0) for (_, partition), end in ends.items())
        return {"records to consume": lag, "outbox": int(outbox[0][0])}


class Watch:
    """Looks at a pipeline's places all the while: no offset ever goes back. `async with Watch(counting) as watch`."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self.wrong: list[str] = []
        self._furthest: dict[int, int] = {}

    async def __aenter__(self) -> "Watch":
        self._connection = await asyncpg.connect(self._counting.bed.dsn(), timeout=10)
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._connection.close()

    async def _look(self) -> None:
        while True:
            for partition, offset in await self._connection.fetch(
                "SELECT partition, next_offset FROM runtime.checkpoint WHERE pipeline = $1", self._counting.name
            ):
                furthest = self._furthest.get(partition, 0)
                if offset < furthest and len(self.wrong) < 3:
                    self.wrong.append(
                        f"fence: the offset of partition {partition} went back from {furthest} to {offset}"
                    )
                self._furthest[partition] = max(furthest, offset)
            await asyncio.sleep(0.01)


class NotSettled(Exception):
    """Something is left to do, and nobody does it."""


async def all_ready(processes: Sequence[Process]) -> None:
    """Until each of them is healthy."""
    await asyncio.gather(*(p.ready() for p in processes))
