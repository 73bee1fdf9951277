"""What a bot would change that takes some of the calls off the floor: told by the share of work, not of calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from services.router.domain.policy import Policy
from services.router.domain.simulation.recorded import Shift
from services.router.domain.simulation.replay import DayDraw, simulate, without

Masks = list[npt.NDArray[np.bool_]]
"""For each day, which of the floor's calls."""


class Picks(StrEnum):
    """Which calls of a type a bot takes."""

    SHORTEST = "shortest"
    """What a bot is likely to manage."""
    ANY = "any"
    """As many, whatever they are: what a share of calls would come to if it were a share of work."""


@dataclass(frozen=True, slots=True)
class BotRun:
    """One run with a bot, beside the same run without it."""

    calls: float
    """The share of all calls that the bot took."""
    work: float
    """The share of all the seats' work, service and after-call work, that they would have been."""
    without_wait_s: float
    """Mean wait of the calls that the bot did not take, where there is no bot."""
    with_wait_s: float
    """The same with the bot."""
    without_abandonment: float
    with_abandonment: float


def takes(drawn: Sequence[DayDraw], kind: str, share: float, picks: Picks, seed: int) -> Masks:
    """Choose a share of all calls of a type, over all days."""
    rng = np.random.default_rng([seed, len(drawn)])
    mine = [np.array([call.kind == kind for call in d.calls], np.bool_) for d in drawn]
    rank = [np.array(d.service) if picks is Picks.SHORTEST else rng.random(len(d.calls)) for d in drawn]
    every = np.concatenate([r[m] for r, m in zip(rank, mine, strict=True)])
    limit = np.quantile(every, share) if len(every) else 0.0
    return [m & (r < limit) for r, m in zip(rank, mine, strict=True)]


def run_bot(
    drawn: Sequence[DayDraw], policy: Policy, shifts: Sequence[tuple[Shift, ...]], taken: Masks
) -> BotRun:  # fmt: skip
    """Run the days without those calls, and with them; figures are of the others."""
    waits: list[npt.NDArray[np.float64]] = []
    left: list[npt.NDArray[np.bool_]] = []
    before: list[npt.NDArray[np.float64]] = []
    gone: list[npt.NDArray[np.bool_]] = []
    calls = work = whole = 0.0
    for day, of, mask in zip(drawn, shifts, taken, strict=True):
        stay = np.ones(len(day.day.calls), np.bool_)
        stay[day.index[mask]] = False
        with_bot, plain = simulate(without(day, mask), policy, of), simulate(day, policy, of)
        waits.append(with_bot.waited[stay])
        left.append(~with_bot.answered[stay])
        before.append(plain.waited[stay])
        gone.append(~plain.answered[stay])
        lasts = np.array(day.service) + np.array(day.wrap_up)
        calls, work, whole = calls + int(mask.sum()), work + float(lasts[mask].sum()), whole + float(lasts.sum())
    return BotRun(
        calls=calls / sum(len(d.day.calls) for d in drawn),
        work=work / whole if whole else 0.0,
        without_wait_s=float(np.concatenate(before).mean()),
        with_wait_s=float(np.concatenate(waits).mean()),
        without_abandonment=float(np.concatenate(gone).mean()),
        with_abandonment=float(np.concatenate(left).mean()),
    )
