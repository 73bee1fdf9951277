"""What a replay must show, measured on days that nothing was fitted on: blocks, alternating days, and days to come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.router.domain.policy import Policy
from services.router.domain.simulation.distributions import Fitted
from services.router.domain.simulation.figures import Figures, figures, mean
from services.router.domain.simulation.recorded import RecordedDay, Shift
from services.router.domain.simulation.replay import draw, recorded, simulate, without_busiest

Days = Sequence[RecordedDay]
BLOCK = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """Days to fit on, and days to measure on."""

    name: str
    on: Days
    held: Days


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The figures that a replay is accepted by, of some days together, means over the seeds."""

    contacts: int
    mean_wait_s: float
    """As the log has it."""
    wait_error: float
    """Relative error of the mean wait under the rule that the days were worked by."""
    abandonment_error: float
    """Points."""
    control: float
    """Mean wait with each day's busiest seat away, over that with it."""
    priority: float
    """Class 2's mean wait, the policy's over the rule's."""
    others: float
    """The same of all others."""
    abandonment: float
    """The policy's share that hangs up less the rule's, in points."""


def folds(days: Days) -> Iterator[Fold]:
    """Blocks of days, every fifth day, and the last days by the first ones."""
    for i in range(0, len(days) - BLOCK + 1, 2):
        held = days[i : i + BLOCK]
        yield Fold(f"{_span(held)}, by the others", [*days[:i], *days[i + BLOCK :]], held)
    for i in range(BLOCK):
        held = days[i::BLOCK]
        yield Fold(f"every fifth from {held[0].name[5:]}, by the others", [d for d in days if d not in held], held)
    for first in range(7, len(days) - 3, 3):
        yield Fold(f"{_span(days[first:])}, by the days before", days[:first], days[first:])


def _span(days: Days) -> str:
    return f"{days[0].name[5:]} to {days[-1].name[5:]}"


def measure(held: Days, fitted: Fitted, rule: Policy, policy: Policy, seeds: Sequence[int]) -> Acceptance:
    """Run the days under the rule, under the rule without each day's busiest seat, and under the policy."""
    drawn = [[draw(day, fitted, seed) for day in held] for seed in seeds]

    def under(which: Policy, shifts: Sequence[tuple[Shift, ...]]) -> Figures:
        return mean(
            [
                figures([(d.day, simulate(d, which, s)) for d, s in zip(run, shifts, strict=True)])
                for run in drawn
            ]
        )  # fmt: skip

    there = [day.shifts for day in held]
    told = figures([(day, recorded(day)) for day in held])
    base, ours = under(rule, there), under(policy, there)
    short = under(rule, [without_busiest(day) for day in held])
    return Acceptance(
        contacts=told.contacts,
        mean_wait_s=told.mean_wait_s,
        wait_error=base.mean_wait_s / told.mean_wait_s - 1,
        abandonment_error=100 * (base.abandonment - told.abandonment),
        control=short.mean_wait_s / base.mean_wait_s,
        priority=ours.by_priority["2"].mean_wait_s / base.by_priority["2"].mean_wait_s,
        others=_others(ours) / _others(base),
        abandonment=100 * (ours.abandonment - base.abandonment),
    )


def _others(of: Figures) -> float:
    groups = [of.by_priority[name] for name in ("0", "1")]
    return sum(g.mean_wait_s * g.contacts for g in groups) / sum(g.contacts for g in groups)
