"""Waiting for what is away: how long before trying again, and when to stop waiting."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from services.runtime import signals
from services.runtime.errors import Transient
from services.runtime.telemetry import meters

log = logging.getLogger(__name__)

T = TypeVar("T")


def backoff(first_s: float = 0.1, most_s: float = 5.0) -> Iterator[float]:
    """Waits that double up to a bound, each shortened by chance so that processes don't return in step."""
    wait = first_s
    while True:
        yield wait * (0.5 + random.random() / 2)
        wait = min(most_s, wait * 2)


class GivenUp(Exception):
    """The places are being taken from us, or the process ends: what is under way is left to their next owner."""


class Patience:
    """One pipeline's: what it waits for, for how long, and until when."""

    def __init__(self, pipeline: str) -> None:
        self.stopping = asyncio.Event()
        self.giving_up = asyncio.Event()
        self.trouble = "starting"
        self._label = {"pipeline": pipeline}
        self._retries = meters().counter(signals.RETRIES)
        self._waits = backoff()

    def calm(self) -> None:
        """All goes well again."""
        if self.trouble:
            self.trouble, self._waits = "", backoff()

    def leave_if_asked(self) -> None:
        """Raises GivenUp where nobody should wait any longer."""
        if self.giving_up.is_set() or self.stopping.is_set():
            raise GivenUp

    def late(self, trouble: str) -> None:
        """Something takes longer than it should. Raises GivenUp where nobody should wait any longer."""
        self.trouble = trouble
        self._retries.add(1, {**self._label, "error": "Late"})
        log.warning("waiting: %s", trouble, extra={"fields": self._label})
        self.leave_if_asked()

    async def wait(self, error: Transient, seconds: float | None = None) -> None:
        """Waits a while, longer each time in a row unless told how long; less where the process is asked to stop."""
        self.trouble = str(error)
        self._retries.add(1, {**self._label, "error": type(error).__name__})
        log.warning("waiting: %s", error, extra={"fields": self._label})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), next(self._waits) if seconds is None else seconds)

    async def until(self, action: Callable[[], Awaitable[T]]) -> T:
        """Tries until it succeeds, is refused for good, or nobody should wait any longer (GivenUp)."""
        waits = backoff()
        while True:
            try:
                return await action()
            except Transient as error:
                self.leave_if_asked()
                await self.wait(error, next(waits))
