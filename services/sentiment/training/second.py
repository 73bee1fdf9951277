"""The second opinion's training: a network that learns from the labels, and from what the optional teacher said or the former network says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.cascade import EMOTION, OUTPUTS
from services.sentiment.domain.network import Network
from services.sentiment.domain.text import Language
from services.sentiment.domain.units import SPECIAL, UNKNOWN_SIGN, UNKNOWN_WORD, Vocabulary
from services.sentiment.training import blends, mixing, student, words
from services.sentiment.training.build import EMOTION_WEIGHT, network_odds
from services.sentiment.training.data import Example
from services.sentiment.training.former import Former
from services.sentiment.training.notes import Notes
from services.sentiment.training.teaching import EMOTIONS, HEAVIEST, TAUGHT, key

Floats = NDArray[np.float32]

SIZE: Final = 96
"""Numbers in a word's embedding."""
SHARE: Final = 0.8
"""How far the teacher's answer counts where the text has a label as well."""
FORMER_SHARE: Final = 0.6
"""How far the former network's answer counts beside a label."""
_TAUGHT_ALONE: Final = 0.3
"""What the teacher's answer weighs where the text has no label."""
_REPEATED: Final[dict[str, int]] = {"weibo_covid_zh": 3, "waimai_zh": 2, "complaints_en": 2}
"""Small sets that are read so often in a round: else the large ones' lesson is over before theirs is learnt."""

STUDENT: Final[dict[Language, student.StudentSpec]] = {
    "zh": student.StudentSpec(group=EMOTIONS, channels=192, hidden=96, epochs=9, word_dropout=0.2, seed=11),
    "en": student.StudentSpec(group=EMOTIONS, epochs=9),
}
_AGAIN_EPOCHS: Final = 3
_AGAIN_RATE: Final = 6e-4
"""How a network that begins as a copy goes on: not long, and gently."""
_UNTAUGHT: Final = ("negation_", "feedback_")
"""Sets that are there because the former network is wrong about them: it isn't asked."""


def targets(
    examples: Sequence[Example],
    answers: Mapping[int, Floats],
    language: Language,
    blends: Sequence[str] = (),
    share: float = SHARE,
    believed: Sequence[int] | None = None,
) -> tuple[Floats, Floats]:
    """What the network is to say: the labels, softened by `share` of the teacher's answers; then of the blends its answers alone.

    believed: the outputs that the answers are believed in; those that the teacher knows of, unless told otherwise.
    """
    target, weight = mixing.targets(examples)
    weight = np.minimum(weight, HEAVIEST)
    weight[:, EMOTION] *= np.array([EMOTION_WEIGHT.get(e.source, 1.0) for e in examples])[:, None]
    target, weight = (np.concatenate([a, np.zeros((len(blends), len(OUTPUTS)))]) for a in (target, weight))
    texts = [*(e.text for e in examples), *blends]
    known = [(i, answers[k]) for i, k in enumerate(map(key, texts)) if k in answers]
    if known:
        rows = np.array([i for i, _ in known])[:, None]
        columns = np.array(TAUGHT[language] if believed is None else believed)
        odds = np.stack([a[: len(OUTPUTS)] for _, a in known]).astype(np.float64)
        soft = 1 / (1 + np.exp(-odds))
        spread = np.exp(odds[:, EMOTION] - odds[:, EMOTION].max(axis=1, keepdims=True))
        soft[:, EMOTION] = spread / spread.sum(axis=1, keepdims=True)
        soft = soft[:, columns]
        labelled = weight[rows, columns] > 0
        target[rows, columns] = np.where(labelled, (1 - share) * target[rows, columns] + share * soft, soft)
        weight[rows, columns] = np.where(labelled, weight[rows, columns], _TAUGHT_ALONE)
    return target.astype(np.float32), weight.astype(np.float32)


def _hints(texts: Sequence[str], answers: Mapping[int, Floats]) -> Floats:
    """What the teacher hints at for each text; not a number where it was not asked."""
    size = max((len(a) for a in answers.values()), default=len(OUTPUTS)) - len(OUTPUTS)
    nothing = np.full(len(OUTPUTS) + size, np.nan, np.float32)
    return np.stack([answers.get(key(t), nothing)[len(OUTPUTS) :] for t in texts]).astype(np.float32)


def embedding(vocabulary: Vocabulary, vectors: Mapping[str, Floats] | None, seed: int) -> Floats:
    """Where the words' embeddings start: at the teacher's vectors in fewer dimensions, or at random."""
    if not vectors:
        own = words.random_embedding(len(vocabulary.words), SIZE, seed)
    else:
        own = words.reduced(np.stack([vectors[w] for w in vocabulary.words]), SIZE)
    special = np.zeros((SPECIAL, SIZE), np.float32)
    special[[UNKNOWN_WORD, UNKNOWN_SIGN]] = own.mean(axis=0)
    return np.concatenate([special, own])


def train(
    language: Language,
    examples: Sequence[Example],
    vocabulary: Vocabulary,
    notes: Notes,
    former: Former | None = None,
    spec: student.StudentSpec | None = None,
) -> tuple[Network, student.Params]:
    """The network of a language, trained on all of the examples; its parameters as they are kept (in 8 bits).

    former: what it goes on from, where there are no notes; its words are the vocabulary's.
    """
    spec = spec or STUDENT[language]
    # A mistyped word is one that the network doesn't know: only the letters' n-grams learn from it.
    repeated = [e for e in examples if e.source != "mistyped_en" for _ in range(_REPEATED.get(e.source, 1))]
    if former is None:
        answers, share, believed = notes.answers, SHARE, TAUGHT[language]
        made = [t for t in notes.blends.get(language, ()) if key(t) in answers]
    else:
        made = blends.blended(examples, language)
        # The former network has learnt all outputs, also those that no teacher was told of.
        answers, share, believed = _answered(former, examples, made), FORMER_SHARE, tuple(range(len(OUTPUTS)))
    target, weight = targets(repeated, answers, language, made, share, believed)
    texts = [*(e.text for e in repeated), *made]
    data = student.lessons(vocabulary, texts, target, weight, _hints(texts, answers))
    if former is None:
        begin = embedding(vocabulary, notes.vectors, spec.seed)
        start = student.start(begin, len(OUTPUTS), spec, data.hints.shape[1])
    else:
        spec = replace(spec, epochs=_AGAIN_EPOCHS, rate=_AGAIN_RATE)
        nothing = np.zeros((2 * len(former.params["bias"]), 0), np.float32)
        start = dict(former.params) | {"hint": nothing}
    params = student.train(start, data, spec, f"{language} network")
    kept = replace_embedding(params)
    return student.network(vocabulary, kept), kept


def _answered(former: Former, examples: Sequence[Example], made: Sequence[str]) -> dict[int, Floats]:
    texts = [*(e.text for e in examples if not e.source.startswith(_UNTAUGHT)), *made]
    odds = network_odds(former.network, texts).astype(np.float32)
    return {key(t): o for t, o in zip(texts, odds, strict=True)}


def replace_embedding(params: student.Params) -> student.Params:
    """The parameters with embeddings that 8 bits can hold: a row's numbers in 127ths of its largest."""
    rows, scale = packed(np.asarray(params["embedding"]))
    return params | {"embedding": rows.astype(np.float32) * scale[:, None]}


def packed(rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """The rows in 8 bits each and what a step is worth in each."""
    scale = np.maximum(np.abs(rows).max(axis=1), 1e-6) / 127
    return np.rint(rows / scale[:, None]).astype(np.int8), scale.astype(np.float32)
