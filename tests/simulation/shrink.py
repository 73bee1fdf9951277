"""Makes a failing schedule as small as it can be and still fail: fewer faults, fewer processes, fewer events."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.schedule import Schedule

# Leaving something out changes what chance says afterwards; so each smaller schedule is tried on a few strings of chance.
SALTS = 6


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool], tries: int = 1500) -> Schedule:
    """The smallest failing schedule found within so many tries."""
    left = tries

    def holds(smaller: Schedule) -> Schedule | None:
        nonlocal left
        for salt in dict.fromkeys((smaller.salt, *range(SALTS))):
            if left <= 0:
                return None
            left -= 1
            salted = replace(smaller, salt=salt)
            if fails(salted):
                return salted
        return None

    best, before = schedule, None
    while best != before and left > 0:
        before = best
        for parts in (_without_faults, _without_processes, _simpler, _without_events):
            best = _descend(best, parts, holds)
    return best


def _descend(
    best: Schedule,
    parts: Callable[[Schedule], Iterator[Schedule]],
    holds: Callable[[Schedule], Schedule | None],
) -> Schedule:
    found = True
    while found:
        found = False
        for smaller in parts(best):
            held = holds(smaller)
            if held is not None:
                best, found = held, True
                break
    return best


def _without_faults(s: Schedule) -> Iterator[Schedule]:
    for n in range(len(s.faults)):
        yield replace(s, faults=s.faults[:n] + s.faults[n + 1 :])


def _without_processes(s: Schedule) -> Iterator[Schedule]:
    for n in range(len(s.starts)):
        if len(s.starts) > 1:
            gone = s.starts[n].name
            faults = tuple(f for f in s.faults if f.process != gone)
            yield replace(s, starts=s.starts[:n] + s.starts[n + 1 :], faults=faults)


def _simpler(s: Schedule) -> Iterator[Schedule]:
    if s.static:
        yield replace(s, static=False)
    if s.cached_keys != 1000:
        yield replace(s, cached_keys=1000)
    if s.flush_cells != 400:
        yield replace(s, flush_cells=400)
    for n, start in enumerate(s.starts):
        if start.at:
            yield replace(s, starts=(*s.starts[:n], replace(start, at=0.0), *s.starts[n + 1 :]))


def _without_events(s: Schedule) -> Iterator[Schedule]:
    size = len(s.events) // 2
    while size >= 1:
        for n in range(0, len(s.events), size):
            yield replace(s, events=s.events[:n] + s.events[n + size :])
        size //= 2
