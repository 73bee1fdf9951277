"""The triage policy: rules in order, the first that matches decides; and the terms of each pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import lru_cache

from services.router.domain.facts import BOT, Inputs

Span = tuple[int, int]
"""Minutes from midnight, [from, to); from > to reaches over midnight, from == to is the whole day."""

ALL_DAY: Span = (0, 0)


def within(span: Span, minute: int) -> bool:
    """Tell whether a minute of the day lies in the span."""
    start, end = span
    if start == end:
        return True
    if start < end:
        return start <= minute < end
    return minute >= start or minute < end


@dataclass(frozen=True, slots=True)
class Ring:
    """From so long a wait on, a contact asks less of its seat; its place stays."""

    after_s: float
    """Seconds since it began to wait."""
    lower: int = 0
    """Levels that each skill may fall short of; one that comes to nought is no condition any more."""
    drop: frozenset[str] = frozenset()
    """Skills that are no condition any more."""
    any_language: bool = False
    """The language is no condition any more."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """From so long a wait on, a contact waits in another pool, its clock kept; once in its life."""

    pool: str = ""
    """Empty for none."""
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Managed:
    """When the bot keeps the line for contacts that were to go to a human (托管), and what it promises them.

    The load is who waits, by ready seat, and in the mode whom the bot keeps as well. It is entered and left by load only after `min_stay_s` in the mode before,
    so that it doesn't flap.
    """

    enter: float = 0.0
    """The load from which it is entered; 0 for never, save by hand."""
    leave: float = 0.0
    """The load down to which it is left, debts that are not called in counted."""
    least: int = 1
    """It is not entered by load while fewer wait."""
    min_stay_s: float = 300.0
    promise_s: float = 7200.0
    """A human calls back within this time."""
    call_before_s: float = 1800.0
    """So long before the promise is due it is called in, whatever the load."""
    share: float = 0.5
    """By ready seat, how many debts may wait for a seat at once while the load is low."""


CHOICES = ("longest_idle", "best_skilled")


@dataclass(frozen=True, slots=True)
class Terms:
    """How a pool works. It is kept with the pool's state: no sets, whose order differs from process to process."""

    offer_timeout_s: float = 20.0
    ageing: float = 1.0
    """Priority points gained per minute of waiting; 0 for none."""
    hours: Span = ALL_DAY
    """When the pool is open, local time."""
    capacity: int = 1
    """Contacts at once of a seat that doesn't say."""
    languages: tuple[str, ...] = ()
    """The languages that the pool serves: another one is no condition on the seat. None for any."""
    max_misses: int = 3
    """Offers missed in a row after which a seat is paused."""
    choice: str = "longest_idle"
    """"longest_idle" or "best_skilled": which of the seats that can take a contact does."""
    wrap_up_s: float = 0.0
    """After-contact work: for so long after a contact a seat is offered no other."""
    last_seat_s: float = 0.0
    """For so long after a service its customer goes to the same seat again, if it is free; 0 for never."""
    last_seat_hold_s: float = 0.0
    """For so long a contact waits for that seat alone where it is busy."""
    rings: tuple[Ring, ...] = ()
    """In the order of their time."""
    overflow: Overflow = Overflow()
    weights: Mapping[str, float] = field(default_factory=dict)
    """Channel → what a contact takes of its seat's capacity; 1 for a channel that isn't named."""
    waiting_weight: float = 1.0
    """What of that a contact takes while the seat waits for the customer's answer."""
    reconnect_s: float = 60.0
    """So long a customer who is cut off keeps the place, and a seat that is cut off its contacts."""
    load_s: float = 120.0
    """Seconds of idleness that one unit of absorbed anger is worth when a seat is chosen."""
    gather_s: float = 0.0
    """So long contacts and seats are gathered before they are matched together; 0 for at once."""
    managed: Managed = Managed()
    version: str = ""
    """The policy's."""
    pools: tuple[str, ...] = ()
    """All pools of the policy: contacts are given on to no other. None where that is not known."""

    def weight(self, channel: str, waits_for_customer: bool = False) -> float:
        """Return what a contact takes of its seat's capacity."""
        return self.weights.get(channel, 1.0) * (self.waiting_weight if waits_for_customer else 1.0)


@lru_cache(maxsize=16)
def _default(version: str, pools: tuple[str, ...]) -> Terms:
    """The terms of a pool that a policy doesn't name: it gives contacts on to those that are named alone."""
    return Terms(version=version, pools=pools)


@dataclass(frozen=True, slots=True)
class When:
    """What must hold for a rule to match: all that is stated. A figure that is not known never matches."""

    tiers: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    touchpoints: tuple[str, ...] = ()
    """A touchpoint matches itself and what lies below it: "after_sales" matches "after_sales.repair"."""
    channels: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    vulnerable: bool | None = None
    wants_human: bool | None = None
    handover: bool | None = None
    reopened: bool | None = None
    mood_below: float | None = None
    risk_above: float | None = None
    nps_at_most: int | None = None
    hours: Span | None = None

    def matches(self, seen: Inputs) -> bool:
        """Tell whether all that is stated holds."""
        return (
            (not self.tiers or seen.tier in self.tiers)
            and (not self.topics or seen.topic in self.topics)
            and (not self.channels or seen.channel in self.channels)
            and (not self.languages or seen.language in self.languages)
            and (not self.touchpoints or any(_under(seen.touchpoint, point) for point in self.touchpoints))
            and (self.vulnerable is None or seen.vulnerable == self.vulnerable)
            and (self.wants_human is None or seen.wants_human == self.wants_human)
            and (self.handover is None or bool(seen.handover) == self.handover)
            and (self.reopened is None or bool(seen.reopens) == self.reopened)
            and (self.mood_below is None or (seen.mood is not None and seen.mood < self.mood_below))
            and (self.risk_above is None or (seen.risk is not None and seen.risk > self.risk_above))
            and (self.nps_at_most is None or (seen.nps_score is not None and seen.nps_score <= self.nps_at_most))
            and (self.hours is None or within(self.hours, seen.minute_of_day))
        )


def _under(touchpoint: str, point: str) -> bool:
    return touchpoint == point or touchpoint.startswith(point + ".")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a contact goes."""

    pool: str
    priority: int = 0
    skills: Mapping[str, int] = field(default_factory=dict)
    protected: bool = False
    """In managed mode as well it waits for a human: the bot doesn't keep the line."""


@dataclass(frozen=True, slots=True)
class Rule:
    """If `when` holds, the contact goes by `route`."""

    name: str
    when: When
    route: Route


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules, what holds where none matches, and the pools."""

    version: str
    zone: tzinfo
    """Where "local time" is."""
    rules: tuple[Rule, ...]
    default: Route
    handover: Route
    """For handovers that no rule takes: always a human pool."""
    pools: Mapping[str, Terms]

    def terms(self, pool: str) -> Terms:
        """Return the pool's terms; those of the default for a pool that the policy doesn't name."""
        found = self.pools.get(pool)
        return found if found is not None else _default(self.version, tuple(sorted(self.pools)))

    def _open(self, pool: str, seen: Inputs) -> bool:
        return not seen.handover if pool == BOT else within(self.terms(pool).hours, seen.minute_of_day)

    def route(self, seen: Inputs) -> tuple[str, Route]:
        """Return the name of the rule that fired ("default" or "handover" where none did) and its route.

        A rule for a human pool that is closed doesn't match; a handover never goes back to the bot.
        """
        for rule in self.rules:
            if rule.when.matches(seen) and self._open(rule.route.pool, seen):
                return rule.name, rule.route
        return ("handover", self.handover) if seen.handover else ("default", self.default)
