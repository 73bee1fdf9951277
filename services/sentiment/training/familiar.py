"""Learns which n-grams are familiar, and how many unfamiliar ones are usual in texts that were not trained on."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from services.sentiment.domain.shift import Familiarity, known_slots
from services.sentiment.domain.text import Language, encode_normalised

LENGTH: Final[dict[Language, int]] = {"zh": 2, "en": 4}
"""Characters in an n-gram: about a word in Chinese, about a syllable in English."""
BITS: Final = 20
TEXTS: Final = 2
"""An n-gram is known where at least so many training texts have it: a typing error of one is not."""


def learn(language: Language, trained: Sequence[str], held: Sequence[str]) -> Familiarity:
    """What is familiar from the normalised training texts, and usual in the held back ones. Raises ValueError without texts."""
    if not trained or not held:
        raise ValueError(f"familiarity: no {language} texts to learn from")
    known = known_slots(encode_normalised(trained), LENGTH[language], BITS, TEXTS)
    shares = Familiarity(known, LENGTH[language], 0.0, 0.0).shares(encode_normalised(held))
    told = shares[~np.isnan(shares)]
    return Familiarity(known, LENGTH[language], float(told.mean()), float(told.std()))
