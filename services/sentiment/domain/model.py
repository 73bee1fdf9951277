"""The linear model: two sparse sums over character n-grams, one probability each.

For a normalised text with n-grams g1…gm, each head's score is

    z = bias + (1/√m) · Σ weight[hash(gi)],   p = 1 / (1 + e^(-z / temperature))

The neutral head says how likely the text holds no opinion, the polar head which way an opinion goes:

    P(neutral) = p_neutral,   P(positive) = (1 - p_neutral) · p_polar,   the rest is negative.

Kept apart because they learn from different data: Chinese reviews know no neutral, questions no praise.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.score import LABELS, Emotion, Evidence, Label, Score, Target
from services.sentiment.domain.text import Language, guess_language, ngram_hashes, normalise

__all__ = ["LABELS", "Emotion", "Evidence", "Head", "Label", "LinearModel", "Score", "SentimentModel", "Target"]

_SURE: Final = 30.0
"""Log odds beyond which a probability is not told apart from 0 or 1."""


@dataclass(frozen=True, slots=True)
class Head:
    """One binary decision. `weights` has 2^bits small integers; `scale` is the worth of one of them."""

    weights: NDArray[np.int8]
    scale: float
    bias: float
    temperature: float

    @property
    def bits(self) -> int:
        """log2 of the table's length."""
        return int(self.weights.size).bit_length() - 1


@dataclass(frozen=True, slots=True)
class LinearModel:
    """The heads of one language, its longest n-gram, and the confidence below which it is unsure."""

    polar: Head
    neutral: Head
    longest: int
    threshold: float


class SentimentModel:
    """Scores texts of any supported language; holds no state besides its weights."""

    def __init__(self, languages: Mapping[Language, LinearModel]) -> None:
        self._languages = dict(languages)

    def score(self, text: str, language: Language | None = None) -> Score:
        """The score of one text; its language is guessed where it isn't given. Raises ValueError."""
        plain = normalise(text)
        spoken = language or guess_language(plain)
        model = self._model(spoken)
        return _score(spoken, model.threshold, probabilities_of_one(model, plain))

    def score_batch(self, texts: Sequence[str], languages: Sequence[Language | None] | None = None) -> list[Score]:
        """One score per text, in order; the same as scoring each alone, faster. Raises ValueError for an unknown language."""
        given = languages if languages is not None else [None] * len(texts)
        plain = [normalise(t) for t in texts]
        spoken = [g or guess_language(t) for g, t in zip(given, plain, strict=True)]
        scores: dict[int, Score] = {}
        for language in dict.fromkeys(spoken):
            model = self._model(language)
            mine = [i for i, spoke in enumerate(spoken) if spoke == language]
            rows = probabilities(model, [plain[i] for i in mine]).tolist()
            scores.update((i, _score(language, model.threshold, row)) for i, row in zip(mine, rows, strict=True))
        return [scores[i] for i in range(len(texts))]

    def _model(self, language: Language) -> LinearModel:
        model = self._languages.get(language)
        if model is None:
            raise ValueError(f"language: no model for {language!r}, known: {sorted(self._languages)}")
        return model


def probabilities(model: LinearModel, plain: Sequence[str]) -> NDArray[np.float64]:
    """P(negative), P(neutral), P(positive) of each normalised text: an array of len(plain) × 3."""
    bits = max(model.polar.bits, model.neutral.bits)
    hashes, owners = ngram_hashes(plain, model.longest, bits)
    lengths = np.bincount(owners, minlength=len(plain))
    polar, neutral = (
        head_probabilities(head, hashes >> (bits - head.bits), owners, lengths) for head in (model.polar, model.neutral)
    )
    return np.stack([(1 - neutral) * (1 - polar), neutral, (1 - neutral) * polar], axis=1)


def head_probabilities(
    head: Head, hashes: NDArray[np.int64], owners: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The head's probability for each text, from its n-grams' table indices and their number."""
    sums = np.bincount(owners, weights=head.weights.take(hashes), minlength=len(lengths))
    z = (head.bias + head.scale * sums / np.sqrt(lengths)) / head.temperature
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -_SURE, _SURE))), dtype=np.float64)


def probabilities_of_one(model: LinearModel, plain: str) -> tuple[float, float, float]:
    """`probabilities` of one text, without what arrays cost where there is one number in them."""
    bits = max(model.polar.bits, model.neutral.bits)
    hashes, _ = ngram_hashes([plain], model.longest, bits)
    polar, neutral = (
        _one_probability(head, hashes if head.bits == bits else hashes >> (bits - head.bits))
        for head in (model.polar, model.neutral)
    )
    return (1 - neutral) * (1 - polar), neutral, (1 - neutral) * polar


def _one_probability(head: Head, hashes: NDArray[np.int64]) -> float:
    total = int(head.weights.take(hashes).sum(dtype=np.int64))
    z = (head.bias + head.scale * total / math.sqrt(len(hashes))) / head.temperature
    return 1.0 / (1.0 + math.exp(-min(max(z, -_SURE), _SURE)))


def _score(language: Language, threshold: float, row: Sequence[float]) -> Score:
    negative, neutral, positive = row
    confidence = max(row)
    label = LABELS[row.index(confidence)] if confidence >= threshold else "unsure"
    return Score(language, label, positive - negative, confidence, negative, neutral, positive)
