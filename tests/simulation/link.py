"""How a process reaches the world: every call to the database or the bus goes over a link, where faults may befall it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from services.runtime.checkpoint import Place
from services.runtime.records import Outgoing

T = TypeVar("T")


class Locked(Exception):
    """What the call needs is held by another transaction until `until` (the loop's seconds)."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until


class Link(Protocol):
    """A process's way to the world."""

    async def call(self, kind: str, effect: Callable[[], T], ghost: Callable[[float], None] | None = None) -> T:
        """Sends a request: `effect` happens in the world, at once or later, and its result comes back, if anything does.

        ghost: where the connection is cut while the request is under way, what it holds is locked until the time given.
        """
        ...

    def spawn(self, coro: Coroutine[Any, Any, None]) -> "asyncio.Task[Any]":
        """Runs beside the caller, in the same process."""
        ...

    def later(self, delay_s: float, callback: Callable[..., None], *args: Any) -> None:
        """The world's doing: it happens whether the process lives or not."""
        ...

    def tell(self, callback: Callable[..., None], *args: Any) -> None:
        """A word from the world to the process, which hears it after a while, if it lives."""
        ...

    def delay_s(self) -> float:
        """How long something takes on its way."""
        ...

    def kafka_is_reachable(self) -> bool:
        """Whether the broker answers this process now."""
        ...

    def lost_since(self) -> float | None:
        """Since when the broker has not heard of the process (the loop's seconds)."""
        ...

    def shuffled(self, places: list[Place]) -> list[Place]:
        """In which order a fetch answers."""
        ...

    async def deliver(
        self,
        lines: Mapping[Place, Sequence[Outgoing]],
        append: Callable[[Outgoing, str], Place],
        line: Callable[[Place, float], float],
    ) -> None:
        """Hands records to the broker, by partition; `line` says when a partition's next chunk may arrive at the earliest."""
        ...

    def who(self) -> str:
        """The process's name, another one after each restart."""
        ...


class Direct:
    """The link of a test without faults: everything is there at once."""

    def __init__(self, name: str = "direct") -> None:
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    async def call(self, kind: str, effect: Callable[[], T], ghost: Callable[[float], None] | None = None) -> T:
        await asyncio.sleep(0)
        return effect()

    def spawn(self, coro: Coroutine[Any, Any, None]) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def later(self, delay_s: float, callback: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_later(delay_s, callback, *args)

    def tell(self, callback: Callable[..., None], *args: Any) -> None:
        asyncio.get_running_loop().call_soon(callback, *args)

    def delay_s(self) -> float:
        return 0.0

    def kafka_is_reachable(self) -> bool:
        return True

    def lost_since(self) -> float | None:
        return None

    def shuffled(self, places: list[Place]) -> list[Place]:
        return places

    async def deliver(
        self,
        lines: Mapping[Place, Sequence[Outgoing]],
        append: Callable[[Outgoing, str], Place],
        line: Callable[[Place, float], float],
    ) -> None:
        for records in lines.values():
            for record in records:
                append(record, self._name)
        await asyncio.sleep(0)

    def who(self) -> str:
        return self._name
