"""What is measured: the contract of a contender, and the bed that all of them lie in."""

import itertools
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.load import Fact, Load
from deploy.embedded.process import Child, Spec, tail
from deploy.embedded.stack import Stack

ROOT = Path(__file__).resolve().parent.parent
_number = itertools.count(1)


@dataclass(frozen=True)
class Bed:
    """Where contenders run: the embedded Kafka and Postgres."""

    stack: Stack

    @property
    def bootstrap(self) -> str:
        return self.stack.bootstrap

    def folder(self, name: str) -> Path:
        """A new folder for a contender's own state."""
        made = self.stack.layout.data / "bench" / f"{name}-{next(_number)}"
        made.mkdir(parents=True)
        return made


class Contender:
    """One system that counts, or one service on its real work. To add one: a subclass, and a line in contenders.py.

    name: in the table and for --only. source, sink: topics; only this contender reads and writes while it runs.
    share: of the run's events that it is given, so that a slow one does not take the whole evening.
    settings: how it is set, in a few words. crash: how it was set for its recovery, where that differs.
    committed: whether what it publishes counts only once its transaction is committed.
    ids: whether its facts carry ids of their own, by which a repeat is known. one_to_one: whether each event, or each
    that the load names, causes one fact that can be foretold. by_lag: whether its lag says how far it is, because its
    sink holds other facts as well.
    recovers: whether its recovery is measured. patience_s: how long that may take.
    slow_to_recover: whether the quick version leaves that out.
    variants: ways to set it, of which the fastest is measured.
    """

    name = ""
    source, sink = "", ""
    share = 1.0
    settings = ""
    crash = ""
    committed = ids = False
    one_to_one = True
    by_lag = False
    recovers = False
    slow_to_recover = False
    patience_s = 90.0
    variants: Sequence[str] = ()

    def __init__(self) -> None:
        self._child: Child | None = None
        self._run = 0
        self.state: Path | None = None

    def missing(self) -> str | None:
        """Why it can't run here; None where it can."""
        return None

    def vary(self, variant: str) -> None:
        """Sets it in one of its variants."""

    def load(self, seed: int = 1) -> Load:
        """What it is given."""
        return Load(self.source, seed)

    def command(self, bed: Bed) -> Sequence[str]:
        """How it is started. Raises StartError or RuntimeError where it can't be."""
        raise NotImplementedError

    def environment(self, bed: Bed) -> Mapping[str, str]:
        """What it is told beside."""
        return {}

    async def prepare(self, bed: Bed, load: Load) -> None:
        """What must be there before it is started: databases, seats."""

    async def start(self, bed: Bed) -> None:
        """Starts its process; it may still be joining its group when this returns. Raises StartError."""
        self.state = self.state or bed.folder(self.name)
        log = bed.stack.layout.logs / f"bench-{self.name}.log"
        # Its parent's death is its own, so that nothing is left behind even where this process is killed.
        spec = Spec(
            self.name,
            self.command(bed),
            log,
            self.ready,
            {"PYTHONUNBUFFERED": "1", **self.environment(bed)},
            ROOT,
            death_signal=signal.SIGKILL,
        )
        self._child = Child(spec)
        await self._child.wait_ready()

    async def ready(self) -> bool:
        return True

    async def kill(self) -> None:
        """SIGKILL, and nothing else."""
        assert self._child is not None
        self._child.popen.kill()
        self._child.popen.wait()
        self._child = None

    async def stop(self) -> None:
        """Ends its process; harmless where none runs."""
        if self._child is not None:
            child, self._child = self._child, None
            await child.stop()

    def alive(self) -> None:
        """Raises RuntimeError where it has ended by itself."""
        if self._child is None or self._child.exit_code is not None:
            raise RuntimeError(f"{self.name} has ended by itself: {self.last_words()}")

    def last_words(self) -> str:
        """The last line that it wrote."""
        return tail(self._child.spec.log).rpartition("\n")[2] if self._child else ""

    def process(self) -> psutil.Process | None:
        """Its process, to be metered; None where it has none."""
        return self._child.identity.process() if self._child else None

    async def behind(self) -> int | None:
        """How many events it has not yet worked off; None where it can't be asked."""
        self.alive()
        return None

    def read(self, record: Any) -> Fact | None:
        """What a record on the sink says; None where it is none of the facts that are counted."""
        return record.key.decode(), int(record.value)

    async def wrong(self, load: Load) -> list[str]:
        """What else differs from what was sent, beside the facts: its figures."""
        return []


def worker(module: str, *arguments: str) -> list[str]:
    """A program of bench/workers, on this Python."""
    return [sys.executable, "-m", f"bench.workers.{module}", *arguments]
