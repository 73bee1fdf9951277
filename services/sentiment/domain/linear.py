"""Linear heads over hashed n-grams of characters (and of words, where a language writes them apart), for many texts at once.

For a text with n-grams g1…gm (a space before and after it counts as a character), a head's log odds are

    z = bias + scale · (1/√m) · Σ weight[hash(gi)]

with small integers for weights. Heads that share a table lie side by side in it: one look-up serves them all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import Encoded
from services.sentiment.domain.units import units

Floats = NDArray[np.float64]

# Odd 64-bit multipliers (the golden ratio's, and one of SplitMix64's): a polynomial over code points,
# then a multiplicative finish whose high bits index the table.
_BASE: Final = np.uint64(0xBF58476D1CE4E5B9)
_FINISH: Final = np.uint64(0x9E3779B97F4A7C15)
_ONE: Final = np.uint64(1)
_HALF: Final = np.uint64(29)

_PIECE: Final = 256
_BYTE, _BYTE_HALF = np.uint64(8), np.uint32(8)
_EVERY_SECOND, _EVERY_SECOND_HALF = np.uint64(0x00FF00FF00FF00FF), np.uint32(0x00FF00FF)
_UNSIGNED, _UNSIGNED_HALF = np.uint64(0x8080808080808080), np.uint32(0x80808080)


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
    """The n-grams of one length: their full hashes, where each text's begin among them, and how many are its own.

    Those of characters begin at each code point, also those that reach into the next text; `counts` leaves these out.
    """

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    begins: NDArray[np.int64] | None
    """The code point at which each begins; None: the n-gram's own number."""
    ends: NDArray[np.int64] | int
    """Where each ends (excluded), or how many code points all of them have."""

    def rows(self, bits: int) -> NDArray[np.int64]:
        """Where they are in a table of 2^bits."""
        return (self.hashes >> np.uint64(64 - bits)).view(np.int64)


def grams(texts: Encoded, longest: int, words: int = 0) -> Iterator[Grams]:
    """The n-grams of 1 to `longest` characters, then those of 1 to `words` words (or single signs)."""
    starts = np.zeros(len(texts), dtype=np.int64)
    np.cumsum(texts.sizes[:-1], out=starts[1:])
    codes = texts.codes.astype(np.uint64)
    rolling = codes + _ONE
    for n in range(1, min(longest, len(codes)) + 1):
        if n > 1:
            rolling = rolling[:-1] * _BASE + codes[n - 1 :]
        mixed = rolling ^ (rolling >> _HALF)
        mixed *= _FINISH
        yield Grams(mixed, starts, np.maximum(texts.sizes - (n - 1), 0), None, n)
    if words and len(texts):
        spans, begins, ends, bounds = units(texts)
        for n in range(1, min(words, len(begins)) + 1):
            first, last = begins[: len(begins) - n + 1], ends[n - 1 :]
            counts = np.maximum(np.diff(bounds) - (n - 1), 0)
            yield Grams(spans.hashes(first, last), bounds[:-1], counts, first, last)


def log_odds(heads: tuple[Heads, ...], texts: Encoded, longest: int, words: int = 0) -> tuple[Floats, ...]:
    """For each of the tables: the log odds of its heads for each text, an array of texts × heads."""
    sums = [np.zeros((len(texts), table.weights.shape[1]), dtype=np.int64) for table in heads]
    if not len(texts):
        return tuple(s.astype(np.float64) for s in sums)
    if len(texts) == 1:
        return _alone(heads, texts, longest, words)
    total = np.zeros(len(texts), dtype=np.int64)
    for some in grams(texts, longest, words):
        total += some.counts
        for number, table in enumerate(heads):
            sums[number] += _sums(table, some)
    root = 1.0 / np.sqrt(total)[:, None]
    return tuple(t.bias + t.scale * (s * root) for t, s in zip(heads, sums, strict=True))


def _alone(heads: tuple[Heads, ...], text: Encoded, longest: int, words: int) -> tuple[Floats, ...]:
    """The same of a single text, whose n-grams of all lengths are looked up at once: it is the number of calls that takes time."""
    hashes = np.concatenate([some.hashes[: some.counts[0]] for some in grams(text, longest, words)])
    root = 1.0 / np.sqrt(len(hashes))
    found = []
    for table in heads:
        rows = (hashes >> np.uint64(64 - table.bits)).view(np.int64)
        sums = table.weights.take(rows, axis=0).sum(axis=0, dtype=np.int64)
        found.append((table.bias + table.scale * (sums * root))[None])
    return tuple(found)


def _sums(table: Heads, some: Grams) -> NDArray[np.int64]:
    """Each text's own weights, added up: texts × heads."""
    heads = table.weights.shape[1]
    rows = some.rows(table.bits)
    # Four or eight small integers are fetched as one large one, and added up in lanes of it.
    if heads == 4:
        packed = table.weights.view(np.uint32).ravel().take(rows)
        packed ^= _UNSIGNED_HALF
        return _lane_sums([packed & _EVERY_SECOND_HALF, (packed >> _BYTE_HALF) & _EVERY_SECOND_HALF], some)
    if heads == 8:
        wide = table.weights.view(np.uint64).ravel().take(rows)
        wide ^= _UNSIGNED
        return _lane_sums([wide & _EVERY_SECOND, (wide >> _BYTE) & _EVERY_SECOND], some)
    flat = np.zeros((len(rows) + 1, heads), dtype=np.int64)
    np.cumsum(table.weights.take(rows, axis=0), axis=0, out=flat[1:])
    ends, starts = some.starts + some.counts, some.starts
    return np.asarray(flat.take(ends, axis=0, mode="clip") - flat.take(starts, axis=0, mode="clip"))


def _lane_sums(packed: list[NDArray[Any]], some: Grams) -> NDArray[np.int64]:
    """Every second byte (unsigned, 128 too much) in lanes of 16 bits, those of even place first: added up, texts × heads.

    Up to 256 bytes fit a lane: a prefix sum may run over, but the difference of two that are no further apart is exact
    modulo the integer's size. Longer texts are added up in pieces.
    """
    starts, counts = some.starts, some.counts
    pieces = np.maximum(-(-counts // _PIECE), 1)
    whole = bool(pieces.max() == 1)
    if not whole:
        nth = np.arange(int(pieces.sum())) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = np.repeat(starts, pieces) + nth * _PIECE
        counts = np.minimum(np.repeat(counts, pieces) - nth * _PIECE, _PIECE)
    ends = starts + counts
    kind = packed[0].dtype
    lanes = kind.itemsize // 2
    running = np.zeros(len(packed[0]) + 1, dtype=kind)
    sums = np.empty((len(starts), 2 * lanes), dtype=np.int64)
    for odd, one in enumerate(packed):
        np.cumsum(one, dtype=kind, out=running[1:])
        differences = running.take(ends, mode="clip") - running.take(starts, mode="clip")
        sums[:, odd::2] = differences.view(np.uint16).reshape(-1, lanes)
    sums -= 128 * counts[:, None]
    return sums if whole else np.asarray(np.add.reduceat(sums, np.cumsum(pieces) - pieces, axis=0))


def contributions(table: Heads, texts: Encoded, longest: int, words: int = 0) -> Floats:
    """What each code point adds to each head's log odds: an array of code points × heads.

    An n-gram's part is shared evenly among its characters, so a text's parts and the bias are its log odds.
    """
    # An n-gram's share starts where it begins and stops where it ends: their running sum is each character's.
    steps = np.zeros((len(texts.codes) + 1, table.weights.shape[1]))
    total = np.zeros(len(texts), dtype=np.int64)
    for some in grams(texts, longest, words):
        total += some.counts
        owner = np.repeat(np.arange(len(texts)), some.counts)
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(some.counts) - some.counts, some.counts)
        own = some.starts[owner] + nth
        begins = own if some.begins is None else some.begins[own]
        ends = begins + some.ends if isinstance(some.ends, int) else some.ends[own]
        share = table.weights.take(some.rows(table.bits)[own], axis=0) / (ends - begins)[:, None]
        np.add.at(steps, begins, share)
        np.subtract.at(steps, ends, share)
    root = np.repeat(1.0 / np.sqrt(np.maximum(total, 1)), texts.sizes)
    return np.asarray(np.cumsum(steps[:-1], axis=0) * root[:, None] * table.scale)
