"""More texts for the network to learn from, which only the teacher can answer for: the beginning of one text and the end of another.

Small sets run out of texts long before a network has learnt what a teacher knows; what the teacher says of texts that nobody labelled
carries more of it over (Jiao et al. 2020 alter words for this; halves keep what is natural in each).
"""

import random
from collections.abc import Sequence
from typing import Final

from services.sentiment.domain.text import Language
from services.sentiment.training.data import TRAIN, Example

_SEED: Final = 20_261_124
_COPIES: Final[dict[Language, dict[str, int]]] = {
    "zh": {"weibo_covid_zh": 4, "waimai_zh": 1},
    "en": {"airline_en": 3, "complaints_en": 12, "random_tweets_en": 3},
}
"""How many texts are made from each of a set's."""
_STOPS: Final = frozenset("，。！？；,.!?; ~…")


def blended(examples: Sequence[Example], language: Language) -> list[str]:
    """The texts made from the training texts of the small sets, the same each time; each has both parts from one set."""
    dice = random.Random(_SEED)
    known, glue = {e.text for e in examples}, " " if language == "en" else ""
    made: dict[str, None] = {}
    for source, copies in _COPIES[language].items():
        texts = [e.text for e in examples if e.source == source and e.split == TRAIN]
        for text in texts:
            for _ in range(copies):
                other = dice.choice(texts)
                both = " ".join((text[: _cut(text, dice)] + glue + other[_cut(other, dice) :]).split())
                if both and both not in known:
                    made.setdefault(both)
    return list(made)


def _cut(text: str, dice: random.Random) -> int:
    """A place to cut near the middle, after a stop or a space where there is one."""
    middle = dice.randint(len(text) // 4, max(len(text) // 4, 3 * len(text) // 4))
    near = [i + 1 for i, c in enumerate(text[:-1]) if c in _STOPS and len(text) // 6 <= i <= 5 * len(text) // 6]
    return min(near, key=lambda i: abs(i - middle)) if near else middle
