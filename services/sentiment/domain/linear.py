"""Linear heads over hashed character n-grams, for many texts at once.

For a text with n-grams g1…gm (a space before and after it counts as a character), a head's log odds are

    z = bias + scale · (1/√m) · Σ weight[hash(gi)]

with small integers for weights. Heads that share a table lie side by side in it: one look-up serves them all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import Encoded

Floats = NDArray[np.float64]

# Odd 64-bit multipliers (the golden ratio's, and one of SplitMix64's): a polynomial over code points,
# then a multiplicative finish whose high bits index the table.
_BASE: Final = np.uint64(0xBF58476D1CE4E5B9)
_FINISH: Final = np.uint64(0x9E3779B97F4A7C15)
_ONE: Final = np.uint64(1)
_HALF: Final = np.uint64(29)


@dataclass(frozen=True, slots=True)
class Heads:
    """Some heads over one table: `weights` is 2^bits × heads; the worth of a step and the bias are per head."""

    weights: NDArray[np.int8]
    scale: Floats
    bias: Floats

    def __post_init__(self) -> None:
        rows, heads = self.weights.shape
        if rows & (rows - 1) or self.scale.shape != (heads,) or self.bias.shape != (heads,):
            raise ValueError("heads: the table is no power of two, or scale and bias are not one per head")

    @property
    def bits(self) -> int:
        """log2 of the table's length."""
        return int(self.weights.shape[0]).bit_length() - 1


@dataclass(frozen=True, slots=True)
class Grams:
    """The n-grams of one length: their full hashes at each code point, and whether they lie within one text."""

    length: int
    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    def rows(self, bits: int) -> NDArray[np.int64]:
        """Where they are in a table of 2^bits."""
        return (self.hashes >> np.uint64(64 - bits)).view(np.int64)


def grams(texts: Encoded, longest: int) -> Iterator[Grams]:
    """The n-grams of each length 1..longest, also those that reach into the next text: `counts` are a text's own."""
    starts = np.zeros(len(texts), dtype=np.int64)
    np.cumsum(texts.sizes[:-1], out=starts[1:])
    codes = texts.codes.astype(np.uint64)
    rolling = codes + _ONE
    for n in range(1, min(longest, len(codes)) + 1):
        if n > 1:
            rolling = rolling[:-1] * _BASE + codes[n - 1 :]
        mixed = rolling ^ (rolling >> _HALF)
        mixed *= _FINISH
        yield Grams(n, mixed, starts, np.maximum(texts.sizes - (n - 1), 0))


def log_odds(heads: tuple[Heads, ...], texts: Encoded, longest: int) -> tuple[Floats, ...]:
    """For each of the tables: the log odds of its heads for each text, an array of texts × heads."""
    sums = [np.zeros((len(texts), table.weights.shape[1])) for table in heads]
    if not len(texts):
        return tuple(sums)
    total = np.zeros(len(texts), dtype=np.int64)
    for some in grams(texts, longest):
        total += some.counts
        for number, table in enumerate(heads):
            sums[number] += _sums(_looked_up(table, some), some)
    root = 1.0 / np.sqrt(total)[:, None]
    return tuple(t.bias + t.scale * (s * root) for t, s in zip(heads, sums, strict=True))


def _looked_up(table: Heads, some: Grams) -> NDArray[np.int8]:
    rows = some.rows(table.bits)
    if table.weights.shape[1] == 8:  # eight small integers are fetched as one large one
        return table.weights.view(np.int64).ravel().take(rows).view(np.int8).reshape(-1, 8)
    return table.weights.take(rows, axis=0) if table.weights.shape[1] > 1 else table.weights.ravel().take(rows)[:, None]


def _sums(values: NDArray[np.int8], some: Grams) -> NDArray[np.int64]:
    """Each text's own, added up: every second of the stretches between where texts start and end."""
    ends = some.starts + some.counts
    cuts = np.empty(2 * len(ends), dtype=np.int64)
    cuts[0::2], cuts[1::2] = some.starts, ends
    np.minimum(cuts, len(values) - 1, out=cuts)
    if values.shape[1] == 1:
        flat = np.zeros(len(values) + 1, dtype=np.int64)
        np.cumsum(values[:, 0], out=flat[1:])
        return (flat.take(ends, mode="clip") - flat.take(np.minimum(some.starts, len(values))))[:, None]
    sums = np.add.reduceat(values, cuts[:-1] if ends[-1] >= len(values) else cuts, axis=0, dtype=np.int64)[0::2]
    sums[some.counts == 0] = 0
    return sums


def contributions(table: Heads, texts: Encoded, longest: int) -> Floats:
    """What each code point adds to each head's log odds: an array of code points × heads.

    An n-gram's part is shared evenly among its characters, so a text's parts and the bias are its log odds.
    """
    each = np.zeros((len(texts.codes), table.weights.shape[1]))
    total = np.zeros(len(texts), dtype=np.int64)
    for some in grams(texts, longest):
        total += some.counts
        own = np.zeros(len(some.hashes) + 1, dtype=np.int64)
        whole = some.counts > 0
        np.add.at(own, some.starts[whole], 1)
        np.add.at(own, (some.starts + some.counts)[whole], -1)
        within = np.cumsum(own[:-1]) > 0
        share = _looked_up(table, some) * within[:, None] / some.length
        for place in range(some.length):
            each[place : place + len(share)] += share
    root = np.repeat(1.0 / np.sqrt(np.maximum(total, 1)), texts.sizes)
    return np.asarray(each * root[:, None] * table.scale)
