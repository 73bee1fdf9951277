"""The event loop: calls arrive, wait in an order, are taken by seats or give up.

It orders by the places that `ordering` takes from the live router. The live loop itself (`matching.offer_all`) is not
what runs here: it copies a pool's state with every decision, so that it can be undone and explained, and knows
offers and their timeouts, which a log of 1999 has none of; a replay of a month needs thousands of decisions a second.
What both share is the rule: the best place first, to the able seat that is idle longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Protocol

_FREED, _ENTERS, _LEAVES, _GIVES_UP = range(4)
"""Order of events at the same moment: who is freed or comes first, takes the call that would hang up at this moment."""

NOBODY = -1


class Patience(Protocol):
    """How long callers wait before they hang up."""

    def of(self, call: int, queue: int) -> float:
        """Seconds that a call will wait, given how many wait as it arrives."""
        ...


@dataclass(frozen=True, slots=True)
class Seats:
    """The floor: per seat its spans of duty by time, [from, to) in seconds and the types of call it takes, by number.

    A span that begins where another ends is no break: there only the types change.
    """

    spans: tuple[tuple[tuple[float, float, frozenset[int]], ...], ...]


@dataclass(frozen=True, slots=True)
class Work:
    """The calls by time, one entry each in all lists. Times and durations are seconds."""

    at: Sequence[float]
    kind: Sequence[int]
    place: Sequence[float]
    """The smaller is taken first."""
    service: Sequence[float]
    wrap_up: Sequence[float]
    """After-call work, in which the seat takes nothing yet."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of each call."""

    waited: list[float]
    seat: list[int]
    """Who took it; NOBODY where it hung up."""


class _Floor:
    """The state while it runs."""

    __slots__ = ("ends", "events", "idle", "lines", "next_span", "ran", "seats", "taken", "takes", "work")

    def __init__(self, work: Work, seats: Seats) -> None:
        n = len(work.at)
        self.work = work
        self.seats = seats
        self.ran = Ran([0.0] * n, [NOBODY] * n)
        self.taken = [True] * n
        """False while a call waits."""
        kinds = 1 + max((*work.kind, *(k for spans in seats.spans for _, _, ks in spans for k in ks)), default=0)
        self.lines: list[list[tuple[float, int]]] = [[] for _ in range(kinds)]
        self.takes: list[frozenset[int]] = [frozenset()] * len(seats.spans)
        self.idle: dict[int, None] = {}
        """Seats that could take a call, idle longest first."""
        self.ends = [0.0] * len(seats.spans)
        self.next_span = [0] * len(seats.spans)
        self.events: list[tuple[float, int, int]] = [
            (spans[0][0], _ENTERS, s) for s, spans in enumerate(seats.spans) if spans
        ]
        heapify(self.events)

    def enter(self, seat: int, now: float) -> int:
        """A span of duty begins, or what is left of it where the seat comes late. Returns how many left the queue."""
        spans = self.seats.spans[seat]
        i = self.next_span[seat]
        while i < len(spans) and spans[i][1] <= now:
            i += 1
        self.next_span[seat] = i
        if i == len(spans):
            return 0
        if spans[i][0] > now:
            heappush(self.events, (spans[i][0], _ENTERS, seat))
            return 0
        self.next_span[seat] = i + 1
        _, self.ends[seat], self.takes[seat] = spans[i]
        heappush(self.events, (spans[i][1], _LEAVES, seat))
        return self.free(seat, now)

    def leave(self, seat: int, now: float, planned: float) -> None:
        """The seat goes on its break, which lasts as long as it did, though it may begin late."""
        spans, i = self.seats.spans[seat], self.next_span[seat]
        if i < len(spans):
            back = max(spans[i][0], now + spans[i][0] - planned)
            heappush(self.events, (back, _ENTERS, seat))

    def free(self, seat: int, now: float) -> int:
        """The seat takes who is first of those it can serve, or idles. Returns how many left the queue."""
        best: tuple[float, int] | None = None
        taken, lines = self.taken, self.lines
        for k in self.takes[seat]:
            line = lines[k]
            while line and taken[line[0][1]]:
                heappop(line)
            if line and (best is None or line[0] < best):
                best = line[0]
        if best is None:
            self.idle[seat] = None
            return 0
        self.serve(best[1], seat, now)
        return 1

    def serve(self, call: int, seat: int, now: float) -> None:
        work = self.work
        self.taken[call] = True
        self.ran.waited[call] = now - work.at[call]
        self.ran.seat[call] = seat
        heappush(self.events, (now + work.service[call] + work.wrap_up[call], _FREED, seat))


def run(work: Work, seats: Seats, patience: Patience) -> Ran:
    """Run a day. A seat that is serving when its span ends finishes the call first."""
    floor = _Floor(work, seats)
    events, idle, taken, lines, takes = floor.events, floor.idle, floor.taken, floor.lines, floor.takes
    ends, ran, ats, kinds = floor.ends, floor.ran, work.at, work.kind
    queue, i, n = 0, 0, len(work.at)
    while i < n or events:
        if i < n and (not events or ats[i] < events[0][0]):
            now, kind = ats[i], kinds[i]
            seat = next((s for s in idle if kind in takes[s]), NOBODY)
            if seat != NOBODY:
                del idle[seat]
                floor.serve(i, seat, now)
            else:
                taken[i] = False
                heappush(lines[kind], (work.place[i], i))
                heappush(events, (now + patience.of(i, queue), _GIVES_UP, i))
                queue += 1
            i += 1
            continue
        now, what, who = heappop(events)
        if what == _GIVES_UP:
            if not taken[who]:
                taken[who] = True
                ran.waited[who] = now - ats[who]
                queue -= 1
        elif what == _FREED:
            if now >= ends[who]:
                floor.leave(who, now, ends[who])
            else:
                queue -= floor.free(who, now)
        elif what == _ENTERS:
            queue -= floor.enter(who, now)
        elif who in idle and ends[who] <= now:
            del idle[who]
            floor.leave(who, now, now)
    return ran
