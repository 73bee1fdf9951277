"""Fits what a replay draws: patience, service, after-call work and classes, from the days of a log."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from services.router.domain.simulation.distributions import (
    ANY,
    Fitted,
    PatienceTable,
    Quantiles,
    kaplan_meier,
    quantiles,
)
from services.router.domain.simulation.recorded import Call, Cell, RecordedDay


@dataclass(frozen=True, slots=True)
class Spec:
    """How it is fitted."""

    grid: int = 100
    """Quantiles kept of each distribution."""
    queue_from: tuple[int, ...] = (0, 2, 4, 7, 11, 16)
    least_hang_ups: int = 100
    """A patience cell with fewer is left to a wider one."""
    least_services: int = 50
    wrap_up_at_most_s: float = 120
    """A longer gap while somebody waits is a break, not after-call work."""


def fit(days: Sequence[RecordedDay], spec: Spec) -> Fitted:
    """Fit all distributions."""
    calls = [call for day in days for call in day.calls]
    return Fitted(_patience(days, spec), _service(calls, spec), wrap_up(days, spec), _shares(calls))


def queues_met(calls: Sequence[Call]) -> list[int]:
    """How many waited as each call arrived, by the log. Calls by time."""
    leaving: list[float] = []
    met = []
    for call in calls:
        while leaving and leaving[0] <= call.at:
            heappop(leaving)
        met.append(len(leaving))
        if call.waited_s > 0:
            heappush(leaving, call.at + call.waited_s)
    return met


def _patience(days: Sequence[RecordedDay], spec: Spec) -> PatienceTable:
    """Kaplan–Meier by cell and queue; a bin with too few hang-ups takes the cell's whole, a cell the next wider cell."""
    seen: dict[tuple[Cell, int], list[tuple[float, bool]]] = defaultdict(list)
    for day in days:
        for call, queue in zip(day.calls, queues_met(day.calls), strict=True):
            if call.waited_s <= 0:
                continue
            tier = call.tier or ANY
            at = bisect_right(spec.queue_from, queue) - 1
            for cell in {Cell(call.kind, tier), Cell(call.kind, ANY), Cell(ANY, tier), Cell(ANY, ANY)}:
                seen[cell, at].append((call.waited_s, not call.answered))
    bins = range(len(spec.queue_from))
    cells: dict[Cell, tuple[Quantiles, ...]] = {}
    for cell in sorted({cell for cell, _ in seen}, key=lambda c: (c.kind, c.tier)):
        counts = [sum(gave_up for _, gave_up in seen[cell, b]) for b in bins]
        if cell != Cell(ANY, ANY) and sum(counts) < spec.least_hang_ups * 2:
            continue
        cells[cell] = tuple(_km(_enough(seen, cell, b, counts, spec), spec) for b in bins)
    return PatienceTable(spec.queue_from, cells)


def _enough(
    seen: Mapping[tuple[Cell, int], list[tuple[float, bool]]], cell: Cell, at: int, counts: Sequence[int], spec: Spec
) -> list[tuple[float, bool]]:
    """A bin's waits, with those of the nearest bins until enough of them hung up."""
    low = high = at
    while sum(counts[low : high + 1]) < spec.least_hang_ups and (low > 0 or high < len(counts) - 1):
        low, high = max(0, low - 1), min(len(counts) - 1, high + 1)
    return [wait for b in range(low, high + 1) for wait in seen.get((cell, b), ())]


def _km(waits: Iterable[tuple[float, bool]], spec: Spec) -> Quantiles:
    pairs = list(waits)
    return kaplan_meier(np.array([w for w, _ in pairs], float), np.array([g for _, g in pairs], bool), spec.grid)


def _service(calls: Iterable[Call], spec: Spec) -> dict[Cell, Quantiles]:
    seen: dict[Cell, list[float]] = defaultdict(list)
    for call in calls:
        if call.service_s is not None and call.seat:
            for cell in {Cell(call.kind, call.tier or ANY), Cell(call.kind, ANY), Cell(ANY, ANY)}:
                seen[cell].append(call.service_s)
    return {
        cell: quantiles(np.array(found), spec.grid)
        for cell, found in sorted(seen.items(), key=lambda item: (item[0].kind, item[0].tier))
        if len(found) >= spec.least_services or cell == Cell(ANY, ANY)
    }


def wrap_up(days: Sequence[RecordedDay], spec: Spec) -> Quantiles:
    """Gaps after a call while one that the seat takes was waiting all along, short enough not to be a break."""
    gaps = []
    for day in days:
        ends: dict[str, float] = {}
        for call in sorted((c for c in day.calls if c.seat and c.service_s), key=lambda c: c.at + c.waited_s):
            begins = call.at + call.waited_s
            last = ends.get(call.seat)
            # The call taken next had been waiting since before the seat was free.
            if last is not None and call.at <= last <= begins <= last + spec.wrap_up_at_most_s:
                gaps.append(begins - last)
            ends[call.seat] = begins + (call.service_s or 0.0)
    return quantiles(np.array(gaps or [0.0]), spec.grid)


def _shares(calls: Iterable[Call]) -> dict[str, dict[str, float]]:
    """Type → class → share, of the calls whose class the log tells because they queued."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for call in calls:
        if call.waited_s > 0:
            counts[call.kind][call.tier] += 1
            counts[ANY][call.tier] += 1
    return {
        kind: {tier: n / found.total() for tier, n in sorted(found.items())} for kind, found in sorted(counts.items())
    }
