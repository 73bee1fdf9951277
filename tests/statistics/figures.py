"""The interval's coverage, exactly, and what shrinking does to small segments, by simulation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.nps.domain.figures import ADDED, ADDED_EACH, Z95, Figure, figure
from services.nps.domain.shrink import shrink


def coverage(n: int, promoters: float, detractors: float) -> float:
    """Probability that the interval of n answers holds the true score: the sum over every outcome, no simulation."""
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    i, j = i[i + j <= n], j[i + j <= n]
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    rest = 1 - promoters - detractors
    log_p = log_factorial[n] - log_factorial[i] - log_factorial[j] - log_factorial[n - i - j]
    log_p += i * np.log(promoters) + j * np.log(detractors) + (n - i - j) * np.log(rest)
    low, high = intervals(i, j, n)
    truth = 100 * (promoters - detractors)
    return float(np.exp(log_p[(low <= truth) & (truth <= high)]).sum())


def intervals(
    promoters: NDArray[np.int64], detractors: NDArray[np.int64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of `figure` for many outcomes at once; a test compares them with it."""
    m = n + ADDED
    p, d = (promoters + ADDED_EACH) / m, (detractors + ADDED_EACH) / m
    half = Z95 * np.sqrt((p + d - (p - d) ** 2) / m)
    return 100 * (p - d - half), 100 * (p - d + half)


@dataclass(frozen=True)
class Shrinkage:
    """Root mean squared error in points, raw and shrunk, and how many of the 95 % intervals held the truth."""

    raw: float
    shrunk: float
    held_raw: float
    held_shrunk: float


def shrinkage(segments: int, answers: float, scatter: float, runs: int, seed: int) -> Shrinkage:
    """Segments whose true scores scatter (standard deviation in points) around +30, with Poisson many answers each."""
    rng = np.random.default_rng(seed)
    errors: dict[str, list[float]] = {"raw": [], "shrunk": []}
    held: dict[str, list[bool]] = {"raw": [], "shrunk": []}
    for _ in range(runs):
        shift = np.clip(rng.normal(0, scatter / 100, segments) / 2, -0.2, 0.2)
        figures: dict[str, Figure] = {}
        for g in range(segments):
            counts = rng.multinomial(rng.poisson(answers), (0.5 + shift[g], 0.3, 0.2 - shift[g]))
            figures[str(g)] = figure(int(counts[0]), int(counts[1]), int(counts[2]))
        for name, found in shrink(figures).items():
            if found.raw.n:
                truth = 30 + 200 * shift[int(name)]
                for kind, f in (("raw", found.raw), ("shrunk", found)):
                    errors[kind].append((f.nps - truth) ** 2)
                    held[kind].append(f.low <= truth <= f.high)
    return Shrinkage(
        float(np.sqrt(np.mean(errors["raw"]))), float(np.sqrt(np.mean(errors["shrunk"]))),
        float(np.mean(held["raw"])), float(np.mean(held["shrunk"])),
    )  # fmt: skip
