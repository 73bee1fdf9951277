"""Keeps the chances of a breach true while a log is read: by how the latest incidents ended whose time is over."""

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.escalation.tickets.figures import LANDMARKS
from services.escalation.tickets.forest import Floats
from services.escalation.tickets.incident import ORDINARY, margin
from services.escalation.tickets.log import CLOSED, RESOLVED, Row

WINDOW: Final = 300
"""Incidents by which the chances are set: a day of the log that it was tried on, whose level moves that fast."""
AGAIN: Final = 25
"""After so many more they are set anew."""
PULL: Final = (300.0, 20.0)
"""How strongly slope 1 and shift 0 are held to, as the curvature of so much likelihood."""
LEAST_SLOPE: Final = 0.2
"""The slope stays above it, so that the order stays."""


def platt(
    odds: Floats, hit: NDArray[np.bool_], weight: Floats, pull: tuple[float, float] = (1e-9, 1e-9)
) -> tuple[float, float]:
    """Slope and shift that make log odds probabilities (J. Platt 1999), drawn towards 1 and 0 by `pull`."""
    x = np.column_stack([odds, np.ones(len(odds))])
    start = np.array([1.0, 0.0])
    w, held = start.copy(), np.array(pull)
    for _ in range(50):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (weight * (p - hit)) + held * (w - start)
        step = np.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(held), gradient)
        w -= step
        if np.abs(step).max() < 1e-9:
            break
    return max(LEAST_SLOPE, float(w[0])), float(w[1])


class _Own:
    """What is held of an incident until its time is over."""

    __slots__ = ("last", "opened", "resolved", "said")

    def __init__(self, row: Row) -> None:
        self.opened = row.opened
        self.last: Row | None = None
        self.resolved = 0
        self.said: dict[int, float] = {}
        """Hours after opening → the log odds that stood then."""


class Running:
    """Slope and shift for log odds, from the incidents whose time is over; 1 and 0 until there are any.

    An incident counts once the time in which it had to be resolved is over, whether it was or not: were those that are
    resolved counted at once, the late ones would always be too few.
    """

    def __init__(self) -> None:
        self.slope, self.shift = 1.0, 0.0
        self._own: dict[str, _Own] = {}
        self._ahead: deque[str] = deque()
        self._over: deque[tuple[list[float], bool]] = deque(maxlen=WINDOW)
        self._new = 0

    def see(self, row: Row, odds: float | None) -> None:
        """The log's next row, with the log odds that the model gave it (None where the incident is closed)."""
        own = self._own.get(row.number)
        if own is None:
            if margin(row.opened, row.at) > 0:
                return  # its time was over before the log told of it
            own = self._own[row.number] = _Own(row)
            self._ahead.append(row.number)
        for hours in LANDMARKS:
            if own.last is None if hours == 0 else row.at - row.opened <= 60 * hours:
                if odds is None:
                    own.said.pop(hours, None)
                else:
                    own.said[hours] = odds
        if row.state == RESOLVED and (own.last is None or own.last.state != RESOLVED):
            own.resolved = row.at
        own.last = row

    def pass_to(self, at: int) -> None:
        """The clock goes on: incidents whose time is over are counted. To be called before the row of that minute is seen."""
        while self._ahead and margin(self._own[self._ahead[0]].opened, at) > 0:
            own = self._own.pop(self._ahead.popleft())
            late = _late(own)
            if late is not None and own.said:
                self._over.append((list(own.said.values()), late))
                self._new += 1
        if self._new >= AGAIN:
            self._new = 0
            odds = np.array([o for said, _ in self._over for o in said])
            hit = np.array([late for said, late in self._over for _ in said])
            self.slope, self.shift = platt(odds, hit, np.ones(len(odds)), PULL)

    def __call__(self, odds: float) -> float:
        """The log odds as they have come true of late."""
        return self.slope * odds + self.shift


def _late(own: _Own) -> bool | None:
    """Whether an incident is late, as known when its time is over; None where that isn't known yet."""
    last = own.last
    if last is None:
        return None
    if not last.made_sla:
        return True
    if last.priority == ORDINARY:
        return last.state not in (RESOLVED, CLOSED) or margin(own.opened, own.resolved or last.at) > 0
    if last.state == CLOSED:
        return False
    return True if last.priority < ORDINARY else None
