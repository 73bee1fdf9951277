"""Who answers for what: told once, it stands until it is told anew."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.nps.domain.survey import Segments


@dataclass(frozen=True, slots=True)
class SegmentOwned:
    """From `time` on this owner answers for a segment. ownership_id: what a later word about the same replaces."""

    ownership_id: str
    time: datetime
    owner: str
    segments: Segments


@dataclass(frozen=True, slots=True)
class Ownership:
    """One ownership as it stands. told_at is None where nothing was told yet; segments () for everywhere."""

    ownership_id: str
    owner: str = ""
    segments: Segments = ()
    told_at: datetime | None = None


def apply(known: Ownership, event: SegmentOwned) -> Ownership:
    """The ownership with one more word. Whatever the order of arrival: the latest by its time stands."""
    said = (event.time, event.owner, event.segments)
    if known.told_at is not None and said <= (known.told_at, known.owner, known.segments):
        return known
    return replace(known, owner=event.owner, segments=event.segments, told_at=event.time)
