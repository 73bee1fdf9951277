"""An event loop whose time is virtual and whose interleaving is drawn: asyncio as it is, on a clock that never waits.

Each process of the simulation is an Actor. Its callbacks run in the order in which asyncio put them (a process has one
thread), but which process runs next is chance. A dead actor's callbacks are never run, not even its clean-up, as after a
SIGKILL; a paused one's wait for it, as after a SIGSTOP.
"""

import asyncio
import contextvars
import heapq
from asyncio.events import Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

OWNER: contextvars.ContextVar["Actor"] = contextvars.ContextVar("owner")


class Stuck(Exception):
    """The world did not come to rest in the time, or the steps, that it was given."""


class Over(BaseException):
    """Raised in what a dead process left behind, so that its clean-up cannot reach the world."""


class Actor:
    """Something that runs: a process, or the world around them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.steps = 0
        self.fuse: list[tuple[int, Callable[[], None]]] = []  # (step at which it burns, what happens then)
        self.queue: deque[Handle] = deque()
        self.listed = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.context = contextvars.Context()
        self.context.run(OWNER.set, self)

    def __repr__(self) -> str:
        return self.name


class Loop(asyncio.AbstractEventLoop):
    """Runs actors on virtual time. `rng` chooses who runs next."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._now = 0.0
        self._timers: list[tuple[float, float, TimerHandle]] = []
        self._ready: list[Actor] = []
        self._stopped = False
        self.world = Actor("world")
        self.errors: list[str] = []
        self.steps = 0

    # -- what asyncio asks of a loop --------------------------------------------------------------------------------

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._stopped

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: contextvars.Context | None = None
    ) -> "asyncio.Task[Any]":
        context = context or contextvars.copy_context()
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        context.get(OWNER, self.world).tasks.append(task)
        return task

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None) -> Handle:
        context = context or contextvars.copy_context()
        handle = Handle(callback, args, self, context)
        self._enqueue(context.get(OWNER, self.world), handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> TimerHandle:
        handle = TimerHandle(when, callback, args, self, context or contextvars.copy_context())
        heapq.heappush(self._timers, (when, self._rng.random(), handle))
        return handle

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        pass

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, Over):
            self.errors.append(f"{context.get('message')}: {error!r}")

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    # -- what the simulation asks -----------------------------------------------------------------------------------

    def later(self, delay: float, callback: Callable[..., Any], *args: Any) -> TimerHandle:
        """A callback of the world's own: it happens whoever is dead."""
        return self.call_at(self._now + delay, callback, *args, context=self.world.context)

    def spawn(self, actor: Actor, coro: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """A task that belongs to an actor, as does all that it begins."""
        context = contextvars.Context()
        context.run(OWNER.set, actor)
        return self.create_task(coro, context=context)

    def resume(self, actor: Actor) -> None:
        """Lets a paused actor run on."""
        actor.paused = False
        if actor.queue and not actor.listed:
            actor.listed = True
            self._ready.append(actor)

    def stop(self) -> None:
        self._stopped = True

    def run(self, until: float, most_steps: int) -> None:
        """Runs until `stop`. Raises Stuck at virtual second `until`, or after so many steps."""
        asyncio.events._set_running_loop(self)
        try:
            while not self._stopped:
                if self._ready:
                    self._step()
                    if self.steps > most_steps:
                        raise Stuck(f"{most_steps} steps and no end at {self._now:.1f} s: busy for nothing")
                elif not self._forward(until):
                    raise Stuck(f"no rest within {until:.0f} virtual seconds")
        finally:
            asyncio.events._set_running_loop(None)

    def bury(self, actors: list[Actor]) -> None:
        """Ends what the run left behind, without a sound and without effect on the world."""
        asyncio.events._set_running_loop(self)
        try:
            for actor in actors:
                for task in actor.tasks:
                    if not task.done():
                        task._log_destroy_pending = False  # type: ignore[attr-defined]
                        _close(task.get_coro())
                    elif not task.cancelled():
                        task.exception()  # looked at, so that nobody complains
        finally:
            asyncio.events._set_running_loop(None)

    def _enqueue(self, actor: Actor, handle: Handle) -> None:
        if not actor.alive:
            return
        actor.queue.append(handle)
        if not actor.listed and not actor.paused:
            actor.listed = True
            self._ready.append(actor)

    def _step(self) -> None:
        ready = self._ready
        at = int(self._rng.random() * len(ready)) if len(ready) > 1 else 0
        actor = ready[at]
        handle = None
        if actor.alive and not actor.paused and actor.queue:
            handle = actor.queue.popleft()
        if handle is None or not actor.queue:
            ready[at] = ready[-1]
            ready.pop()
            actor.listed = False
        if handle is None or handle._cancelled:  # type: ignore[attr-defined]
            return
        self.steps += 1
        actor.steps += 1
        handle._run()  # type: ignore[attr-defined]
        if actor.fuse:
            burnt = [f for f in actor.fuse if f[0] <= actor.steps]
            if burnt:
                actor.fuse = [f for f in actor.fuse if f[0] > actor.steps]
                for _, happens in burnt:
                    happens()

    def _forward(self, until: float) -> bool:
        timers = self._timers
        while timers:
            when, _, handle = heapq.heappop(timers)
            if handle._cancelled:  # type: ignore[attr-defined]
                continue
            if when > until:
                return False
            self._now = max(self._now, when)
            self._enqueue(handle._context.get(OWNER, self.world), handle)  # type: ignore[attr-defined]
            return True
        return False


def _close(coro: Any) -> None:
    for _ in range(20):
        try:
            coro.close()
            return
        except RuntimeError:
            continue  # it waits for something in its clean-up: once more
        except BaseException:  # Over, or whatever the clean-up makes of it
            return
