"""The document's parts after the pain points: promises, what got better, what is noise, repeats, tables, the audit."""

from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from services import taxonomy
from services.nps.domain import words
from services.nps.domain.actions import Action, Effect
from services.nps.domain.compare import difference
from services.nps.domain.kept import STAGE, Kept
from services.nps.domain.survey import Segments
from services.nps.domain.words import Language
from services.nps.report.build import Report
from services.nps.report.document import Block, Items, Section, Table, Text, Tone
from services.nps.report.texts import (
    day,
    dimension,
    ends,
    moved,
    per100,
    portion,
    say,
    score,
    semicolon,
    sentences,
    signed,
    trend,
)

PLACES: Final = 10
CALM: Final = 6
_TONES: Final[dict[str, Tone]] = {"worked": "good", "did_not": "bad", "not_yet_known": "unknown", "not_done": "quiet"}


@cache
def _stages() -> dict[str, taxonomy.Stage]:
    return {s.key: s for s in taxonomy.load().stages}


def stage(key: str, language: Language) -> str:
    """物流 · 包装破损; a key that the taxonomy doesn't know stays as it is."""
    found = _stages().get(key)
    if found is None:
        return key
    area = next(a for a in taxonomy.load().areas if a.key == found.area)
    return f"{area.zh} · {found.zh}" if language == "zh" else f"{area.en} · {found.en}"


def named(segments: Segments, language: Language) -> str:
    """门店类型 前置仓; stages by their names."""
    told = [stage(v, language) if d == STAGE else f"{dimension(d, language)} {v}" for d, v in segments]
    return ("，" if language == "zh" else ", ").join(told) or say("all_places", language)


def kept(report: Report, language: Language, zone: ZoneInfo) -> Section:
    """What was promised, and whether it worked."""
    title = say("kept", language)
    if not report.kept and not report.effects:
        return Section("kept", title, (Text(say("no_kept", language), "quiet"),))
    rows = [_kept_row(k, report, language, zone) for k in report.kept]
    rows += [_effect_row(a, e, report, language, zone) for a, e in report.effects]
    head = tuple(
        say(n, language) for n in ("promise", "place", "owner", "before", "after", "elsewhere", "change", "verdict")
    )
    table = Table(head, tuple(r for r, _ in rows), tuple(t for _, t in rows))
    return Section("kept", title, (table, Text(say("kept_how", language), "quiet")))


def _verdict(action: Action, verdict: str, report: Report, language: Language) -> str:
    if action.status == "dropped":
        return say("dropped", language)
    late = f" · {say('overdue', language)}" if action.overdue(report.asked.end) else ""
    return say(verdict, language) + late


def _what(action: Action, language: Language, zone: ZoneInfo) -> str:
    at = action.promised_at
    return action.promise + (words.beside(day(at.astimezone(zone), language), language) if at else "")


def _kept_row(k: Kept, report: Report, language: Language, zone: ZoneInfo) -> tuple[tuple[str, ...], Tone]:
    known = k.verdict != "not_done" and k.after.n
    both = f"{per100(k.elsewhere[0].value)} → {per100(k.elsewhere[1].value)}" if k.elsewhere else "–"
    change = moved(100 * k.change, 100 * k.low, 100 * k.high, language) if known else "–"
    after = say("per_100", language, **portion(k.after)) if k.after.n else "–"
    before = say("per_100", language, **portion(k.before)) if k.before.n else "–"
    cells = (
        _what(k.action, language, zone), named(k.action.segments, language), k.action.owner,
        before, after, both, change, _verdict(k.action, k.verdict, report, language),
    )  # fmt: skip
    return cells, _TONES[k.verdict]


def _effect_row(
    a: Action, e: Effect, report: Report, language: Language, zone: ZoneInfo
) -> tuple[tuple[str, ...], Tone]:
    known = e.verdict != "not_done" and e.after.n
    change = moved(e.points, e.low, e.high, language) if known else "–"
    cells = (
        _what(a, language, zone), named(a.segments, language), a.owner,
        score(e.before, language), score(e.after, language) if known else "–", "–",
        change, _verdict(a, e.verdict, report, language),
    )  # fmt: skip
    return cells, _TONES[e.verdict]


def better(report: Report, language: Language) -> Section:
    """What got better for certain."""
    told = tuple(
        say(
            "praised" if b.praise else "fewer", language, stage=stage(b.stage, language),
            before=per100(b.before.value), after=per100(b.after.value), **{k: v for k, v in trend(b.trend).items() if k != "points"},
        )
        for b in report.findings.better
    )  # fmt: skip
    block: Block = Items(told) if told else Text(say("no_better", language), "quiet")
    return Section("better", say("better", language), (block,))


def calm(report: Report, language: Language) -> Section:
    """What looks like a change and is none that could be told from chance."""
    told = []
    whole = report.findings.moved
    if whole is not None and whole.low <= 0 <= whole.high:
        told.append(say("calm_all", language, **ends(whole)))
    for c in report.findings.calm[:CALM]:
        told.append(say("calm_place", language, place=named((c.place,), language), **ends(c.moved)))
    if report.last.all.n:
        up = [
            p
            for p in report.findings.pains
            if not p.risen and p.share.of >= p.before.of + 3 and p.share.value > p.before.value
        ]
        for p in sorted(up, key=lambda p: -(p.share.value - p.before.value))[:3]:
            told.append(
                say("calm_stage", language, stage=stage(p.stage, language), before=p.before.of, after=p.share.of)
            )
    block: Block = Items(tuple(told)) if told else Text(say("calm_none", language), "quiet")
    return Section("calm", say("calm", language), (block,))


def repeated(report: Report, language: Language) -> Section:
    """Repeated contacts and their causes."""
    found, before = report.repeats, report.repeats_before
    assert found is not None
    blocks: list[Block] = [Text(say("repeat_of", language, **portion(found.share)))]
    if before is not None and before.share.n:
        blocks.append(Text(say("repeat_trend", language, **trend(difference(before.share, found.share))), "quiet"))
    rows = tuple(
        (stage(cause, language) if cause else say("unsaid", language), str(n)) for cause, n in found.causes[:PLACES]
    )
    if rows:
        blocks.append(Table((say("cause", language), say("times", language)), rows))
    blocks.append(Text(say("repeat_how", language, unsaid=found.unsaid), "quiet"))
    return Section("repeats", say("repeats", language), tuple(blocks))


def places(report: Report, language: Language) -> Section:
    """The score by place, raw and shrunk."""
    blocks: list[Block] = []
    for d in report.asked.where:
        own = [(place, f) for place, f in report.this.by.items() if place[0] == d]
        own.sort(key=lambda item: (-item[1].n, item[0]))
        rows = tuple(
            (place[1], score(f, language), moved(s.nps, s.low, s.high, language) if s.own < 1 else "–")
            for place, f in own[:PLACES]
            for s in [report.shrunk[place]]
        )
        if rows:
            blocks.append(Table((dimension(d, language), say("nps", language), say("shrunk", language)), rows))
        if len(own) > PLACES:
            blocks.append(Text(say("rest", language, n=len(own) - PLACES), "quiet"))
        if own and report.shrunk[own[0][0]].own == 1:
            blocks.append(Text(say("unshrunk", language), "quiet"))
    return Section("places", say("places", language), tuple(blocks) or (Text("–", "quiet"),))


def stages(report: Report, language: Language) -> Section:
    """All stages that were complained of."""
    rows = tuple(
        (
            stage(p.stage, language), str(p.before.of) if report.last.all.n else "–", str(p.share.of),
            per100(p.share.value), signed(p.impact.impact.points) if p.impact else "–",
        )
        for p in report.findings.pains
    )  # fmt: skip
    head = (
        say("stage", language), say("last_week", language), say("this_week", language), say("of_100", language), say("impact", language),
    )  # fmt: skip
    return Section("stages", say("stages", language), (Table(head, rows) if rows else Text("–", "quiet"),))


def audit(report: Report, language: Language) -> Section:
    """Whether the report's sums add up, to what was read, from which files."""
    lines = report.read
    kinds = ("answered", "corrected", "retracted", "contacted", "duplicate", "blank", "rejected")
    actions = sum(lines.get(k, 0) for k in ("promised", "done", "dropped", "owned"))
    told = say(
        "lines", language, read=sum(lines.values()), actions=actions, **{k: lines.get(k, 0) for k in kinds}
    )  # fmt: skip
    comma = "，" if language == "zh" else ", "
    files = semicolon(language).join(
        s.name + words.beside(f"{s.size:,} B{comma}SHA-256 {s.sha256[:16]}…", language) for s in report.sources
    )
    blocks: list[Block] = []
    if report.sound:
        blocks.append(Text(say("sound", language, checks=len(report.checks)), "good"))
    else:
        wrong = tuple(
            say("unsound_one", language, what=c.name, one=c.one, other=c.other) for c in report.checks if not c.holds
        )
        blocks += [Text(say("unsound", language), "bad"), Items(wrong)]
    where = say("from", language, files=files) if files else say("from_live", language)
    blocks.append(Text(sentences(language, told, where), "quiet"))
    if report.rejected:
        shown = report.rejected[:PLACES]
        blocks.append(Items(tuple(say("rejected_line", language, line=n, reason=reason) for n, reason in shown)))
        if len(report.rejected) > PLACES:
            blocks.append(Text(say("rest", language, n=len(report.rejected) - PLACES), "quiet"))
    return Section("audit", say("audit", language), tuple(blocks))
