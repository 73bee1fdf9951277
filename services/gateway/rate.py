"""A channel's rate limit: a token bucket that may go into debt, so that a batch of any size is taken whole or not at all."""

from dataclasses import dataclass

# Seconds' worth of events that a channel may save up while it is quiet.
BURST_S = 2.0


@dataclass(slots=True)
class TokenBucket:
    """Admits `per_s` events a second in the long run. Times are seconds of any monotonic clock, handed in by the caller.

    A request is admitted while there is at least a token, and takes one for each of its events; what it takes beyond
    that is a debt which later requests wait for. Within any span of t seconds no more than
    (BURST_S + t) × per_s + one request's events are admitted.
    """

    per_s: float
    tokens: float
    at: float

    @classmethod
    def full(cls, per_s: float, now: float) -> "TokenBucket":
        """A bucket of a channel that has been quiet."""
        return cls(per_s, _capacity(per_s), now)

    def wait_s(self, now: float) -> float:
        """Seconds until a request is admitted; 0 where it is now."""
        if now > self.at:
            self.tokens = min(_capacity(self.per_s), self.tokens + (now - self.at) * self.per_s)
            self.at = now
        return 0.0 if self.tokens >= 1.0 else (1.0 - self.tokens) / self.per_s

    def take(self, events: int) -> None:
        """Takes the tokens of a request that was admitted."""
        self.tokens -= events


def _capacity(per_s: float) -> float:
    return max(1.0, per_s * BURST_S)
