"""Whom or what a message is about: words that name a stage of the touchpoint taxonomy.

A stage's score is linear in the words found, each counted where it first stands:

    log odds = bias + Σ worth(word),   p = 1 / (1 + e^(-log odds))

with one bias and two worths ("sure" and "maybe" words) per language, fitted on labelled texts (docs/models/targets.md).
So the words' worths are the evidence, and with the bias they add up to the log odds exactly. Of words that begin together the
longest counts, and none that begins within another: 快乐 ("joy") holds no 快 ("quick").
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import Encoded, encode_normalised
from services.sentiment.domain.normal import Language
from services.sentiment.domain.score import Target

Ints = NDArray[np.int64]

NOTHING: Final = ""
"""The stage of words that mean none, and only keep shorter ones from being found in them."""
_SLOT_BITS: Final = 15
_PLANE: Final = np.uint32(0xFFFF)
_GOES_ON: Final = np.uint8(1)
_ENDS: Final = np.uint8(2)
_ROUNDING: Final = 1e-9
_BASE: Final = np.uint64(0xBF58476D1CE4E5B9)
_FINISH: Final = np.uint64(0x9E3779B97F4A7C15)
_MASK: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Mention:
    """A word that names a stage: its place in the normalised text, and what it adds to the stage's log odds."""

    stage: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Word:
    """An entry of the lexicon. In a spaced language it begins where a word begins; a `whole` one also ends where one ends."""

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


@dataclass(frozen=True, slots=True)
class Found:
    """Words found in a batch, one entry a word and stage: which text, where in it (start, end), which stage, whether it is a sure one."""

    owner: Ints
    start: Ints
    end: Ints
    stage: Ints
    sure: NDArray[np.bool_]


class Lexicon:
    """The words of one language and their worth. Raises ValueError for an empty word."""

    def __init__(self, words: Sequence[Word], worth: Worth, *, spaced: bool) -> None:
        """`spaced`: the language puts spaces between words, so that they are found from their beginning only."""
        self.worth = worth
        self._spaced = spaced
        self._stages = tuple(sorted({w.stage for w in words} - {NOTHING}))
        by_text: dict[str, list[Word]] = {}
        for word in words:
            if not word.text:
                raise ValueError(f"targets: an empty word in {word.stage or 'nothing'!r}")
            by_text.setdefault(word.text, []).append(word)
        self._whole = np.array([all(w.whole for w in same) for same in by_text.values()], dtype=np.bool_)
        entries = [(i, w) for i, same in enumerate(by_text.values()) for w in same if w.stage != NOTHING]
        self._first = np.searchsorted([i for i, _ in entries], np.arange(len(by_text) + 1))
        self._entry_stage = np.array([self._stages.index(w.stage) for _, w in entries], dtype=np.int64)
        self._entry_sure = np.array([w.sure for _, w in entries], dtype=np.bool_)
        self._levels = _levels(list(by_text))
        # The first level by the character itself; those beyond the plane share a place with one within it.
        self._initials = np.zeros(_PLANE + 1, dtype=np.uint8)
        for text in by_text:
            self._initials[ord(text[0]) & _PLANE] |= _ENDS if len(text) == 1 else _GOES_ON
        # The log odds from which a stage is named, less what rounding may take.
        self._least = math.log(worth.threshold / (1 - worth.threshold)) - _ROUNDING
        self._answers: dict[int, tuple[Target]] = {}

    def find(self, encoded: Encoded) -> Found:
        """The words in each text, by place; of a word that comes again only the first."""
        places, lengths, ids = self._matches(encoded.codes)
        if len(places):
            begins_outside = np.ones(len(places), dtype=np.bool_)
            begins_outside[1:] = places[1:] >= np.maximum.accumulate(places + lengths)[:-1]
            begins_outside &= ~_named(encoded.codes, places)
            places, lengths, ids = places[begins_outside], lengths[begins_outside], ids[begins_outside]
        ends = np.cumsum(encoded.sizes)
        owners = np.searchsorted(ends, places, side="right")
        _, first = np.unique(owners * len(self._whole) + ids, return_index=True)
        first.sort()
        places, lengths, ids, owners = places[first], lengths[first], ids[first], owners[first]
        starts = places - (ends - encoded.sizes + 1)[owners]
        repeat = self._first[ids + 1] - self._first[ids]
        within = np.arange(repeat.sum()) - np.repeat(np.cumsum(repeat) - repeat, repeat)
        entry = np.repeat(self._first[ids], repeat) + within
        return Found(
            np.repeat(owners, repeat),
            np.repeat(starts, repeat),
            np.repeat(starts + lengths, repeat),
            self._entry_stage[entry],
            self._entry_sure[entry],
        )

    def _matches(self, codes: NDArray[np.uint32]) -> tuple[Ints, Ints, Ints]:
        """Where a word stands, how long the longest one there is, and which one it is. Walks all places down one trie at once."""
        what = self._initials.take(codes & _PLANE)
        if self._spaced:
            letter = (codes >= ord("a")) & (codes <= ord("z"))
            what[1:] &= letter[:-1] - np.uint8(1)  # after a letter: nothing
        places = np.flatnonzero(what)
        what = what[places]
        rolling = codes[places].astype(np.uint64)
        best_length = np.zeros(len(codes), dtype=np.int16)
        best_id = np.zeros(len(codes), dtype=np.int16)
        for n, level in enumerate(self._levels, start=1):
            if n > 1:
                inside = places < len(codes) - n  # the last space of all is no word's
                if not inside.all():
                    places, rolling = places[inside], rolling[inside]
                rolling = rolling * _BASE + codes[places + (n - 1)]
                what = level.what.take(_slots(rolling))
            hit = np.flatnonzero(what & _ENDS)
            if len(hit):
                at = np.minimum(np.searchsorted(level.hashes, rolling[hit]), len(level.hashes) - 1)
                ids = level.ids[at]
                right = level.hashes[at] == rolling[hit]
                if self._spaced:
                    right &= ~(self._whole[ids] & letter[places[hit] + n])
                best_length[places[hit[right]]] = n
                best_id[places[hit[right]]] = ids[right]
            goes_on = (what & _GOES_ON) > 0
            places, rolling = places[goes_on], rolling[goes_on]
            if not len(places):
                break
        found = np.flatnonzero(best_length)
        return found, best_length[found].astype(np.int64), best_id[found].astype(np.int64)

    def mentions(self, encoded: Encoded) -> tuple[Mention, ...]:
        """The words of the only text."""
        found = self.find(encoded)
        columns = (found.stage, found.start, found.end, found.sure)
        return tuple(
            Mention(self._stages[stage], start, end, self.worth.sure if sure else self.worth.maybe)
            for stage, start, end, sure in zip(*(c.tolist() for c in columns), strict=True)
        )

    def targets(self, encoded: Encoded) -> list[tuple[Target, ...]]:
        """Each text's stages that are likely enough, the likeliest first."""
        found = self.find(encoded)
        named: list[tuple[Target, ...]] = [()] * len(encoded)
        key, which = np.unique(found.owner * len(self._stages) + found.stage, return_inverse=True)
        sure = np.bincount(which, weights=found.sure, minlength=len(key))
        maybe = np.bincount(which, minlength=len(key)) - sure
        odds = self.worth.bias + self.worth.sure * sure + self.worth.maybe * maybe
        likely = np.flatnonzero(odds >= self._least)
        owner, stage = np.divmod(key[likely], max(1, len(self._stages)))
        order = np.lexsort((-odds[likely], owner))
        owner, stage, likely = owner[order], stage[order], likely[order]
        codes = (stage << 40) + (sure[likely].astype(np.int64) << 20) + maybe[likely].astype(np.int64)
        answers = self._answers
        for i, code, at, z in zip(owner.tolist(), codes.tolist(), stage.tolist(), odds[likely].tolist(), strict=True):
            one = answers.get(code)
            if one is None:
                one = answers[code] = self._answer(at, z)
            named[i] = named[i] + one if named[i] else one
        return named

    def _answer(self, stage: int, z: float) -> tuple[Target]:
        name = self._stages[stage]
        return (Target(name.partition(".")[0], name, 1.0 / (1.0 + math.exp(-z))),)


@dataclass(frozen=True, slots=True)
class _Level:
    """The trie at one depth. `what` says by slot of a prefix's hash whether one goes on or ends there; the rest is of those that end."""

    what: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    ids: Ints


def _levels(words: Sequence[str]) -> list[_Level]:
    depth = max(map(len, words), default=0)
    what = [np.zeros(1 << _SLOT_BITS, dtype=np.uint8) for _ in range(depth)]
    ending: list[list[tuple[int, int]]] = [[] for _ in range(depth)]
    for i, word in enumerate(words):
        rolling = 0
        for n, char in enumerate(word, start=1):
            rolling = (rolling * int(_BASE) + ord(char)) & _MASK
            slot = (rolling * int(_FINISH) & _MASK) >> (64 - _SLOT_BITS)
            what[n - 1][slot] |= _ENDS if n == len(word) else _GOES_ON
        ending[len(word) - 1].append((rolling, i))
    levels = []
    for flags, found in zip(what, ending, strict=True):
        found.sort()
        hashes = np.array([h for h, _ in found], dtype=np.uint64)
        levels.append(_Level(flags, hashes, np.array([i for _, i in found], dtype=np.int64)))
    return levels


def _slots(rolling: NDArray[np.uint64]) -> Ints:
    mixed = rolling * _FINISH
    mixed >>= np.uint64(64 - _SLOT_BITS)
    return mixed.view(np.int64)


def _named(codes: NDArray[np.uint32], places: Ints) -> NDArray[np.bool_]:
    """Whether a place is within a name or an address (@safaricom, https://…), which says nothing of what is meant."""
    spaces = np.flatnonzero(codes == ord(" "))
    begin = spaces[np.searchsorted(spaces, places) - 1] + 1
    first = codes[begin]
    name = (first == ord("@")) | ((first == ord(".")) & (codes[begin + 1] == ord("@")))
    address = first == ord("h")
    for n, char in enumerate("ttp", start=1):
        address &= codes[np.minimum(begin + n, len(codes) - 1)] == ord(char)
    return np.asarray(name | address)


class TargetModel:
    """The lexicons of all languages; holds no state besides them. A language without one has no targets."""

    def __init__(self, lexicons: Mapping[Language, Lexicon]) -> None:
        self._lexicons = dict(lexicons)

    def mentions(self, plain: str, language: Language) -> tuple[Mention, ...]:
        """The words found in a normalised text, by place: the evidence for its targets."""
        lexicon = self._lexicons.get(language)
        return lexicon.mentions(encode_normalised([plain])) if lexicon else ()

    def bias(self, language: Language) -> float:
        """What a stage's log odds are before any word; with the mentions' weights they add up."""
        return self._lexicons[language].worth.bias

    def worth(self, language: Language) -> Worth:
        """What the language's words count."""
        return self._lexicons[language].worth

    def targets(self, plain: str, language: Language) -> tuple[Target, ...]:
        """What a normalised text is about, the likeliest first; empty for nothing in particular."""
        lexicon = self._lexicons.get(language)
        return lexicon.targets(encode_normalised([plain]))[0] if lexicon else ()

    def of_batch(self, encoded: Encoded, languages: Sequence[Language]) -> list[tuple[Target, ...]]:
        """`targets` of each text, in order."""
        out: list[tuple[Target, ...]] = [()] * len(encoded)
        for language, lexicon in self._lexicons.items():
            mine = np.fromiter((spoken == language for spoken in languages), dtype=np.bool_, count=len(languages))
            if mine.all() and len(mine):
                return lexicon.targets(encoded)
            if mine.any():
                for i, named in zip(np.flatnonzero(mine).tolist(), lexicon.targets(encoded.take(mine)), strict=True):
                    out[i] = named
        return out
