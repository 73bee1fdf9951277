"""SIGKILL under load: how long until the first new fact, until nothing is behind, and what was lost or doubled."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

from bench.contender import Bed, Contender
from bench.load import Fact, Sender, Sent, open_loop
from bench.measure import RATE, until_done
from bench.results import Result
from bench.sink import Sink, judge_after_crash

BEFORE_S, AFTER_S = 4.0, 3.0


class Crash:
    """Events at a steady rate all along; the process is killed in the middle and started again at once."""

    def __init__(self, bed: Bed, contender: Contender, sink: Sink) -> None:
        self._bed, self._contender, self._sink = bed, contender, sink
        self._open: dict[Fact, float] = {}
        self._backlog: set[Fact] = set()
        self.spawned_ms = 0.0
        self.killed = 0.0
        self.first_new: float | None = None
        self.caught_up: float | None = None

    async def watch(self) -> None:
        """Reads facts as they come; what was appended before the new process was there is not its own."""
        while self.caught_up is None:
            for told in await self._sink.poll():
                now = time.perf_counter()
                new = self._open.pop(told.fact, None) is not None
                self._backlog.discard(told.fact)
                if self.spawned_ms and self.first_new is None and new and told.at_ms >= self.spawned_ms:
                    self.first_new = now - self.killed
                    self._backlog = set(self._open)
            if self.first_new is not None and not self._backlog:
                self.caught_up = time.perf_counter() - self.killed

    @property
    def waiting(self) -> int:
        """Events that have caused no fact yet."""
        return len(self._open)

    def sent(self, event: Sent, due: float, _: int) -> None:
        if event.fact is not None:
            self._open[event.fact] = due

    async def kill(self) -> None:
        self.killed = time.perf_counter()
        await self._contender.kill()
        self.spawned_ms = time.time() * 1000
        await self._contender.start(self._bed)


async def recovery(bed: Bed, contender: Contender, sink: Sink) -> Result:
    """The contender is started here, and left running."""
    result = Result(contender.name, "recovery", contender.crash or contender.settings)
    limit = contender.patience_s
    load = contender.load(seed=2)
    await contender.prepare(bed, load)
    await contender.start(bed)
    crash, sent = Crash(bed, contender, sink), list[Sent]()
    # Longer than it will take: it is cut off at the end, and the oracle is what was sent.
    schedule = list(load.events(int(RATE * (2 * limit + BEFORE_S + AFTER_S))))
    try:
        await _under_load(bed, contender, sink, crash, schedule, sent)
    except TimeoutError:
        result.errors.append(f"published nothing within {limit:.0f} s")
    result.events = len(sent)
    if crash.first_new is not None:
        result.first_new_s = round(crash.first_new, 2)
    elif not result.errors:
        result.errors.append(f"no new fact within {limit:.0f} s")
    if crash.caught_up is not None:
        result.caught_up_s = round(crash.caught_up, 2)
    counts = Counter(e.fact[0] for e in sent if e.fact is not None)
    with suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await until_done(contender, sink, None, len(sent), counts.total())
            await asyncio.sleep(1)  # for what comes twice
    found = judge_after_crash(await sink.all(), counts)
    result.lost, result.doubled, result.repeated = found.lost, found.doubled, found.repeated
    process = contender.process()
    result.rss_mb = round(process.memory_info().rss / 1e6, 1) if process else None
    return result


async def _under_load(
    bed: Bed, contender: Contender, sink: Sink, crash: Crash, schedule: list[Sent], sent: list[Sent]
) -> None:
    """Kills it once it has followed a steady stream for a while. Raises TimeoutError where it never did."""
    sender = Sender(bed.bootstrap, linger_ms=0)
    await sink.from_now()

    def told(event: Sent, due: float, number: int) -> None:
        sent.append(event)
        crash.sent(event, due, number)

    watching = asyncio.create_task(crash.watch())
    sending = asyncio.create_task(open_loop(sender, schedule, RATE, told))
    try:
        async with asyncio.timeout(contender.patience_s):
            while not sent or crash.waiting > len(sent) / 2:
                contender.alive()
                await asyncio.sleep(0.2)
        await asyncio.sleep(BEFORE_S)
        await crash.kill()
        await asyncio.wait({watching}, timeout=contender.patience_s)
        contender.alive()
        await asyncio.sleep(AFTER_S)
    finally:
        sending.cancel()
        watching.cancel()
        await asyncio.gather(sending, watching, return_exceptions=True)
        await asyncio.to_thread(sender.flush)
