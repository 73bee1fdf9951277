"""A text's normal form, the way back from it to the original, and its language.

Training and serving share the normal form: weights that were trained with it are only good with it. It is

1. at most MAX_CHARS characters, without those that don't show (zero-width, direction marks, emoji's variants and skin tones);
2. NFKC (full to half width, ligatures apart), lower case;
3. traditional characters as their simplified ones, emoji as their family's symbol, bracket codes such as [泪] as emoji;
4. single spaces, none at the ends; no run of a character longer than two; at most MAX_CHARS characters.

`normalise` says it for one text; `services.sentiment.domain.encode` does the same to many at once, faster.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from services.sentiment.domain.characters import SIMPLIFIED, TRADITIONAL
from services.sentiment.domain.symbols import CODES, EMOJI

Language = Literal["zh", "en"]

MAX_CHARS: Final = 4096
"""Longer texts are scored by their first MAX_CHARS characters, so that one message can't stall a batch."""

UNSEEN: Final = (
    "\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff"
)
"""The characters that don't show, as a regular expression's set."""

_UNSEEN: Final = re.compile(f"[{UNSEEN}]+")
SIMPLER: Final[dict[int, str]] = str.maketrans(dict(zip(TRADITIONAL, SIMPLIFIED, strict=True)) | EMOJI | {"ς": "σ"})
"""Step 3's characters. The final sigma is the one letter that is lowered by its place in a word."""
# A regular expression looks its set up in a bitmap, but only below U+10000: above, one range does for all.
_SIMPLER_FIRST: Final = re.compile(f"[{''.join([chr(c) for c in SIMPLER if c < 0x10000])}\U00010000-\U0010ffff]")
_CODE: Final = re.compile("|".join(map(re.escape, CODES)))
_RUNS: Final = re.compile(r"(.)\1{2,}", re.DOTALL)
_HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_LATIN: Final = re.compile("[A-Za-z]+")


def normalise(text: str) -> str:
    """The text's normal form."""
    folded = fold(_UNSEEN.sub("", text[:MAX_CHARS]))
    if "[" in folded:
        folded = _CODE.sub(lambda m: CODES[m[0]], folded)
    return _RUNS.sub(r"\1\1", " ".join(folded.split()))[:MAX_CHARS]


def fold(text: str) -> str:
    """Steps 2 and 3 without the bracket codes: what happens to each character, or to a few that combine."""
    lowered = unicodedata.normalize("NFKC", text).lower()
    return lowered.translate(SIMPLER) if _SIMPLER_FIRST.search(lowered) else lowered


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text; `starts[i]:ends[i]` is the part of the original behind character i."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original's span behind the normalised characters start..end (end excluded, not empty)."""
        return self.starts[start], max(self.ends[start:end])


_Char = tuple[str, int, int]
"""A character, and where what is behind it starts and ends in the original."""


def normalise_with_offsets(text: str) -> Normalised:
    """`normalise`, character by character, with the way back to the original (for evidence; slower)."""
    cut = text[:MAX_CHARS]
    places = [i for i, char in enumerate(cut) if not _UNSEEN.match(char)]
    seen = "".join([cut[i] for i in places])
    chars = [
        (" " if char.isspace() else char, places[start], places[end - 1] + 1)
        for start, end in _segments(seen)
        for char in fold(seen[start:end])
    ]
    kept: list[_Char] = []
    for char, start, end in _decode(chars):
        if char == " " and (not kept or kept[-1][0] == " "):
            continue
        if len(kept) >= 2 and kept[-1][0] == kept[-2][0] == char:
            kept[-1] = (char, kept[-1][1], end)
            continue
        kept.append((char, start, end))
    if kept and kept[-1][0] == " ":
        kept.pop()
    kept = kept[:MAX_CHARS]
    return Normalised("".join(c for c, _, _ in kept), tuple(s for _, s, _ in kept), tuple(e for _, _, e in kept))


def _decode(chars: list[_Char]) -> list[_Char]:
    """The same with bracket codes as emoji."""
    out: list[_Char] = []
    done = 0
    for code in _CODE.finditer("".join(c for c, _, _ in chars)):
        out += chars[done : code.start()]
        out.append((CODES[code[0]], chars[code.start()][1], chars[code.end() - 1][2]))
        done = code.end()
    return out + chars[done:]


def _segments(text: str) -> list[tuple[int, int]]:
    """The pieces that NFKC handles on their own: a starter and what may combine with it."""
    bounds = [0]
    bounds += [i for i in range(1, len(text)) if not combines(text[i])]
    return list(zip(bounds, [*bounds[1:], len(text)], strict=True)) if text else []


def combines(char: str) -> bool:
    """Whether NFKC may compose the character with what is before it: marks, kana marks, Hangul jamo."""
    decomposed = unicodedata.normalize("NFKD", char)[:1]
    return bool(unicodedata.combining(decomposed)) or "\u1161" <= decomposed <= "\u11ff"


def guess_language(text: str) -> Language:
    """zh where Han characters carry the text (one weighs as much as four Latin letters), else en.

    A text without letters (digits, emoji) counts as zh, the home market's language.
    """
    latin = sum(map(len, _LATIN.findall(text)))
    if latin == 0 or text.isascii():
        return "en" if latin else "zh"
    return "zh" if 4 * sum(map(len, _HAN.findall(text))) >= latin else "en"
