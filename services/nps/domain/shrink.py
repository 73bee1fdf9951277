"""Small segments drawn towards their parent: what a store's few answers say, beside what all stores together say.

A segment's true score is taken to scatter around its parent's with a variance that the segments themselves tell
(empirical Bayes). The fewer its answers, the more it is drawn. The two variances by the method of moments of Bühlmann,
H. & Straub, E. (1970), "Glaubwürdigkeit für Schadensätze", Mitt. Ver. Schweiz. Versicherungsmath. 70; the interval with
the allowance for estimating the scatter from few segments of Morris, C. N. (1983), "Parametric empirical Bayes inference",
J. Am. Stat. Assoc. 78.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from services.nps.domain.figures import ADDED, ADDED_EACH, Z95, Figure, figure

FEWEST: Final = 5
"""Segments with answers from which on their scatter can be told at all; with fewer, none is drawn."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A segment's raw figure, and its score drawn towards its parent with a 95 % interval, in points.

    own: the weight of its own answers, 0 to 1; the rest is its parent's.
    """

    raw: Figure
    nps: float
    low: float
    high: float
    own: float


@dataclass(frozen=True, slots=True)
class Scatter:
    """within: variance of one answer around its segment; between: of the segments around their parent; as means of −1, 0, 1.

    upper: `between` and its standard error, for the intervals: where the scatter was estimated as zero by chance, the
    segments are not known to be equal. answers: of all segments.
    """

    mean: float
    within: float
    between: float
    upper: float
    segments: int
    answers: int


def scatter(segments: Mapping[str, Figure]) -> Scatter | None:
    """How much the segments of one parent differ beyond chance, or None where there are too few of them to tell."""
    known = [f for f in segments.values() if f.n]
    n = sum(f.n for f in known)
    if len(known) < FEWEST or n <= len(known):
        return None
    mean = sum(f.promoters - f.detractors for f in known) / n
    squares = sum((f.promoters + f.detractors) - (f.promoters - f.detractors) ** 2 / f.n for f in known)
    # Three answers are added here too, so that segments that agree by chance don't look certain.
    within = (squares + 2 * ADDED_EACH) / (n - len(known) + ADDED)
    apart = sum(f.n * (_mean(f) - mean) ** 2 for f in known) - (len(known) - 1) * within
    usual = n - sum(f.n**2 for f in known) / n
    between = max(apart / usual, 0.0)
    error = sqrt(2 / (len(known) - 1)) * (between + within * (len(known) - 1) / usual)
    return Scatter(mean, within, between, between + error, len(known), n)


def shrink(segments: Mapping[str, Figure], only: Iterable[str] | None = None) -> dict[str, Shrunk]:
    """Each segment of one parent beside its shrunk figure; a segment without answers is its parent with the scatter.

    only: the segments that are wanted, of all that tell how much they scatter; all of them by default.
    """
    found = scatter(segments)
    wanted = {name: segments[name] for name in (segments if only is None else only)}
    if found is None:
        return {name: Shrunk(f, f.nps, f.low, f.high, 1.0) for name, f in wanted.items()}
    return {name: _shrunk(f, found) for name, f in wanted.items()}


def _shrunk(raw: Figure, found: Scatter) -> Shrunk:
    k = found.segments
    if not raw.n:
        return _with_interval(raw, found.mean, found.upper * (1 + 1 / k) + found.within / found.answers, 0.0)
    noise = found.within / raw.n
    drawn = noise / (noise + found.between)
    given = drawn * (k - 3) / (k - 1)
    off = _mean(raw) - found.mean
    variance = noise * found.upper / (noise + found.upper) + 2 / (k - 3) * (given * off) ** 2
    variance += given**2 * (found.within / found.answers + found.upper / k)
    return _with_interval(raw, found.mean + (1 - given) * off, variance, 1 - given)


def _with_interval(raw: Figure, mean: float, variance: float, own: float) -> Shrunk:
    half = Z95 * sqrt(variance)
    return Shrunk(raw, 100 * mean, 100 * (mean - half), 100 * (mean + half), own)


def _mean(f: Figure) -> float:
    return (f.promoters - f.detractors) / f.n


def parent(segments: Mapping[str, Figure]) -> Figure:
    """The figure of all segments together; they don't overlap."""
    known = segments.values()
    return figure(sum(f.promoters for f in known), sum(f.passives for f in known), sum(f.detractors for f in known))
