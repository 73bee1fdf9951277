"""What a replay is told by: waits, abandonment and service level, by group, with what chance adds to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.router.domain.simulation.recorded import RecordedDay
from services.router.domain.simulation.replay import Result

GROUPS = ("0", "1", "2")
SERVICE_LEVEL_S = 20

_T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
         2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045)  # fmt: skip
"""Student's t, 97.5 %, by degrees of freedom from 1."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """A group's part."""

    contacts: int
    abandoned: float
    mean_wait_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One run's figures. A mean wait is over all contacts, those that hung up included."""

    contacts: int
    abandoned: float
    mean_wait_s: float
    p90_wait_s: float
    service_level_20s: float
    """Share of all contacts that were answered within 20 s."""
    by_priority: Mapping[str, GroupFigures]
    by_type: Mapping[str, GroupFigures]

    @property
    def answered(self) -> float:
        """All that did not hang up."""
        return self.contacts - self.abandoned

    @property
    def abandonment(self) -> float:
        """Share of the contacts that hung up."""
        return self.abandoned / self.contacts if self.contacts else 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and its 95 % interval; one run tells none."""

    mean: float
    low: float | None
    high: float | None

    @property
    def half(self) -> float | None:
        """Half the interval's width."""
        return None if self.high is None else self.high - self.mean


def figures(pairs: Sequence[tuple[RecordedDay, Result]]) -> Figures:
    """Figures of some days together, as one run made them."""
    group = np.array([call.group for day, _ in pairs for call in day.calls])
    kind = np.array([call.kind for day, _ in pairs for call in day.calls])
    waited = np.concatenate([result.waited for _, result in pairs])
    answered = np.concatenate([result.answered for _, result in pairs])
    return Figures(
        contacts=len(waited),
        abandoned=float((~answered).sum()),
        mean_wait_s=float(waited.mean()),
        p90_wait_s=float(np.quantile(waited, 0.9)),
        service_level_20s=float((answered & (waited <= SERVICE_LEVEL_S)).mean()),
        by_priority={name: _group(waited, answered, group == name) for name in GROUPS},
        by_type={str(name): _group(waited, answered, kind == name) for name in np.unique(kind)},
    )


def _group(
    waited: npt.NDArray[np.float64], answered: npt.NDArray[np.bool_], mine: npt.NDArray[np.bool_]
) -> GroupFigures:
    n = int(mine.sum())
    return GroupFigures(n, float((~answered & mine).sum()), float(waited[mine].mean()) if n else 0.0)


def mean(runs: Sequence[Figures]) -> Figures:
    """The mean of several runs of the same contacts."""
    first = runs[0]

    def of(values: Iterable[float]) -> float:
        return float(np.mean(list(values)))

    return Figures(
        contacts=first.contacts,
        abandoned=_counted(run.abandoned for run in runs),
        mean_wait_s=of(run.mean_wait_s for run in runs),
        p90_wait_s=of(run.p90_wait_s for run in runs),
        service_level_20s=of(run.service_level_20s for run in runs),
        by_priority=_groups([run.by_priority for run in runs]),
        by_type=_groups([run.by_type for run in runs]),
    )


def _groups(runs: Sequence[Mapping[str, GroupFigures]]) -> dict[str, GroupFigures]:
    return {
        name: GroupFigures(
            group.contacts,
            _counted(run[name].abandoned for run in runs),
            float(np.mean([run[name].mean_wait_s for run in runs])),
        )
        for name, group in runs[0].items()
    }


def _counted(values: Iterable[float]) -> float:
    """A mean of counts to 1/1024, so that answered + abandoned = contacts holds to the last bit."""
    return round(float(np.mean(list(values))) * 1024) / 1024


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent runs and its 95 % interval by Student's t; a single run has none."""
    n = len(values)
    middle = float(np.mean(values))
    if n < 2:
        return Interval(middle, None, None)
    t = _T975[n - 2] if n - 2 < len(_T975) else 1.96
    half = t * float(np.std(values, ddof=1)) / n**0.5
    return Interval(middle, middle - half, middle + half)
