"""The Net Promoter Score again, from the sent answers: the latest correction stands, what was withdrawn counts nowhere."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from math import sqrt
from typing import Any, NamedTuple

from services.cli.audit.cells import Cell, Segment, kept, rows
from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import SECOND, Event, micros

DAILY = ("region", "channel", "touchpoint")
WINDOWS = {"PT1H": 3600 * SECOND, "P1D": 86_400 * SECOND}
TOLERANCE = 0.05
"""Points by which a score or an end of its interval may differ."""


class Standing(NamedTuple):
    """What one survey counts. time: of its answer, µs."""

    score: int
    segments: Segment
    time: int


Survey = tuple[str, str]
"""Customer and survey id."""


def standings(events: Mapping[str, Iterable[Event]]) -> dict[Survey, Standing]:
    """What stands of each survey, whatever the order of arrival."""
    latest: dict[tuple[str, Survey], tuple[int, str, str, Event]] = {}
    for kind in ("SurveyAnswered", "SurveyCorrected"):
        for event in events.get(kind, ()):
            source, event_id = event.name
            rank = (event.time, event_id, source, event)
            place = kind, (event.key, event.message.survey_id)
            if place not in latest or latest[place][:3] < rank[:3]:
                latest[place] = rank
    withdrawn = {(e.key, e.message.survey_id) for e in events.get("SurveyRetracted", ())}
    contacts = {(e.key, e.message.contact_id): _of_contact(e.message) for e in events.get("ContactRequested", ())}
    found = {}
    for (kind, survey), (time, _, _, answer) in latest.items():
        if kind == "SurveyAnswered" and survey not in withdrawn:
            correction = latest.get(("SurveyCorrected", survey))
            score = (correction[3] if correction else answer).message.score
            # What the answer doesn't name is told by the contact that caused it.
            segments = contacts.get((answer.key, answer.message.contact_id), {}) | {
                d: v for d, v in answer.message.segments.items() if d and v
            }
            found[survey] = Standing(score, tuple(sorted(segments.items())), time)
    return found


def _of_contact(m: Any) -> dict[str, str]:
    told = {
        "region": m.customer.region, "store": m.customer.store, "group": m.customer.tier,
        "channel": m.channel, "touchpoint": m.touchpoint,
    }  # fmt: skip
    return {d: v for d, v in told.items() if v}


class Figure(NamedTuple):
    """Counts and score; points from −100 to 100."""

    promoters: int
    passives: int
    detractors: int
    nps: float
    low: float
    high: float


def figure(scores: Counter[int]) -> Figure:
    """The score of these answers with its adjusted Wald interval at 95 %: three answers added, ¾ to each end."""
    promoters = sum(k for score, k in scores.items() if score > 8)
    detractors = sum(k for score, k in scores.items() if score < 7)
    n = sum(scores.values())
    up, down, m = promoters + 0.75, detractors + 0.75, n + 3.0
    centre = (up - down) / m
    margin = 1.959963984540054 * sqrt(((up + down) / m - centre * centre) / m)
    score = 100.0 * (promoters - detractors) / n if n else 0.0
    return Figure(
        promoters, n - promoters - detractors, detractors, score, 100 * (centre - margin), 100 * (centre + margin)
    )


def _by_segment(found: Iterable[Standing]) -> dict[Segment, Counter[int]]:
    scores: dict[Segment, Counter[int]] = defaultdict(Counter)
    scores[()] = Counter()
    for standing in found:
        scores[()][standing.score] += 1
        for segment in standing.segments:
            scores[(segment,)][standing.score] += 1
    return scores


def check_lookup(ledger: Ledger) -> Check:
    """GetNps against the oracle, for all and by every value of every dimension."""
    findings, got = Findings(), 0
    answer = ledger.evidence.nps
    want = _by_segment(standings(ledger.sent).values())
    have: dict[Segment, Any] = {}
    if answer is None:
        findings.add("GetNps gave no answer")
    else:
        have[()] = answer.all
        have |= {((d, v),): f for d, breakdown in answer.by.items() for v, f in breakdown.values.items()}
    for segment in sorted({*want, *have}):
        expected, figures = figure(want.get(segment, Counter())), have.get(segment)
        if figures is None:
            findings.add(f"{_name(segment)}: missing, expected n {sum(want[segment].values())}")
        elif _compare(_name(segment), expected, partial(getattr, figures), findings):
            got += segment in want
    return findings.check("净推荐值（按分组，gRPC）", "NPS by segment, gRPC", len(want), got)


def check_metric(ledger: Ledger) -> Check:
    """metrics.nps against the oracle: every segment of all time, the days of small dimensions, all answers by hour, and what else is published."""
    findings, got = Findings(), 0
    found = standings(ledger.sent)
    published = rows(ledger.evidence.records.get("metrics.nps", ()), findings)
    want = {Cell("ALL", 0, segment): scores for segment, scores in _by_segment(found.values()).items()}
    for window, length in WINDOWS.items():
        parts: dict[int, list[Standing]] = defaultdict(list)
        for standing in found.values():
            parts[standing.time - standing.time % length].append(standing)
        for start, part in parts.items():
            for segment, scores in _by_segment(part).items():
                # Beyond these, which dimensions are published by the day and the hour is the publisher's choice.
                cell = Cell(window, start, segment)
                if cell in published or not segment or (window == "P1D" and segment[0][0] in DAILY):
                    want[cell] = scores
    want = {cell: scores for cell, scores in want.items() if kept(cell, ledger.evidence.now)}
    for cell in sorted({*want, *(cell for cell in published if kept(cell, ledger.evidence.now))}):
        expected, row = figure(want.get(cell, Counter())), published.get(cell)
        if row is None:
            if sum(want[cell].values()):
                findings.add(f"{cell}: missing, expected n {sum(want[cell].values())}")
            else:
                got += 1
        elif _compare(str(cell), expected, {**row["counts"], **row}.get, findings):
            got += cell in want
    return findings.check("净推荐值（指标主题）", "NPS on metrics.nps", len(want), got)


def _compare(name: str, expected: Figure, get: Any, findings: Findings) -> bool:
    before = findings.found
    for field in ("promoters", "passives", "detractors"):
        want, have = getattr(expected, field), get(field)
        if want != (have or 0):
            findings.add(f"{name} {field}: expected {want}, got {have}")
    for field in ("nps", "low", "high"):
        want, have = getattr(expected, field), get(field)
        if have is None or not abs(want - have) <= TOLERANCE:
            findings.add(f"{name} {field}: expected {want:.2f}, got {have}")
    return findings.found == before


def _name(segment: Segment) -> str:
    return ", ".join(f"{d}={v}" for d, v in segment) or "all"


def check_changes(ledger: Ledger) -> Check:
    """The chain of nps.changed per survey: each change begins where the last one ended, and the last leaves what stands."""
    findings = Findings()
    counted: dict[Survey, dict[tuple[Segment, int], int]] = defaultdict(dict)
    for event in ledger.facts.get("NpsChanged", ()):
        fact = event.message
        survey = (fact.customer_id, fact.survey_id)
        place = (tuple(sorted(fact.segments.items())), micros(fact.answered_at))
        before = fact.before if fact.HasField("before") else None
        if counted[survey].get(place) != before:
            findings.add(f"survey {fact.survey_id}: a change from {before}, but {counted[survey].get(place)} stood")
        if fact.HasField("after"):
            counted[survey][place] = fact.after
        else:
            counted[survey].pop(place, None)
    want = standings(ledger.sent)
    agreed = 0
    for survey in sorted({*want, *(s for s, places in counted.items() if places)}):
        standing = want.get(survey)
        expected = {(standing.segments, standing.time): standing.score} if standing else {}
        if counted.get(survey, {}) == expected:
            agreed += 1
        else:
            findings.add(
                f"survey {survey[1]}: expected {list(expected.values())}, got {list(counted[survey].values())}"
            )
    return findings.check("问卷事实链", "survey answers standing on nps.changed", len(want), agreed)
