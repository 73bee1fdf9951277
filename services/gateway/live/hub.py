"""Feeds the live view from the topics, and its changes to whoever watches. A watcher that reads too slowly is let go."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

import msgspec

from services.gateway.live.rows import Change
from services.gateway.live.view import EVENT_TOPICS, LiveView
from services.runtime import topics
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

log = logging.getLogger(__name__)

Status = Callable[[], Awaitable[dict[str, Any]]]


def encode(changes: Iterable[Change]) -> bytes:
    """Rows as Server-Sent Events."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(row)) for name, row in changes)


class TooManyWatchersError(Exception):
    """As many watch already as the gateway serves."""


class Hub:
    """The live view and its watchers."""

    def __init__(self, view: LiveView, status: Status, *, waiting: int = WAITING, watchers: int = WATCHERS) -> None:
        self.view = view
        self._status = status
        self._waiting = waiting
        self._most = watchers
        self._watchers: set[asyncio.Queue[bytes | None]] = set()
        self.dropped = 0
        self._unseen: set[tuple[str, str]] = set()
        self._begun = (asyncio.Event(), asyncio.Event())

    async def follow(self, kafka: KafkaSettings, history: bool) -> None:
        """Reads the topics for ever, and again from the start where reading failed: rows are put in their place, not added up."""
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
                log.warning("the live view waits for its topics: %s", type(error).__name__)
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

    def _send(self, chunk: bytes) -> None:
        for queue in list(self._watchers):
            try:
                queue.put_nowait(chunk)
            except asyncio.QueueFull:
                self._drop(queue)
                self.dropped += 1

    def _drop(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._watchers.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)

    async def watch(self) -> AsyncIterator[bytes]:
        """One watcher's stream: all rows that are kept, then each change. Ends where the watcher was let go, or the gateway closes."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(self._waiting)
        # No await between the snapshot and joining: what changes after it is sent.
        chunk: bytes | None = b"retry: 1000\n\n" + encode(self.view.snapshot())
        self._watchers.add(queue)
        try:
            while chunk is not None:
                yield chunk
                try:
                    async with asyncio.timeout(_KEEP_ALIVE_S):
                        chunk = await queue.get()
                except TimeoutError:
                    chunk = b": still here\n\n"
        finally:
            self._watchers.discard(queue)

    def admit(self) -> None:
        """Raises TooManyWatchersError."""
        if len(self._watchers) >= self._most:
            raise TooManyWatchersError

    def close(self) -> None:
        """Ends all streams."""
        for queue in list(self._watchers):
            self._drop(queue)
