"""What somebody promised to do about a pain point, and whether it worked.

An action is a record that its events build up: promised, done, dropped. Its effect is the difference between the answers
of its segment before it was promised and those since it was done. The interval may be looked at after every
answer: a normal mixture over the information that has come in, which is 1/variance of the difference (Robbins 1970, "Statistical
methods related to the law of the iterated logarithm", Ann. Math. Statist. 41; the form of Howard, Ramdas, McAuliffe & Sekhon
2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Ann. Statist. 49, eq. 3.7).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import log, sqrt
from typing import Final, Literal

from services.nps.domain.figures import ADDED, ADDED_EACH, Z95, Figure
from services.nps.domain.survey import Segments
from services.nps.domain.words import Language, between

AIM: Final = 5.0
"""Points of NPS that an action is to bring where its promise names none: less is not worth a promise."""
BEFORE: Final = timedelta(days=28)
"""How far back the answers go that an action is compared with."""
FEWEST: Final = 10
"""Answers on each side below which nothing is said: see docs/models/nps-statistics.md."""
ALPHA: Final = 0.05
TYPICAL: Final = 0.2
"""The size of effect at which the interval is about narrowest, as a mean of −1, 0, 1: 20 points."""

Verdict = Literal["worked", "did_not", "not_yet_known", "not_done"]
"""worked: better for certain. did_not: what was aimed at is out of reach for certain, or it got worse. not_yet_known: the
answers so far allow both. not_done: promised only, so that there is nothing to judge."""
Status = Literal["promised", "done", "dropped"]


@dataclass(frozen=True, slots=True)
class ActionPromised:
    """Somebody promises to do something about a segment. aim: points of NPS that it is to bring; due_at: until when."""

    source: str
    event_id: str
    action_id: str
    time: datetime
    owner: str
    promise: str
    segments: Segments
    due_at: datetime | None = None
    aim: float = AIM


@dataclass(frozen=True, slots=True)
class ActionDone:
    """It is done: answers from `time` on are those after it. outcome: in its owner's words."""

    source: str
    event_id: str
    action_id: str
    time: datetime
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class ActionDropped:
    """It won't be done."""

    source: str
    event_id: str
    action_id: str
    time: datetime
    reason: str = ""


Event = ActionPromised | ActionDone | ActionDropped


@dataclass(frozen=True, slots=True)
class Action:
    """One action as it stands. segments: where it is to help, such as (("region", "华东"), ("touchpoint", "time")); ()
    for everywhere. Times are event times, UTC. promised_at is None where only its end is known so far."""

    action_id: str
    owner: str = ""
    promise: str = ""
    segments: Segments = ()
    promised_at: datetime | None = None
    due_at: datetime | None = None
    aim: float = AIM
    done_at: datetime | None = None
    dropped_at: datetime | None = None
    outcome: str = ""
    reason: str = ""

    @property
    def status(self) -> Status:
        """Done goes before dropped: what was done has an effect, whatever was said before or after."""
        return "done" if self.done_at else "dropped" if self.dropped_at else "promised"

    def overdue(self, now: datetime) -> bool:
        """Whether it should have been done by now."""
        return self.status == "promised" and self.due_at is not None and self.due_at < now


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action did: before and after are figures of its segment; points is their difference with the ends of a 95 %
    interval that may be looked at again and again, in points of NPS."""

    verdict: Verdict
    before: Figure
    after: Figure
    points: float
    low: float
    high: float


def apply(action: Action, event: Event) -> Action:
    """The action with one more event. Whatever the order of arrival: the earliest end counts, the latest promise stands."""
    match event:
        case ActionPromised():
            known = (action.promised_at, action.owner, action.promise, action.segments, action.aim)
            told = (event.time, event.owner, event.promise, event.segments, event.aim)
            if action.promised_at is not None and told <= known:
                return action
            return replace(
                action, owner=event.owner, promise=event.promise, segments=event.segments,
                promised_at=event.time, due_at=event.due_at, aim=event.aim,
            )  # fmt: skip
        case ActionDone():
            if action.done_at is not None and (event.time, event.outcome) >= (action.done_at, action.outcome):
                return action
            return replace(action, done_at=event.time, outcome=event.outcome)
        case ActionDropped():
            if action.dropped_at is not None and (event.time, event.reason) >= (action.dropped_at, action.reason):
                return action
            return replace(action, dropped_at=event.time, reason=event.reason)


def actions(events: Iterable[Event]) -> dict[str, Action]:
    """All actions that these events tell of, by id."""
    found: dict[str, Action] = {}
    for event in events:
        found[event.action_id] = apply(found.get(event.action_id) or Action(event.action_id), event)
    return found


def spans(action: Action, now: datetime) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]] | None:
    """Start and end of the answers before (BEFORE long, up to the promise) and after it (since it was done, until now).

    None where there is no after. The time between promise and end belongs to neither: it may have been half done.
    """
    if action.done_at is None or action.done_at >= now:
        return None
    first = min(action.promised_at or action.done_at, action.done_at)
    return (first - BEFORE, first), (action.done_at, now)


def effect(before: Figure, after: Figure, aim: float = AIM, *, always: bool = True) -> Effect:
    """Whether it worked, told from the answers before and after it.

    always: the interval is valid however often one looks; without, it is that of one look at one fixed time.
    """
    points, half = 0.0, 200.0
    if before.n and after.n:
        points = after.nps - before.nps
        variance = _variance(before) / before.n + _variance(after) / after.n
        half = 100 * (_half(variance) if always else Z95 * sqrt(variance))
    low, high = points - half, points + half
    verdict: Verdict = "not_yet_known"
    if min(before.n, after.n) >= FEWEST:
        if low > 0:
            verdict = "worked"
        elif high < max(aim, 0.0):
            verdict = "did_not"
    return Effect(verdict, before, after, points, low, high)


def judge(action: Action, before: Figure, after: Figure) -> Effect:
    """The effect of an action, or that it isn't done. before, after: the figures of its segment over `spans`."""
    found = effect(before, after, action.aim)
    return found if action.status == "done" else replace(found, verdict="not_done")


def sentence(found: Effect, language: Language) -> str:
    """Whether it worked, in words."""
    zh = language == "zh"
    if found.verdict == "not_done":
        return "尚未完成，无从判断" if zh else "not done yet: nothing to judge"
    size, n = between(found.low, found.high), (found.before.n, found.after.n)
    if min(n) < FEWEST:
        return f"还不知道：答卷太少（前 {n[0]} 份，后 {n[1]} 份）" if zh else f"not yet known: too few answers ({n[0]} before, {n[1]} since)"  # fmt: skip
    told = f"{size} 分，前 {n[0]} 份、后 {n[1]} 份答卷" if zh else f"{size} points, {n[0]} answers before, {n[1]} since"
    if found.verdict == "worked":
        return f"见效：{told}" if zh else f"it worked: {told}"
    if found.verdict == "did_not":
        return f"未见效：{told}" if zh else f"it did not work: {told}"
    return f"还不知道：{told}" if zh else f"not yet known: {told}"


def _half(variance: float) -> float:
    """Half the width of the interval at information 1/variance: the same α at all looks together."""
    information = 1 / variance
    t = TYPICAL**2 * information
    return sqrt((1 + t) / t * log((1 + t) / ALPHA**2) / information)


def _variance(f: Figure) -> float:
    m = f.n + ADDED
    p, d = (f.promoters + ADDED_EACH) / m, (f.detractors + ADDED_EACH) / m
    return p + d - (p - d) ** 2
