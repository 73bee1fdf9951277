"""Which cells are past keeping, and when: each waits once, however often it changes."""

import heapq
from datetime import datetime

from services.metrics.domain.cells import KEPT, expired


class Keeping:
    """The cells of a table that are kept for a while only, by partition. What changes them takes the logarithm of their number."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[tuple[datetime, str, str]]] = {}
        self._known: dict[int, set[str]] = {}

    def remember(self, partition: int, key: str, window: str, start: datetime) -> None:
        """A cell is in the table: one that was new, or that a restart brought back."""
        known = self._known.setdefault(partition, set())
        if window in KEPT and key not in known:
            known.add(key)
            heapq.heappush(self._waiting.setdefault(partition, []), (start + KEPT[window], key, window))

    def past(self, partition: int, now: datetime) -> list[str]:
        """The keys of this partition that are past keeping, the first first; they wait no longer."""
        waiting, gone = self._waiting.get(partition, []), []
        while waiting and expired(waiting[0][2], waiting[0][0] - KEPT[waiting[0][2]], now):
            _, key, _ = heapq.heappop(waiting)
            self._known[partition].discard(key)
            gone.append(key)
        return gone

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))
