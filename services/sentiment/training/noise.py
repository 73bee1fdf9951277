"""Typing errors for English training texts: two letters of a word that changed places, so that a rare spelling is read by its letters."""

import random
import re
import zlib
from typing import Final

_WORD: Final = re.compile(r"[a-z]{4,}")
_SEED: Final = 5


def mistyped(text: str) -> str:
    """The normalised text with two neighbouring letters of one of its longer words swapped; itself where there is none.

    The same for the same text; a name after @ and a link stay as they are.
    """
    dice = random.Random(zlib.crc32(text.encode("utf-8", "surrogatepass"), _SEED))
    places = [
        m.start() + i
        for m in _WORD.finditer(text)
        if text[max(0, m.start() - 1) : m.start()] != "@" and not m[0].startswith("http")
        for i in range(1, len(m[0]) - 2)
        if m[0][i] != m[0][i + 1]
    ]
    if not places:
        return text
    at = dice.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
