"""A recorded day, drawn and run: the same luck for every policy, so that two are compared call by call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.router.domain.policy import Policy
from services.router.domain.simulation.distributions import ANY, DrawnPatience, Fitted
from services.router.domain.simulation.engine import NOBODY, Seats, Work, run
from services.router.domain.simulation.ordering import places
from services.router.domain.simulation.recorded import Call, RecordedDay, Shift

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DayDraw:
    """What one seed makes of a day, whatever the policy: who calls, their luck, and how long each is served."""

    day: RecordedDay
    calls: tuple[Call, ...]
    """Those that the floor serves."""
    index: npt.NDArray[np.int64]
    """Their places in the day's calls."""
    tiers: tuple[str, ...]
    patience: DrawnPatience
    service: list[float]
    wrap_up: list[float]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a day's calls, in the log's order: seconds waited, answered or not, and by which shift (−1: none)."""

    waited: Floats
    answered: npt.NDArray[np.bool_]
    shift: npt.NDArray[np.int64]


def draw(day: RecordedDay, fitted: Fitted, seed: int) -> DayDraw:
    """Draw what the log doesn't tell. The same seed and day give the same draw."""
    # The day's name is part of the seed: a day's figures don't depend on which others are replayed with it.
    rng = np.random.default_rng([seed, *day.name.encode()])
    index = np.array([i for i, call in enumerate(day.calls) if not call.off_queue], np.int64)
    calls = tuple(day.calls[i] for i in index)
    n = len(calls)
    who, luck, serve, wrap = (rng.random(n) for _ in range(4))
    tiers = tuple(call.tier or _tier(fitted, call.kind, float(u)) for call, u in zip(calls, who, strict=True))
    service = [
        call.service_s if call.service_s is not None else fitted.service_of(call.kind, tier).at(float(u))
        for call, tier, u in zip(calls, tiers, serve, strict=True)
    ]
    patience = DrawnPatience(fitted.patience, [call.kind for call in calls], tiers, luck)
    return DayDraw(day, calls, index, tiers, patience, service, [fitted.wrap_up.at(float(u)) for u in wrap])


def without(drawn: DayDraw, gone: npt.NDArray[np.bool_]) -> DayDraw:
    """The same draw without some of the floor's calls; the others keep their luck."""
    stay = np.flatnonzero(~gone)
    return DayDraw(
        drawn.day,
        tuple(drawn.calls[i] for i in stay),
        drawn.index[stay],
        tuple(drawn.tiers[i] for i in stay),
        drawn.patience.of_some(stay.tolist()),
        [drawn.service[i] for i in stay],
        [drawn.wrap_up[i] for i in stay],
    )


def _tier(fitted: Fitted, kind: str, luck: float) -> str:
    """The class of a caller whom the log gives none, by the shares of the type's callers whose class is known."""
    shares = fitted.shares.get(kind) or fitted.shares[ANY]
    at = int(np.searchsorted(np.cumsum(list(shares.values())), luck, side="right"))
    return list(shares)[min(at, len(shares) - 1)]


def simulate(drawn: DayDraw, policy: Policy, shifts: tuple[Shift, ...]) -> Result:
    """Run a drawn day under a policy. Raises NotReplayable where the policy can't be told from a log."""
    kinds = {call.kind for call in drawn.calls} | {
        kind for shift in shifts for span in shift.spans for kind in span.kinds
    }
    number = {kind: i for i, kind in enumerate(sorted(kinds))}
    work = Work(
        at=[call.at for call in drawn.calls],
        kind=[number[call.kind] for call in drawn.calls],
        place=places(policy, drawn.calls, drawn.tiers),
        service=drawn.service,
        wrap_up=drawn.wrap_up,
    )
    seats = Seats(
        tuple(tuple((x.start, x.end, frozenset(number[k] for k in x.kinds)) for x in shift.spans) for shift in shifts)
    )
    ran = run(work, seats, drawn.patience)
    n = len(drawn.day.calls)
    waited, shift = np.zeros(n), np.full(n, NOBODY, np.int64)
    answered = np.ones(n, np.bool_)
    waited[drawn.index] = ran.waited
    shift[drawn.index] = ran.seat
    answered[drawn.index] = shift[drawn.index] != NOBODY
    return Result(waited, answered, shift)


def recorded(day: RecordedDay) -> Result:
    """What the log says became of the day's calls."""
    names = {shift.seat: i for i, shift in enumerate(day.shifts)}
    return Result(
        np.array([call.waited_s for call in day.calls]),
        np.array([call.answered for call in day.calls], np.bool_),
        np.array([names.get(call.seat, NOBODY) for call in day.calls], np.int64),
    )


def without_busiest(day: RecordedDay) -> tuple[Shift, ...]:
    """The day's shifts less that of the seat that served longest."""
    work: dict[str, float] = {shift.seat: 0.0 for shift in day.shifts}
    for call in day.calls:
        if call.seat:
            work[call.seat] += call.service_s or 0.0
    busiest = max(work, key=lambda seat: work[seat], default="")
    return tuple(shift for shift in day.shifts if shift.seat != busiest)
