"""The changes of a long series, one after the other: after each, looking begins anew."""

from dataclasses import dataclass

from services.nps.domain.change import ALPHA, HORIZON, Change, Ints, change, first_alarm


@dataclass(frozen=True, slots=True)
class Told:
    """A change of the series, its buckets counted from the series' beginning. after: the buckets that were seen when it was told."""

    change: Change
    after: int


def history(counts: Ints, alpha: float = ALPHA, horizon: int = HORIZON) -> tuple[Told, ...]:
    """What looking after every bucket has told, in order. counts as in `change.evidence`.

    A stretch without a change gives a false alarm with probability α at most. After an alarm a new stretch begins at
    the latest moment at which, as known then, the change began, so that it holds little of the old level. Whether and
    when something is told depends on what came before alone; its size and beginning are those that all answers up to
    the next change tell.
    """
    stretches: list[tuple[int, int, Change]] = []
    begin = 0
    while (looks := first_alarm(counts[begin:], alpha, horizon)) is not None:
        found = change(counts[begin : begin + looks], alpha, horizon)
        assert found is not None, "an alarm is a change"
        stretches.append((begin, looks, found))
        begin += found.latest
    ends = [b + c.since for b, _, c in stretches[1:]] + [len(counts)] * bool(stretches)
    told = []
    for (start, looks, found), end in zip(stretches, ends, strict=True):
        later = change(counts[start:end], alpha, horizon) if end > start + looks else None
        told.append(Told(_moved(later or found, start), start + looks))
    return tuple(told)


def _moved(c: Change, by: int) -> Change:
    return Change(c.since + by, c.earliest + by, c.latest + by, c.size, c.low, c.high, c.evidence)
