"""From counts to a Net Promoter Score with its error."""

from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal

Z95: Final = 1.959964
"""The standard normal quantile of a two-sided 95 % interval."""
ADDED: Final = 3.0
"""Answers added before the interval is taken, three quarters promoters and three quarters detractors among them."""
ADDED_EACH: Final = 0.75

Group = Literal["promoters", "passives", "detractors"]


def group(score: int) -> Group:
    """The group of an answer: 9 and 10 are promoters, 7 and 8 passives, 0 to 6 detractors."""
    if score >= 9:
        return "promoters"
    return "passives" if score >= 7 else "detractors"


GROUPS: Final[tuple[Group, ...]] = ("promoters", "passives", "detractors")
GROUP_INDEX: Final = tuple(GROUPS.index(group(score)) for score in range(11))
"""Where in GROUPS each score from 0 to 10 belongs."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One Net Promoter Score. Counts are answers; nps, low and high are points, −100 to 100."""

    promoters: int
    passives: int
    detractors: int
    n: int
    nps: float
    low: float
    high: float


def figure(promoters: int, passives: int, detractors: int) -> Figure:
    """The score of these counts, with its adjusted Wald interval at 95 %.

    Three answers are added, ¾ promoters, ¾ detractors and the rest passives, and the Wald interval is taken around
    their score: Rocks, B. (2016), "Interval estimation for the Net Promoter Score", The American Statistician 70(4),
    recommended by Sauro & Lewis, "Quantifying the User Experience". It holds its 95 % from about ten answers on.
    The interval's ends are not cut at ±100, so that its width stays comparable. Without an answer nps is 0, and the
    interval is that of the three added answers alone.
    """
    n = promoters + passives + detractors
    m = n + ADDED
    p, d = (promoters + ADDED_EACH) / m, (detractors + ADDED_EACH) / m
    middle, half = p - d, Z95 * sqrt((p + d - (p - d) ** 2) / m)
    nps = 100 * (promoters - detractors) / n if n else 0.0
    return Figure(promoters, passives, detractors, n, nps, 100 * (middle - half), 100 * (middle + half))
