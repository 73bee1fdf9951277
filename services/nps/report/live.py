"""The broadcast of what the service has kept: the same report as that of a file, from the tables."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from services.nps import deeds, owning
from services.nps.domain.actions import Action
from services.nps.domain.figures import Figure, figure
from services.nps.domain.remarks import COMPLAINS, PRAISES, READ, Reading
from services.nps.domain.repeats import Chained, Contact, Kind
from services.nps.domain.survey import Segments
from services.nps.domain.words import Language
from services.nps.report import html
from services.nps.report.book import Owned, Said, Source
from services.nps.report.build import Asked, Report, build
from services.nps.report.compose import compose
from services.nps.report.remark import SILENT, UNREAD, Reader, Remark
from services.nps.report.texts import say
from services.nps.report.week import ends, named, running, usual
from services.runtime.clock import Clock

BACK: Final = timedelta(days=56)
"""How far before the week answers are read: eight weeks' trend, and the four weeks before promises of the last four."""
REPEATED: Final = timedelta(days=7)
KEPT: Final = timedelta(seconds=60)
"""How long a report is told again instead of being made anew."""
MOST_KEPT: Final = 8
MOST_ACTIONS: Final = 1000
_READINGS: Final[Mapping[str, Reading]] = {"unread": "unread", "other": "other", "staged": "staged"}
_KINDS: Final[Mapping[str, Kind]] = {k: k for k in ("same", "handling", "unsaid", "other matter", "first")}


class _Nobody(Reader):
    """Reads nothing: whatever was read stands in the tables."""

    def read(self, texts: Sequence[str]) -> list[Remark]:
        return [UNREAD if t.strip() else SILENT for t in texts]


@dataclass(frozen=True)
class Tables:
    """What the tables say of a stretch of time: `build.Records`."""

    said: list[Said]
    contacts: list[tuple[Segments, Chained]]
    promised: list[Action]
    owned: list[Owned]
    figure: Figure

    rejected: Sequence[tuple[int, str]] = ()
    sources: Sequence[Source] = ()
    withdrawn: int = 0
    unanswered: int = 0

    @property
    def lines(self) -> Mapping[str, int]:
        return Counter(
            answered=len(self.said), contacted=len(self.contacts), promised=len(self.promised), owned=len(self.owned)
        )

    @property
    def read(self) -> int:
        return sum(self.lines.values())

    @property
    def surveys(self) -> int:
        return len(self.said)

    def standing(self) -> list[Said]:
        return self.said

    def counted(self) -> Figure:
        return self.figure

    def chained(self, scope: Segments, reader: Reader) -> list[Chained]:
        return [c for segments, c in self.contacts if set(scope) <= set(segments)]

    def actions(self, until: datetime) -> list[Action]:
        return [a for a in self.promised if a.promised_at is not None and a.promised_at < until]

    def owners(self) -> list[Owned]:
        """Who answers for what, the latest word first."""
        return self.owned


class Broadcasts:
    """Makes reports, one at a time, and keeps the last ones for a little while."""

    def __init__(self, pool: Any, clock: Clock, zone: ZoneInfo) -> None:
        """Take the zone in which weeks begin and end."""
        self._pool, self._clock, self._zone = pool, clock, zone
        self._made: dict[tuple[date, Segments], tuple[datetime, Report]] = {}
        self._making = asyncio.Lock()

    async def usual(self, scope: Segments) -> date:
        """The Monday of the week that is told where none is asked for."""
        now = self._clock()
        start, end = ends(running(now, self._zone), self._zone)
        last = """SELECT answered_at FROM answer WHERE answered_at >= $1 AND answered_at < $2 AND segments @> $3::jsonb
                  ORDER BY answered_at DESC LIMIT 1"""
        where = json.dumps(dict(scope))
        before = await self._pool.fetchval(last, start - BACK, start, where)
        return usual(now, self._zone, before, await self._pool.fetchval(last, start, end, where))

    async def page(self, week: date, scope: Segments, language: Language) -> str:
        """The week's report as HTML, with ways to the weeks beside it and to the other language."""
        found = await self._report(week, scope)
        this = running(self._clock(), self._zone)
        links = self._links(week, this, scope, language)
        return await asyncio.to_thread(
            lambda: html.render(compose(found, language, self._zone, links, so_far=week == this))
        )

    def _links(self, week: date, this: date, scope: Segments, language: Language) -> tuple[tuple[str, str], ...]:
        def to(day: date, spoken: str) -> str:
            return "?" + urlencode(
                [("week", named(day)), ("lang", spoken), *(("segment", f"{d}={v}") for d, v in scope)]
            )

        around = [(say("earlier", language), to(week - timedelta(days=7), language))]
        if week < this:
            around.append((say("later", language), to(week + timedelta(days=7), language)))
        other = "en" if language == "zh" else "zh"
        return (
            (say("back", language), f"../../?lang={language}"),
            *around,
            (say("other_language", language), to(week, other)),
        )

    async def _report(self, week: date, scope: Segments) -> Report:
        async with self._making:
            now, key = self._clock(), (week, scope)
            known = self._made.pop(key, None)
            if known is None or known[0] + KEPT < now:
                start, end = ends(week, self._zone)
                kept = await self._kept(start - BACK, end)
                asked = Asked(named(week), start, end, scope)
                known = now, await asyncio.to_thread(build, kept, asked, _Nobody())
            self._made[key] = known
            while len(self._made) > MOST_KEPT:
                del self._made[next(iter(self._made))]
            return known[1]

    async def _kept(self, since: datetime, until: datetime) -> Tables:
        # One snapshot for all tables: the report's audit compares them.
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            answers = await connection.fetch(
                """SELECT a.customer_id, a.survey_id, a.answered_at, a.score, a.segments::text, coalesce(c.text, '')
                   FROM answer a LEFT JOIN answer_comment c USING (customer_id, survey_id)
                   WHERE a.answered_at >= $1 AND a.answered_at < $2 ORDER BY a.answered_at, a.survey_id, a.customer_id""",
                since,
                until,
            )
            marks = await connection.fetch(
                """SELECT customer_id, survey_id, mark, value, language, words FROM remark
                   WHERE answered_at >= $1 AND answered_at < $2 ORDER BY id""",
                since,
                until,
            )
            matters = await connection.fetch(
                """SELECT customer_id, contact_id, began_at, segments::text, kind, cause FROM matter
                   WHERE began_at >= $1 AND began_at < $2 ORDER BY began_at, contact_id""",
                since,
                until,
            )
            sums = await connection.fetchrow(
                """SELECT count(*) FILTER (WHERE score >= 9), count(*) FILTER (WHERE score IN (7, 8)), count(*) FILTER (WHERE score <= 6)
                   FROM answer WHERE answered_at >= $1 AND answered_at < $2""",
                since,
                until,
            )
            promised = await deeds.listed(connection, "", since, MOST_ACTIONS)
            # From the beginning: what was told long ago still stands.
            told = await owning.told(connection, until)
        owned = [Owned(o.ownership_id, o.time, o.owner, o.segments) for o in told]
        return await asyncio.to_thread(_read, answers, marks, matters, promised, owned, figure(*sums))


def _read(
    answers: Sequence[Any],
    marks: Sequence[Any],
    matters: Sequence[Any],
    promised: list[Action],
    owned: list[Owned],
    sums: Figure,
) -> Tables:
    said_of: dict[tuple[str, str], dict[str, Any]] = {}
    for customer, survey, mark, value, language, words in marks:
        one = said_of.setdefault(
            (customer, survey), {READ: "unread", COMPLAINS: [], PRAISES: [], "language": language, "words": {}}
        )
        if mark == READ:
            one[READ] = value
        elif mark in (COMPLAINS, PRAISES):
            one[mark].append(value)
            one["words"][value] = tuple(words)
    known: dict[str, Segments] = {}

    def segments(text: str) -> Segments:
        if text not in known:
            known[text] = tuple(sorted(json.loads(text).items()))
        return known[text]

    def remark(customer: str, survey: str) -> Remark:
        one = said_of.get((customer, survey))
        if one is None:
            return SILENT
        return Remark(
            _READINGS.get(one[READ], "unread"),
            one["language"],
            tuple(one[COMPLAINS]),
            tuple(one[PRAISES]),
            one["words"],
        )

    return Tables(
        [
            Said(f"{survey}\x00{customer}", at, score, segments(told), comment, remark(customer, survey))
            for customer, survey, at, score, told, comment in answers
        ],
        [
            (segments(told), Chained(Contact(contact, customer, at, ()), _KINDS.get(kind, "first"), cause))
            for customer, contact, at, told, kind, cause in matters
        ],
        promised,
        owned,
        sums,
    )
