"""Whom to follow up with so many a day: flags chosen as the rows come, never knowing what comes later.

Each new incident brings a share of a flag. An open incident is flagged once its score reaches the running threshold and a flag is at
hand. The threshold is the score that the wanted share of lately seen incidents reached; flags left over lower it, flags spent ahead
raise it.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import Final

_WINDOW: Final = 1500
"""Incidents whose highest scores make the running threshold."""
_GAIN: Final = 0.004
"""By how much of the share each flag at hand widens it."""


class Budget:
    """Flags for one share of all incidents. `known`: highest scores of earlier incidents, for the first threshold."""

    def __init__(self, share: float, known: Sequence[float] = ()) -> None:
        self.share = share
        self.flags: dict[str, int] = {}
        """Number → the place, in the order of rows, at which it was flagged."""
        self.at_hand = 0.0
        self.thresholds: list[float] = []
        self._best: dict[str, float] = {}
        self._sorted = sorted(known)
        self._recent: deque[float | str] = deque(known)

    def see(self, place: int, number: str, score: float) -> bool:
        """An open incident's score at one of its rows; True where it is flagged now."""
        before = self._best.get(number)
        if before is None:
            self.at_hand += self.share
            self._enter(number, score)
        elif score > before:
            self._raise(number, before, score)
        if number in self.flags or self.at_hand < 1:
            return False
        limit = self.threshold()
        if score < limit:
            return False
        self.flags[number] = place
        self.thresholds.append(limit)
        self.at_hand -= 1
        return True

    def threshold(self) -> float:
        """The score that flags now."""
        if not self._sorted:
            return 0.0
        wider = min(1.0, self.share * (1 + _GAIN * self.at_hand * len(self._sorted) / 100))
        return self._sorted[max(0, len(self._sorted) - 1 - int(wider * len(self._sorted)))]

    def _enter(self, number: str, score: float) -> None:
        self._best[number] = score
        insort(self._sorted, score)
        self._recent.append(number)
        if len(self._recent) > _WINDOW:
            old = self._recent.popleft()
            gone = self._best[old] if isinstance(old, str) else old
            del self._sorted[bisect_left(self._sorted, gone)]
            if isinstance(old, str):
                self._best[old] = float("inf")

    def _raise(self, number: str, before: float, score: float) -> None:
        self._best[number] = score
        if before != float("inf"):
            del self._sorted[bisect_left(self._sorted, before)]
            insort(self._sorted, score)
