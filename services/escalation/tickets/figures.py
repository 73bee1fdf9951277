"""Figures of a ranking and of probabilities: recall and precision at a share, area under precision–recall, Brier, calibration."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SHARES: Final = (0.05, 0.1, 0.2)
LANDMARKS: Final = (0, 24, 72)
"""Hours after opening at which the breach is judged."""
_BINS: Final = 10


def top(scores: Floats, share: float) -> NDArray[np.intp]:
    """The places of the highest scores, a share of all of them, rounded down; ties in the given order."""
    return np.argsort(-scores, kind="stable")[: int(share * len(scores))]


def at_shares(scores: Floats, hit: Bools) -> dict[str, dict[str, float | None]]:
    """recall_at and precision_at for each of SHARES; None where there is nothing to divide by."""
    recall: dict[str, float | None] = {}
    precision: dict[str, float | None] = {}
    for share in SHARES:
        chosen = top(scores, share)
        caught = int(hit[chosen].sum())
        recall[f"{share:g}"] = _ratio(caught, int(hit.sum()))
        precision[f"{share:g}"] = _ratio(caught, len(chosen))
    return {"recall_at": recall, "precision_at": precision}


def average_precision(scores: Floats, hit: Bools) -> float | None:
    """Area under precision–recall, stepwise; None without a hit."""
    found = hit[np.argsort(-scores, kind="stable")]
    if not found.any():
        return None
    places = np.flatnonzero(found)
    return float(((np.arange(len(places)) + 1) / (places + 1)).mean())


def brier(chances: Floats, hit: Bools, weight: Floats) -> float | None:
    """The mean squared error of probabilities."""
    return float(np.average((chances - hit) ** 2, weights=weight)) if len(hit) else None


def calibration_error(chances: Floats, hit: Bools, weight: Floats) -> float | None:
    """Expected calibration error over ten bins of equal width: how far the shares that came true are from the probabilities."""
    if not len(hit):
        return None
    place = np.minimum((chances * _BINS).astype(np.intp), _BINS - 1)
    gap = np.bincount(place, weight * (chances - hit), _BINS)
    return float(np.abs(gap).sum() / weight.sum())


def rounded(value: Any) -> Any:
    """The same with numbers to six places, for reading."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, float):
        return round(value, 6)
    return value


def median(values: Sequence[float]) -> float | None:
    """None without values."""
    return float(np.median(values)) if values else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
