"""Many texts at once, as arrays of code points: their normal forms, languages and n-grams.

Texts are laid end to end, each between two spaces, so that n-grams see where it begins and ends. One table lookup normalises
nearly every character; the few texts with one that it can't (accents that combine, ㎏) take `normalise`'s slow way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.normal import MAX_CHARS, SIMPLER, UNSEEN, Language, combines, fold, normalise

Codes = NDArray[np.uint32]

_SPACE: Final = 0x20
_BRACKET: Final = 0x5B
_ELLIPSIS: Final = 0x2026
_RARE: Final = np.uint32(0xFFFFFFFF)
"""In the table: not a matter of this character alone."""
_GONE: Final = np.uint32(0xFFFFFFFE)
"""In the table: doesn't show."""
_TABLE: Final = 0x20000
_TABULATED: Final = (
    range(0x3400),
    range(0xA000, 0xAC00),
    range(0xD7A4, 0xD800),
    range(0xF900, 0x10000),
    range(0x1F000, 0x1FC00),
)
_PLAIN: Final = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0xAC00, 0xD7A4), range(0xE000, 0xF900))
"""Unified ideographs, whole Hangul syllables, private use: NFKC and lower case leave them as they are."""

# Odd 64-bit multipliers (the golden ratio's, and one of SplitMix64's): a polynomial over code points,
# then a multiplicative finish whose high bits index the table.
_BASE: Final = np.uint64(0xBF58476D1CE4E5B9)
_FINISH: Final = np.uint64(0x9E3779B97F4A7C15)
_ONE: Final = np.uint64(1)
_HALF: Final = np.uint64(29)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Normalised texts end to end, each with a space before and after; `sizes[i]` are text i's code points, spaces included."""

    codes: Codes
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)

    def texts(self) -> list[str]:
        """The normal forms as strings."""
        joined = self.codes.tobytes().decode("utf-32-le", "surrogatepass")
        ends = np.cumsum(self.sizes).tolist()
        return [joined[start + 1 : end - 1] for start, end in zip([0, *ends], ends, strict=False)]

    def take(self, which: NDArray[np.bool_]) -> "Encoded":
        """Only the texts that `which` marks, in order."""
        return Encoded(self.codes[np.repeat(which, self.sizes)], self.sizes[which])


def encode(texts: Sequence[str]) -> Encoded:
    """The normal forms of all texts: `encode(texts).texts() == [normalise(t) for t in texts]`."""
    if not texts:
        return Encoded(np.zeros(0, np.uint32), np.zeros(0, np.int64))
    raw, sizes = _lay([t[:MAX_CHARS] for t in texts] if max(map(len, texts)) > MAX_CHARS else texts)
    codes = _tables()[0].take(np.minimum(raw, _TABLE - 1))
    rare = (codes == _RARE) | (codes == _BRACKET)
    done: NDArray[np.bool_] | None = None
    if rare.any():
        # In their normal form already, these texts must pass what follows untouched.
        slow = np.unique(np.searchsorted(np.cumsum(sizes), np.flatnonzero(rare), side="right")).tolist()
        mixed = list(texts)
        for i in slow:
            mixed[i] = normalise(texts[i])
        raw, sizes = _lay([t[:MAX_CHARS] for t in mixed])
        codes = _tables()[0].take(np.minimum(raw, _TABLE - 1))
        done = np.zeros(len(texts), dtype=np.bool_)
        done[slow] = True
        np.copyto(codes, raw, where=np.repeat(done, sizes))
    return _tidy(codes, sizes)


def encode_normalised(texts: Sequence[str]) -> Encoded:
    """Texts that are in their normal form already."""
    return Encoded(*_lay(texts)) if texts else encode(texts)


def _lay(texts: Sequence[str]) -> tuple[Codes, NDArray[np.int64]]:
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + 2
    joined = f" {'  '.join(texts)} "
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4"), sizes


def _tidy(codes: Codes, sizes: NDArray[np.int64]) -> Encoded:
    """Step 4 of the normal form, and what the table left to do: what doesn't show goes, … is dots."""
    dots = codes == _ELLIPSIS
    if dots.any():
        # Two stand for NFKC's three: a run is cut to two anyway.
        sizes = sizes + _sums(dots, sizes)
        codes = np.repeat(np.where(dots, np.uint32(0x2E), codes), dots + 1)
    gone = codes == _GONE
    if gone.any():
        codes, sizes = _keep(codes, sizes, ~gone)
    keep = np.ones(len(codes), dtype=np.bool_)
    space = codes == _SPACE
    np.logical_not(space[1:] & space[:-1], out=keep[1:])
    keep[_starts(sizes)] = True
    if not keep.all():
        codes, sizes = _keep(codes, sizes, keep)
    same = codes[1:] == codes[:-1]
    run = same[1:] & same[:-1]
    run &= codes[2:] != _SPACE
    if run.any():
        keep = np.ones(len(codes), dtype=np.bool_)
        np.logical_not(run, out=keep[2:])
        codes, sizes = _keep(codes, sizes, keep)
    return _within(codes, sizes)


def _within(codes: Codes, sizes: NDArray[np.int64]) -> Encoded:
    """Both spaces also round an empty text; no text longer than MAX_CHARS."""
    if sizes.min() < 2:
        empty = sizes < 2
        twice = np.ones(len(codes), dtype=np.int64)
        twice[_starts(sizes)[empty]] = 2
        codes, sizes = np.repeat(codes, twice), sizes + empty
    if sizes.max() > MAX_CHARS + 2:
        place = np.arange(len(codes)) - np.repeat(_starts(sizes), sizes)
        last = np.repeat(sizes - 1, sizes)
        codes, sizes = _keep(codes, sizes, (place <= MAX_CHARS) | (place == last))
    return Encoded(codes, sizes)


def _keep(codes: Codes, sizes: NDArray[np.int64], keep: NDArray[np.bool_]) -> tuple[Codes, NDArray[np.int64]]:
    return codes[keep], _sums(keep, sizes)


def _sums(marks: NDArray[np.bool_], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.add.reduceat(marks, _starts(sizes), dtype=np.int64)


def _starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    starts = np.zeros(len(sizes), dtype=np.int64)
    np.cumsum(sizes[:-1], out=starts[1:])
    return starts


def languages(encoded: Encoded) -> list[Language]:
    """`guess_language` of each normalised text."""
    if not len(encoded):
        return []
    weighed = _tables()[1].take(np.minimum(encoded.codes, _TABLE - 1))
    carried = np.add.reduceat(weighed, _starts(encoded.sizes), dtype=np.int64)
    return ["zh" if weight >= 0 else "en" for weight in carried.tolist()]


@cache
def _tables() -> tuple[Codes, NDArray[np.int8]]:
    """What each code point becomes by itself, and how much it speaks for zh (Han 4, a Latin letter -1)."""
    table = np.full(_TABLE, _RARE, dtype=np.uint32)
    for code in chain(*_TABULATED):
        char = chr(code)
        folded = fold(char)
        if len(folded) == 1 and not combines(char):
            table[code] = _SPACE if folded.isspace() else ord(folded)
    for plain in _PLAIN:
        table[plain.start : plain.stop] = plain
    for old, new in SIMPLER.items():
        table[old] = ord(new)
    table[_ELLIPSIS] = _ELLIPSIS
    for first, last in _unseen():
        table[first : last + 1] = _GONE
    weights = np.zeros(_TABLE, dtype=np.int8)
    for first, last in ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)):
        weights[first : last + 1] = 4
    for first, last in ((0x41, 0x5A), (0x61, 0x7A)):
        weights[first : last + 1] = -1
    return table, weights


def _unseen() -> list[tuple[int, int]]:
    """The ranges of UNSEEN."""
    spans = []
    rest = UNSEEN
    while rest:
        first, rest = rest[0], rest[1:]
        last = first
        if rest[:1] == "-":
            last, rest = rest[1], rest[2:]
        spans.append((ord(first), ord(last)))
    return spans


def ngram_hashes(
    texts: Sequence[str] | Encoded, longest: int, bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Table indices of all character 1..longest-grams of normalised texts, and which text each is of.

    A space is put before and after each text, so that n-grams see where it begins and ends.
    No n-gram crosses from one text into the next. Indices are below 2**bits.
    """
    encoded = texts if isinstance(texts, Encoded) else encode_normalised(texts)
    rolling = encoded.codes.astype(np.uint64) + _ONE
    codes = rolling - _ONE
    by_length = [rolling]
    for n in range(2, min(longest, len(codes)) + 1):
        rolling = rolling[:-1] * _BASE + codes[n - 1 :]
        by_length.append(rolling)
    if len(encoded) == 1:
        hashed = _finish(np.concatenate(by_length), bits)
        return hashed, np.zeros(len(hashed), dtype=np.int64)
    owner = np.repeat(np.arange(len(encoded)), encoded.sizes)
    owners = [owner]
    for n in range(2, len(by_length) + 1):
        whole = owner[: 1 - n] == owner[n - 1 :]
        by_length[n - 1] = by_length[n - 1][whole]
        owners.append(owner[n - 1 :][whole])
    return _finish(np.concatenate(by_length), bits), np.concatenate(owners)


def ngram_hashes_of_length(encoded: Encoded, length: int, bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those of `ngram_hashes` with exactly so many characters."""
    rolling = encoded.codes.astype(np.uint64) + _ONE
    owner = np.repeat(np.arange(len(encoded)), encoded.sizes)
    if len(owner) < length:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    codes = rolling - _ONE
    for n in range(2, length + 1):
        rolling = rolling[:-1] * _BASE + codes[n - 1 :]
    whole = owner[: len(rolling)] == owner[length - 1 :]
    return _finish(rolling[whole], bits), owner[: len(rolling)][whole]


def _finish(rolling: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    mixed = rolling ^ (rolling >> _HALF)
    mixed *= _FINISH
    mixed >>= np.uint64(64 - bits)
    return mixed.view(np.int64)
