"""What is measured: the contract of a contender, and the bed that all of them lie in."""

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil
from aiokafka.structs import ConsumerRecord

from bench.load import Load
from bench.sink import Fact
from deploy.embedded.process import Child, Spec
from deploy.embedded.stack import Stack

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Bed:
    """Where contenders run: the embedded Kafka and Postgres."""

    stack: Stack

    @property
    def bootstrap(self) -> str:
        return self.stack.bootstrap


class Contender(Protocol):
    """One system that counts, or one service on its real work. To add one: a class with these, and a line in contenders.py.

    name: in the table and for --only. source, sink: topics; only this contender reads and writes while it runs.
    share: of the run's events that it is given, so that a slow one does not take the whole evening.
    settings: how it is set, in a few words.
    """

    name: str
    source: str
    sink: str
    share: float
    settings: str

    async def start(self, bed: Bed) -> None:
        """Starts its process; it may still be joining its group when this returns. Raises StartError."""
        ...

    def alive(self) -> None:
        """Raises RuntimeError where it has ended by itself."""
        ...

    async def done(self) -> bool:
        """Whether it has nothing left to do, once all facts are out."""
        ...

    async def stop(self) -> None:
        """Ends its process; harmless where none runs."""
        ...

    def process(self) -> psutil.Process | None:
        """Its process, to be metered; None where it has none."""
        ...

    def read(self, record: "ConsumerRecord[bytes, bytes]") -> Fact:
        """What a record on the sink says."""
        ...

    async def wrong(self, load: Load) -> list[str]:
        """What else differs from what was sent, beside the facts: its state, its figures."""
        ...


class Process:
    """The common part of contenders that are one process of ours."""

    name = ""
    share = 1.0
    settings = ""

    def __init__(self) -> None:
        self._child: Child | None = None

    def argv(self, bed: Bed) -> Sequence[str]:
        """What follows `python -m`."""
        raise NotImplementedError

    def environment(self, bed: Bed) -> dict[str, str]:
        """What it is told beside."""
        return {}

    async def ready(self) -> bool:
        return True

    async def start(self, bed: Bed) -> None:
        log = bed.stack.layout.logs / f"bench-{self.name}.log"
        argv = [sys.executable, "-m", *self.argv(bed)]
        # Its parent's death is its own, so that nothing is left behind even where this process is killed.
        spec = Spec(self.name, argv, log, self.ready, self.environment(bed), ROOT, death_signal=signal.SIGKILL)
        self._child = Child(spec)
        await self._child.wait_ready()

    def alive(self) -> None:
        if self._child is None or self._child.exit_code is not None:
            raise RuntimeError(f"{self.name} has ended by itself\n{self.log()}")

    async def done(self) -> bool:
        return True

    def log(self) -> str:
        """The last lines that it wrote."""
        from deploy.embedded.process import tail

        return tail(self._child.spec.log) if self._child else ""

    async def stop(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            await child.stop()

    def process(self) -> psutil.Process | None:
        return self._child.identity.process() if self._child else None

    async def wrong(self, load: Load) -> list[str]:
        return []
