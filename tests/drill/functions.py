"""PromQL's functions over time, and its quantile of a histogram."""

import math
from collections.abc import Callable
from itertools import pairwise

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]
Samples = list[tuple[float, float]]


def _extrapolated(samples: Samples, begin: float, end: float, *, counter: bool) -> float | None:
    """Prometheus's extrapolatedRate, before it divides by the range (promql/functions.go)."""
    if len(samples) < 2:
        return None
    result = samples[-1][1] - samples[0][1]
    if counter:
        result += sum(a for (_, a), (_, b) in pairwise(samples) if b < a)
    sampled = samples[-1][0] - samples[0][0]
    average = sampled / (len(samples) - 1)
    to_start, to_end = samples[0][0] - begin, end - samples[-1][0]
    if to_start >= average * 1.1:
        to_start = average / 2
    if counter and result > 0 and samples[0][1] >= 0:
        to_start = min(to_start, sampled * samples[0][1] / result)
    if to_end >= average * 1.1:
        to_end = average / 2
    return result * (sampled + to_start + to_end) / sampled


def _rate(samples: Samples, begin: float, end: float) -> float | None:
    found = _extrapolated(samples, begin, end, counter=True)
    return None if found is None else found / (end - begin)


def _deriv(samples: Samples, begin: float, end: float) -> float | None:
    """The slope by least squares."""
    if len(samples) < 2:
        return None
    middle = math.fsum(t for t, _ in samples) / len(samples)
    mean = math.fsum(v for _, v in samples) / len(samples)
    spread = math.fsum((t - middle) ** 2 for t, _ in samples)
    return math.fsum((t - middle) * (v - mean) for t, v in samples) / spread if spread else None


def quantiles(share: float, buckets: Vector) -> Vector:
    """histogram_quantile over classic buckets: linear within a bucket, the highest finite bound beyond."""
    groups: dict[Labels, list[tuple[float, float]]] = {}
    for labels, value in buckets.items():
        bound = dict(labels)["le"]
        rest = tuple((n, v) for n, v in labels if n not in ("le", "__name__"))
        groups.setdefault(rest, []).append((float(bound.replace("+Inf", "inf")), value))
    found = {}
    for labels, told in groups.items():
        told.sort()
        total = told[-1][1]
        if total <= 0 or len(told) < 2:
            continue
        rank, low, before = share * total, 0.0, 0.0
        for bound, count in told:
            if count >= rank:
                found[labels] = (
                    low if math.isinf(bound) else low + (bound - low) * ((rank - before) / (count - before or 1))
                )
                break
            low, before = bound, count
    return found


OVER_TIME: dict[str, Callable[[Samples, float, float], float | None]] = {
    "rate": _rate,
    "increase": lambda s, a, b: _extrapolated(s, a, b, counter=True),
    "delta": lambda s, a, b: _extrapolated(s, a, b, counter=False),
    "deriv": _deriv,
    "min_over_time": lambda s, a, b: min(v for _, v in s),
    "max_over_time": lambda s, a, b: max(v for _, v in s),
    "changes": lambda s, a, b: float(sum(x[1] != y[1] for x, y in pairwise(s))),
}
