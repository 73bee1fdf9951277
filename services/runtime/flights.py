"""Batches under way: decided, and on their way through the database to Kafka, one behind the other."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic

from services.runtime.batch import Decisions
from services.runtime.checkpoint import Claim, Commit, Place
from services.runtime.patience import GivenUp
from services.runtime.pipeline import F, S
from services.runtime.records import Record
from services.runtime.tracing import BatchTrace

# Batches that are decided and not yet published, while the next is being decided: one in its transaction, one on its way
# to Kafka. More would only wait for each other.
IN_FLIGHT = 2

# A batch of less than this part of what one may hold has arrived before the next is polled: overlapping would make the next
# ones as small, at the price of a transaction for a handful of events.
SMALL = 64

# Batches that are handled one by one after a failure: those that were under way, and the ones beside them.
ONE_BY_ONE = IN_FLIGHT + 2


class Flight(Generic[S, F]):
    """One batch under way.

    size: its records; 0 for a batch that time alone brought.
    began: when its decision began, by the loop's clock.
    """

    def __init__(self, commit: Commit, made: Decisions[S, F], trace: BatchTrace, size: int, began: float) -> None:
        self.commit = commit
        self.made = made
        self.trace = trace
        self.size = size
        self.began = began
        self.transacted = asyncio.Event()
        self.published = asyncio.Event()
        self._lost = False

    def lose(self) -> None:
        """It will not arrive: whoever waits for it goes no further either."""
        self._lost = True
        self.transacted.set()
        self.published.set()

    async def after(self, step: asyncio.Event) -> None:
        """Waits until it has taken a step. Raises GivenUp where it never will."""
        await step.wait()
        if self._lost:
            raise GivenUp


class Passed:
    """How far the records reach that nothing follows from. They need no transaction of their own: the next one moves past
    them, and whoever dies before it reads them again, to as little effect."""

    def __init__(self) -> None:
        self._ends: dict[Place, int] = {}

    def __bool__(self) -> bool:
        return bool(self._ends)

    def note(self, moves: Mapping[Place, tuple[Claim, int]]) -> None:
        """Takes a batch that is passed over."""
        self._ends.update({place: end for place, (_, end) in moves.items()})

    def beyond(self, place: Place, offset: int) -> int:
        """Where a transaction moves the place that would move it to `offset`: past what was passed over as well."""
        return max(offset, self._ends.pop(place, offset))

    def clear(self) -> None:
        """They are read again."""
        self._ends.clear()


Carry = Callable[[Flight[S, F], Flight[S, F] | None], Awaitable[None]]


class Flights(Generic[S, F]):
    """The batches under way, in order. Each is carried by a task of its own, which waits for the one before."""

    def __init__(self) -> None:
        self._under_way: deque[tuple[Flight[S, F], asyncio.Task[None]]] = deque()

    def __len__(self) -> int:
        return len(self._under_way)

    def launch(self, flight: Flight[S, F], carry: Carry[S, F]) -> None:
        """Sends a batch on its way behind the others."""
        before = self._under_way[-1][0] if self._under_way else None
        self._under_way.append((flight, asyncio.create_task(_carried(flight, before, carry))))

    def reap(self) -> None:
        """Forgets those that have arrived. Raises what one of them met, the first first."""
        while self._under_way and self._under_way[0][1].done():
            self._under_way.popleft()[1].result()

    async def room(self, most: int) -> None:
        """Waits until fewer than `most` are under way. Raises what one of them met."""
        self.reap()
        while len(self._under_way) >= most:
            await asyncio.wait((self._under_way[0][1],))
            self.reap()

    async def settle(self) -> None:
        """Waits until none is under way. Raises what one of them met."""
        await self.room(1)

    async def abandon(self) -> None:
        """Drops those that are not transacted, and lets the others arrive: what they decided stands. Raises nothing they met."""
        tasks = []
        for flight, task in self._under_way:
            if not flight.transacted.is_set():
                task.cancel()
            tasks.append(task)
        self._under_way.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cancel(self) -> None:
        """Drops them all, wherever they are."""
        for _, task in self._under_way:
            task.cancel()
        self._under_way.clear()


async def _carried(flight: Flight[S, F], before: Flight[S, F] | None, carry: Carry[S, F]) -> None:
    try:
        await carry(flight, before)
    except BaseException:
        flight.lose()
        raise


def moves(ahead: Mapping[Place, Claim], records: Sequence[Record]) -> dict[Place, tuple[Claim, int]]:
    """Where each place of the batch goes: past its last record. Raises GivenUp where one is no longer ours."""
    last = {(r.topic, r.partition): r.offset for r in records}
    ends = {Place(*place): offset + 1 for place, offset in last.items()}
    if not ahead.keys() >= ends.keys():
        raise GivenUp
    return {place: (ahead[place], end) for place, end in ends.items()}
