"""The service's clock, injected so that tests and the demo can run on a time of their own."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from services.runtime.errors import Misconfigured

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """The machine's time in UTC."""
    return datetime.now(UTC)


def scaled_clock(real: float, simulated: float, factor: float) -> Clock:
    """A clock that shows `simulated` (epoch seconds) when the machine's time is `real`, and runs `factor` times as fast."""

    def now() -> datetime:
        return datetime.fromtimestamp(simulated, UTC) + timedelta(seconds=(time.time() - real) * factor)

    return now


def clock_from(spec: str) -> Clock:
    """The clock that TOUCHLINE_CLOCK describes: empty for the machine's, or `scaled:<real>:<simulated>:<factor>` in epoch seconds."""
    if not spec:
        return wall_clock
    try:
        kind, real, simulated, factor = spec.split(":")
        if kind != "scaled" or float(factor) <= 0:
            raise ValueError
        clock = scaled_clock(float(real), float(simulated), float(factor))
        clock()  # a time that no calendar has is found out now, not at the first event
        return clock
    except (ValueError, OverflowError, OSError):
        raise Misconfigured(f"TOUCHLINE_CLOCK: {spec!r} is not scaled:<real s>:<simulated s>:<factor>") from None
