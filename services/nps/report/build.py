"""Makes the week's report from what was read: pure, and the same for the same book."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import numpy as np

from services.nps.domain.actions import BEFORE as ACTION_BEFORE
from services.nps.domain.actions import Action, Effect, judge, spans
from services.nps.domain.change import Change, change
from services.nps.domain.figures import GROUP_INDEX, Figure, figure
from services.nps.domain.kept import Kept, kept, stage_of
from services.nps.domain.masking import mask
from services.nps.domain.pains import Findings, Pain, find
from services.nps.domain.repeats import Chained, Repeats, repeats
from services.nps.domain.replies import Place, Reply, Week, count, strata_of
from services.nps.domain.shrink import Shrunk, shrink
from services.nps.domain.split import Split, split
from services.nps.domain.survey import Segments
from services.nps.report.book import Owned, Said, Source, owner_of
from services.nps.report.remark import Reader, Remark

WHERE: Final = ("region", "store_group")
STRATA: Final = ("region", "channel", "touchpoint")
QUOTES: Final = 3
"""Quotes that are kept of each language."""
SERIES: Final = 8
"""Weeks that a trend shows at most."""
RECENT: Final = timedelta(days=28)
"""Promises older than this are told no more, once they are judged."""
_SHORTEST, _USUAL, _LONGEST = 6, 30, 120


@dataclass(frozen=True, slots=True)
class Asked:
    """What the report is to be about: a week from start up to end, the answers in `scope`, told by the dimensions of `where`."""

    week: str
    start: datetime
    end: datetime
    scope: Segments = ()
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quote:
    """A masked comment with its language and score, and the words in it that name the stage."""

    text: str
    language: str
    score: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A pain point with its evidence, its owner ("" for nobody), what was promised about it, and its share in the weeks before."""

    pain: Pain
    quotes: tuple[Quote, ...]
    owner: str
    promises: tuple[Action, ...]
    series: tuple[tuple[datetime, int, int], ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One sum of the report's audit: what was counted on one way, and on another."""

    name: str
    one: int
    other: int

    @property
    def holds(self) -> bool:
        """Whether both agree."""
        return self.one == self.other


@dataclass(frozen=True, slots=True)
class Report:
    """The broadcast of a week, in no language yet.

    others: the score of the week's answers outside of the scope; None without a scope. shrunk: by place, small ones drawn towards
    all. series: weeks' scores up to this one. strata: the dimensions within which
    costs were compared. promises: judged by complaints (stage) or by the score. read: lines by kind.
    """

    asked: Asked
    this: Week
    last: Week
    others: Figure | None
    findings: Findings
    told: tuple[Told, ...]
    kept: tuple[Kept, ...]
    effects: tuple[tuple[Action, Effect], ...]
    series: tuple[tuple[datetime, Figure], ...]
    shrunk: Mapping[Place, Shrunk]
    strata: tuple[str, ...]
    split: Split | None
    running: Change | None
    since: datetime
    repeats: Repeats | None
    repeats_before: Repeats | None
    read: Mapping[str, int]
    rejected: tuple[tuple[int, str], ...]
    sources: tuple[Source, ...]
    checks: tuple[Check, ...]

    @property
    def sound(self) -> bool:
        """Whether the audit holds."""
        return all(c.holds for c in self.checks)


class Records(Protocol):
    """What a report is made of: a file that was read (`book.Book`), or what a service has kept (`live.Tables`).

    lines: how many of each kind; read: of all kinds; surveys: heard of, those withdrawn and those never answered among them;
    counted: the answers that stand, counted on another way than by `standing`.
    """

    @property
    def lines(self) -> Mapping[str, int]: ...
    @property
    def read(self) -> int: ...
    @property
    def rejected(self) -> Sequence[tuple[int, str]]: ...
    @property
    def sources(self) -> Sequence[Source]: ...
    @property
    def surveys(self) -> int: ...
    @property
    def withdrawn(self) -> int: ...
    @property
    def unanswered(self) -> int: ...
    def standing(self) -> list[Said]: ...
    def counted(self) -> Figure: ...
    def chained(self, scope: Segments, reader: Reader) -> list[Chained]: ...
    def actions(self, until: datetime) -> list[Action]: ...
    def owners(self) -> list[Owned]: ...


def build(book: Records, asked: Asked, reader: Reader) -> Report:
    """The report of one week. Its dimensions: those asked for, else those of WHERE that there are, else the store."""
    said = book.standing()
    mine = [s for s in said if set(asked.scope) <= set(s.segments)]
    new = iter(reader.read([s.comment for s in mine if s.remark is None]))
    remarks = [s.remark or next(new) for s in mine]
    replies = [
        Reply(s.survey_id, s.time, s.score, s.segments, r.reading, r.complains, r.praises)
        for s, r in zip(mine, remarks, strict=True)
    ]
    known = {d for r in replies for d, _ in r.segments}
    where = asked.where or tuple(d for d in WHERE if d in known) or tuple(d for d in ("store",) if d in known)
    asked = Asked(asked.week, asked.start, asked.end, asked.scope, where)
    length = asked.end - asked.start
    now = [r for r in replies if asked.start <= r.time < asked.end]
    before = [r for r in replies if asked.start - length <= r.time < asked.start]
    dimensions = [d for d in STRATA if d in known]
    strata = strata_of([*now, *before], dimensions)
    this, last = (count(rs, where, strata, dimensions) for rs in (now, before))
    findings = find(this, last, where)
    actions = [a for a in book.actions(asked.end) if _concerns(a, asked)]
    running, since = _running(replies, asked, dimensions)
    contacts = _contacts(book.chained(asked.scope, reader), asked)
    quoted: set[str] = set()
    told = tuple(_told(p, mine, remarks, book, actions, asked, replies, quoted) for p in findings.worst)
    split_ = None
    if before and now:
        split_ = split(["·".join(v) or "·" for v in strata], last.answers, this.answers)
    judged = tuple(kept(a, replies, asked.end) for a in actions if stage_of(a) is not None)
    report = Report(
        asked, this, last,
        _figure([s.score for s in said if asked.start <= s.time < asked.end and not set(asked.scope) <= set(s.segments)])
        if asked.scope else None,
        findings, told, judged,
        tuple((a, _effect(a, replies, asked.end)) for a in actions if stage_of(a) is None),
        _series(replies, asked),
        _shrunk(this, where), tuple(dimensions), split_, running, since,
        *contacts,
        dict(book.lines), tuple(book.rejected), tuple(book.sources), (),
    )  # fmt: skip
    return _audited(report, book, said, mine, now, before, remarks)


def _concerns(action: Action, asked: Asked) -> bool:
    """Promised or done not long ago, and about the scope or a part of it."""
    last = max(t for t in (action.promised_at, action.done_at, action.dropped_at) if t is not None)
    own = dict(action.segments)
    return last >= asked.start - RECENT and all(own.get(d, v) == v for d, v in asked.scope)


def _effect(action: Action, replies: Sequence[Reply], now: datetime) -> Effect:
    promised = action.promised_at or now
    both = spans(action, now) or ((promised - ACTION_BEFORE, promised), (now, now))
    figures = [
        _figure([r.score for r in replies if start <= r.time < end and set(action.segments) <= set(r.segments)])
        for start, end in both
    ]
    return judge(action, figures[0], figures[1])


def _figure(scores: Sequence[int]) -> Figure:
    groups = Counter(GROUP_INDEX[s] for s in scores)
    return figure(groups[0], groups[1], groups[2])


def _series(replies: Sequence[Reply], asked: Asked) -> tuple[tuple[datetime, Figure], ...]:
    """The scores of the weeks up to this one, those without answers before the first left out."""
    found = [(start, _figure([r.score for r in replies if start <= r.time < end])) for start, end in _weeks(asked)]
    first = next((i for i, (_, f) in enumerate(found) if f.n), len(found) - 1)
    return tuple(found[first:])


def _weeks(asked: Asked) -> list[tuple[datetime, datetime]]:
    length = asked.end - asked.start
    return [(asked.start - length * i, asked.end - length * i) for i in reversed(range(SERIES))]


def _shrunk(this: Week, where: Sequence[str]) -> dict[Place, Shrunk]:
    found = {}
    for dimension in where:
        own = {place[1]: f for place, f in this.by.items() if place[0] == dimension}
        found.update({(dimension, value): s for value, s in shrink(own).items()})
    return found


def _running(replies: Sequence[Reply], asked: Asked, dimensions: Sequence[str]) -> tuple[Change | None, datetime]:
    """What the test that may look at all times says of the days up to the week's end, and the first day."""
    start = _weeks(asked)[0][0]
    mine = [r for r in replies if start <= r.time < asked.end]
    first = min((r.time for r in mine), default=asked.start)
    start += timedelta(days=(first - start).days)
    strata = strata_of(mine, dimensions[:1])
    counts = np.zeros(((asked.end - start).days, max(1, len(strata)), 3), dtype=np.int64)
    for r in mine:
        known = dict(r.segments)
        stratum = strata[tuple(known.get(d, "") for d in dimensions[:1])]
        counts[(r.time - start).days, stratum, GROUP_INDEX[r.score]] += 1
    return change(counts), start


def _contacts(chained: Sequence[Chained], asked: Asked) -> tuple[Repeats | None, Repeats | None]:
    if not chained:
        return None, None
    length = asked.end - asked.start
    return repeats(chained, asked.start, asked.end), repeats(chained, asked.start - length, asked.start)


def _told(
    pain: Pain,
    said: Sequence[Said],
    remarks: Sequence[Remark],
    book: Records,
    actions: Sequence[Action],
    asked: Asked,
    replies: Sequence[Reply],
    quoted: set[str],
) -> Told:
    place = (pain.narrowest,) if pain.narrowest else ()
    named = tuple(sorted({("stage", pain.stage), ("area", pain.stage.partition(".")[0]), *place, *asked.scope}))
    promises = tuple(a for a in actions if stage_of(a) == pain.stage)
    series: list[tuple[datetime, int, int]] = []
    for start, end in _weeks(asked):
        week = [pain.stage in r.complains for r in replies if start <= r.time < end]
        if week or series:
            series.append((start, sum(week), len(week)))
    owner = owner_of([o for o in book.owners() if o.time < asked.end], named)
    return Told(pain, _quotes(pain, said, remarks, asked, quoted), owner, promises, tuple(series))


def _quotes(
    pain: Pain, said: Sequence[Said], remarks: Sequence[Remark], asked: Asked, quoted: set[str]
) -> tuple[Quote, ...]:
    """The plainest complaints: about nothing else first, then where the stage rose, unhappy before happy ones, short.

    quoted: what other pain points quote; what is chosen is added.
    """
    found: list[tuple[tuple[object, ...], Said, Remark]] = []
    for s, r in zip(said, remarks, strict=True):
        if pain.stage in r.complains and asked.start <= s.time < asked.end:
            elsewhere = pain.narrowest is not None and pain.narrowest not in s.segments
            named = len(r.complains) + len(r.praises)
            key = (
                named > 1,
                elsewhere,
                len(s.comment) < _SHORTEST,
                named,
                s.score,
                abs(len(s.comment) - _USUAL),
                s.survey_id,
            )
            found.append((key, s, r))
    # One that is likelier about something else stands here only where there is none other.
    mainly = [item for item in found if item[2].complains[0] == pain.stage]
    quotes: dict[str, Quote] = {}
    for _, s, r in sorted(mainly or found, key=lambda item: item[0]):
        if sum(q.language == r.language for q in quotes.values()) == QUOTES:
            continue
        text = " ".join(mask(s.comment, "zh" if r.language == "zh" else "en").split())
        if len(text) > _LONGEST:
            text = text[:_LONGEST].rstrip() + "…"
        if text not in quoted:
            quoted.add(text)
            quotes[text] = Quote(text, r.language, s.score, r.words.get(pain.stage, ()))
    return tuple(quotes.values())


def _audited(
    report: Report,
    book: Records,
    said: Sequence[Said],
    mine: Sequence[Said],
    now: Sequence[Reply],
    before: Sequence[Reply],
    remarks: Sequence[Remark],
) -> Report:
    this, asked = report.this, report.asked
    week = [s for s in mine if asked.start <= s.time < asked.end]
    checks = [
        Check("lines", sum(book.lines.values()), book.read),
        Check("surveys", len(said) + book.withdrawn + book.unanswered, book.surveys),
        Check("standing", len(said), book.counted().n),
        Check("promoters", sum(s.score >= 9 for s in said), book.counted().promoters),
        Check("detractors", sum(s.score <= 6 for s in said), book.counted().detractors),
        Check("week", this.all.promoters + this.all.passives + this.all.detractors, len(week)),
        Check("last", report.last.all.n, len(before)),
        Check("strata", int(this.answers.sum()), len(now)),
        Check("comments", len(now) - this.readings["none"], sum(bool(s.comment) for s in week)),
        Check("staged", this.readings["staged"], sum(bool(r.complains or r.praises) for r in now)),
    ]
    for dimension in asked.where:
        named = sum(f.n for place, f in this.by.items() if place[0] == dimension)
        missing = sum(dimension not in dict(s.segments) for s in week)
        checks.append(Check(f"by {dimension}", named + missing, len(week)))
    for told in report.told:
        again = sum(
            told.pain.stage in r.complains
            for s, r in zip(mine, remarks, strict=True)
            if asked.start <= s.time < asked.end
        )
        checks.append(Check(told.pain.stage, told.pain.share.of, again))
    return replace(report, checks=tuple(checks))
