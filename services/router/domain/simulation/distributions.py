"""How long callers wait before they give up, how long they are served, and who they are: as tables of quantiles."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.router.domain.simulation.recorded import Cell, Shares

Floats = npt.NDArray[np.float64]
ANY = ""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution: its quantiles at (i + ½) / n, i = 0 … n − 1."""

    values: tuple[float, ...]

    def at(self, slot: float) -> float:
        """Return the value at a share from 0 to 1."""
        return self.values[min(int(slot * len(self.values)), len(self.values) - 1)]


@dataclass(frozen=True, slots=True)
class PatienceTable:
    """Patience by cell and by how many wait as the call arrives."""

    queue_from: tuple[int, ...]
    """Where each bin of queue lengths begins; the first is 0."""
    cells: Mapping[Cell, tuple[Quantiles, ...]]
    """For each bin. The cell of any type and tier is always there."""

    def of(self, kind: str, tier: str) -> tuple[Quantiles, ...]:
        """Return the bins of the nearest cell that is known."""
        for cell in (Cell(kind, tier), Cell(kind, ANY), Cell(ANY, tier)):
            if cell in self.cells:
                return self.cells[cell]
        return self.cells[Cell(ANY, ANY)]


@dataclass(frozen=True, slots=True)
class Fitted:
    """All that a replay needs beyond the log itself."""

    patience: PatienceTable
    service: Mapping[Cell, Quantiles]
    wrap_up: Quantiles
    shares: Shares
    """For calls that the log gives no class."""

    def service_of(self, kind: str, tier: str) -> Quantiles:
        """Return the service times of the nearest cell that is known."""
        for cell in (Cell(kind, tier), Cell(kind, ANY)):
            if cell in self.service:
                return self.service[cell]
        return self.service[Cell(ANY, ANY)]


class DrawnPatience:
    """Each call's patience: its luck is drawn once, and what it comes to depends on the queue that it meets."""

    __slots__ = ("_bins", "_found", "_luck")

    def __init__(self, table: PatienceTable, kinds: Sequence[str], tiers: Sequence[str], luck: Floats) -> None:
        top = table.queue_from[-1]
        self._bins = [bisect_right(table.queue_from, q) - 1 for q in range(top + 1)]
        pairs = list(zip(kinds, tiers, strict=True))
        values = {pair: [q.values for q in table.of(*pair)] for pair in set(pairs)}
        self._found = [values[pair] for pair in pairs]
        self._luck = luck.tolist()

    def of_some(self, calls: Sequence[int]) -> DrawnPatience:
        """The patience of some of the calls, numbered anew."""
        some = object.__new__(DrawnPatience)
        some._bins = self._bins
        some._found = [self._found[i] for i in calls]
        some._luck = [self._luck[i] for i in calls]
        return some

    def of(self, call: int, queue: int) -> float:
        """Seconds that a call will wait, given how many wait as it arrives."""
        bins = self._bins
        values = self._found[call][bins[queue if queue < len(bins) else -1]]
        return values[int(self._luck[call] * len(values))]


def kaplan_meier(waited: Floats, gave_up: npt.NDArray[np.bool_], grid: int) -> Quantiles:
    """Quantiles of patience where only some waits ended in giving up (Kaplan and Meier 1958).

    Beyond the last hang-up seen, the tail is exponential with the mean rate of giving up of all who waited.
    """
    order = np.lexsort((~gave_up, waited))
    times, events = waited[order], gave_up[order]
    at_risk = np.arange(len(times), 0, -1)
    left = np.cumprod(np.where(events, 1 - 1 / at_risk, 1.0))
    rate = max(1, int(events.sum())) / max(float(waited.sum()), 1.0)
    values = []
    for share in (np.arange(grid) + 0.5) / grid:
        i = int(np.searchsorted(-left, -(1 - share)))
        if i < len(times):
            values.append(float(times[i]))
        else:
            last, rest = (float(times[-1]), float(left[-1])) if len(times) else (0.0, 1.0)
            values.append(last + float(np.log(max(rest, 1e-9) / (1 - share))) / rate)
    return Quantiles(tuple(values))


def quantiles(values: Floats, grid: int) -> Quantiles:
    """The quantiles of what was seen."""
    return Quantiles(tuple(float(v) for v in np.quantile(values, (np.arange(grid) + 0.5) / grid)))
