"""Which seats were on duty when, and for which calls, rebuilt from who took what: a log has no roster."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.router.domain.simulation.recorded import Call, Shift

DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Reading:
    """What counts as a break, and as a type of call that a seat takes."""

    idle_at_most_s: float = 1800
    """A seat that took nothing for longer was away, whoever called."""
    ignores_at_most_s: float = 120
    """So was one during whose gap calls that it takes waited longer than this."""
    takes_from: int = 2
    """Calls of a type in a day from which on a seat takes the type."""
    takes_share: float = 0.02
    """And the least share of its calls that day."""


def shifts_of(calls: Sequence[Call], reading: Reading) -> tuple[Shift, ...]:
    """Rebuild the shifts of one day from its calls: who served when, while who waited."""
    by_seat: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.answered and call.seat:
            by_seat[call.seat].append(call)
    waits = _Waits(calls)
    return tuple(_shift(seat, mine, waits, reading) for seat, mine in sorted(by_seat.items()))


class _Waits:
    """For how many seconds of the day, up to any moment, calls of some types waited."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self.change: dict[str, npt.NDArray[np.int64]] = {}
        for call in calls:
            if call.waited_s > 0:
                change = self.change.setdefault(call.kind, np.zeros(2 * DAY_S, np.int64))
                change[min(int(call.at), 2 * DAY_S - 1)] += 1
                change[min(int(call.at + call.waited_s), 2 * DAY_S - 1)] -= 1
        self.sums: dict[frozenset[str], npt.NDArray[np.int64]] = {}

    def between(self, kinds: frozenset[str], start: float, end: float) -> float:
        if kinds not in self.sums:
            total = sum((self.change[k] for k in sorted(kinds & self.change.keys())), np.zeros(2 * DAY_S, np.int64))
            self.sums[kinds] = np.concatenate(([0], np.cumsum(np.cumsum(total) > 0)))
        return float(self.sums[kinds][int(end)] - self.sums[kinds][int(start)])


def _shift(seat: str, mine: list[Call], waits: _Waits, reading: Reading) -> Shift:
    counts = Counter(call.kind for call in mine)
    least = max(reading.takes_from, reading.takes_share * len(mine))
    kinds = frozenset(kind for kind, n in counts.items() if n >= least) or frozenset(counts)
    served = sorted((c.at + c.waited_s, c.at + c.waited_s + (c.service_s or 0.0)) for c in mine)
    spans: list[tuple[float, float]] = []
    start, end = served[0]
    for begins, ends in served[1:]:
        gap = begins - end
        if gap > reading.idle_at_most_s or (
            gap > 0 and waits.between(kinds, end, begins) > reading.ignores_at_most_s
        ):
            spans.append((start, end))
            start, end = begins, ends
        else:
            end = max(end, ends)
    spans.append((start, end))
    return Shift(seat, kinds, tuple(span for span in spans if span[1] > span[0]))
