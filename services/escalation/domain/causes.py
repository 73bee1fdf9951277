"""One cause of many complaints: a product, batch, store or route about which more customers report than chance would have it.

A cause is hot when at least `LEAST` customers have reported it within `SPAN`, and so many or more would come with a probability of less than
`RARE` if reports came as they used to (Poisson with the mean of the weeks before). The usual rate is an exponentially weighted mean with a
half-life of a week, learned only from what is older than the span, so that a wave does not hide itself.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import exp
from typing import Final

SPAN: Final = timedelta(hours=2)
COOL: Final = timedelta(hours=6)
"""How long after it was last hot a cause still counts as the same wave."""
LEAST: Final = 5
RARE: Final = 1e-4
HALF_LIFE: Final = timedelta(days=7)
FLOOR: Final = 0.1
"""Reports an hour that are taken as usual even of what nobody has ever reported."""
MOST: Final = 1000
"""Customers of a wave that are remembered."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A customer met with the cause, at that event time."""

    cause: str
    customer_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CauseHeated:
    """Fact: a wave has begun. customers: who reported within the span; expected: how many usually do; since: the first of them."""

    cause: str
    wave: int
    customers: int
    expected: float
    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Cause:
    """State per cause. recent: who reported when, within the span of the latest. rate: usual reports an hour, as of `aged`.

    first: the first report of all. hot_at: when it was last found hot; wave: waves so far.
    """

    cause: str
    recent: tuple[Reported, ...] = ()
    weight: float = 0.0
    aged: datetime | None = None
    first: datetime | None = None
    hot_at: datetime | None = None
    wave: int = 0

    def rate(self, now: datetime) -> float:
        """Usual reports an hour before the span that ends at that moment."""
        if self.first is None or self.aged is None:
            return FLOOR
        decay: float = 0.5 ** (max(now - self.aged, timedelta(0)) / HALF_LIFE)
        # The weights of all hours since the first, had each brought one: the mean's denominator.
        hours = max((now - self.first) / timedelta(hours=1), 1.0)
        per = HALF_LIFE / timedelta(hours=1) / 0.6931471805599453
        return max(FLOOR, self.weight * decay / (per * (1 - exp(-hours / per))))


def tail(n: int, mean: float) -> float:
    """The probability that a Poisson count of that mean is n or more."""
    term, below = exp(-mean), 0.0
    for k in range(n):
        below += term
        term *= mean / (k + 1)
    return max(0.0, 1.0 - below)


def decide(state: Cause, event: Reported, now: datetime) -> tuple[Cause, tuple[CauseHeated, ...]]:
    """The state after a report, and a wave where one begins with it. A customer counts once in a span."""
    at = min(event.at, now)
    latest = max([at, *(r.at for r in state.recent)])
    state = _aged(state, latest - SPAN)
    if at < latest - SPAN:  # too late to tell of a wave: it counts as what is usual
        return _usual(state, (replace(event, at=at),)), ()
    others = tuple(r for r in state.recent if r.customer_id != event.customer_id)
    recent = tuple(sorted((*others, replace(event, at=at)), key=lambda r: (r.at, r.customer_id)))[-MOST:]
    state = replace(state, recent=recent, first=min(state.first or at, at))
    expected = state.rate(latest - SPAN) * (SPAN / timedelta(hours=1))
    if len(recent) < LEAST or tail(len(recent), expected) >= RARE:
        return state, ()
    same = state.hot_at is not None and latest - state.hot_at <= COOL
    state = replace(state, hot_at=latest, wave=state.wave + (not same))
    if same:
        return state, ()
    return state, (CauseHeated(state.cause, state.wave, len(recent), expected, recent[0].at, latest),)


def _aged(state: Cause, until: datetime) -> Cause:
    """The state with what is older than the span among what is usual."""
    old = tuple(r for r in state.recent if r.at < until)
    return _usual(replace(state, recent=tuple(r for r in state.recent if r.at >= until)), old) if old else state


def _usual(state: Cause, reports: tuple[Reported, ...]) -> Cause:
    weight, aged = state.weight, state.aged
    for r in sorted(reports, key=lambda r: r.at):
        if aged is None or r.at >= aged:
            weight = weight * (0.5 ** ((r.at - aged) / HALF_LIFE) if aged else 1.0) + 1.0
            aged = r.at
        else:
            weight += 0.5 ** ((aged - r.at) / HALF_LIFE)
    first = min([r.at for r in reports] + ([state.first] if state.first else []))
    return replace(state, weight=weight, aged=aged, first=first)
