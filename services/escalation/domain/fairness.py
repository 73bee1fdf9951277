"""Whether quick refunds treat customer groups alike: the share that is started, and what is lost, by group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.escalation.domain.uplift import ArmCount, wilson

FOUR_FIFTHS: Final = 0.8
"""A group whose share is below four fifths of the best one's is looked at: the rule of thumb of the US Uniform Guidelines on
Employee Selection Procedures (1978), § 4D."""


@dataclass(frozen=True, slots=True)
class GroupCount:
    """Decisions about a group: how many, how many were started, what was paid out and what of it was lost (hundredths)."""

    decided: int
    started: int
    paid_cents: int = 0
    lost_cents: int = 0


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """A group's share of decisions that were started, with its 95 % interval (Wilson), and the share of money lost.

    ratio: of the share to the best group's. apart: whether it is below four fifths and the two intervals don't meet, so that
    chance is a poor excuse.
    """

    decided: int
    started: int
    share: float
    low: float
    high: float
    ratio: float
    apart: bool
    paid_cents: int
    lost_cents: int
    loss_share: float


def figures(groups: Mapping[str, GroupCount]) -> dict[str, GroupFigure]:
    """Each group beside the best one. The best is the one with the highest lower end: few decisions make no standard."""
    ends = {g: wilson(ArmCount(c.decided, c.started)) for g, c in groups.items()}
    shares = {g: c.started / c.decided if c.decided else 0.0 for g, c in groups.items()}
    best = max(ends, key=lambda g: (ends[g][0], g), default="")
    found = {}
    for group, c in groups.items():
        low, high = ends[group]
        ratio = shares[group] / shares[best] if shares[best] else 1.0
        apart = ratio < FOUR_FIFTHS and high < ends[best][0]
        loss = c.lost_cents / c.paid_cents if c.paid_cents else 0.0
        found[group] = GroupFigure(
            c.decided, c.started, shares[group], low, high, ratio, apart, c.paid_cents, c.lost_cents, loss
        )
    return found
