"""Looking for changes, live: every minute at all watched segments, and whenever somebody asks at the one they ask for.

What is told stands in the table nps_shift: whichever process is first to write a stretch's change has told it. A change
that is not marked as published is published by whoever looks next, with the same id.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from touchline.nps.v1 import nps_pb2

from services.nps.domain import words
from services.nps.domain.change import Change
from services.nps.domain.history import history
from services.nps.domain.split import Part, Split
from services.nps.domain.watch import (
    BUCKET_HOURS,
    Answers,
    Days,
    Shift,
    Where,
    begin_of,
    bucket_of,
    first_bucket,
    judge,
    look,
    parts,
    segment_name,
)
from services.nps.feed import Feed
from services.nps.telling import Telling
from services.runtime.beside import again
from services.runtime.clock import Clock
from services.runtime.publisher import Publisher
from services.runtime.records import timestamp, write

SOURCE: Final = "touchline/nps.watch"
LOOKING: Final = 0x6E70735F6C6F6F6B
"""The advisory lock of whoever looks."""
COARSE: Final = 3
"""Buckets in one, where a segment that is not watched is looked at from its beginning: two looks a day."""


@dataclass(frozen=True, slots=True)
class Told:
    """A change as it was told. next: from where the next one is looked for."""

    stretch: datetime
    told_at: datetime
    next: datetime
    change: nps_pb2.Change


class Watching:
    """The watcher, and its answers."""

    def __init__(
        self, pool: Any, feed: Feed, publisher: Publisher, clock: Clock, dimensions: tuple[str, str], zone: tzinfo
    ) -> None:
        """Take the two dimensions that are watched, and the zone of the times that sentences name."""
        self._telling = Telling(pool, feed, publisher, clock, zone)
        self._pool, self._feed, self._publisher, self._clock = pool, feed, publisher, clock
        self._days = Days(dimensions)
        self._zone = zone

    async def run(self, every_s: float) -> None:
        """Looks again and again, for ever."""
        await self._feed.ready()
        await again(self.once, every_s, "changes could not be looked for")()

    async def once(self) -> None:
        """One look at all watched segments; tells what changed for certain. Of several processes one looks at a time."""
        async with self._pool.acquire() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOOKING):
                return
            try:
                await self._look()
            finally:
                await connection.execute("SELECT pg_advisory_unlock($1)", LOOKING)

    async def _look(self) -> None:
        answers = await self._answers(self._clock())
        told = await self._told()
        stretches = {where: bucket_of(found[-1].next) for where, found in told.items()}
        for shift in await asyncio.to_thread(look, answers, stretches):
            await self._tell(shift)
        await self._publish()
        await self._telling.once()

    async def changes(self, where: Mapping[str, str], days: int, at: datetime) -> nps_pb2.GetChangesResponse:
        """What changed in a segment within so many days."""
        answers, asked = await self._answers(at), tuple(sorted(where.items()))
        since = at - timedelta(days=days)
        if asked in answers.segments():
            found = await self._watched(answers, asked, at)
        else:
            own = self._own(asked, at)
            found = await asyncio.to_thread(self._unwatched, own, asked) if own else []
        shown = [c for c in found if c.latest.ToDatetime(tzinfo=UTC) >= since]
        counted = self._feed.answers.counts(_hour(bucket_of(since)), _hour(bucket_of(at) + 1), where)
        last = shown[-1] if shown else None
        return nps_pb2.GetChangesResponse(
            changes=shown,
            zh=last.zh if last else words.changed(None, begin_of, "zh"),
            en=last.en if last else words.changed(None, begin_of, "en"),
            answers=sum(counted),
        )

    async def _answers(self, at: datetime) -> Answers:
        await self._feed.refresh()
        self._days.take(self._feed.answers)
        return self._days.answers(first_bucket(self._days.first(), at), bucket_of(at) + 1)

    async def _watched(self, answers: Answers, where: Where, at: datetime) -> list[nps_pb2.Change]:
        """What was told, the last of it as all answers tell it now, and what is about to be told."""
        told = [t for t in (await self._told()).get(where, []) if t.told_at <= at]
        found = [t.change for t in told]
        if told:
            again = await asyncio.to_thread(judge, answers, where, bucket_of(told[-1].stretch))
            if again is not None:
                found[-1] = self._change(again.change, again.split, told[-1].told_at)
        begin = bucket_of(told[-1].next) if told else answers.begin
        now = await asyncio.to_thread(judge, answers, where, begin)
        return [*found, self._change(now.change, now.split)] if now else found

    def _own(self, where: Where, at: datetime) -> Answers | None:
        """A segment's own answers. Not in a thread: the board may change under it."""
        board, end = self._feed.answers, bucket_of(at) + 1
        begin = first_bucket(self._days.first(), at)
        dimensions = tuple(d for d in self._days.dimensions if d not in dict(where))
        names, counts = board.series(_hour(begin), _hour(end), dict(where), dimensions, BUCKET_HOURS)
        if not names:
            return None
        return Answers(self._days.dimensions, begin, _full(names, dimensions, self._days.dimensions, where), counts)

    def _unwatched(self, answers: Answers, where: Where) -> list[nps_pb2.Change]:
        """What looking twice a day since the first answer has told."""
        begin, known = answers.begin, tuple(x for x in where if x[0] in self._days.dimensions)
        strata = answers.strata((), begin)
        whole = len(strata) // COARSE * COARSE
        coarse = strata[:whole].reshape(-1, COARSE, *strata.shape[1:]).sum(axis=1)
        found = []
        for told in history(np.ascontiguousarray(coarse)):
            c = told.change
            moved = Change(
                begin + c.since * COARSE, begin + c.earliest * COARSE, begin + c.latest * COARSE,
                c.size, c.low, c.high, c.evidence,
            )  # fmt: skip
            split = parts(answers, known, begin, moved.since)
            found.append(self._change(moved, split, begin_of(begin + told.after * COARSE)))
        return found

    async def _told(self) -> dict[Where, list[Told]]:
        rows = await self._pool.fetch("SELECT stretch, told_at, next, body FROM nps_shift ORDER BY stretch")
        found: dict[Where, list[Told]] = {}
        for stretch, told_at, then, body in rows:
            shift = nps_pb2.NpsShifted.FromString(body)
            found.setdefault(tuple(sorted(shift.where.items())), []).append(Told(stretch, told_at, then, shift.change))
        return found

    async def _tell(self, shift: Shift) -> None:
        now = self._clock()
        message = nps_pb2.NpsShifted(
            segment=segment_name(shift.where),
            where=dict(shift.where),
            change=self._change(shift.change, shift.split, now),
        )
        await self._pool.execute(
            """INSERT INTO nps_shift (segment, stretch, told_at, next, body) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT DO NOTHING""",
            message.segment,
            begin_of(shift.stretch),
            now,
            begin_of(max(shift.change.latest, shift.stretch + 1)),
            message.SerializeToString(),
        )

    async def _publish(self) -> None:
        rows = await self._pool.fetch("SELECT segment, stretch, told_at, body FROM nps_shift WHERE NOT published")
        for segment, stretch, told_at, body in rows:
            message = nps_pb2.NpsShifted.FromString(body)
            name = str(uuid5(NAMESPACE_URL, f"{SOURCE}|{segment}|{stretch.isoformat()}"))
            await self._publisher.publish([write(message, event_id=name, source=SOURCE, subject=segment, time=told_at)])
            await self._pool.execute(
                "UPDATE nps_shift SET published = true WHERE segment = $1 AND stretch = $2", segment, stretch
            )

    def _change(self, c: Change, s: Split | None, told_at: datetime | None = None) -> nps_pb2.Change:
        def when(bucket: int) -> datetime:
            return begin_of(bucket).astimezone(self._zone)

        return nps_pb2.Change(
            since=timestamp(begin_of(c.since)),
            earliest=timestamp(begin_of(c.earliest)),
            latest=timestamp(begin_of(c.latest)),
            points=c.size,
            low=c.low,
            high=c.high,
            evidence=c.evidence,
            told_at=timestamp(told_at) if told_at else None,
            split=_split(s) if s else None,
            zh=words.changed(c, when, "zh") + (f"。{words.parts(s, 'zh')}" if s else ""),
            en=words.changed(c, when, "en") + (f". {words.parts(s, 'en')}" if s else ""),
        )


def _full(
    names: list[tuple[str, ...]], given: tuple[str, ...], wanted: tuple[str, str], where: Where
) -> list[tuple[str, ...]]:
    """Combinations of both watched dimensions, where the segment itself has one of them."""
    fixed = dict(where)
    return [tuple(fixed.get(d) or dict(zip(given, n, strict=False)).get(d, "") for d in wanted) for n in names]


def _hour(bucket: int) -> int:
    return bucket * BUCKET_HOURS


def _part(p: Part) -> nps_pb2.Part:
    return nps_pb2.Part(points=p.points, low=p.low, high=p.high)


def _split(s: Split) -> nps_pb2.Split:
    return nps_pb2.Split(
        total=_part(s.total),
        mix=_part(s.mix),
        real=_part(s.real),
        segments=[
            nps_pb2.Carried(
                segment=c.segment, real=_part(c.real), mix=c.mix, before=c.before, after=c.after, certain=c.certain
            )
            for c in s.segments
        ],
    )
