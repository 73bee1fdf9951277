"""What our own topics tell of a period: who came, what the bot and the seats did, and what is drawn of it anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np

from services.router.domain.events import ContactRequested, CustomerEvent, Known, SeatEvent
from services.router.domain.simulation.distributions import Quantiles, kaplan_meier, quantiles

T = TypeVar("T")
GRID = 100
LEAST = 30
"""A topic with fewer services, or fewer bot's contacts, is drawn from all topics."""


class BotDid(StrEnum):
    """How the bot's part of a contact ended."""

    HANDED_OVER = "handed_over"
    ENDED = "ended"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class BotPart:
    """What the bot did with a contact."""

    did: BotDid
    after_s: float
    reason: str = ""
    """Why it was handed over."""
    known: Known | None = None
    """What the lookups told then; None for what they told at the request."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One recorded contact."""

    request: ContactRequested
    """As it came, with what the lookups told at the time."""
    bot: BotPart | None = None
    """None where the bot never had it."""
    service_s: float | None = None
    """How long a human served it; None where none did."""
    waited_s: float | None = None
    """For a human, until it was accepted or the customer left; None where it never waited."""
    abandoned: bool = False
    """The customer left while it waited for a human."""
    pool: str = ""
    """Where it was last."""
    said: tuple[CustomerEvent, ...] = ()
    """What else the customer's side did, such as asking to be called back: it does so again, at the same time."""


@dataclass(frozen=True, slots=True)
class Rings:
    """How seats answer offers."""

    accepted_s: Quantiles
    """Seconds until a seat accepts."""
    declined: float
    """Share of the offers that a seat declines."""
    missed: float
    """Share that it lets run out."""


@dataclass(frozen=True, slots=True)
class Period:
    """A recorded period."""

    visits: tuple[Visit, ...]
    """By time of the request."""
    seats: tuple[SeatEvent, ...]
    """When seats signed in, paused, resumed, signed out; by time."""
    rings: Rings


@dataclass(frozen=True, slots=True)
class Fate:
    """One contact's luck in one run, the same under every policy."""

    bot: BotPart
    service_s: float
    patience_s: float
    rings: tuple[float, ...]
    """A number from 0 to 1 for each offer, over and over."""


class Model:
    """What is drawn of a period, by topic where there is enough of it."""

    def __init__(self, period: Period) -> None:
        """Fit it on the period itself."""
        visits = period.visits
        waits = [(v.waited_s, v.abandoned) for v in visits if v.waited_s is not None]
        self.patience = (
            kaplan_meier(np.array([w for w, _ in waits]), np.array([left for _, left in waits], np.bool_), GRID)
            if any(left for _, left in waits)
            else Quantiles((float("inf"),))  # nobody ever left
        )
        self.services = _by_topic(visits, lambda v: v.service_s)
        self.bots = _by_topic(visits, lambda v: v.bot)
        self.lengths = {topic: quantiles(np.array(found), GRID) for topic, found in self.services.items()}

    def fates(self, period: Period, seed: int) -> list[Fate]:
        """Draw a run's luck: patience always, the bot's and the seats' parts where they are not recorded."""
        rng = np.random.default_rng([seed, len(period.visits)])
        luck = rng.random((len(period.visits), 3 + RINGS))
        return [self._fate(visit, *map(float, row)) for visit, row in zip(period.visits, luck, strict=True)]

    def _fate(self, visit: Visit, bot: float, service: float, patience: float, *rings: float) -> Fate:
        topic = visit.request.topic
        parts = self.bots.get(topic) or self.bots[""]
        lengths = self.lengths.get(topic) or self.lengths.get("") or Quantiles((0.0,))
        drawn = parts[int(bot * len(parts))] if parts else NEVER_A_BOT
        return Fate(
            bot=visit.bot or drawn,
            service_s=visit.service_s if visit.service_s is not None else lengths.at(service),
            patience_s=self.patience.at(patience),
            rings=rings,
        )


RINGS = 6
NEVER_A_BOT = BotPart(BotDid.HANDED_OVER, 0.0, "bot_failed")
"""What a bot does with a contact where the recording holds no bot: nothing."""


def _by_topic(visits: Sequence[Visit], of: Callable[[Visit], T | None]) -> Mapping[str, list[T]]:
    """Topic → what was seen; all of it under the empty topic."""
    found: dict[str, list[T]] = {"": []}
    for visit in visits:
        part = of(visit)
        if part is not None:
            found.setdefault(visit.request.topic, []).append(part)
            if visit.request.topic:
                found[""].append(part)
    return {topic: seen for topic, seen in found.items() if not topic or len(seen) >= LEAST}
