"""Whom to follow up with so many a day: flags chosen as the rows come, never knowing what comes later.

Each new incident brings a share of a flag. An open incident is flagged once its score reaches the running threshold and a flag is at
hand. The threshold is the highest score that the wanted share of lately ripe incidents came to; young ones, whose scores may still
rise, don't count for it, but a share of the flags is kept for them. Flags beyond that lower the threshold; incidents that reached it
when no flag was at hand raise it.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import Final

RIPE: Final = 10 * 1440
"""Minutes after which an incident's highest score is taken to be its last."""
_WINDOW: Final = 1500
"""Ripe incidents whose highest scores make the running threshold."""
_GAIN: Final = 0.2
"""By how much of the share each hundredth of the window in spare flags widens it."""
_TIGHTER: Final = 0.02
"""By how much of itself each incident that came away empty narrows it."""
_FADE: Final = 50.0
"""Flags' worth of new incidents after which a miss is all but forgotten."""


class Budget:
    """Flags for one share of all incidents. `known`: highest scores of earlier incidents, for the first threshold."""

    def __init__(self, share: float, known: Sequence[float] = ()) -> None:
        self.share = share
        self.flags: dict[str, int] = {}
        """Number → the place, in the order of rows, at which it was flagged."""
        self.at_hand = 0.0
        self.thresholds: list[float] = []
        """What the threshold was at each flag."""
        self._missed = 0.0
        """Incidents that lately reached the threshold in vain."""
        self._empty: set[str] = set()
        self._best: dict[str, float] = {}
        self._young: deque[tuple[int, str]] = deque()
        self._ripe = sorted(known)
        self._order: deque[float] = deque(self._ripe)

    def see(self, place: int, at: int, number: str, score: float) -> bool:
        """An open incident's score at one of its rows, in minutes; True where it is flagged now."""
        before = self._best.get(number)
        if before is None:
            self.at_hand += self.share
            self._missed *= 1 - self.share / _FADE
            self._young.append((at, number))
        self._best[number] = max(score, before or 0.0)
        self._ripen(at)
        limit = self.threshold()
        if number in self.flags or score < limit:
            return False
        if self.at_hand < 1:
            self._missed += number not in self._empty
            self._empty.add(number)
            return False
        self.flags[number] = place
        self.thresholds.append(limit)
        self.at_hand -= 1
        return True

    def threshold(self) -> float:
        """The score that flags now; 0 as long as no incident is ripe."""
        n = len(self._ripe)
        if not n:
            return 0.0
        spare = max(0.0, self.at_hand - self.share * len(self._young))
        wider = min(1.0, self.share * (1 + _GAIN * 100 * spare / n)) / (1 + _TIGHTER * self._missed)
        return self._ripe[max(0, n - 1 - int(wider * n))]

    def _ripen(self, at: int) -> None:
        while self._young and self._young[0][0] < at - RIPE:
            best = self._best[self._young.popleft()[1]]
            insort(self._ripe, best)
            self._order.append(best)
            if len(self._order) > _WINDOW:
                del self._ripe[bisect_left(self._ripe, self._order.popleft())]
