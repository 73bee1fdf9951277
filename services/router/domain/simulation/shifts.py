"""Which seats were on duty when, and for which calls, rebuilt from who took what: a log has no roster."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from services.router.domain.simulation.recorded import Call, Shift, Span

DAY_S = 24 * 3600
_TWO_DAYS_S = 2 * DAY_S  # calls of the last minutes end on the next day


@dataclass(frozen=True, slots=True)
class Reading:
    """What counts as a break, and as a type of call that a seat takes."""

    idle_at_most_s: float = 1800
    """A seat that took nothing for longer was away, whoever called."""
    ignores_at_most_s: float = 120
    """So was one during whose gap calls that it takes waited longer than this."""
    takes_share: float = 0.25
    """A seat takes a type if it took this share at least of what it would, did all seats take all types alike."""
    passes_over: int = 4
    """So many calls in a row of a type that was first by the rule, left waiting: the seat did not take the type then."""
    class_s: float = 90
    """What a class is worth in the rule by which the log's queue was worked off, in seconds of waiting."""
    margin_s: float = 5
    """A call is passed over only if it was first by more than this: the log's seconds are rounded."""


def shifts_of(calls: Sequence[Call], reading: Reading) -> tuple[Shift, ...]:
    """Rebuild the shifts of one day from its calls by time: who served when, while who waited."""
    by_seat: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.answered and call.seat:
            by_seat[call.seat].append(call)
    whole = Counter(call.kind for call in calls if call.seat)
    takes = {seat: _kinds(mine, whole, reading) for seat, mine in by_seat.items()}
    not_taken = _not_taken(calls, takes, reading)
    waits = _Waits(calls)
    return tuple(_shift(seat, by_seat[seat], takes[seat], not_taken, waits, reading) for seat in sorted(by_seat))


def _kinds(mine: Sequence[Call], whole: Mapping[str, int], reading: Reading) -> frozenset[str]:
    counts = Counter(call.kind for call in mine)
    even = len(mine) / sum(whole.values())
    return frozenset(kind for kind, n in counts.items() if n >= reading.takes_share * even * whole[kind])


def _begins(call: Call) -> float:
    return call.at + call.waited_s


def _ends(call: Call) -> float:
    return _begins(call) + (call.service_s or 0.0)


class _Waits:
    """For how many seconds of the day, up to any moment, calls of some types waited."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self.change: dict[str, npt.NDArray[np.int64]] = {}
        for call in calls:
            if call.waited_s > 0:
                change = self.change.setdefault(call.kind, np.zeros(_TWO_DAYS_S, np.int64))
                change[min(int(call.at), _TWO_DAYS_S - 1)] += 1
                change[min(int(_begins(call)), _TWO_DAYS_S - 1)] -= 1
        self.sums: dict[frozenset[str], npt.NDArray[np.int64]] = {}

    def between(self, kinds: frozenset[str], start: float, end: float) -> float:
        if kinds not in self.sums:
            total = sum((self.change[k] for k in sorted(kinds & self.change.keys())), np.zeros(_TWO_DAYS_S, np.int64))
            self.sums[kinds] = np.concatenate(([0], np.cumsum(np.cumsum(total) > 0)))
        sums = self.sums[kinds]
        return float(sums[min(int(end), _TWO_DAYS_S)] - sums[min(int(start), _TWO_DAYS_S)])


def _not_taken(
    calls: Sequence[Call], takes: Mapping[str, frozenset[str]], reading: Reading
) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """When a seat left a type waiting that it takes at other times of the day: (seat, type) → spans."""
    evidence: dict[tuple[str, str], list[tuple[float, bool]]] = defaultdict(list)
    queued = [call for call in calls if call.waited_s > 0]
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    """Type → (place, when it left), of those who wait."""
    i = 0
    for pick in sorted((c for c in calls if c.seat and not c.called_back), key=_begins):
        now = _begins(pick)
        evidence[pick.seat, pick.kind].append((now, True))
        while i < len(queued) and queued[i].at < now - 1:
            heappush(lines[queued[i].kind], (_place(queued[i], reading), _begins(queued[i])))
            i += 1
        if pick.waited_s <= 0:
            continue
        for kind in takes[pick.seat] - {pick.kind}:
            line = lines[kind]
            while line and line[0][1] <= now + 1:
                heappop(line)
            if line and line[0][0] < _place(pick, reading) - reading.margin_s:
                evidence[pick.seat, kind].append((now, False))
    return {key: _runs(found, reading.passes_over) for key, found in evidence.items()}


def _place(call: Call, reading: Reading) -> float:
    return call.at - reading.class_s * (int(call.tier) if call.tier else 0)


def _runs(evidence: Sequence[tuple[float, bool]], least: int) -> list[tuple[float, float]]:
    """The spans, between two calls of the type that it took, in which it passed over `least` of them or more."""
    spans, since, passed = [], -1.0, 0
    for at, took in (*evidence, (float(_TWO_DAYS_S), True)):
        if not took:
            passed += 1
            continue
        if passed >= least:
            spans.append((since + 1, at))
        since, passed = at, 0
    return spans


def _shift(
    seat: str,
    mine: Sequence[Call],
    kinds: frozenset[str],
    not_taken: Mapping[tuple[str, str], list[tuple[float, float]]],
    waits: _Waits,
    reading: Reading,
) -> Shift:
    off = {kind: not_taken.get((seat, kind), []) for kind in kinds}
    cuts = sorted({moment for spans in off.values() for span in spans for moment in span})

    def at(moment: float) -> frozenset[str]:
        return frozenset(k for k in kinds if not any(start <= moment < end for start, end in off[k]))

    spans: list[Span] = []

    def add(start: float, end: float) -> None:
        inner = cuts[bisect_right(cuts, start) : bisect_right(cuts, end)]
        for a, b in zip((start, *inner), (*inner, end), strict=True):
            if b > a:
                spans.append(Span(a, b, at(a)))

    served = sorted(mine, key=_begins)
    start, end = _begins(served[0]), _begins(served[0])
    for call in served:
        begins = _begins(call)
        gap = begins - end
        away = gap > reading.idle_at_most_s or (
            gap > 0 and waits.between(at(end), end, begins) > reading.ignores_at_most_s
        )
        if away or call.called_back:
            add(start, end if away else max(end, begins))
            start = begins
        end = max(end, _ends(call))
        if call.called_back:
            start = end
    add(start, end)
    return Shift(seat, tuple(spans))
