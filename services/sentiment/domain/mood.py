"""A customer's running mood: what was felt, fading with time, per contact and over all of them.

Each mood is a mean of polarities weighted by 2^(-age / half-life), with a prior of PRIOR messages at
zero: one odd message moves it only part of the way. Sums of weights and of weighted polarities are all
that is kept, so messages may arrive in any order with the same result (up to rounding). Duplicates
must be dropped before.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.sentiment.domain.conversation import Talk

CONTACT_HALF_LIFE: Final = timedelta(minutes=30)
"""Within a contact: what was said half an hour ago weighs half of what is said now."""
CUSTOMER_HALF_LIFE: Final = timedelta(days=3)
"""Across contacts: escalation looks back 72 hours, at which age a message weighs half."""
TREND_HALF_LIFE: Final = timedelta(minutes=5)
"""What counts as recent in the trend: the last few messages of a chat."""
PRIOR: Final = 0.5
"""Weight, in messages, of the neutral mood assumed before anything was said."""
MAX_CONTACTS: Final = 8
"""Contacts kept per customer; the one with the oldest last message goes first."""


@dataclass(frozen=True, slots=True)
class Mood:
    """A decayed mean of polarities; both sums are as of `updated`, the latest event time seen."""

    updated: datetime
    weight: float = 0.0
    total: float = 0.0
    count: int = 0

    @property
    def value(self) -> float:
        """The mood at `updated`, -1 (negative) … 1 (positive)."""
        return self.total / (self.weight + PRIOR)

    @property
    def mean(self) -> float:
        """The weighted mean without the prior, -1 … 1; 0 before the first message."""
        return self.total / self.weight if self.weight > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ContactMood:
    """The running mood of one contact."""

    contact_id: str
    touchpoint: str
    mood: Mood


@dataclass(frozen=True, slots=True)
class CustomerMood:
    """State per customer: the overall mood (slow), the recent one (fast), the last MAX_CONTACTS contacts, and the last conversations."""

    customer_id: str
    slow: Mood | None = None
    fast: Mood | None = None
    contacts: tuple[ContactMood, ...] = ()
    talks: tuple[Talk, ...] = ()

    @property
    def count(self) -> int:
        """Messages folded in so far."""
        return self.slow.count if self.slow else 0

    @property
    def updated(self) -> datetime | None:
        """The latest event time seen."""
        return self.slow.updated if self.slow else None

    @property
    def value(self) -> float:
        """The customer's mood at the last message, -1 … 1."""
        return self.slow.value if self.slow else 0.0

    @property
    def trend(self) -> float:
        """Half the recent mood's distance from the lasting one, -1 (souring) … 1 (brightening)."""
        return (self.fast.mean - self.slow.mean) / 2 if self.slow and self.fast else 0.0

    def contact(self, contact_id: str) -> ContactMood | None:
        """The contact's mood, if it is among those kept."""
        return next((c for c in self.contacts if c.contact_id == contact_id), None)

    def talk(self, contact_id: str) -> Talk | None:
        """The contact's conversation, if it is among those kept."""
        return next((t for t in reversed(self.talks) if t.contact_id == contact_id), None)


def fold(mood: Mood | None, polarity: float, time: datetime, half_life: timedelta) -> Mood:
    """`mood` with one more message of that polarity (-1 … 1) at that event time."""
    if mood is None:
        return Mood(time, 1.0, polarity, 1)
    if time >= mood.updated:
        fade = _fade(time - mood.updated, half_life)
        return Mood(time, mood.weight * fade + 1.0, mood.total * fade + polarity, mood.count + 1)
    late = _fade(mood.updated - time, half_life)
    return Mood(mood.updated, mood.weight + late, mood.total + late * polarity, mood.count + 1)


def value_at(mood: Mood | None, time: datetime, half_life: timedelta) -> float:
    """The mood's value faded to `time`: the evidence ages, and what is left is the neutral prior."""
    if mood is None:
        return 0.0
    fade = _fade(max(time - mood.updated, timedelta(0)), half_life)
    return mood.total * fade / (mood.weight * fade + PRIOR)


def customer_mood_at(state: CustomerMood, time: datetime) -> float:
    """The customer's mood as it stands at `time`, -1 … 1."""
    return value_at(state.slow, time, CUSTOMER_HALF_LIFE)


def customer_weight_at(state: CustomerMood, time: datetime) -> float:
    """What the customer's mood rests on at `time`, in messages that were said just then."""
    if state.slow is None:
        return 0.0
    return state.slow.weight * _fade(max(time - state.slow.updated, timedelta(0)), CUSTOMER_HALF_LIFE)


def fold_message(
    state: CustomerMood, contact_id: str, touchpoint: str, polarity: float, time: datetime
) -> tuple[CustomerMood, Mood]:
    """The state with one scored message folded in, and the mood of its contact after it."""
    known = state.contact(contact_id)
    mood = fold(known.mood if known else None, polarity, time, CONTACT_HALF_LIFE)
    contact = ContactMood(contact_id, touchpoint, mood)
    others = [c for c in state.contacts if c.contact_id != contact_id]
    kept = sorted([*others, contact], key=lambda c: (c.mood.updated, c.contact_id))[-MAX_CONTACTS:]
    after = CustomerMood(
        customer_id=state.customer_id,
        slow=fold(state.slow, polarity, time, CUSTOMER_HALF_LIFE),
        fast=fold(state.fast, polarity, time, TREND_HALF_LIFE),
        contacts=tuple(kept),
        talks=state.talks,
    )
    return after, mood


def _fade(age: timedelta, half_life: timedelta) -> float:
    return float(2.0 ** -(age / half_life))
