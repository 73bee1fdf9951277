"""Whether following up helps: the escalations of those who were followed up, beside those whom the lot has held out.

Intention to treat: a case belongs to the arm that the lot gave it, whatever was done. Only cases that the lot has drawn are
compared; the gravest, who are always seen, are in neither arm.
"""

from dataclasses import dataclass
from math import inf, sqrt
from typing import Final

Z95: Final = 1.959964
"""The standard normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class ArmCount:
    """Cases of an arm, and how many of them escalated within the horizon. Raises ValueError where that can't be."""

    cases: int
    escalated: int

    def __post_init__(self) -> None:
        """Checks the counts."""
        if not 0 <= self.escalated <= self.cases:
            raise ValueError(f"{self.escalated} of {self.cases} cases can't have escalated")

    @property
    def share(self) -> float:
        """The share that escalated; 0 where there is no case."""
        return self.escalated / self.cases if self.cases else 0.0


@dataclass(frozen=True, slots=True)
class Uplift:
    """By how much following up lowers the share that escalates, with its 95 % interval (shares, −1 to 1).

    avoided: escalations that following up has avoided among those treated, with the interval's ends. known: whether the
    interval lies on one side of 0, so that an effect is told at all.
    cost_per_avoided: what one of them has cost, in the unit of the cost of a follow-up; infinite where none is shown. Its
    ends go with those of the interval: the lower with the upper effect.
    """

    difference: float
    low: float
    high: float
    avoided: float
    avoided_low: float
    avoided_high: float
    known: bool
    cost_per_avoided: float
    cost_low: float
    cost_high: float


def wilson(count: ArmCount) -> tuple[float, float]:
    """The Wilson score interval of the share, 95 %. (0, 1) where there is no case."""
    n = count.cases
    if not n:
        return 0.0, 1.0
    p, z2 = count.share, Z95 * Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def uplift(treated: ArmCount, held_out: ArmCount, cost: float = 1.0) -> Uplift:
    """The effect and its interval: Newcombe's hybrid of two Wilson intervals, which holds its 95 % for small shares too.

    Newcombe, R. G. (1998), "Interval estimation for the difference between independent proportions", Statistics in Medicine
    17, 873–890, method 10. cost: of one follow-up.
    """
    difference = held_out.share - treated.share
    (a, b), (c, d) = wilson(held_out), wilson(treated)
    low = difference - sqrt((held_out.share - a) ** 2 + (d - treated.share) ** 2)
    high = difference + sqrt((b - held_out.share) ** 2 + (treated.share - c) ** 2)
    if not treated.cases or not held_out.cases:
        difference, low, high = 0.0, -1.0, 1.0
    n = treated.cases

    def per(effect: float) -> float:
        return cost / effect if effect > 0 else inf

    return Uplift(
        difference,
        low,
        high,
        difference * n,
        low * n,
        high * n,
        low > 0 or high < 0,
        per(difference),
        per(high),
        per(low),
    )


def cases_needed(share: float, effect: float, holdout: float) -> int:
    """How many cases the lot must draw, in both arms together, to show that effect in four of five trials (power 0.8).

    share: of the held out that escalate. effect: by how much it is lower among the treated. holdout: the share held out.
    The usual normal approximation for two proportions. Raises ValueError where the effect can't be.
    """
    if not 0 < effect <= share <= 1 or not 0 < holdout < 1:
        raise ValueError("the effect must be above 0 and no larger than the share, the hold-out between 0 and 1")
    q = share - effect
    spread = share * (1 - share) / holdout + q * (1 - q) / (1 - holdout)
    return int((Z95 + 0.841621) ** 2 * spread / effect**2) + 1
