"""Text as the network sees it: words and characters, each with the number that the vocabulary gives it.

A unit is a run of Latin letters and digits, or any other character that is not a space. Chinese writes no spaces
between words, so each of its characters stands for the longest word of the vocabulary that begins with it.
Everything is done for a whole batch at once, on code points, without a loop over texts or characters.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import Encoded

LONGEST_WORD: Final = 4
"""A word of the vocabulary has at most so many units (Chinese characters)."""
MAX_UNITS: Final = 256
"""Of a longer text the network reads the first half of them and the last half."""
PAD: Final = 0
UNKNOWN_WORD: Final = 1
UNKNOWN_SIGN: Final = 2
SPECIAL: Final = 3
"""Numbers below this are no words: beyond a text's ends, an unknown Latin word, an unknown character."""

_SLOT_BITS: Final = 20
_SHIFT: Final = np.uint64(64 - _SLOT_BITS)
# Odd, so that it has an inverse modulo 2^64: a span's hash is then a difference of prefix sums.
_BASE: Final = np.uint64(0xD6E8FEB86659FD93)
_INVERSE: Final = np.uint64(pow(0xD6E8FEB86659FD93, -1, 1 << 64))
_FINISH: Final = np.uint64(0x9E3779B97F4A7C15)
_HALF: Final = np.uint64(31)
_SPACE, _SIGN, _LATIN = np.uint8(0), np.uint8(1), np.uint8(2)


def _classes() -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Per code point below 2^16: what kind it is, and what it counts as (digits alike, one apostrophe)."""
    kind = np.full(1 << 16, _SIGN, dtype=np.uint8)
    folded = np.arange(1 << 16, dtype=np.uint32)
    for code in range(1 << 16):
        char = chr(code)
        if char.isspace() or code in (0, 0xFE0F, 0x200D):
            kind[code] = _SPACE
        elif (char.isascii() and (char.isalnum() or char == "'")) or (0xC0 <= code < 0x250 and char.isalpha()):
            kind[code] = _LATIN
        if char.isdecimal():
            kind[code], folded[code] = _LATIN, ord("0")
    kind[0x2019], folded[0x2019] = _LATIN, ord("'")
    return kind, folded


_KIND, _FOLDED = _classes()


class Vocabulary:
    """Words and their numbers, from SPECIAL on in the order given. Raises ValueError for two that can't be told apart."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        hashes = word_hashes(self.words)
        slots = (hashes >> _SHIFT).astype(np.int64)
        if len(np.unique(slots)) != len(slots):
            raise ValueError("vocabulary: two words share a slot")
        self._number = np.zeros(1 << _SLOT_BITS, dtype=np.uint16)
        self._number[slots] = np.arange(SPECIAL, SPECIAL + len(words), dtype=np.uint16)
        self._hashes = np.concatenate([np.zeros(SPECIAL, dtype=np.uint64), hashes])

    def __len__(self) -> int:
        return SPECIAL + len(self.words)

    def numbers(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint16]:
        """The word's number for each hash, PAD where it is none of the vocabulary's."""
        found = self._number.take((hashes >> _SHIFT).view(np.int64))
        found[self._hashes.take(found) != hashes] = PAD
        return found


def distinct(words: Sequence[str]) -> list[str]:
    """The words, less those that a vocabulary could not tell from an earlier one."""
    slots = (word_hashes(words) >> _SHIFT).astype(np.int64)
    _, first = np.unique(slots, return_index=True)
    return [words[i] for i in np.sort(first)]


def word_hashes(words: Sequence[str]) -> NDArray[np.uint64]:
    """The hash of each word, as `unit_numbers` hashes the spans of a text."""
    codes = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    ends = np.cumsum(np.fromiter(map(len, words), dtype=np.int64, count=len(words)))
    return Spans(codes).hashes(np.concatenate([np.zeros(1, np.int64), ends[:-1]]), ends)


class Spans:
    """The code points of many texts in a row, ready to hash any span of them."""

    def __init__(self, codes: NDArray[np.uint32]) -> None:
        low = np.minimum(codes, 0xFFFF)
        self.kind = _KIND.take(low)
        folded = _FOLDED.take(low).astype(np.uint64)
        if len(codes) and codes.max() > 0xFFFF:
            np.copyto(folded, codes, where=codes > 0xFFFF)
        folded += np.uint64(1)
        powers = np.full(len(codes) + 1, _BASE, dtype=np.uint64)
        powers[0] = 1
        self._powers = np.multiply.accumulate(powers)
        down = np.full(len(codes), _INVERSE, dtype=np.uint64)
        down[:1] = 1
        folded *= np.multiply.accumulate(down)
        self._sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(folded, dtype=np.uint64)])

    def hashes(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Each span's hash, wherever it stands."""
        value: NDArray[np.uint64] = (self._sums.take(ends) - self._sums.take(starts)) * self._powers.take(starts)
        value ^= value >> _HALF
        value *= _FINISH
        return value


def units(texts: Encoded) -> tuple[Spans, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The code points ready to hash, where each unit begins and ends, and the bounds of each text among the units."""
    spans = Spans(texts.codes)
    kind = spans.kind
    inside = (kind[1:] == _LATIN) & (kind[:-1] == _LATIN)
    starts = np.flatnonzero((kind[1:] != _SPACE) & ~inside) + 1
    ends = starts + 1
    runs_end = np.flatnonzero((kind[:-1] == _LATIN) & (kind[1:] != _LATIN)) + 1
    ends[kind.take(starts) == _LATIN] = runs_end
    begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(texts.sizes)])
    return spans, starts, ends, np.searchsorted(starts, begins)


def unit_numbers(vocabulary: Vocabulary, texts: Encoded) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """The numbers of all texts' units in a row, and the bounds of each text among them (len(texts) + 1).

    A text without any unit gets one, UNKNOWN_SIGN.
    """
    spans, starts, ends, bounds = units(texts)
    latin = spans.kind.take(starts) == _LATIN
    numbers = vocabulary.numbers(spans.hashes(starts, ends))
    unknown = numbers == PAD
    numbers[unknown] = np.where(latin[unknown], UNKNOWN_WORD, UNKNOWN_SIGN)
    together = np.zeros(len(starts), dtype=bool)  # with the unit before it: both signs, no space between
    together[1:] = (starts[1:] == ends[:-1]) & ~latin[1:] & ~latin[:-1]
    joined = np.ones(len(starts), dtype=bool)
    for n in range(2, LONGEST_WORD + 1):
        if len(starts) < n:
            break
        joined = joined[: len(starts) - n + 1] & together[n - 1 :]
        first = np.flatnonzero(joined)
        found = vocabulary.numbers(spans.hashes(starts.take(first), ends.take(first + n - 1)))
        known = found != PAD
        numbers[first[known]] = found[known]
    return _trimmed(numbers, bounds)


def _trimmed(numbers: NDArray[np.uint16], bounds: NDArray[np.int64]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """No text longer than MAX_UNITS, and none empty."""
    lengths = np.diff(bounds)
    if len(lengths) and lengths.min() > 0 and lengths.max() <= MAX_UNITS:
        return numbers, bounds
    half = MAX_UNITS // 2
    parts = []
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if end - start > MAX_UNITS:
            parts += [numbers[start : start + half], numbers[end - half : end]]
        else:
            parts.append(numbers[start:end] if end > start else np.array([UNKNOWN_SIGN], dtype=np.uint16))
    kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.clip(lengths, 1, MAX_UNITS))])
    return (np.concatenate(parts) if parts else numbers), kept
