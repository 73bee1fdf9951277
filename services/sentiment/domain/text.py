"""Text as the model sees it: normalisation with a way back, hashed character n-grams, language.

Everything here is a pure function of the text, and the hash is fixed: weights that were trained
with it are only good with it.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Language = Literal["zh", "en"]

MAX_CHARS: Final = 4096
"""Longer texts are scored by their first MAX_CHARS characters, so that one message can't stall a batch."""

_ZERO_WIDTH = re.compile("[\u200b\ufeff]")
_RUNS = re.compile(r"(.)\1{2,}", re.DOTALL)
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_LATIN = re.compile("[A-Za-z]+")

# Odd 64-bit multipliers (the golden ratio's, and one of SplitMix64's): a polynomial over code points,
# then a multiplicative finish whose high bits index the table.
_BASE: Final = np.uint64(0xBF58476D1CE4E5B9)
_FINISH: Final = np.uint64(0x9E3779B97F4A7C15)
_ONE: Final = np.uint64(1)
_HALF: Final = np.uint64(29)


def normalise(text: str) -> str:
    """NFKC, lower case, single spaces, no run of one character longer than two, at most MAX_CHARS."""
    folded = _fold(text[:MAX_CHARS])
    return _RUNS.sub(r"\1\1", " ".join(folded.split()))[:MAX_CHARS]


def _fold(text: str) -> str:
    return _ZERO_WIDTH.sub(" ", unicodedata.normalize("NFKC", text).lower())


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text; `starts[i]:ends[i]` is the part of the original behind character i."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original's span behind the normalised characters start..end (end excluded, not empty)."""
        return self.starts[start], max(self.ends[start:end])


def normalise_with_offsets(text: str) -> Normalised:
    """`normalise`, character by character, with the way back to the original (for evidence; slower)."""
    text = text[:MAX_CHARS]
    chars: list[tuple[str, int, int]] = []
    for start, end in _segments(text):
        for folded in _fold(text[start:end]):
            char = " " if folded.isspace() else folded
            if char == " " and chars and chars[-1][0] == " ":
                continue
            if len(chars) >= 2 and chars[-1][0] == chars[-2][0] == char:
                chars[-1] = (char, chars[-1][1], end)
                continue
            chars.append((char, start, end))
    while chars and chars[0][0] == " ":
        chars.pop(0)
    while chars and chars[-1][0] == " ":
        chars.pop()
    chars = chars[:MAX_CHARS]
    return Normalised("".join(c for c, _, _ in chars), tuple(s for _, s, _ in chars), tuple(e for _, _, e in chars))


def _segments(text: str) -> list[tuple[int, int]]:
    """The pieces that NFKC handles on their own: a starter and what may combine with it."""
    bounds = [0]
    for i in range(1, len(text)):
        # Hangul jamo and kana marks compose with what is before them, as combining marks do.
        decomposed = unicodedata.normalize("NFKD", text[i])[:1]
        joins = unicodedata.combining(decomposed) or "\u1161" <= decomposed <= "\u11ff"
        if not joins:
            bounds.append(i)
    return list(zip(bounds, [*bounds[1:], len(text)], strict=True)) if text else []


def guess_language(text: str) -> Language:
    """zh where Han characters carry the text (one weighs as much as four Latin letters), else en.

    A text without letters (digits, emoji) counts as zh, the home market's language.
    """
    latin = sum(map(len, _LATIN.findall(text)))
    if latin == 0 or text.isascii():
        return "en" if latin else "zh"
    return "zh" if 4 * sum(map(len, _HAN.findall(text))) >= latin else "en"


def ngram_hashes(texts: Sequence[str], longest: int, bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Table indices of all character 1..longest-grams of normalised texts, and which text each is of.

    A space is put before and after each text, so that n-grams see where it begins and ends.
    No n-gram crosses from one text into the next. Indices are below 2**bits.
    """
    joined = "".join([f" {t} " for t in texts])
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    rolling = codes + _ONE
    by_length = [rolling]
    for n in range(2, min(longest, len(codes)) + 1):
        rolling = rolling[:-1] * _BASE + codes[n - 1 :]
        by_length.append(rolling)
    if len(texts) == 1:
        hashed = _finish(np.concatenate(by_length), bits)
        return hashed, np.zeros(len(hashed), dtype=np.int64)
    lengths = np.fromiter((len(t) + 2 for t in texts), dtype=np.int64, count=len(texts))
    owner = np.repeat(np.arange(len(texts)), lengths)
    owners = [owner]
    for n in range(2, len(by_length) + 1):
        whole = owner[: 1 - n] == owner[n - 1 :]
        by_length[n - 1] = by_length[n - 1][whole]
        owners.append(owner[n - 1 :][whole])
    return _finish(np.concatenate(by_length), bits), np.concatenate(owners)


def _finish(rolling: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    mixed = rolling ^ (rolling >> _HALF)
    mixed *= _FINISH
    mixed >>= np.uint64(64 - bits)
    return mixed.view(np.int64)
