"""The week's pain points: what costs most, where, whether it is new, what got better, and what is only noise.

Shares are of all answers, so that a stage about which more people complain while as many answer is seen to rise. Every figure is
looked at for each of 28 stages in each place, so what is called certain is certain though so much was looked at: `ALARM` is the
probability that a whole report without any change names one. A change from one week to the next is not what the running test
(`change`) tells, which looks at all times at once: this one looks once a week.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

from services.nps.domain.compare import Difference, Share, difference, least, level, rose, share
from services.nps.domain.drivers import Impact, impact, moved
from services.nps.domain.figures import Figure
from services.nps.domain.replies import Place, Week
from services.nps.domain.split import Part

MOST: Final = 5
ALARM: Final = 0.01
"""The probability that a report names something as risen in a week in which nothing did: once in two years of weekly reports."""
BETTER: Final = 0.05
"""The same for what got better, and for where it is worse than elsewhere."""
NOTED: Final = 3.0
"""Points of NPS from which on a move is worth being called no reason to worry."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Complaints about one stage in one place. worse: certainly more often than elsewhere. risen: certainly more than last week."""

    place: Place
    share: Share
    before: Share
    worse: bool
    risen: bool


@dataclass(frozen=True, slots=True)
class Pain:
    """One stage's complaints this week and last.

    moved: what its impact changed by; None without a last week. risen: the trend of its share is certainly up, somewhere or
    everywhere. narrowest: the place that tells the rise best, None for all places together. only: outside of that place it
    didn't rise for certain. spots: by dimension, those that complain most first.
    """

    stage: str
    share: Share
    before: Share
    trend: Difference
    impact: Impact | None
    moved: Part | None
    risen: bool
    narrowest: Place | None
    only: bool
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Better:
    """A stage that is complained of less than last week (praise: praised more), for certain."""

    stage: str
    praise: bool
    before: Share
    after: Share
    trend: Difference


@dataclass(frozen=True, slots=True)
class Calm:
    """A place whose score moved, but no more than chance moves so many places. Points with the interval that all of them share."""

    place: Place
    before: Figure
    after: Figure
    moved: Part


@dataclass(frozen=True, slots=True)
class Findings:
    """The week. moved: the overall score less last week's. pains: all stages complained of, the costliest first."""

    moved: Part | None
    pains: tuple[Pain, ...]
    better: tuple[Better, ...]
    calm: tuple[Calm, ...]
    tests: int

    @property
    def worst(self) -> tuple[Pain, ...]:
        """The pain points to tell: those that rose for certain, and the costliest, at most MOST, the costliest first."""
        risen = [p for p in self.pains if p.risen][:MOST]
        rest = [p for p in self.pains if not p.risen and _costs(p)][: MOST - len(risen)]
        return tuple(p for p in self.pains if p in risen or p in rest)

    @property
    def alarms(self) -> tuple[Pain, ...]:
        """What rose for certain."""
        return tuple(p for p in self.pains if p.risen)


def find(this: Week, last: Week, places: Sequence[str]) -> Findings:
    """What the week tells beside the one before it; `last` may be empty. places: the dimensions that `this` was counted by."""
    stages = sorted(this.complaints)
    looks = [(stage, place) for stage in stages for place in (None, *sorted(_places(this, last, stage)))]
    pairs = {look: (_at(last, *look), _at(this, *look)) for look in looks}
    # Without a last week there is nothing to compare with: no test, no alarm.
    compared = pairs if last.all.n else {}
    cut = level([least(*pair) for pair in compared.values()], ALARM)
    chance = {look: rose(*pair) for look, pair in compared.items()}
    risen = {look for look, p in chance.items() if p <= cut and pairs[look][1].value > pairs[look][0].value}
    worse = _worse(this, stages)
    found = [_pain(stage, this, last, places, chance, risen, cut, worse) for stage in stages]
    found.sort(key=lambda p: (p.impact.impact.points if p.impact else 0.0, -p.share.of, p.stage))
    return Findings(
        scores(last.all, this.all) if last.all.n and this.all.n else None,
        tuple(found),
        _better(this, last) if last.all.n else (),
        _calm(this, last),
        len(compared),
    )


def scores(before: Figure, after: Figure, error: float = 0.05) -> Part:
    """One score less an earlier one, with the ends of its interval at confidence 1 − error, in points."""
    z, z95 = NormalDist().inv_cdf(1 - error / 2), NormalDist().inv_cdf(0.975)
    half = z / z95 * sqrt(sum(((f.high - f.low) / 2) ** 2 for f in (before, after)))
    # The intervals' middles, not the scores, are what they are symmetric about.
    middle = (after.low + after.high) / 2 - (before.low + before.high) / 2
    return Part(after.nps - before.nps, middle - half, middle + half)


def _costs(p: Pain) -> bool:
    """One or two complaints are no pain point, and neither is what goes with a better score. What all complain of is one."""
    return p.share.of >= 3 and (p.impact is None or p.impact.impact.points < 0)


def _places(this: Week, last: Week, stage: str) -> set[Place]:
    return {place for week in (this, last) for name, place in week.complaints_at if name == stage}


def _at(week: Week, stage: str, place: Place | None) -> Share:
    if place is None:
        return share(week.complaints[stage], week.all.n)
    figure = week.by.get(place)
    return share(week.complaints_at[stage, place], figure.n if figure else 0)


def _less(all_: Share, part: Share) -> Share:
    return share(all_.of - part.of, all_.n - part.n)


def _pain(
    stage: str,
    this: Week,
    last: Week,
    places: Sequence[str],
    chance: dict[tuple[str, Place | None], float],
    risen: set[tuple[str, Place | None]],
    cut: float,
    worse: set[tuple[str, Place]],
) -> Pain:
    now, before = _at(this, stage, None), _at(last, stage, None)
    mine = sorted((chance[look], look[1] is None, look[1] or ("", "")) for look in risen if look[0] == stage)
    narrowest = mine[0][2] if mine and not mine[0][1] else None
    only = False
    if narrowest is not None:
        inside = _at(last, stage, narrowest), _at(this, stage, narrowest)
        only = rose(_less(before, inside[0]), _less(now, inside[1])) > cut
    cost = impact(this.complaining[stage], this.answers)
    earlier = impact(last.complaining[stage], last.answers) if stage in last.complaining else None
    return Pain(
        stage, now, before, difference(before, now), cost,
        moved(earlier, cost) if last.all.n else None,
        bool(mine), narrowest, only,
        tuple(_spots(stage, this, last, places, risen, worse)),
    )  # fmt: skip


def _worse(this: Week, stages: Sequence[str]) -> set[tuple[str, Place]]:
    """Where a stage is complained of more than elsewhere, for certain, though all of them are looked at."""
    here = {(stage, place): _at(this, stage, place) for stage in stages for place in this.by}
    pairs = {look: (_less(_at(this, look[0], None), s), s) for look, s in here.items()}
    cut = level([least(*pair) for pair in pairs.values()], BETTER)
    return {look for look, pair in pairs.items() if rose(*pair) <= cut}


def _spots(
    stage: str,
    this: Week,
    last: Week,
    places: Sequence[str],
    risen: set[tuple[str, Place | None]],
    worse: set[tuple[str, Place]],
) -> Iterable[Spot]:
    for dimension in places:
        spots = [
            Spot(
                place,
                _at(this, stage, place),
                _at(last, stage, place),
                (stage, place) in worse,
                (stage, place) in risen,
            )
            for place in this.by
            if place[0] == dimension
        ]
        yield from sorted(spots, key=lambda s: (-s.share.value, s.place))


def _better(this: Week, last: Week) -> tuple[Better, ...]:
    rows = [
        (s, False, share(last.complaints[s], last.all.n), share(this.complaints[s], this.all.n))
        for s in last.complaints
    ]
    rows += [(s, True, share(last.praises[s], last.all.n), share(this.praises[s], this.all.n)) for s in this.praises]
    # Fewer complaints are more answers without one: the same test from the other side.
    pairs = [(b, a) if praise else (a, b) for _, praise, b, a in rows]
    cut = level([least(*pair) for pair in pairs], BETTER)
    found = [
        Better(stage, praise, b, a, difference(b, a))
        for (stage, praise, b, a), pair in zip(rows, pairs, strict=True)
        if rose(*pair) <= cut
    ]
    return tuple(sorted(found, key=lambda x: (x.praise, -abs(x.trend.value), x.stage)))


def _calm(this: Week, last: Week) -> tuple[Calm, ...]:
    both = [place for place, f in this.by.items() if f.n and place in last.by and last.by[place].n]
    if not both:
        return ()
    error = 0.05 / len(both)
    whole = scores(last.all, this.all)
    certain = not whole.low <= 0 <= whole.high
    found = []
    for place in both:
        moved = scores(last.by[place], this.by[place], error)
        # Where all together moved for certain, a place that moved the same way is part of it, and no reason to be calm.
        part_of_it = certain and moved.points * whole.points > 0
        if abs(moved.points) >= NOTED and moved.low <= 0 <= moved.high and not part_of_it:
            found.append(Calm(place, last.by[place], this.by[place], moved))
    return tuple(sorted(found, key=lambda c: (-abs(c.moved.points), c.place)))
