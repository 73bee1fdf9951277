"""Two policies over the same contacts and the same luck: what differs, for whom, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from services.router.domain.simulation.figures import SERVICE_LEVEL_S, Interval, interval
from services.router.domain.simulation.ordering import Placed

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact that both policies had to do with."""

    contact_id: str
    day: str
    at: float
    """Seconds after the day's midnight."""
    groups: Mapping[str, str]
    """What it is counted under, such as priority → "2"."""
    ours: Placed
    theirs: Placed


@dataclass(frozen=True, slots=True)
class Runs:
    """What became of each contact in each run, [run, contact]; a wait counts for those that hung up as well."""

    waited: Floats
    answered: Bools


@dataclass(frozen=True, slots=True)
class Told:
    """Means over the runs."""

    mean_wait_s: float
    p90_wait_s: float
    service_level_20s: float
    abandonment: float


@dataclass(frozen=True, slots=True)
class Change:
    """A paired difference, and its two 95 % intervals."""

    mean: float
    over_seeds: Interval
    """What the simulation's own chance leaves open."""
    over_days: Interval | None
    """What other days like these would leave open besides: jackknifed by day. None of a single day."""


@dataclass(frozen=True, slots=True)
class Block:
    """A group of contacts under both policies."""

    contacts: int
    ours: Told
    theirs: Told
    mean_wait_s: Change
    service_level_20s: Change
    abandonment: Change


@dataclass(frozen=True, slots=True)
class Changed:
    """One of the contacts whose wait changes most; waits and shares are means over the runs."""

    contact: Contact
    ours_wait_s: float
    theirs_wait_s: float
    ours_abandoned: float
    theirs_abandoned: float
    ours_overtaken: float
    """By how many that came later but were answered before it was answered or hung up."""
    theirs_overtaken: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it."""

    whole: Block
    by: Mapping[str, Mapping[str, Block]]
    """What contacts are grouped by → group."""
    changed_most: tuple[Changed, ...]


def compare(contacts: Sequence[Contact], ours: Runs, theirs: Runs, most: int = 10) -> Comparison:
    """Compare run by run. Contacts are in the runs' order."""
    days = np.array([c.day for c in contacts])
    everybody = np.ones(len(contacts), np.bool_)
    by: dict[str, dict[str, Block]] = {}
    for what in contacts[0].groups if contacts else ():
        names = np.array([c.groups[what] for c in contacts])
        by[what] = {str(name): _block(names == name, days, ours, theirs) for name in np.unique(names)}
    return Comparison(_block(everybody, days, ours, theirs), by, _changed(contacts, ours, theirs, most))


def _block(mine: Bools, days: npt.NDArray[np.str_], ours: Runs, theirs: Runs) -> Block:
    which = days[mine]

    def change(of: tuple[Floats, Floats]) -> Change:
        return _change(of[0][:, mine] - of[1][:, mine], which)

    def told(runs: Runs) -> Told:
        waited = runs.waited[:, mine]
        return Told(
            mean_wait_s=float(waited.mean()),
            p90_wait_s=float(np.quantile(waited, 0.9, axis=1).mean()),
            service_level_20s=float(_in_time(runs)[:, mine].mean()),
            abandonment=float((~runs.answered[:, mine]).mean()),
        )

    return Block(
        contacts=int(mine.sum()),
        ours=told(ours),
        theirs=told(theirs),
        mean_wait_s=change((ours.waited, theirs.waited)),
        service_level_20s=change((_in_time(ours), _in_time(theirs))),
        abandonment=change((_left(ours), _left(theirs))),
    )


def _in_time(runs: Runs) -> Floats:
    return (runs.answered & (runs.waited <= SERVICE_LEVEL_S)).astype(np.float64)


def _left(runs: Runs) -> Floats:
    return (~runs.answered).astype(np.float64)


def _change(less: Floats, days: npt.NDArray[np.str_]) -> Change:
    by_run = [float(m) for m in less.mean(axis=1)]
    names = np.unique(days)
    whole = float(less.mean())
    return Change(whole, interval(by_run), _jackknife(less.mean(axis=0), days, names))


def _jackknife(less: Floats, days: npt.NDArray[np.str_], names: npt.NDArray[np.str_]) -> Interval | None:
    """The 95 % interval of a mean over contacts where it is the days that are independent (Miller 1974: pseudo-values); None of one day."""
    n, total = len(names), float(less.sum())
    if n < 2:
        return None
    sums = [(float(less[days == name].sum()), int((days == name).sum())) for name in names]
    whole = total / len(less)
    pseudo = [n * whole - (n - 1) * (total - part) / (len(less) - count) for part, count in sums]
    half = interval(pseudo).half
    return Interval(whole, None if half is None else whole - half, None if half is None else whole + half)


def _changed(contacts: Sequence[Contact], ours: Runs, theirs: Runs, most: int) -> tuple[Changed, ...]:
    """Those whose mean wait differs most."""
    less = np.abs(ours.waited.mean(axis=0) - theirs.waited.mean(axis=0))
    at = np.array([c.at for c in contacts])
    days = np.array([c.day for c in contacts])
    pools = [np.array([how(c).pool for c in contacts]) for how in (attrgetter("ours"), attrgetter("theirs"))]
    first = [int(i) for i in np.argsort(-less, kind="stable")[:most] if less[i] > 0]

    def of(i: int) -> Changed:
        return Changed(
            contacts[i],
            ours_wait_s=float(ours.waited[:, i].mean()),
            theirs_wait_s=float(theirs.waited[:, i].mean()),
            ours_abandoned=float((~ours.answered[:, i]).mean()),
            theirs_abandoned=float((~theirs.answered[:, i]).mean()),
            ours_overtaken=_overtaken(ours, at, i, (days == days[i]) & (pools[0] == pools[0][i])),
            theirs_overtaken=_overtaken(theirs, at, i, (days == days[i]) & (pools[1] == pools[1][i])),
        )

    return tuple(of(i) for i in first)


def _overtaken(runs: Runs, at: Floats, i: int, rivals: Bools) -> float:
    """How many of the rivals came later and were answered earlier than the contact left the queue, over the runs."""
    later = np.flatnonzero(rivals & (at > at[i]))
    left = at[i] + runs.waited[:, i]
    begins = at[later] + runs.waited[:, later]
    return float((runs.answered[:, later] & (begins < left[:, None])).sum(axis=1).mean())
