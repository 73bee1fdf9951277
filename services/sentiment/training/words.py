"""Which words the network knows, and what it knows of them before it is trained."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.text import Language, normalise
from services.sentiment.domain.units import LONGEST_WORD, distinct

Floats = NDArray[np.float32]

WORDS: Final[dict[Language, int]] = {"zh": 20_000, "en": 12_000}
"""At most so many: each costs memory in every process that serves."""
_UNIT: Final = re.compile(r"[0-9a-z'\u00c0-\u024f]+|[\u3400-\u9fff]+|\S")
_HAN: Final = re.compile(r"[\u3400-\u9fff]+")
_OFTEN: Final = 3
_COHESION: Final = 2.0


def words(texts: Sequence[str], language: Language, pieces: Sequence[str] = ()) -> list[str]:
    """The words of normalised texts that are worth knowing, then the Chinese among `pieces` (a teacher's, the likeliest first).

    A teacher knows what a word means that the texts have only once; its pieces say which characters make a word.
    """
    seen = counted(texts)
    known = {normalise(p.lstrip("\u2581")): None for p in pieces}
    total = sum(n for w, n in seen.items() if len(w) == 1)

    def worth(word: str, times: int) -> bool:
        if len(word) == 1 or not _HAN.match(word):
            return times >= (1 if pieces and language == "en" else _OFTEN)
        return times >= _OFTEN and (word in known if known else _holds(word, seen, total))

    chosen = [w for w, n in seen.most_common() if worth(w, n)][: WORDS[language]]
    further = [p for p in known if language == "zh" and len(p) <= LONGEST_WORD and _HAN.fullmatch(p)]
    return distinct(list(dict.fromkeys([*chosen, *further])))[: WORDS[language]]


def counted(texts: Sequence[str]) -> Counter[str]:
    """How often each possible word occurs: Latin words, characters, and runs of up to LONGEST_WORD Chinese characters."""
    seen: Counter[str] = Counter()
    for text in texts:
        for unit in _UNIT.findall(text):
            if _HAN.match(unit):
                for n in range(1, LONGEST_WORD + 1):
                    seen.update([unit[i : i + n] for i in range(len(unit) - n + 1)])
            else:
                seen[re.sub(r"[0-9]", "0", unit)] += 1
    return seen


def _holds(word: str, seen: Counter[str], total: int) -> bool:
    """Whether the characters stand together far more often than by chance (pointwise mutual information)."""
    if seen[word] < 10 * _OFTEN:
        return False
    splits = [seen[word[:i]] * seen[word[i:]] / total for i in range(1, len(word))]
    return bool(np.log(seen[word] / max(splits)) > _COHESION)


def random_embedding(count: int, size: int, seed: int) -> Floats:
    """What words mean where nobody has told."""
    return np.asarray(np.random.default_rng(seed).normal(0, 0.1, (count, size)), dtype=np.float32)


def reduced(vectors: Floats, size: int) -> Floats:
    """The `size` directions in which the vectors differ most (principal components), at the scale of a random start."""
    centred = vectors.astype(np.float32) - vectors.mean(axis=0, dtype=np.float32)
    _, _, directions = np.linalg.svd(centred.T @ centred)
    kept = centred @ directions[:size].T
    return np.asarray(0.1 * kept / kept.std(), dtype=np.float32)
