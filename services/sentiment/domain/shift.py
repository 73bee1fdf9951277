"""Whether incoming text still looks like what the model was trained on, and whether its confidence still holds.

*Familiarity*: the share of a text's character n-grams that no training text had, beside what texts of the validation split had.
*Calibration drift*: how often labels were right where people said so, beside how often the model's confidence expected them to be.

Both are sums, so that windows, processes and partitions merge by adding. Where nothing shifted, a mean over n texts lies within a few
spread/√n of the expected one; a shift is called where it lies further out than that and than a share of the spread that matters.
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import Encoded, encode_normalised, ngram_hashes_of_length

SURE: Final = 4.0
"""Standard errors beyond which a difference is no chance: looked at each minute for a year, about 17 false calls."""
MATTERS: Final = 0.25
"""Spreads of single texts below which a shift of the mean doesn't matter, however sure it is."""
BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The n-grams of one language's training texts, as a set of hashes' slots, and what is usual among texts like them.

    `known` is a bit set of 2^bits slots. An unknown n-gram shares its slot with a known one as often as the set is full,
    so a share is too low by that factor; the expected one likewise.
    """

    known: NDArray[np.uint8]
    length: int
    """Characters in an n-gram."""
    mean: float
    """The expected share of unseen n-grams in a text, 0 … 1."""
    spread: float
    """Its standard deviation over texts."""

    @property
    def bits(self) -> int:
        """log2 of the number of slots."""
        return int(self.known.size * 8).bit_length() - 1

    def counts(self, encoded: Encoded) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many n-grams of each normalised text are unseen, and how many it has."""
        slots, owners = ngram_hashes_of_length(encoded, self.length, self.bits)
        unseen = np.bincount(owners[~self._knows(slots)], minlength=len(encoded))
        return unseen, np.bincount(owners, minlength=len(encoded))

    def unseen(self, plain: str) -> tuple[int, int]:
        """`counts` of one normalised text."""
        slots, _ = ngram_hashes_of_length(encode_normalised([plain]), self.length, self.bits)
        return int(len(slots) - np.count_nonzero(self._knows(slots))), len(slots)

    def shares(self, encoded: Encoded) -> NDArray[np.float64]:
        """The share of unseen n-grams in each normalised text, 0 … 1; NaN where a text is too short to have one."""
        unseen, number = self.counts(encoded)
        with np.errstate(invalid="ignore"):
            return np.asarray(unseen / number, dtype=np.float64)

    def _knows(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        bit = (self.known.take(slots >> 3) >> (slots & 7).astype(np.uint8)) & 1
        return bit.astype(np.bool_)


def known_slots(encoded: Encoded, length: int, bits: int, texts: int = 1) -> NDArray[np.uint8]:
    """The bit set of the n-grams that at least so many of the texts have."""
    slots, owners = ngram_hashes_of_length(encoded, length, bits)
    once = np.unique(owners << bits | slots) & ((1 << bits) - 1)
    return np.packbits(np.bincount(once, minlength=1 << bits) >= texts, bitorder="little")


@dataclass(frozen=True, slots=True)
class Drift:
    """How unfamiliar some texts were: their number, and the sum of their shares of unseen n-grams."""

    texts: int = 0
    total: float = 0.0

    def __add__(self, other: "Drift") -> "Drift":
        return Drift(self.texts + other.texts, self.total + other.total)

    @property
    def mean(self) -> float:
        """The mean share of unseen n-grams; 0 of no text."""
        return self.total / self.texts if self.texts else 0.0

    def distance(self, usual: Familiarity) -> float:
        """How many standard errors the mean is above the expected one; 0 of no text, negative for more familiar texts."""
        if not self.texts or not usual.spread:
            return 0.0
        return (self.mean - usual.mean) * math.sqrt(self.texts) / usual.spread

    def shifted(self, usual: Familiarity) -> bool:
        """Whether the texts stopped looking like those the model was trained on: surely, and by enough to matter."""
        return self.distance(usual) > SURE and self.mean - usual.mean > MATTERS * usual.spread


def drift_of(shares: NDArray[np.float64]) -> Drift:
    """The drift of a batch; texts too short to tell don't count."""
    told = shares[~np.isnan(shares)]
    return Drift(len(told), float(told.sum()))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Labels that people confirmed or corrected, by the model's confidence in tenths: how many, the confidences' sum, how many were right.

    People who correct only what is wrong make any model look bad: it says something only where right labels are confirmed as well.
    """

    number: tuple[int, ...] = (0,) * BINS
    expected: tuple[float, ...] = (0.0,) * BINS
    right: tuple[int, ...] = (0,) * BINS
    variance: float = 0.0
    """Of the number right, if confidences hold: Σ p(1 - p)."""

    def __add__(self, other: "Calibration") -> "Calibration":
        return Calibration(
            tuple(a + b for a, b in zip(self.number, other.number, strict=True)),
            tuple(a + b for a, b in zip(self.expected, other.expected, strict=True)),
            tuple(a + b for a, b in zip(self.right, other.right, strict=True)),
            self.variance + other.variance,
        )

    @property
    def error(self) -> float:
        """The expected calibration error over the ten bins, 0 … 1; 0 of no label."""
        total = sum(self.number)
        gaps = (abs(e - r) for e, r in zip(self.expected, self.right, strict=True))
        return sum(gaps) / total if total else 0.0

    @property
    def distance(self) -> float:
        """How many standard errors fewer were right than expected (negative: more)."""
        fewer = sum(self.expected) - sum(self.right)
        return fewer / math.sqrt(self.variance) if self.variance else math.copysign(math.inf, fewer) if fewer else 0.0

    @property
    def shifted(self) -> bool:
        """Whether confidences no longer hold, either way."""
        return abs(self.distance) > SURE


def judged(confidence: float, right: bool) -> Calibration:
    """One label that a person judged. Raises ValueError for a confidence outside 0 … 1."""
    if not 0.0 <= confidence <= 1.0:
        raise ValueError(f"confidence: {confidence} is not within 0 and 1")
    at = min(int(confidence * BINS), BINS - 1)
    return Calibration(
        tuple(int(i == at) for i in range(BINS)),
        tuple(confidence * (i == at) for i in range(BINS)),
        tuple(int(right and i == at) for i in range(BINS)),
        confidence * (1.0 - confidence),
    )


@dataclass(frozen=True, slots=True)
class Window:
    """Drifts by minute, as many minutes back as it is long: what came in lately, forgetting what is older."""

    minutes: int
    parts: tuple[tuple[int, Drift], ...] = ()
    """Minutes (any whole number that counts them) in order, each with its drift."""

    def add(self, minute: int, drift: Drift) -> "Window":
        """With more texts of a minute; one that is too old for the window is dropped."""
        known = dict(self.parts)
        known[minute] = known.get(minute, Drift()) + drift
        newest = max(known)
        return Window(self.minutes, tuple(sorted(p for p in known.items() if p[0] > newest - self.minutes)))

    def total(self) -> Drift:
        """All of the window."""
        return reduce(lambda a, b: a + b, (drift for _, drift in self.parts), Drift())
