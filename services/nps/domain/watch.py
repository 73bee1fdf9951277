"""Looking at many segments again and again: all answers, and the values of two dimensions, each by strata of the other.

The answers are kept by day, bucket and combination of the two dimensions, so that a look costs what changed since the
last one. A segment is judged from the beginning of its stretch, which is the first answer or, once a change was told, the latest
moment at which that change can have begun. All answers are judged by themselves; of the other segments those are
named among which at most 5 % are false (`change.discoveries`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from services.nps.domain.board import EPOCH, Board
from services.nps.domain.change import ALPHA, OWN, Change, Ints, change, discoveries, evidence_now, threshold
from services.nps.domain.split import Split, split

BUCKET_HOURS: Final = 4
"""Six looks a day, as docs/models/nps-statistics.md has measured them."""
PER_DAY: Final = 24 // BUCKET_HOURS
LONGEST: Final = 400
"""Days that a stretch has at most."""
FEWEST: Final = 50
"""Answers in a stretch below which a combination is no stratum. They are left out, not put together: among themselves their
mix would shift. Only where most answers are of such combinations are all answers one stratum."""
MOST_STRATA: Final = 400
NAMED: Final = 5
"""Segments named at most of those that carry a change."""

Where = tuple[tuple[str, str], ...]


def segment_name(where: Where) -> str:
    """A segment as text: "all", or "dimension=value" joined by commas."""
    return ",".join(f"{d}={v}" for d, v in where) or "all"


def bucket_of(moment: datetime) -> int:
    """Buckets since 1970."""
    return (moment - EPOCH) // timedelta(hours=BUCKET_HOURS)


def begin_of(bucket: int) -> datetime:
    """When a bucket begins, UTC."""
    return EPOCH + bucket * timedelta(hours=BUCKET_HOURS)


@dataclass(frozen=True, slots=True)
class Shift:
    """A segment's change, its buckets counted since 1970. stretch: the first bucket that was looked at; seen: the first
    that was not yet."""

    where: Where
    stretch: int
    seen: int
    change: Change
    split: Split | None


@dataclass
class Days:
    """Answers by day, bucket and combination of two dimensions."""

    dimensions: tuple[str, str]
    _tables: dict[int, tuple[list[tuple[str, ...]], Ints]] = field(default_factory=dict)

    def take(self, board: Board) -> None:
        """Takes over the days that changed."""
        for day in board.take_touched():
            names, counts = board.series(24 * day, 24 * day + 24, {}, self.dimensions, BUCKET_HOURS)
            if names:
                # Dimensions that no answer has had yet have no place in the board's names.
                self._tables[day] = ([(*n, "", "")[:2] for n in names], counts)
            else:
                self._tables.pop(day, None)

    def first(self) -> int | None:
        """The first day with answers, since 1970; None where there are none."""
        return min(self._tables, default=None)

    def answers(self, begin: int, end: int) -> "Answers":
        """All of the buckets from `begin` up to `end`."""
        days = [d for d in self._tables if begin // PER_DAY <= d <= (end - 1) // PER_DAY]
        names = sorted({n for d in days for n in self._tables[d][0]})
        place = {n: i for i, n in enumerate(names)}
        counts = np.zeros((max(end - begin, 0), len(names), 3), np.int64)
        for day in days:
            columns = [place[n] for n in self._tables[day][0]]
            first = day * PER_DAY
            low, high = max(begin, first), min(end, first + PER_DAY)
            into, new = counts[low - begin : high - begin], self._tables[day][1][low - first : high - first]
            if len(set(columns)) == len(columns):
                into[:, columns] += new
                continue
            # Two names may be one: those that lack a dimension the board didn't know when the other was taken.
            for i, column in enumerate(columns):
                into[:, column] += new[:, i]
        return Answers(self.dimensions, begin, names, counts)


@dataclass(frozen=True, slots=True)
class Answers:
    """Counts by bucket (from `begin` on), combination of two dimensions and group."""

    dimensions: tuple[str, str]
    begin: int
    names: list[tuple[str, ...]]
    counts: Ints

    def segments(self) -> list[Where]:
        """All answers first, then each value of each dimension."""
        found: list[Where] = [()]
        for d, dimension in enumerate(self.dimensions):
            found += [((dimension, v),) for v in sorted({n[d] for n in self.names}) if v]
        return found

    def columns(self, where: Where) -> list[int]:
        """The combinations that a segment has."""
        wanted = [(self.dimensions.index(d), v) for d, v in where]
        return [i for i, n in enumerate(self.names) if all(n[d] == v for d, v in wanted)]

    def strata(self, where: Where, begin: int) -> Ints:
        """A segment's counts from a bucket on, by bucket, stratum and group."""
        some = self.counts[max(begin - self.begin, 0) :, self.columns(where)]
        n = some.sum(axis=(0, 2))
        own = np.argsort(-n, kind="stable")[: min(int((n >= FEWEST).sum()), MOST_STRATA)]
        return some[:, own] if 2 * n[own].sum() > n.sum() else some.sum(axis=1, keepdims=True)

    def by(self, dimension: int, where: Where) -> tuple[list[str], Ints]:
        """A segment's counts by bucket, value of one dimension and group; the segments' names."""
        columns = self.columns(where)
        values = sorted({self.names[i][dimension] for i in columns})
        counts = np.zeros((len(self.counts), len(values), 3), np.int64)
        for i in columns:
            counts[:, values.index(self.names[i][dimension])] += self.counts[:, i]
        return [f"{self.dimensions[dimension]}={v}" for v in values], counts


def first_bucket(first_day: int | None, now: datetime) -> int:
    """Where looking begins: at the first day's answers, LONGEST days back at most."""
    last = bucket_of(now)
    return last if first_day is None else max(first_day * PER_DAY, last - LONGEST * PER_DAY)


def look(answers: Answers, stretches: Mapping[Where, int]) -> list[Shift]:
    """The segments that have changed for certain since their stretch began (by default with the answers)."""
    segments = answers.segments()
    counts = {where: answers.strata(where, stretches.get(where, answers.begin)) for where in segments}
    found = {where: evidence_now(c) for where, c in counts.items()}
    others = segments[1:]
    named = [others[i] for i in discoveries(np.array([found[w] for w in others]), ALPHA * (1 - OWN)).tolist()]
    if found[()] >= threshold():
        named.insert(0, ())
    told = [(where, judge(answers, where, stretches.get(where, answers.begin))) for where in named]
    return [shift for _, shift in told if shift is not None]


def judge(answers: Answers, where: Where, begin: int) -> Shift | None:
    """One segment, from a bucket on; None where nothing could be told from chance."""
    begin = max(begin, answers.begin)
    found = change(answers.strata(where, begin))
    if found is None:
        return None
    moved = Change(
        found.since + begin, found.earliest + begin, found.latest + begin,
        found.size, found.low, found.high, found.evidence,
    )  # fmt: skip
    return Shift(where, begin, answers.begin + len(answers.counts), moved, parts(answers, where, begin, moved.since))


def parts(answers: Answers, where: Where, begin: int, since: int) -> Split | None:
    """A change split in mix and real by the combinations, and the values of either dimension that carry the real part."""
    columns = answers.columns(where)
    whole = _split([segment_name(tuple(zip(answers.dimensions, answers.names[i], strict=True))) for i in columns],
                   answers.counts[:, columns], answers.begin, begin, since)  # fmt: skip
    if whole is None:
        return None
    carriers = []
    fixed = {d for d, _ in where}
    for d, dimension in enumerate(answers.dimensions):
        if dimension not in fixed:
            names, counts = answers.by(d, where)
            one = _split(names, counts, answers.begin, begin, since)
            carriers += [c for c in one.segments if not c.segment.endswith("=")] if one else []
    carriers.sort(key=lambda c: (not c.certain, -abs(c.real.points), c.segment))
    return Split(whole.total, whole.mix, whole.real, tuple(carriers[:NAMED]))


def _split(names: Sequence[str], counts: Ints, at: int, begin: int, since: int) -> Split | None:
    return split(names, counts[begin - at : since - at].sum(axis=0), counts[since - at :].sum(axis=0))
