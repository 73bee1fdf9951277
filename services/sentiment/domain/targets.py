"""Whom or what a message is about: words that name a stage of the touchpoint taxonomy.

A stage's score is linear in the words found, each counted where it first stands:

    log odds = bias + Σ worth(word),   p = 1 / (1 + e^(-log odds))

with one bias and two worths ("sure" and "maybe" words) per language, fitted on labelled texts (docs/models/targets.md).
So the words' worths are the evidence, and with the bias they add up to the log odds exactly. Where words overlap, the
leftmost counts, and of those that begin together the longest: 快乐 ("joy") holds no 快 ("quick").
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import Encoded, encode_normalised
from services.sentiment.domain.normal import Language
from services.sentiment.domain.score import Target

NOTHING: Final = ""
"""The stage of words that mean none, and only keep shorter ones from being found in them."""
_ANCHOR: Final = 4
"""A word is looked for by so many of its first characters."""
_SLOT_BITS: Final = 16
_BASE: Final = np.uint64(0xBF58476D1CE4E5B9)
_FINISH: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Mention:
    """A word that names a stage: its place in the normalised text, and what it adds to the stage's log odds."""

    stage: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Word:
    """An entry of the lexicon. English words begin at a word's beginning; a `whole` one also ends at its end."""

    text: str
    stage: str
    sure: bool
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Worth:
    """What words count, in log odds, and the probability below which a stage is not named."""

    bias: float
    sure: float
    maybe: float
    threshold: float


class Lexicon:
    """The words of one language and their worth. Raises ValueError for an empty word."""

    def __init__(self, words: Sequence[Word], worth: Worth, *, spaced: bool) -> None:
        """`spaced`: the language puts spaces between words, so that they are found from their beginning only."""
        self.worth = worth
        self._spaced = spaced
        self._words: dict[str, list[Word]] = {}
        for word in words:
            if not word.text:
                raise ValueError(f"targets: an empty word in {word.stage or 'nothing'!r}")
            self._words.setdefault(word.text, []).append(word)
        lengths: dict[str, set[int]] = {}
        for text in self._words:
            lengths.setdefault(text[0], set()).add(len(text))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        self._anchors = _anchors(self._words)
        self._answers: dict[float, float] = {}

    def find(self, encoded: Encoded) -> list[list[Mention]]:
        """The words in each text, by place; of a word that comes again only the first."""
        found: list[list[Mention]] = [[] for _ in range(len(encoded))]
        places = self._candidates(encoded)
        joined = encoded.codes.tobytes().decode("utf-32-le", "surrogatepass")
        ends = np.cumsum(encoded.sizes)
        owners = np.searchsorted(ends, places, side="right")
        starts = (ends - encoded.sizes + 1)[owners]
        free, last = 0, -1
        seen: set[str] = set()
        for place, owner, start in zip(places.tolist(), owners.tolist(), starts.tolist(), strict=True):
            if place < free or not (length := self._longest(joined, place)) or _named(joined, place):
                continue
            free = place + length
            if owner != last:
                last, seen = owner, set()
            text = joined[place:free]
            if text not in seen:
                seen.add(text)
                found[owner] += [
                    Mention(w.stage, place - start, free - start, self.worth.sure if w.sure else self.worth.maybe)
                    for w in self._words[text]
                    if w.stage != NOTHING
                ]
        return found

    def _candidates(self, encoded: Encoded) -> NDArray[np.int64]:
        """Places where a word may begin: where its first characters stand and, with spaces between words, a word begins."""
        codes = encoded.codes.astype(np.uint64)
        marked = np.zeros(len(codes), dtype=np.bool_)
        rolling = codes
        for size in range(1, min(_ANCHOR, len(codes)) + 1):
            if size > 1:
                rolling = rolling[:-1] * _BASE + codes[size - 1 :]
            if size in self._anchors:
                marked[: len(rolling)] |= self._anchors[size].take(_slots(rolling))
        if self._spaced:
            letter = (codes >= ord("a")) & (codes <= ord("z"))
            marked[1:] &= ~letter[:-1]
        return np.flatnonzero(marked)

    def _longest(self, joined: str, place: int) -> int:
        """The length of the longest word that stands there, or 0."""
        for length in self._lengths.get(joined[place], ()):
            words = self._words.get(joined[place : place + length])
            if words and not (words[0].whole and joined[place + length].isalpha()):
                return length
        return 0

    def targets(self, mentions: Sequence[Mention]) -> tuple[Target, ...]:
        """The stages that are likely enough, the likeliest first."""
        odds: dict[str, float] = {}
        for mention in mentions:
            odds[mention.stage] = odds.get(mention.stage, self.worth.bias) + mention.weight
        named = [
            Target(stage.partition(".")[0], stage, p)
            for stage, z in odds.items()
            if (p := self._probability(z)) >= self.worth.threshold
        ]
        named.sort(key=lambda t: -t.probability)
        return tuple(named)

    def _probability(self, z: float) -> float:
        p = self._answers.get(z)
        if p is None:
            p = self._answers[z] = 1.0 / (1.0 + math.exp(-z))
        return p


def _anchors(words: Iterable[str]) -> dict[int, NDArray[np.bool_]]:
    """Per number of first characters, up to _ANCHOR, in which slots words with so many are."""
    tables: dict[int, NDArray[np.bool_]] = {}
    for word in words:
        first = word[:_ANCHOR]
        rolling = np.zeros(1, dtype=np.uint64)
        for code in np.frombuffer(first.encode("utf-32-le"), dtype="<u4").astype(np.uint64):
            rolling = rolling * _BASE + code
        table = tables.setdefault(len(first), np.zeros(1 << _SLOT_BITS, dtype=np.bool_))
        table[_slots(rolling)] = True
    return tables


def _slots(rolling: NDArray[np.uint64]) -> NDArray[np.int64]:
    mixed = rolling * _FINISH
    mixed >>= np.uint64(64 - _SLOT_BITS)
    return mixed.view(np.int64)


def _named(joined: str, place: int) -> bool:
    """Whether the place is within a name or an address (@safaricom, https://…), which says nothing of what is meant."""
    begin = joined.rfind(" ", 0, place) + 1
    return joined.startswith(("@", ".@", "http"), begin)


class TargetModel:
    """The lexicons of all languages; holds no state besides them. A language without one has no targets."""

    def __init__(self, lexicons: Mapping[Language, Lexicon]) -> None:
        self._lexicons = dict(lexicons)

    def mentions(self, plain: str, language: Language) -> tuple[Mention, ...]:
        """The words found in a normalised text, by place: the evidence for its targets."""
        lexicon = self._lexicons.get(language)
        return tuple(lexicon.find(encode_normalised([plain]))[0]) if lexicon else ()

    def bias(self, language: Language) -> float:
        """What a stage's log odds are before any word; with the mentions' weights they add up."""
        return self._lexicons[language].worth.bias

    def targets(self, plain: str, language: Language) -> tuple[Target, ...]:
        """What a normalised text is about, the likeliest first; empty for nothing in particular."""
        lexicon = self._lexicons.get(language)
        return lexicon.targets(lexicon.find(encode_normalised([plain]))[0]) if lexicon else ()

    def of_batch(self, encoded: Encoded, languages: Sequence[Language]) -> list[tuple[Target, ...]]:
        """`targets` of each text, in order."""
        out: list[tuple[Target, ...]] = [()] * len(encoded)
        for language, lexicon in self._lexicons.items():
            mine = np.fromiter((spoken == language for spoken in languages), dtype=np.bool_, count=len(languages))
            if not mine.any():
                continue
            part = encoded if mine.all() else encoded.take(mine)
            for i, mentions in zip(np.flatnonzero(mine).tolist(), lexicon.find(part), strict=True):
                if mentions:
                    out[i] = lexicon.targets(mentions)
        return out
