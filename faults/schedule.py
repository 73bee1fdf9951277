"""What a schedule of faults is: a kind, a seed, and a verdict. Kinds are registered here, and drawn from here.

A kind is an async function `(bed, rng) -> list[str]`: it makes its own topics and pipelines on the bed, does harm that it
draws from `rng` alone, and returns what its oracle found wrong, in words; an empty list is a clean schedule. Whatever
it starts through the bed is ended for it. Example:

    @kind("broker", weight=2)
    async def broker_dies(bed: Bed, rng: Random) -> list[str]: ...

A module of kinds is imported by `faults.kinds`; a kind that needs another bed (three brokers) names it: `bed="cluster"`,
and registers how it is made: `BEDS["cluster"] = ClusterBed` (a Bed by `begin`, `end` and `async with`).
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

Run = Callable[[Any, Random], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of schedule. `weight`: how often it is drawn beside the others; `limit_s`: how long one may take."""

    name: str
    run: Run
    weight: int = 1
    bed: str = "single"
    limit_s: float = 240.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """One run to come: its seed tells all the rest."""

    seed: int
    kind: str

    @property
    def replay(self) -> str:
        """The command that runs it again."""
        return f'make faults ARGS="--replay {self.seed} --kind {self.kind}"'


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a schedule. `wrong`: in words, empty where it was clean; `story`: what was done."""

    schedule: Schedule
    seconds: float
    wrong: list[str]
    story: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.wrong


KINDS: dict[str, Kind] = {}
# Bed by name → how it is made from a folder of its own.
BEDS: dict[str, Callable[[Path], Any]] = {}


def kind(name: str, *, weight: int = 1, bed: str = "single", limit_s: float = 240.0) -> Callable[[Run], Run]:
    """Registers a kind."""

    def register(run: Run) -> Run:
        if name in KINDS:
            raise ValueError(f"two kinds are called {name}")
        KINDS[name] = Kind(name, run, weight, bed, limit_s)
        return run

    return register


def draw(count: int, seed: int, only: str | None = None) -> Iterator[Schedule]:
    """The schedules of a run: each kind once, in an order that the seed gives, and from then on by weight.

    `only` keeps to a kind, or to those that begin with it and a dot; several joined by commas.
    """
    rng = Random(seed)
    wanted = only.split(",") if only else []
    kinds = sorted(k for k in KINDS if not only or any(k == w or k.startswith(f"{w}.") for w in wanted))
    if not kinds:
        raise ValueError(f"{only}: no such kind; there are {', '.join(sorted(KINDS))}")
    first = rng.sample(kinds, len(kinds))
    weights = [KINDS[k].weight for k in kinds]
    for n in range(count):
        name = first[n] if n < len(first) else rng.choices(kinds, weights)[0]
        yield Schedule(rng.getrandbits(32), name)
