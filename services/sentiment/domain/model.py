"""Scores texts: language, polarity, emotion, complaint, what it is about, and where each shows.

See `cascade` for how a language's outputs come about, `evidence` for where they show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain import cascade, evidence
from services.sentiment.domain.cascade import OUTPUTS, Answers, LanguageModel
from services.sentiment.domain.encode import Encoded, encode, languages
from services.sentiment.domain.score import EMOTIONS, LABELS, Emotion, EmotionLabel, Evidence, Label, Score, Target
from services.sentiment.domain.targets import TargetModel
from services.sentiment.domain.text import Language, Normalised, normalise_with_offsets

__all__ = ["EMOTIONS", "LABELS", "Emotion", "Evidence", "Explained", "Label", "Score", "SentimentModel", "Target"]

BATCH: Final = 1024
"""Texts scored at a time: more would only need more memory."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A score with where it shows. For an output, the stretches' weights and its `rest` add up to its `log_odds`.

    The rest is the bias and, where the network gave its second opinion (`asked`), what that added.
    """

    score: Score
    evidence: tuple[Evidence, ...]
    rest: Mapping[str, float]
    log_odds: Mapping[str, float]
    asked: bool


class SentimentModel:
    """Scores texts of any supported language; holds no state besides its weights."""

    def __init__(self, models: Mapping[Language, LanguageModel], targets: TargetModel | None = None) -> None:
        self._models = dict(models)
        self._targets = targets

    def score(self, text: str, language: Language | None = None) -> Score:
        """The score of one text; its language is guessed where it isn't given. Raises ValueError."""
        return self.score_batch((text,), (language,))[0]

    def score_batch(self, texts: Sequence[str], given: Sequence[Language | None] | None = None) -> list[Score]:
        """One score per text, in order; to rounding, the same as scoring each alone, and faster. Raises ValueError for an unknown language."""
        scores: list[Score] = []
        for start in range(0, len(texts), BATCH):
            mine = given[start : start + BATCH] if given is not None else None
            scores += self._each(texts[start : start + BATCH], mine)
        return scores

    def explain(self, text: str, language: Language | None = None) -> tuple[Evidence, ...]:
        """Where the score of one text shows. Raises ValueError for an unknown language."""
        return self.explain_batch((text,), (language,))[0].evidence

    def explain_batch(self, texts: Sequence[str], given: Sequence[Language | None] | None = None) -> list[Explained]:
        """Scores with their evidence, in order. Raises ValueError for an unknown language."""
        explained: list[Explained] = []
        for start in range(0, len(texts), BATCH):
            chunk = texts[start : start + BATCH]
            mine = given[start : start + BATCH] if given is not None else None
            own: dict[int, Explained] = {}
            for language, which, encoded in self._sorted(chunk, mine):
                own.update(zip(which, self._explained(language, [chunk[i] for i in which], encoded), strict=True))
            explained += [own[i] for i in range(len(chunk))]
        return explained

    def answers(self, language: Language, encoded: Encoded) -> Answers:
        """The outputs of texts of one language as arrays: the fastest way. Raises ValueError."""
        return cascade.answer(self.of(language), encoded)

    def of(self, language: Language) -> LanguageModel:
        """A language's model. Raises ValueError."""
        model = self._models.get(language)
        if model is None:
            raise ValueError(f"language: no model for {language!r}, known: {sorted(self._models)}")
        return model

    def _each(self, texts: Sequence[str], given: Sequence[Language | None] | None) -> list[Score]:
        own: dict[int, Score] = {}
        for language, which, encoded in self._sorted(texts, given):
            own.update(zip(which, self._scores(language, encoded, self.answers(language, encoded)), strict=True))
        return [own[i] for i in range(len(texts))]

    def _sorted(
        self, texts: Sequence[str], given: Sequence[Language | None] | None
    ) -> list[tuple[Language, list[int], Encoded]]:
        """The texts by language, with their places."""
        encoded = encode(texts)
        spoken = languages(encoded)
        if given is not None:
            spoken = [g or s for g, s in zip(given, spoken, strict=True)]
        kinds = list(dict.fromkeys(spoken))
        for kind in kinds:
            self.of(kind)
        if len(kinds) == 1:
            return [(kinds[0], list(range(len(texts))), encoded)]
        sets = []
        for kind in kinds:
            mine: NDArray[np.bool_] = np.fromiter((s == kind for s in spoken), dtype=np.bool_, count=len(spoken))
            sets.append((kind, np.flatnonzero(mine).tolist(), encoded.take(mine)))
        return sets

    def _explained(self, language: Language, texts: Sequence[str], encoded: Encoded) -> list[Explained]:
        model = self.of(language)
        answers = self.answers(language, encoded)
        scores = self._scores(language, encoded, answers)
        parts = cascade.parts(model, encoded, answers)
        explained = []
        at = 0
        for i, (text, size, score) in enumerate(zip(texts, encoded.sizes.tolist(), scores, strict=True)):
            plain = normalise_with_offsets(text)
            found: list[Evidence] = []
            odds: dict[str, float] = {}
            rest: dict[str, float] = {}
            for column in _shown(score.emotion.probability):
                mine = evidence.spans(plain, parts[at : at + size, column], OUTPUTS[column])
                found += mine
                odds[OUTPUTS[column]] = float(answers.log_odds[i, column])
                rest[OUTPUTS[column]] = odds[OUTPUTS[column]] - sum(e.weight for e in mine)
            if score.targets and self._targets:
                found += _mentions(self._targets, plain, score)
            explained.append(Explained(score, tuple(found), rest, odds, bool(answers.asked[i])))
            at += size
        return explained

    def _scores(self, language: Language, encoded: Encoded, answers: Answers) -> list[Score]:
        model = self.of(language)
        label, emotion = answers.label(), answers.emotion()
        targets = self._targets.of_batch(encoded, [language] * len(encoded)) if self._targets else [()] * len(encoded)
        rows = zip(
            label.tolist(),
            label.argmax(axis=1).tolist(),
            emotion.tolist(),
            emotion.argmax(axis=1).tolist(),
            answers.strength().tolist(),
            answers.complaint().tolist(),
            targets,
            strict=True,
        )
        scores = []
        for row, best, feels, feel, strength, complaint, about in rows:
            negative, neutral, positive = row
            confidence = row[best]
            named: Label = LABELS[best] if confidence >= model.unsure else "unsure"
            felt: EmotionLabel = EMOTIONS[feel] if feels[feel] >= model.emotion_unsure else "unsure"
            emotional = Emotion(felt, tuple(feels), strength)
            polarity = positive - negative
            scores.append(
                Score(language, named, polarity, confidence, negative, neutral, positive, emotional, complaint, about)
            )
        return scores


def _shown(emotion: Sequence[float]) -> tuple[int, ...]:
    """The outputs that are explained: polarity, complaint, the likeliest emotion."""
    likeliest = max(range(len(EMOTIONS)), key=lambda i: emotion[i])
    return cascade.POLARITY, cascade.COMPLAINT, cascade.EMOTION.start + likeliest


def _mentions(targets: TargetModel, plain: Normalised, score: Score) -> list[Evidence]:
    """The words behind the targets that are named; of a word that the lexicon has twice for a stage, the sum, once."""
    named = {t.stage for t in score.targets}
    found: dict[tuple[int, int, str], float] = {}
    for m in targets.mentions(plain.text, score.language):
        if m.stage in named:
            where = (*plain.span(m.start, m.end), f"target:{m.stage}")
            found[where] = found.get(where, 0.0) + m.weight
    return [Evidence(start, end, weight, output) for (start, end, output), weight in found.items()]
