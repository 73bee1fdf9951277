"""Answers in memory, from which any combination of segments over any window of whole hours is counted at once.

A board holds one register an answer: its hour, its segments and its group, told anew whenever it changes; telling the same
again changes nothing. Beside the registers stand lists of which answers have a value, or lie in a day: a question looks at the
shortest of the lists that it names, and at nothing else. It is a cache: all of it can be told again.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.nps.domain.cube import Cell
from services.nps.domain.survey import Segments

Ints = NDArray[np.int64]
Slots = NDArray[np.int32]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NOWHERE: Final = -1
"""The group of a register that counts nothing."""
NEVER: Final = -(1 << 31)
"""The hour of a register that was never told."""
EVER: Final = (NEVER, -NEVER)
"""The hours of all time."""
ROOM: Final = 1024


def hour_number(moment: datetime) -> int:
    """Hours since 1970."""
    return (moment - EPOCH) // timedelta(hours=1)


class Board:
    """Counts of answers by group. A register is named by a small whole number (its slot), as a table numbers its rows."""

    def __init__(self, groups: int = 3) -> None:
        """Take how many groups there are."""
        self._groups = groups
        self._hours = np.full(ROOM, NEVER, np.int32)
        self._group = np.full(ROOM, NOWHERE, np.int8)
        self._kind = np.zeros(ROOM, np.int32)  # which combination of segments
        self._kinds: dict[Segments, int] = {}  # combination → its number
        self._places_of: list[tuple[tuple[int, int], ...]] = []  # by combination: dimension and number of each value
        self._codes: list[NDArray[np.int32]] = []  # by dimension and combination: the value's number, 0 for none
        self._names: dict[str, int] = {}  # dimension → its place
        self._numbers: list[dict[str, int]] = []  # by dimension: value → number
        self._values: list[list[str]] = []  # by dimension: number → value
        self._lists: dict[
            tuple[int, int], array[int]
        ] = {}  # (dimension, number), or (−1, day) → slots, also such as have left
        self._twice: set[tuple[int, int]] = (
            set()
        )  # lists that may hold a slot more than once, or days' such as have left
        self._left: set[tuple[int, int]] = set()  # values' lists that hold slots which have left for another
        self._last: tuple[object, Slots] | None = None  # what was selected last, until something changes
        self._totals: list[list[Cell]] = []  # by dimension: counts of all time by number and group
        self._all: Cell = [0] * groups
        self._touched: set[int] = set()
        self._sorted: dict[int, list[str]] = {}  # by dimension: its values by name

    @property
    def dimensions(self) -> list[str]:
        """The dimensions that any answer has had, in order."""
        return sorted(self._names)

    def put(self, slot: int, at: datetime, segments: Segments, group: int) -> None:
        """What a register says now: group 0, 1, … or NOWHERE."""
        self._grow(slot)
        self._last = None
        hour, kind = hour_number(at), self._kind_of(segments)
        known, day = int(self._hours[slot]), (NOWHERE, hour // 24)
        if known == NEVER:
            moved: tuple[tuple[int, int], ...] = (day, *self._places_of[kind])
        else:
            self._count(slot, -1)
            left = self._places_of[self._kind[slot]]
            moved = tuple(p for p in self._places_of[kind] if p not in left)
            self._twice.update(moved)
            self._left.update(p for p in left if p not in self._places_of[kind])
            self._touched.add(known // 24)
            if known // 24 != hour // 24:
                # Lists of days are put together: none of them may hold what has left for another.
                self._twice.update(((NOWHERE, known // 24), day))
                moved = (day, *moved)
        self._hours[slot], self._group[slot], self._kind[slot] = hour, group, kind
        lists = self._lists
        for key in moved:
            if key in lists:
                lists[key].append(slot)
            else:
                lists[key] = array("i", (slot,))
        self._touched.add(hour // 24)
        self._count(slot, 1)

    def put_all(
        self, slots: Sequence[int], hours: Sequence[int], segments: Sequence[Segments], groups: Sequence[int]
    ) -> None:
        """The same as `put` for many registers, each of which was never told before; several times as fast."""
        if not slots:
            return
        self._grow(max(slots))
        self._last = None
        at, hour, group = np.array(slots, np.int32), np.array(hours, np.int32), np.array(groups, np.int8)
        kind = np.fromiter((self._kind_of(s) for s in segments), np.int32, len(slots))
        self._hours[at], self._group[at], self._kind[at] = hour, group, kind
        self._extend(NOWHERE, hour // 24, at)
        self._touched.update(np.unique(hour // 24).tolist())
        counted = group != NOWHERE
        for g, n in enumerate(np.bincount(group[counted], minlength=self._groups).tolist()):
            self._all[g] += n
        for d, codes in enumerate(self._codes):
            numbers = codes[kind]
            some = numbers > 0
            self._extend(d, numbers[some], at[some])
            both = some & counted
            flat = np.bincount(numbers[both].astype(np.int64) * self._groups + group[both])
            totals = self._totals[d]
            for place in np.flatnonzero(flat).tolist():
                totals[place // self._groups][place % self._groups] += int(flat[place])

    def _extend(self, d: int, numbers: Slots, slots: Slots) -> None:
        """Puts each slot on the list of its number."""
        order = np.argsort(numbers, kind="stable")
        found, starts = np.unique(numbers[order], return_index=True)
        for number, part in zip(found.tolist(), np.split(slots[order], starts[1:]), strict=True):
            known = self._lists.get((d, number))
            if known is None:
                known = self._lists[d, number] = array("i")
            known.frombytes(part.tobytes())

    def drop(self, slot: int) -> None:
        """The register counts nothing from now on."""
        if slot < len(self._group) and self._hours[slot] != NEVER:
            self._touched.add(int(self._hours[slot]) // 24)
            self._last = None
            self._count(slot, -1)
            self._group[slot] = NOWHERE

    def counts(self, start: int, end: int, where: Mapping[str, str]) -> Cell:
        """Answers by group from hour `start` up to `end` that have all these values."""
        found = self._places(where)
        if found is None:
            return [0] * self._groups
        if len(found) < 2 and self._is_ever(start, end):
            return list(self._totals[found[0][0]][found[0][1]] if found else self._all)
        group = self._group[self._select(start, end, found)]
        return [int(n) for n in np.bincount(group + 1, minlength=self._groups + 1)[1:]]

    def by(self, dimension: str, start: int, end: int, where: Mapping[str, str]) -> dict[str, Cell]:
        """The same by the values of a dimension; values without an answer are left out."""
        found, d = self._places(where), self._names.get(dimension)
        if found is None or d is None:
            return {}
        values = self._values[d]
        if not found and self._is_ever(start, end):
            return {values[i]: list(cell) for i, cell in enumerate(self._totals[d]) if i and any(cell)}
        table = self._table(d, start, end, found)
        some = np.flatnonzero(table.any(axis=1))
        return {values[i]: cell for i, cell in zip(some.tolist(), table[some].tolist(), strict=True) if i}

    def page(
        self, dimension: str, start: int, end: int, where: Mapping[str, str], after: str, most: int
    ) -> tuple[dict[str, Cell], str]:
        """`by` for at most so many values, in order of their names, those after `after`; the last of them where there are more, else "".

        Of thousands of values this makes no more than it tells.
        """
        places, d = self._places(where), self._names.get(dimension)
        if places is None or d is None:
            return {}, ""
        names = self._in_order(d)
        first = bisect_right(names, after)
        if not places and self._is_ever(start, end):
            totals, numbers = self._totals[d], self._numbers[d]
            some = ((v, totals[numbers[v]]) for v in names[first:])
            found = list(islice(((v, list(cell)) for v, cell in some if any(cell)), most + 1))
        else:
            table = self._table(d, start, end, places)
            numbers = self._numbers[d]
            found = list(
                islice(((v, table[numbers[v]].tolist()) for v in names[first:] if table[numbers[v]].any()), most + 1)
            )
        return dict(found[:most]), found[most - 1][0] if len(found) > most else ""

    def series(
        self, start: int, end: int, where: Mapping[str, str], strata: tuple[str, ...], hours: int
    ) -> tuple[list[tuple[str, ...]], Ints]:
        """Counts by bucket of so many hours, stratum (a combination of these dimensions' values) and group; the strata's values.

        Answers that lack one of the dimensions are a stratum of their own value "".
        """
        buckets = max(0, -(-(end - start) // hours))
        found = self._places(where)
        if found is None or not buckets:
            return [], np.zeros((buckets, 0, self._groups), np.int64)
        slots = self._select(start, end, found)
        slots = slots[self._group[slots] != NOWHERE]
        known = [self._names[s] for s in strata if s in self._names]
        # One number for each combination of the strata's values: np.unique by one number is faster than by many.
        one = np.zeros(len(slots), np.int64)
        for d in known:
            one = one * len(self._values[d]) + self._codes[d][self._kind[slots]]
        kinds, of = np.unique(one, return_inverse=True)
        bucket = ((self._hours[slots] - start) // hours).astype(np.int64)
        flat = (bucket * len(kinds) + of) * self._groups + self._group[slots]
        table = np.bincount(flat, minlength=buckets * len(kinds) * self._groups)
        series: Ints = table.reshape(buckets, len(kinds), self._groups)
        return [self._named(number, known) for number in kinds.tolist()], series

    def take_touched(self) -> set[int]:
        """The days, since 1970, in which something changed since this was last asked."""
        found, self._touched = self._touched, set()
        return found

    def first_hour(self) -> int | None:
        """The earliest hour with a list; None where nothing was ever put."""
        days = [number for d, number in self._lists if d == NOWHERE]
        return 24 * min(days) if days else None

    def standing(self) -> int:
        """Answers that count."""
        return sum(self._all)

    def values(self, dimension: str) -> Iterator[str]:
        """The values of a dimension in which an answer counts."""
        d = self._names.get(dimension)
        if d is not None:
            yield from (self._values[d][i] for i, cell in enumerate(self._totals[d]) if i and any(cell))

    def _table(self, d: int, start: int, end: int, places: list[tuple[int, int]]) -> Ints:
        """Counts by value's number and group."""
        slots = self._select(start, end, places)
        wide = self._groups + 1
        flat = self._codes[d][self._kind[slots]] * wide + (self._group[slots] + 1)
        found: Ints = np.bincount(flat, minlength=len(self._values[d]) * wide).reshape(-1, wide)[:, 1:]
        return found

    def _in_order(self, d: int) -> list[str]:
        """A dimension's values by name; sorted anew only when there are new ones."""
        known = self._sorted.get(d)
        if known is None or len(known) + 1 != len(self._values[d]):
            known = self._sorted[d] = sorted(self._values[d][1:])
        return known

    def _is_ever(self, start: int, end: int) -> bool:
        return start <= EVER[0] and end >= EVER[1]

    def _places(self, where: Mapping[str, str]) -> list[tuple[int, int]] | None:
        """Dimension and number of each value; None where no answer has ever had one of them."""
        found = []
        for name, value in where.items():
            d = self._names.get(name)
            number = self._numbers[d].get(value) if d is not None else None
            if d is None or number is None:
                return None
            found.append((d, number))
        return found

    def _select(self, start: int, end: int, places: list[tuple[int, int]]) -> Slots:
        """The registers that are asked for, in no order; each once. One question asks for the same several times."""
        asked, last = (start, end, tuple(places)), self._last
        if last is None or last[0] != asked:
            last = self._last = asked, self._find(start, end, places)
        return last[1]

    def _find(self, start: int, end: int, places: list[tuple[int, int]]) -> Slots:
        ever = self._is_ever(start, end)
        lists = sorted(((len(self._lists[p]), p) for p in places if p in self._lists), key=lambda x: x[0])
        if len(lists) < len(places):
            return np.zeros(0, np.int32)
        fewest = lists[0][0] if lists else 1 << 60
        days: list[tuple[int, int]] = []
        if not ever:
            size = 0
            for day in self._days(start, end):
                days.append((NOWHERE, day))
                size += len(self._lists[NOWHERE, day])
                if size >= fewest:
                    days = []
                    break
            else:
                fewest = min(fewest, size)
                if size == 0:
                    return np.zeros(0, np.int32)
        tests = places
        if days:
            slots = np.concatenate([self._clean(key) for key in days])
            # Days that lie in the window whole need no look at their hours.
            ever = start % 24 == 0 and end % 24 == 0
        elif lists:
            own = lists[0][1]
            slots = self._clean(own)
            tests = places if own in self._left else [p for p in places if p != own]
        else:
            slots = np.flatnonzero(self._group != NOWHERE).astype(np.int32)
        if tests:
            kinds = self._kind[slots]
            kept = self._codes[tests[0][0]][kinds] == tests[0][1]
            for d, number in tests[1:]:
                kept &= self._codes[d][kinds] == number
            slots = slots[kept]
        if not ever:
            hours = self._hours[slots]
            slots = slots[(hours >= start) & (hours < end)]
        return slots

    def _days(self, start: int, end: int) -> Iterator[int]:
        first, last = start // 24, (end - 1) // 24
        if last - first < len(self._lists):
            yield from (day for day in range(first, last + 1) if (NOWHERE, day) in self._lists)
        else:
            yield from (n for d, n in self._lists if d == NOWHERE and first <= n <= last)

    def _clean(self, key: tuple[int, int]) -> Slots:
        """A list's slots, each once. A day's are all still there; a value's are, unless it is one of `_left`."""
        slots = np.array(self._lists[key], np.int32)
        if key in self._twice:
            self._twice.discard(key)
            self._left.discard(key)
            d, number = key
            slots = np.unique(slots)
            here = self._hours[slots] // 24 if d == NOWHERE else self._codes[d][self._kind[slots]]
            slots = slots[here == number]
            self._lists[key] = array("i", slots.tobytes())
        return slots

    def _named(self, number: int, dimensions: list[int]) -> tuple[str, ...]:
        """The values of a stratum's number."""
        values = []
        for d in reversed(dimensions):
            number, place = divmod(number, len(self._values[d]))
            values.append(self._values[d][place])
        return tuple(reversed(values))

    def _count(self, slot: int, amount: int) -> None:
        group = int(self._group[slot])
        if group == NOWHERE:
            return
        self._all[group] += amount
        totals = self._totals
        for d, number in self._places_of[self._kind[slot]]:
            totals[d][number][group] += amount

    def _kind_of(self, segments: Segments) -> int:
        known = self._kinds.get(segments)
        if known is None:
            places = tuple((d, self._number(d, value)) for d, value in ((self._dimension(n), v) for n, v in segments))
            known = self._kinds[segments] = len(self._places_of)
            self._places_of.append(places)
            for d, codes in enumerate(self._codes):
                if known >= len(codes):
                    self._codes[d] = np.concatenate([codes, np.zeros(max(len(codes), ROOM), np.int32)])
            for d, number in places:
                self._codes[d][known] = number
        return known

    def _dimension(self, name: str) -> int:
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = len(self._names)
            self._codes.append(np.zeros(max(ROOM, 2 * len(self._places_of)), np.int32))
            self._numbers.append({})
            self._values.append([""])
            self._totals.append([[0] * self._groups])
        return known

    def _number(self, d: int, value: str) -> int:
        known = self._numbers[d].get(value)
        if known is None:
            known = self._numbers[d][value] = len(self._values[d])
            self._values[d].append(value)
            self._totals[d].append([0] * self._groups)
        return known

    def _grow(self, slot: int) -> None:
        size = len(self._hours)
        if slot < size:
            return
        more = max(size, slot + 1 - size)
        self._hours = np.concatenate([self._hours, np.full(more, NEVER, np.int32)])
        self._group = np.concatenate([self._group, np.full(more, NOWHERE, np.int8)])
        self._kind = np.concatenate([self._kind, np.zeros(more, np.int32)])
