"""A thread for a client that blocks: one call after the other, and nobody waits for it at the end."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any


class Worker:
    """Unlike an executor's, its thread does not hold up the process's end where a call never returns."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def do(self, call: Callable[[], Any]) -> Any:
        """What the call returns or raises, once those before it are done."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        done: Future[Any] = Future()
        self._calls.put((done, call))
        return await asyncio.wrap_future(done)

    def end(self) -> None:
        """Ends the thread after the calls that wait."""
        self._calls.put(None)

    def _run(self) -> None:
        while (given := self._calls.get()) is not None:
            done, call = given
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(call())
            except BaseException as error:
                done.set_exception(error)
