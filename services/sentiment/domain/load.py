"""The emotional load of seats: the anger that each has absorbed in its shift, by pool.

A load is the sum of what was absorbed, each part halved for every HALF_LIFE since it was said: a bucket that leaks while
nobody is angry. Like the moods it is the same in any order of arrival. A shift begins when the seat signs in and ends when it
signs out; what was said outside of it is not counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.sentiment.domain.events import AngerAbsorbed
from services.sentiment.domain.score import EMOTIONS, Score

HALF_LIFE: Final = timedelta(minutes=30)
"""A seat that hears nothing angry for half an hour bears half of it still. A choice, not a measurement."""
CALM: Final = 0.25
"""What an unhappy message without anger weighs, beside one that is surely angry."""
LEAST: Final = 0.1
"""What weighs less is not told."""
_ANGRY: Final = EMOTIONS.index("angry")
LONGEST_SHIFT: Final = timedelta(hours=16)
"""A seat that was not heard of for so long is off shift, whether it signed out or not."""
SKEW: Final = timedelta(minutes=1)
"""How far the clocks of seats and channels may be apart."""
GONE_KEPT: Final = timedelta(hours=1)
"""How long it is known that a seat has signed out, for what comes late."""


def anger(score: Score) -> float:
    """How much anger a seat absorbs by reading a message, 0 … 1.

    Anger weighs how likely it is, and half of that where it is not felt strongly. A fault that is reported calmly is no anger:
    it weighs CALM of how unhappy it is. What the model does not know weighs nothing.
    """
    angry = 0.0
    if score.emotion.label == "angry":
        angry = score.emotion.probability[_ANGRY] * (1 + score.emotion.strength) / 2
    unhappy = max(0.0, -score.polarity) if score.label == "negative" else 0.0
    weight = angry + (1 - angry) * CALM * unhappy
    return round(weight, 3) if weight >= LEAST else 0.0


@dataclass(frozen=True, slots=True)
class SeatOn:
    """The seat came on shift."""

    pool: str
    seat_id: str
    time: datetime


@dataclass(frozen=True, slots=True)
class SeatOff:
    """The seat went off shift."""

    pool: str
    seat_id: str
    time: datetime


LoadEvent = SeatOn | SeatOff | AngerAbsorbed


@dataclass(frozen=True, slots=True)
class Burden:
    """What one seat bears. `load` is as of `updated`, the latest message's time; `absorbed` is what nothing of has faded.

    since: when the shift began, None where that was not seen. gone: when it ended, None while it goes on.
    """

    seat_id: str
    since: datetime | None = None
    load: float = 0.0
    absorbed: float = 0.0
    messages: int = 0
    updated: datetime | None = None
    gone: datetime | None = None

    @property
    def heard(self) -> datetime | None:
        """When something was heard of the seat last."""
        return max((t for t in (self.since, self.updated, self.gone) if t is not None), default=None)


@dataclass(frozen=True, slots=True)
class PoolLoad:
    """State of one pool: what its seats bear, by seat."""

    pool: str
    seats: Mapping[str, Burden] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadChanged:
    """Fact: a seat of a pool bears something else now. `burden.gone` is set where it is off shift."""

    pool: str
    burden: Burden


def load_at(load: float, updated: datetime | None, time: datetime) -> float:
    """What is left of a load at `time`."""
    if updated is None or time <= updated:
        return load
    return load * float(2.0 ** -((time - updated) / HALF_LIFE))


def decide(state: PoolLoad, event: LoadEvent, now: datetime) -> tuple[PoolLoad, tuple[LoadChanged, ...]]:
    """One event of a pool. Sign-ins and sign-outs come in the order of the pool; anger may come late, and is then held against the shift."""
    known = state.seats.get(event.seat_id)
    match event:
        case SeatOn():
            after = _on(known, event)
        case SeatOff():
            after = Burden(event.seat_id, gone=event.time)
        case AngerAbsorbed():
            after = _bear(known, event)
    if after is None or after is known:
        return state, ()
    seats = {**state.seats, event.seat_id: after}
    if not isinstance(event, AngerAbsorbed):
        seats = {seat_id: b for seat_id, b in seats.items() if b is after or not _stale(b, event.time)}
    return replace(state, seats=seats), (LoadChanged(state.pool, after),)


def _stale(burden: Burden, time: datetime) -> bool:
    heard = burden.heard
    if burden.gone is not None:
        return time - burden.gone > GONE_KEPT
    return heard is None or time - heard > LONGEST_SHIFT


def _on(known: Burden | None, event: SeatOn) -> Burden | None:
    """A seat that signs in again within its shift (with other skills, or after its desk started anew) does not lay down its load."""
    if known is not None and known.gone is None and not _stale(known, event.time):
        return known if known.since is not None else replace(known, since=min(event.time, known.updated or event.time))
    return Burden(event.seat_id, since=event.time)


def _bear(known: Burden | None, event: AngerAbsorbed) -> Burden | None:
    burden = known if known is not None and not _stale(known, event.time) else Burden(event.seat_id)
    if burden.gone is not None or (burden.since is not None and event.time < burden.since - SKEW):
        return None
    updated = max(burden.updated or event.time, event.time)
    load = load_at(burden.load, burden.updated, updated) + load_at(event.anger, event.time, updated)
    return replace(
        burden,
        load=round(load, 4),
        absorbed=round(burden.absorbed + event.anger, 4),
        messages=burden.messages + 1,
        updated=updated,
    )
