"""How true the simulator is on days that nothing was fitted on, and how well a rule tells whom seats took next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.router.domain.policy import Policy
from services.router.domain.simulation.distributions import Fitted
from services.router.domain.simulation.figures import Figures, figures, mean
from services.router.domain.simulation.fit import Spec, fit
from services.router.domain.simulation.recorded import Call, RecordedDay, Shift
from services.router.domain.simulation.replay import draw, recorded, simulate

Days = Sequence[RecordedDay]


@dataclass(frozen=True, slots=True)
class Check:
    """A simulation of some days beside their history."""

    name: str
    history: Figures
    simulated: Figures

    @property
    def wait_error(self) -> float:
        """Relative error of the mean wait."""
        return self.simulated.mean_wait_s / self.history.mean_wait_s - 1

    @property
    def abandonment_error(self) -> float:
        """Error of the share that hung up, in points."""
        return 100 * (self.simulated.abandonment - self.history.abandonment)


def folds(days: Days) -> Iterator[tuple[str, Days, Days]]:
    """Name, days to fit on, days to check on: the days alternating, and the period cut in two; both ways round."""
    half = (len(days) + 1) // 2
    cuts = {"every other day": (days[::2], days[1::2]), "first and second half": (days[:half], days[half:])}
    for name, (one, other) in cuts.items():
        yield f"{name}, fitted on the first", one, other
        yield f"{name}, fitted on the second", other, one


def check(name: str, days: Days, fitted: Fitted, rule: Policy, seeds: int) -> Check:
    """Simulate days under the rule that they were worked by."""
    runs = [
        figures([(day, simulate(draw(day, fitted, seed), rule, day.shifts)) for day in days]) for seed in range(seeds)
    ]
    return Check(name, figures([(day, recorded(day)) for day in days]), mean(runs))


def validate(days: Days, spec: Spec, rule: Policy, seeds: int) -> Iterator[Check]:
    """Check each fold on the days that it was not fitted on."""
    for name, on, held in folds(days):
        yield check(name, held, fit(on, spec), rule, seeds)


@dataclass(frozen=True, slots=True)
class _Pick:
    """Someone was taken from the queue, and others that the same seat takes were not."""

    taken: Call
    left: tuple[Call, ...]


def _picks(day: RecordedDay) -> Iterator[_Pick]:
    shifts = {shift.seat: shift for shift in day.shifts}
    queued = [call for call in day.calls if call.waited_s > 0]
    for call in queued:
        now = call.at + call.waited_s
        kinds = _kinds(shifts[call.seat], now) if call.seat else frozenset()
        if call.kind not in kinds:
            continue
        # The log's times are whole seconds: who came or went in the same second may or may not have been there.
        left = tuple(
            o for o in queued if o.kind in kinds and o is not call and o.at < now - 1 and o.at + o.waited_s > now + 1
        )
        if left:
            yield _Pick(call, left)


def _kinds(shift: Shift, now: float) -> frozenset[str]:
    return next((span.kinds for span in shift.spans if span.start <= now < span.end), frozenset())


def agreement(days: Days, head_starts: Sequence[Mapping[str, float]]) -> tuple[int, list[float]]:
    """How many picks the log shows, and the share of them that each rule tells right: tier → seconds of head start."""
    picks = [pick for day in days for pick in _picks(day)]

    def share(head: Mapping[str, float]) -> float:
        def place(call: Call) -> float:
            return call.at - head.get(call.tier, 0.0)

        return float(np.mean([all(place(p.taken) <= place(o) for o in p.left) for p in picks])) if picks else 0.0

    return len(picks), [share(head) for head in head_starts]
