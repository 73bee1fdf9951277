"""How long to wait before trying again."""

import random
from collections.abc import Iterator


def backoff(first_s: float = 0.1, most_s: float = 5.0) -> Iterator[float]:
    """Waits that double up to a bound, each shortened by chance so that processes don't return in step."""
    wait = first_s
    while True:
        yield wait * (0.5 + random.random() / 2)
        wait = min(most_s, wait * 2)
