"""Feeds the live view from the topics, and its changes to whoever watches. A watcher that reads too slowly is let go."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

import msgspec

from services.gateway.live.rows import Change
from services.gateway.live.view import EVENT_TOPICS, LiveView
from services.runtime import topics
from services.runtime.errors import Transient
from services.runtime.patience import backoff
from services.runtime.records import Record
from services.runtime.settings import KafkaSettings
from services.runtime.tail import tail

TICK_S = 0.25
# Chunks that wait for one watcher: 16 s at one a tick. A page that is let go connects again and begins with a snapshot.
WAITING = 64
WATCHERS = 200
# Records applied before other work gets its turn: some 5 ms.
SLICE = 200
_KEEP_ALIVE_S = 15.0
# The router is asked for the pools' seats once in so long, and for a tenth of the time at most: a big pool is megabytes.
SEATS_S = 1.0
SEATS_SHARE = 0.1

log = logging.getLogger(__name__)

Status = Callable[[], Awaitable[dict[str, Any]]]
Seats = Callable[[str], Awaitable[tuple[int, int] | None]]
"""Pool → how many of its seats are ready, and how many there are; None where nobody tells now."""


def encode(changes: Iterable[Change]) -> bytes:
    """Rows as Server-Sent Events."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(row)) for name, row in changes)


class TooManyWatchersError(Exception):
    """As many watch already as the gateway serves."""


class Watcher(AsyncIterator[bytes]):
    """One watcher's stream. ended: told once nothing more is kept for it."""

    def __init__(self, snapshot: Callable[[], bytes], waiting: int, ended: Callable[["Watcher"], None]) -> None:
        self._snapshot = snapshot
        self._ended = ended
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(waiting)
        self._begun = False

    async def __anext__(self) -> bytes:
        if not self._begun:
            self._begun = True
            # The snapshot holds what was told before it; no await between the two, so that what changes next is told.
            while not self._queue.empty():
                if self._queue.get_nowait() is None:
                    raise StopAsyncIteration
            return b"retry: 1000\n\n" + self._snapshot()
        try:
            async with asyncio.timeout(_KEEP_ALIVE_S):
                chunk = await self._queue.get()
        except TimeoutError:
            return b": still here\n\n"
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def tell(self, chunk: bytes) -> bool:
        """What changed; False where the watcher has not taken what it was told before, and is let go."""
        try:
            self._queue.put_nowait(chunk)
        except asyncio.QueueFull:
            self.let_go()
            return False
        return True

    def let_go(self) -> None:
        """Ends the stream at once, whatever still waits."""
        self._ended(self)
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def aclose(self) -> None:
        """Nobody reads on."""
        self._ended(self)


class Hub:
    """The live view and its watchers."""

    def __init__(
        self,
        view: LiveView,
        status: Status,
        seats: Seats | None = None,
        *,
        waiting: int = WAITING,
        watchers: int = WATCHERS,
    ) -> None:
        self.view = view
        self._status = status
        self._seats = seats
        self._waiting = waiting
        self._most = watchers
        self._watchers: set[Watcher] = set()
        self.dropped = 0
        self._unseen: set[tuple[str, str]] = set()
        self._begun = (asyncio.Event(), asyncio.Event())

    async def follow(self, kafka: KafkaSettings, history: bool) -> None:
        """Reads the topics for ever, and again from the start where reading failed: rows are put in their place, not added up.
        Without `history` events are read from now on, and those that come while reading fails are not shown."""
        await asyncio.gather(
            self._follow(kafka, topics.METRIC_TOPICS, True, self._begun[0]),  # compacted: their start is their state
            self._follow(kafka, EVENT_TOPICS, history, self._begun[1]),
        )

    async def begun(self) -> None:
        """Until all topics are followed: what is published from then on is seen."""
        for event in self._begun:
            await event.wait()

    async def _follow(self, kafka: KafkaSettings, names: Iterable[str], from_start: bool, begun: asyncio.Event) -> None:
        waits = backoff()
        while True:
            try:
                async with aclosing(tail(kafka, names, from_start=from_start)) as batches:
                    async for batch in batches:
                        waits = backoff()
                        begun.set()
                        for i in range(0, len(batch), SLICE):
                            for record in batch[i : i + SLICE]:
                                self._apply(record)
                            await asyncio.sleep(0)
            except Exception as error:
                why = error if isinstance(error, Transient) else type(error).__name__
                log.warning("the live view waits for its topics: %s", why)
                await asyncio.sleep(next(waits))

    def _apply(self, record: Record) -> None:
        """Shows one record. One that can't be shown is passed over: it must not keep the others from being seen."""
        try:
            self.view.apply(record)
        except Exception as error:
            kind = (record.topic, type(error).__name__)
            if kind not in self._unseen:
                self._unseen.add(kind)
                log.error("a record of %s cannot be shown: %s (told once)", *kind)

    async def broadcast(self) -> None:
        """Sends what changed, a few times a second, and the services' status once a second; for ever."""
        ticks = 0
        while True:
            await asyncio.sleep(TICK_S)
            ticks += 1
            changes = self.view.take_changes()
            if not self._watchers:
                continue
            if ticks % round(1 / TICK_S) == 0:
                changes.append(("status", await self._status()))
            if changes:
                self._send(encode(changes))

    async def ask_seats(self) -> None:
        """Has the seats of the pools told while somebody watches; for ever."""
        rest = SEATS_S
        while True:
            await asyncio.sleep(rest)
            if self._seats is None or not self._watchers:
                continue
            began = time.monotonic()
            for pool in self.view.pools():
                told = await self._seats(pool)
                if told is not None:
                    self.view.seats(pool, told)
            rest = max(SEATS_S, (time.monotonic() - began) / SEATS_SHARE)

    def _send(self, chunk: bytes) -> None:
        for watcher in list(self._watchers):
            if not watcher.tell(chunk):
                self.dropped += 1

    def watch(self) -> "Watcher":
        """One watcher's stream: all rows that are kept, then each change. Ends where the watcher was let go, or the gateway closes.

        It counts from now on, whether it is read or not, until it is closed. Raises TooManyWatchersError.
        """
        if len(self._watchers) >= self._most:
            raise TooManyWatchersError
        watcher = Watcher(lambda: encode(self.view.snapshot()), self._waiting, self._watchers.discard)
        self._watchers.add(watcher)
        return watcher

    def close(self) -> None:
        """Ends all streams."""
        for watcher in list(self._watchers):
            watcher.let_go()
