"""What drives the score, live: GetDrivers, and the rows of metrics.nps_drivers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from touchline.nps.v1 import nps_pb2

from services import taxonomy
from services.nps import wire
from services.nps.domain import words
from services.nps.domain.compare import Share, difference, share
from services.nps.domain.live import Hours, repeats_of, weeks
from services.nps.domain.pains import Findings, Pain, find
from services.nps.domain.repeats import Repeats
from services.nps.domain.replies import Week
from services.nps.domain.span import Span
from services.nps.domain.split import Part
from services.nps.feed import CAUSE, REPEATED, UNSAID, Feed
from services.runtime.records import timestamp

STRATA: Final = ("region", "channel", "touchpoint")
"""Within which costs are compared, as the broadcast does."""
MOST_DAYS: Final = 92
"""Days that can be asked for: a longer stretch takes longer than a lookup should."""
USUAL_DAYS: Final = 7
_NAMES: Final = {s.key: s for s in taxonomy.load().stages}
_AREAS: Final = {a.key: a for a in taxonomy.load().areas}


@dataclass(frozen=True, slots=True)
class Driven:
    """The stages' costs in a window beside the window of the same length before it."""

    span: Span
    this: Week
    findings: Findings
    repeats: Repeats


def drivers(feed: Feed, span: Span, where: Mapping[str, str], dimension: str = "") -> Driven:
    """What the boards say of a window that has a beginning and an end."""
    this = Hours(span.first, span.last)
    before = Hours(2 * span.first - span.last, span.first)
    now, last = weeks(feed.answers, feed.remarks, (this, before), where, STRATA, dimension)
    found = find(now, last, (dimension,) if dimension else ())
    return Driven(span, now, found, repeats_of(feed.matters, this, where, CAUSE, (REPEATED, UNSAID)))


def told(found: Driven, limit: int) -> nps_pb2.GetDriversResponse:
    """As protobuf tells it."""
    again = dict(found.repeats.causes)
    shown = found.findings.pains[: limit or None]
    r = found.this.readings
    return nps_pb2.GetDriversResponse(
        drivers=[_driver(p, found, again.get(p.stage, 0)) for p in shown],
        all=wire.told(found.this.all),
        readings=nps_pb2.Readings(none=r["none"], unread=r["unread"], other=r["other"], staged=r["staged"]),
        repeats=nps_pb2.Repeats(
            share=_share(found.repeats.share), unsaid=found.repeats.unsaid, without_cause=again.get("", 0)
        )
        if found.repeats.share.n
        else None,
        start=timestamp(found.span.start) if found.span.start else None,
        end=timestamp(found.span.end) if found.span.end else None,
        taxonomy=taxonomy.load().version,
    )


def name(stage: str, language: words.Language) -> str:
    """物流 · 配送时效; a stage that the taxonomy doesn't know stays as it is."""
    known = _NAMES.get(stage)
    if known is None:
        return stage
    area = _AREAS[known.area]
    return f"{area.zh} · {known.zh}" if language == "zh" else f"{area.en} · {known.en}"


def sentence(p: Pain, language: words.Language) -> str:
    """How many complain, and what it costs."""
    zh = language == "zh"
    hundred = f"{100 * p.share.value:.1f}"
    cost = p.impact.impact if p.impact else None
    size = words.between(cost.low, cost.high) if cost else ""
    if zh:
        risen = "，比上期多" if p.risen else ""
        impact = (
            ""
            if cost is None
            else f"；合 {words.points(cost.points)} 分（{size}）" + ("，答卷太少" if p.impact and p.impact.few else "")
        )
        return f"{name(p.stage, 'zh')}：{p.share.of} 份抱怨，每百份 {hundred}{risen}{impact}"
    risen = ", more than before" if p.risen else ""
    few = ", too few to rely on" if p.impact and p.impact.few else ""
    impact = "" if cost is None else f"; {words.points(cost.points)} points ({size}){few}"
    return f"{name(p.stage, 'en')}: {p.share.of} complaints, {hundred} in 100{risen}{impact}"


def rows(feed: Feed, span: Span) -> list[dict[str, Any]]:
    """The current week's stages by docs/schemas/metrics.nps_drivers.json."""
    found = drivers(feed, span, {})
    again = dict(found.repeats.causes)
    assert span.start is not None, "a week begins"
    when = span.start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    pains = [*found.findings.pains, *(_quiet(s, found) for s in _NAMES if s not in found.this.complaints)]
    return [
        {
            "metric": "nps_drivers", "segment": {"stage": p.stage}, "window": "P1W", "start": when,
            "counts": {"complaints": p.share.of, "answers": p.share.n, "praises": found.this.praises[p.stage], "repeats": again.get(p.stage, 0)},
            "impact": _ends(p.impact.impact if p.impact else None), "cost": _ends(p.impact.cost if p.impact else None),
            "few": bool(p.impact and p.impact.few), "risen": p.risen,
            "name_zh": name(p.stage, "zh"), "name_en": name(p.stage, "en"),
            "zh": sentence(p, "zh"), "en": sentence(p, "en"),
        }
        for p in pains
    ]  # fmt: skip


def _quiet(stage: str, found: Driven) -> Pain:
    """A stage of which nobody complains: a row that was told before must not stand for ever."""
    none = share(0, found.this.all.n)
    return Pain(stage, none, none, difference(none, none), None, None, False, None, False, ())


def _driver(p: Pain, found: Driven, again: int) -> nps_pb2.Driver:
    return nps_pb2.Driver(
        stage=p.stage,
        name_zh=name(p.stage, "zh"),
        name_en=name(p.stage, "en"),
        share=_share(p.share),
        before=_share(p.before) if p.before.n else None,
        impact=_part(p.impact.impact) if p.impact else None,
        cost=_part(p.impact.cost) if p.impact else None,
        moved=_part(p.moved) if p.moved else None,
        few=bool(p.impact and p.impact.few),
        risen=p.risen,
        praises=found.this.praises[p.stage],
        repeats=again,
        spots=[
            nps_pb2.Spot(place=s.place[1], share=_share(s.share), before=_share(s.before), worse=s.worse, risen=s.risen)
            for s in p.spots
        ],
        zh=sentence(p, "zh"),
        en=sentence(p, "en"),
    )


def _share(s: Share) -> nps_pb2.Share:
    return nps_pb2.Share(of=s.of, n=s.n, value=s.value, low=s.low, high=s.high)


def _part(p: Part) -> nps_pb2.Part:
    return nps_pb2.Part(points=p.points, low=p.low, high=p.high)


def _ends(p: Part | None) -> dict[str, float] | None:
    return {"points": p.points, "low": p.low, "high": p.high} if p else None
