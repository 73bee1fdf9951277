"""From the report to a document in one language."""

from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services import taxonomy
from services.nps.domain import words
from services.nps.domain.actions import Action
from services.nps.domain.compare import share
from services.nps.domain.kept import STAGE
from services.nps.domain.pains import Pain, Spot
from services.nps.domain.survey import Segments
from services.nps.domain.words import Language
from services.nps.report import parts
from services.nps.report.build import QUOTES, Report, Told
from services.nps.report.document import (
    Bar,
    Bars,
    Block,
    Card,
    Document,
    Facts,
    Key,
    Line,
    Said,
    Section,
    Text,
    Tone,
)
from services.nps.report.texts import (
    DIGITS,
    colon,
    day,
    days,
    dimension,
    ends,
    per100,
    portion,
    say,
    score,
    semicolon,
    sentences,
    trend,
)

PLACES: Final = 10
"""Bars, and rows of a table, that are shown of one dimension at most."""


def compose(
    report: Report,
    language: Language,
    zone: ZoneInfo,
    links: tuple[tuple[str, str], ...] = (),
    *,
    so_far: bool = False,
) -> Document:
    """The document. Times are told in `zone`; links: words and address of what lies beside it; so_far: the week still goes on."""
    asked = report.asked
    first, last = asked.start.astimezone(zone), (asked.end - timedelta(seconds=1)).astimezone(zone)
    subtitle = f"{asked.week} · {days(first, last, language)} · {zone.key}"
    if so_far:
        subtitle += " · " + say("so_far", language)
    if asked.scope:
        subtitle += " · " + say("scope", language, scope=_named(asked.scope, language))
    return Document(
        language,
        say("special" if asked.scope else "title", language),
        subtitle,
        words.points(report.this.all.nps, DIGITS) if report.this.all.n else "",
        say("nps" if report.this.all.n else "unanswered", language),
        _answered(report, language, zone) if report.this.all.n else _empty(report, language, zone),
        links,
    )


def _answered(report: Report, language: Language, zone: ZoneInfo) -> tuple[Section, ...]:
    return (
        _headline(report, language, zone),
        _pains(report, language, zone),
        parts.kept(report, language, zone),
        parts.better(report, language),
        parts.calm(report, language),
        *([parts.repeated(report, language)] if report.repeats else []),
        parts.places(report, language),
        parts.stages(report, language),
        _comments(report, language),
        parts.audit(report, language),
    )


def _empty(report: Report, language: Language, zone: ZoneInfo) -> tuple[Section, ...]:
    """A week in which nobody answered: only what needs no answers."""
    return (
        Section("headline", say("headline", language), (Text(say("empty_week", language)),)),
        parts.kept(report, language, zone),
        *([parts.repeated(report, language)] if report.repeats else []),
        parts.audit(report, language),
    )


def _named(segments: Segments, language: Language) -> str:
    return parts.named(segments, language)


def _headline(report: Report, language: Language, zone: ZoneInfo) -> Section:
    this, moved = report.this.all, report.findings.moved
    blocks: list[Block] = [Text(f"{say('nps', language)} {score(this, language)}")]
    if moved is None:
        blocks.append(Text(say("no_last", language), "quiet"))
    else:
        blocks += _moved(report, language, zone)
    if report.others is not None:
        blocks.append(Text(say("others", language, score=score(report.others, language))))
    if len(report.series) > 1:
        points = tuple((day(at.astimezone(zone), language), f.nps, f.low, f.high) for at, f in report.series if f.n)
        blocks.append(Line(say("nps_series", language), points))
    return Section("headline", say("headline", language), tuple(blocks))


def _moved(report: Report, language: Language, zone: ZoneInfo) -> list[Block]:
    """What the week's comparison says, and what the test says that looks at all times."""
    moved, since = report.findings.moved, report.since
    assert moved is not None
    outside = not moved.low <= 0 <= moved.high
    told = colon(language).join((say("trend", language), say("impact_of", language, **ends(moved))))
    running = words.changed(report.running, lambda i: (since + timedelta(days=i)).astimezone(zone), language)
    if report.running is None and outside:
        running = say("unconfirmed", language)
    # A colour says that it is so; until the test confirms it, the figure stands without one.
    tone: Tone = "quiet" if not outside else "" if report.running is None else "bad" if moved.points < 0 else "good"
    blocks: list[Block] = [Text(told, tone), Text(running, "" if report.running else "quiet")]
    if outside and report.split is not None:
        blocks.append(Text(words.parts(report.split, language, DIGITS), "quiet"))
    return blocks


def _pains(report: Report, language: Language, zone: ZoneInfo) -> Section:
    title = say("pains", language)
    if not report.told:
        return Section("pains", title, (Text(say("no_pains", language)),))
    cards = tuple(_card(i, t, report, language, zone) for i, t in enumerate(report.told, 1))
    how = say("compared_all", language)
    if report.strata:
        named = ("、" if language == "zh" else ", ").join(dimension(d, language) for d in report.strata)
        how = say("compared_how", language, strata=named)
    tests = say("tests", language, tests=report.findings.tests) if report.findings.tests else ""
    return Section(
        "pains",
        title,
        (
            *cards,
            Key(say("bars_key", language), say("rows_key", language)),
            Text(sentences(language, how, tests), "quiet"),
        ),
    )


def _card(number: int, told: Told, report: Report, language: Language, zone: ZoneInfo) -> Card:
    pain = told.pain
    compared = bool(report.last.all.n)
    badge, tone = _badge(pain, report, language)
    blocks: list[Block] = [Facts(tuple(_facts(told, report, language, zone)))]
    if told.quotes:
        # Those of the reader's language first.
        mine = sorted(told.quotes, key=lambda q: q.language != language)[:QUOTES]
        quotes = tuple((q.text, q.words, say("score_of", language, score=q.score)) for q in mine)
        blocks.append(Said(say("quotes", language), quotes))
    for d in report.asked.where:
        spots = [s for s in pain.spots if s.place[0] == d]
        if len(spots) > 1:
            blocks.append(_bars(d, spots, compared, language))
    if len(told.series) > 1:
        points = []
        for at, of, n in told.series:
            if n:
                s = share(of, n)
                points.append((day(at.astimezone(zone), language), 100 * s.value, 100 * s.low, 100 * s.high))
        blocks.append(Line(say("series", language), tuple(points)))
    return Card(f"{number}. {parts.stage(pain.stage, language)}", badge, tone, tuple(blocks))


def _badge(pain: Pain, report: Report, language: Language) -> tuple[str, Tone]:
    if not report.last.all.n:
        return say("no_last", language), "quiet"
    if not pain.risen:
        if pain.stage in {b.stage for b in report.findings.better if not b.praise}:
            return say("fell", language), "good"
        return say("uncertain" if pain.trend.low <= 0 <= pain.trend.high else "perhaps", language), "quiet"
    if pain.narrowest is None:
        return f"{say('new', language)} · {say('everywhere', language)}", "bad"
    where = say("only" if pain.only else "most", language, place=pain.narrowest[1])
    return f"{say('new', language)} · {where}", "bad"


def _facts(told: Told, report: Report, language: Language, zone: ZoneInfo) -> list[tuple[str, str, Tone]]:
    pain, cost = told.pain, told.pain.impact
    facts: list[tuple[str, str, Tone]] = [
        (say("complaints", language), say("complaints_of", language, **portion(pain.share)), "")
    ]
    if cost is not None:
        of = say("impact_of", language, **ends(cost.impact))
        each = say("cost_of" if cost.cost.points < 0 else "cost_up", language, points=f"{abs(cost.cost.points):.0f}")
        few = f" · {say('few', language)}" if cost.few else ""
        facts.append((say("impact", language), f"{of} · {each}{few}", ""))
    if report.last.all.n:
        facts.append(
            (say("trend", language), say("trend_of", language, **trend(pain.trend)), "bad" if pain.risen else "")
        )
    worse = [s.place[1] for s in pain.spots if s.worse][:3]
    where = say("where_more", language, places=("、" if language == "zh" else ", ").join(worse)) if worse else None
    if pain.spots:
        facts.append((say("where", language), where or say("where_same", language), ""))
    facts.append((say("owner", language), told.owner or say("nobody", language), "" if told.owner else "unknown"))
    promises = [a for a in told.promises if a.status != "dropped"]
    said = semicolon(language).join(_promise(a, language, zone) for a in promises)
    facts.append((say("promised", language), said or say("nothing_promised", language), "" if said else "unknown"))
    return facts


def _promise(action: Action, language: Language, zone: ZoneInfo) -> str:
    at = action.promised_at
    when = words.beside(day(at.astimezone(zone), language), language) if at else ""
    place = tuple(s for s in action.segments if s[0] != STAGE)
    where = _named(place, language) + colon(language) if place else ""
    return f"{where}{action.promise}{'，' if language == 'zh' else ', '}{action.owner}{when}"


def _bars(d: str, spots: list[Spot], compared: bool, language: Language) -> Bars:
    shown = spots[:PLACES]
    bars = tuple(
        Bar(
            s.place[1], 100 * s.share.value, 100 * s.share.low, 100 * s.share.high,
            100 * s.before.value if compared and s.before.n else None, s.worse, per100(s.share.value) + words.beside(f"{s.share.of}/{s.share.n}", language),
        )
        for s in shown
    )  # fmt: skip
    rest = say("rest", language, n=len(spots) - len(shown)) if len(spots) > len(shown) else ""
    return Bars(say("bars", language, dimension=dimension(d, language)), bars, rest)


def _comments(report: Report, language: Language) -> Section:
    r = report.this.readings
    said = say(
        "read_as", language, n=report.this.all.n, none=r["none"], staged=r["staged"], other=r["other"], unread=r["unread"]
    )  # fmt: skip
    lexicon = say("taxonomy", language, file="touchpoints.toml", version=taxonomy.load().version)
    return Section("comments", say("comments", language), (Text(said), Text(lexicon, "quiet")))
