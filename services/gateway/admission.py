"""How much the gateway works on at once. What is beyond that is turned away at the door, before it is read.

Two bounds: requests that are worked on, and bytes that are held for requests whose bodies still arrive. The first
breathes: it shrinks while answers take longer than asked for and grows again while they don't (additive increase,
multiplicative decrease, as TCP finds its window; Chiu and Jain, 1989), so that what is let in is answered in time
whatever the machine, the batches and Kafka can do just now.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

# How much an answer that came too late takes off, and what is always let in.
_SHRINK = 0.8
_LEAST = 2.0


@dataclass(slots=True)
class Admission:
    """Bounds in force. Times are seconds of `monotonic`.

    most: requests worked on at once, at the very most. most_bytes: of bodies held at once.
    target_s: how long an answer may take before fewer are let in.
    """

    most: int
    most_bytes: int
    target_s: float
    monotonic: Callable[[], float]
    working: int = 0
    held: int = 0
    limit: float = field(init=False)
    _shrunk_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.limit = float(self.most)
        self._shrunk_at = -self.target_s

    @property
    def full(self) -> bool:
        """Whether the next request would be turned away."""
        return self.working >= int(self.limit)

    def hold(self, size: int) -> bool:
        """Sets bytes aside for a body; False where there are too many already. One body is always taken."""
        if self.held and self.held + size > self.most_bytes:
            return False
        self.held += size
        return True

    def release(self, size: int) -> None:
        """The inverse of `hold`."""
        self.held -= size

    def begin(self) -> float | None:
        """Lets a request in: when it was. None where it is turned away."""
        if self.full:
            return None
        self.working += 1
        return self.monotonic()

    def end(self, began: float) -> None:
        """A request that was let in is answered."""
        crowded = self.working >= int(self.limit)
        self.working -= 1
        now = self.monotonic()
        if now - began <= self.target_s:
            # A bound that nobody reaches says nothing of whether a larger one would do.
            if crowded:
                self.limit = min(float(self.most), self.limit + 1.0 / self.limit)  # one more in each round
        elif now - self._shrunk_at >= self.target_s:
            # Once for all that were let in together: they are late for the same reason.
            self._shrunk_at = now
            self.limit = max(min(_LEAST, float(self.most)), self.limit * _SHRINK)
