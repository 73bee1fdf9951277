"""The budget: which cases a team follows up, chosen online. A pure function of the team's state.

A shift has `capacity` follow-ups. What is started can't be taken back; what nobody has started gives way to a graver case.
So the choice is easy while a list is only looked at, and hard because people work on it: a follow-up that is begun in a calm
hour is missing in the storm. Therefore there is a price, the lowest risk r for which

    cases at hand above r  +  those that the rest of the shift usually brings above r  ≤  follow-ups that are left

(a bid price, as airlines set it for seats: Talluri & van Ryzin, The Theory and Practice of Revenue Management, 2004, ch. 3).
It is `least` until a whole shift was seen, and comes down to `least` as the shift ends.

Each customer group's floor is kept free for it until its own cases have taken it, at whatever price.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.escalation.domain.team import BINS, Case, Flag, Team, Terms

MEMORY: Final = 0.7
"""What the average over shifts keeps of what it was, once it has seen a few."""
LOOK_BACK: Final = timedelta(weeks=3)
"""How far back shifts without any event are gone through when the next one begins."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What changes: cases to flag, with the follow-up that gives way to each (None where there was room), in order; and
    follow-ups that are taken back because a new shift has no room for them."""

    flag: tuple[tuple[Case, Flag | None], ...] = ()
    back: tuple[Flag, ...] = ()


def price(state: Team, now: datetime, terms: Terms) -> float:
    """The risk from which a case is flagged now."""
    if state.shift is None:
        return terms.least
    start, end = terms.shift_of(now)
    typical = state.typical.get(terms.sort_of(start))
    if typical is None:
        return terms.least
    share = max(0.0, (end - now) / (end - start))
    left = terms.capacity - sum(state.started.values())
    at_hand = [0] * (BINS + 1)
    for case in state.waiting.values():
        at_hand[int(case.risk * BINS)] += 1
    for flag in state.flags.values():
        if flag.claimed_at is None and not flag.held_out:  # who is held out takes no place
            at_hand[int(flag.case.risk * BINS)] += 1
    at_hand[BINS - 1] += at_hand[BINS]
    expected, found = 0.0, terms.least
    for step in reversed(range(BINS)):
        if step / BINS < terms.least:
            break
        expected += at_hand[step] + share * typical[step]
        if expected > left:
            found = step / BINS  # the step that crosses is let in: the gravest of it come first anyway
            break
    return max(terms.least, found)


def choose(state: Team, now: datetime, terms: Terms) -> Chosen:
    """What to flag, and what gives way. Applying it and asking again gives nothing more."""
    have = Counter(state.started) + Counter(state.unstarted)
    waiting = {k: c for k, c in state.waiting.items() if c.risk >= terms.least}
    over = sum(have.values()) + _reserved(have, terms) > terms.capacity
    if not waiting and not over:
        return Chosen()
    flags: dict[str, Flag] | None = None  # all of them are looked at only where one has to give way

    def looked() -> dict[str, Flag]:
        nonlocal flags
        if flags is None:
            flags = {f.follow_up_id: f for f in _unstarted(state) if not f.held_out}
        return flags

    back = []
    while sum(have.values()) + _reserved(have, terms) > terms.capacity:
        weakest = _weakest(looked().values(), have, terms, "")
        if weakest is None:
            break  # only what is started is left, or what the floors keep
        back.append(weakest)
        _take(looked(), have, weakest)
    found: list[tuple[Case, Flag | None]] = []
    least = price(state, now, terms) if waiting else 1.0
    while waiting:
        place = _next(waiting, looked, have, least, terms)
        if place is None:
            break
        case, gives_way = place
        del waiting[case.case_id]
        if gives_way is not None:
            _take(looked(), have, gives_way)
        have[case.group] += 1
        found.append((case, gives_way))
    return Chosen(tuple(found), tuple(back))


def _next(
    waiting: Mapping[str, Case],
    looked: Callable[[], Mapping[str, Flag]],
    have: Counter[str],
    least: float,
    terms: Terms,
) -> tuple[Case, Flag | None] | None:
    """The next case to flag, and what gives way to it."""
    for group in sorted(terms.floors):
        if have[group] < terms.floors[group]:
            mine = max((c for c in waiting.values() if c.group == group), key=_rank, default=None)
            if mine is not None and sum(have.values()) < terms.capacity:
                return mine, None
            weakest = _weakest(looked().values(), have, terms, group) if mine is not None else None
            if mine is not None and weakest is not None:
                return mine, weakest
    gravest = max(waiting.values(), key=_rank)
    if gravest.risk < least:
        return None
    if sum(have.values()) + _reserved(have, terms) < terms.capacity:
        return gravest, None
    # A less grave case may have the better claim: one of a group whose own follow-ups alone may give way.
    for group in sorted({c.group for c in waiting.values()}):
        case = max((c for c in waiting.values() if c.group == group), key=_rank)
        weakest = _weakest(looked().values(), have, terms, group)
        if weakest is not None and case.risk >= least and case.risk > weakest.case.risk + terms.margin:
            return case, weakest
    return None


def _rank(case: Case) -> tuple[float, str]:
    return case.rank


def _reserved(have: Counter[str], terms: Terms) -> int:
    return sum(max(0, floor - have[group]) for group, floor in terms.floors.items())


def _weakest(flags: Iterable[Flag], have: Counter[str], terms: Terms, group: str) -> Flag | None:
    """The least grave follow-up that may give way to a case of that group: not below another group's floor."""
    free = [f for f in flags if f.case.group == group or have[f.case.group] > terms.floors.get(f.case.group, 0)]
    return min(free, key=lambda f: f.case.rank, default=None)


def _take(flags: dict[str, Flag], have: Counter[str], flag: Flag) -> None:
    del flags[flag.follow_up_id]
    have[flag.case.group] -= 1


def _unstarted(state: Team) -> list[Flag]:
    return [f for f in state.flags.values() if not f.started]


def _bin(risk: float) -> int:
    return min(BINS - 1, max(0, int(risk * BINS)))


def counted(state: Team, case: Case) -> tuple[Team, Case]:
    """The shift's count with the case in its step of risk: each case once, at the gravest it has been."""
    step = _bin(case.risk)
    if step <= case.bin:
        return state, case
    seen = list(state.seen)
    if case.bin >= 0:
        seen[case.bin] -= 1
    seen[step] += 1
    return replace(state, seen=tuple(seen)), replace(case, bin=step)


def next_shift(state: Team, start: datetime, terms: Terms) -> Team:
    """The state at the beginning of a shift: what was seen goes into the average, the shifts since with nothing, and the count
    begins anew."""
    if state.shift is None:
        return replace(state, shift=start)
    typical, learned = dict(state.typical), dict(state.learned)
    begun, seen = state.shift, state.seen
    while begun < start:
        _learn(typical, learned, terms.sort_of(begun), seen)
        # Shifts that nobody woke for brought nothing; of those of long ago the average keeps nothing.
        begun = max(terms.shift_of(begun)[1], terms.shift_of(start - LOOK_BACK)[0])
        seen = (0,) * BINS
    return replace(
        state,
        shift=start,
        started={},
        seen=(0,) * BINS,
        typical=typical,
        learned=learned,
        waiting={k: replace(c, bin=-1) for k, c in state.waiting.items()},
        flags={k: replace(f, case=replace(f.case, bin=-1)) for k, f in state.flags.items()},
    )


def _learn(typical: dict[str, tuple[float, ...]], learned: dict[str, int], sort: str, seen: tuple[int, ...]) -> None:
    """Puts what a shift of that sort has brought into its average."""
    times = learned.get(sort, 0)
    keep = min(MEMORY, times / (times + 1))
    before = typical.get(sort, (0.0,) * BINS)
    typical[sort] = tuple(keep * t + (1 - keep) * s for t, s in zip(before, seen, strict=True))
    learned[sort] = times + 1


def trimmed(state: Team, terms: Terms) -> Team:
    """The state with no more cases waiting than are kept; the least grave go first, whatever their group but a floor's."""
    if len(state.waiting) <= terms.keep:
        return state
    ranked = sorted(state.waiting.values(), key=lambda c: c.rank, reverse=True)
    kept: dict[str, Case] = {}
    groups = Counter[str]()
    for case in ranked:
        groups[case.group] += 1
        if len(kept) < terms.keep or groups[case.group] <= terms.floors.get(case.group, 0):
            kept[case.case_id] = case
    return replace(state, waiting=kept)
