"""Whether what was promised about one stage worked: complaints in its place before and after, beside those elsewhere.

An action on a stage is judged by the share of answers that complain of it, which tells sooner than the score (`actions`), to which many
other things contribute. What also fell elsewhere didn't fall because of the action, so the change elsewhere is taken off (difference
in differences). The interval is that of `actions`: it may be looked at every week. A bad week is often followed by a better one by
itself; the week before a promise is chosen because it was bad, so some of what fell would have fallen anyhow.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log, sqrt
from typing import Final

from services.nps.domain.actions import ALPHA, FEWEST, Action, Verdict
from services.nps.domain.compare import Share, share
from services.nps.domain.replies import Reply

STAGE: Final = "stage"
"""The dimension of an action's segments that names a stage."""
BEFORE: Final = timedelta(days=7)
"""How far back the answers go that an action on a stage is compared with: a pain point is a matter of a week."""
HALVED: Final = 0.5
"""What a promise is to bring where it says nothing else: half of the complaints. Less than that is not worth a promise."""
TYPICAL: Final = 0.1
"""The difference of shares at which the interval is about narrowest."""
ELSEWHERE: Final = 100
"""Answers elsewhere, before and after, from which on they are taken off."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of complaints about an action's stage in its place.

    before, after: the share of answers that complain, up to the promise, and since it was done. elsewhere: the same outside of
    its place, None where it has no place or too few answer there. change: after − before (less the same elsewhere), with the
    ends low, high of a 95 % interval that may be looked at again and again: in shares of one.
    """

    action: Action
    stage: str
    verdict: Verdict
    before: Share
    after: Share
    elsewhere: tuple[Share, Share] | None
    change: float
    low: float
    high: float


def stage_of(action: Action) -> str | None:
    """The stage that the action is about, if it is about one."""
    return dict(action.segments).get(STAGE)


def kept(action: Action, replies: Iterable[Reply], now: datetime) -> Kept:
    """What the action did to the complaints, from the answers up to `now`. Raises ValueError where it is about no stage."""
    stage = stage_of(action)
    if stage is None:
        raise ValueError("action: names no stage")
    where = {s for s in action.segments if s[0] != STAGE}
    promised = action.promised_at or action.done_at or now
    first = min(promised, action.done_at or promised)
    counts = [[0, 0] for _ in range(4)]  # here before, here after, elsewhere before, elsewhere after
    for r in replies:
        here = where.issubset(r.segments)
        if first - BEFORE <= r.time < first:
            side = 0
        elif action.done_at is not None and action.done_at <= r.time < now:
            side = 1
        else:
            continue
        cell = counts[side + (0 if here else 2)]
        cell[0] += stage in r.complains
        cell[1] += 1
    before, after, *others = (share(of, n) for of, n in counts)
    elsewhere = (others[0], others[1]) if min(o.n for o in others) >= ELSEWHERE else None
    return _judged(action, stage, before, after, elsewhere)


def _judged(action: Action, stage: str, before: Share, after: Share, elsewhere: tuple[Share, Share] | None) -> Kept:
    pairs = [(before, after, 1), *([(*elsewhere, -1)] if elsewhere else [])]
    change = middle = variance = 0.0
    for b, a, sign in pairs:
        change += sign * (a.value - b.value)
        middle += sign * (_added(a) - _added(b))
        variance += sum(_added(s) * (1 - _added(s)) / (s.n + 2) for s in (b, a))
    half = always(variance)
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    verdict: Verdict = "not_yet_known"
    if action.status != "done":
        verdict = "not_done"
    elif min(before.n, after.n) >= FEWEST:
        if high < 0:
            verdict = "worked"
        elif low > -HALVED * before.value:
            verdict = "did_not"
    return Kept(action, stage, verdict, before, after, elsewhere, change, low, high)


def always(variance: float, typical: float = TYPICAL) -> float:
    """Half the width of a 95 % interval that may be looked at at all times: the normal mixture that `actions` names."""
    t = typical**2 / variance
    return sqrt(variance * (1 + t) / t * log((1 + t) / ALPHA**2))


def _added(s: Share) -> float:
    return (s.of + 1) / (s.n + 2)
