"""Cells: counts by segment and window, merged from shares so that repeats and disorder change nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Share:
    """What one source partition has counted so far; `version` rises with each change of it."""

    version: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric's counts for one segment in one window: a last-writer-wins register for each share.

    metric: "sentiment", "routing", "nps" or "escalation". segment: dimension → value, empty for all.
    window: "PT1M", "PT1H", "P1D" or "ALL"; start: when it begins (UTC). shares: by pipeline and source partition.
    """

    metric: str
    segment: Mapping[str, str]
    window: str
    start: datetime
    shares: Mapping[str, Share]


# How long a window is kept once it began. Dashboards look at the last hours by minute, the last months by day.
KEPT = {"PT1M": timedelta(days=2), "PT1H": timedelta(days=60), "P1D": timedelta(days=400)}


def merge(cell: Cell, share: str, told: Share) -> Cell:
    """The cell with what one share says now; an older or repeated version changes nothing."""
    known = cell.shares.get(share)
    if known is not None and known.version >= told.version:
        return cell
    return replace(cell, shares={**cell.shares, share: told})


def total(cell: Cell) -> dict[str, int]:
    """The cell's counts: the sum over its shares."""
    counts: dict[str, int] = {}
    for share in cell.shares.values():
        for name, count in share.counts.items():
            counts[name] = counts.get(name, 0) + count
    return counts


def expired(window: str, start: datetime, now: datetime) -> bool:
    """Whether a window is past keeping. Judged by the service's clock: an event's wrong clock can't close a window."""
    kept = KEPT.get(window)
    return kept is not None and start + kept < now
