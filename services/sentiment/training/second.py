"""The second opinion's training: what the optional teacher has to say, and the network that learns from it and the labels."""

import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.cascade import COMPLAINT, EMOTION, NEUTRAL, OUTPUTS, POLARITY
from services.sentiment.domain.network import Network
from services.sentiment.domain.text import Language
from services.sentiment.domain.units import SPECIAL, UNKNOWN_SIGN, UNKNOWN_WORD, Vocabulary
from services.sentiment.training import mixing, student, teacher, words
from services.sentiment.training.build import EMOTION_WEIGHT
from services.sentiment.training.data import TRAIN, Example

if TYPE_CHECKING:
    from services.sentiment.training import encoder
    from services.sentiment.training.notes import Notes

Floats = NDArray[np.float32]

SIZE: Final = 96
"""Numbers in a word's embedding."""
HINTS: Final = 48
"""Numbers in a hint."""
SHARE: Final = 0.8
"""How far the teacher's answer counts where the text has a label as well."""
_TAUGHT_ALONE: Final = 0.3
"""What the teacher's answer weighs where the text has no label."""
_HEAVIEST: Final = 5.0
EMOTIONS: Final = tuple(range(EMOTION.start, EMOTION.stop))
_KEPT: Final[dict[str, int]] = {
    "online_shopping_zh": 8_000,
    "atec_zh": 500,
    "citizens_zh": 300,
    "banking77_en": 200,
    "shop_chat_zh": 500,
    "shop_chat_en": 300,
    "asking_zh": 300,
    "asking_en": 200,
}
"""How many of a large set's texts the teacher sees; all of the others, and the small labelled ones twice."""
_TWICE: Final = ("weibo_covid_zh", "complaints_en")
_ASKED: Final[dict[str, int | None]] = {
    "online_shopping_zh": 20_000,
    **dict.fromkeys(("waimai_zh", "weibo_covid_zh", "airline_en", "complaints_en", "random_tweets_en")),
}
"""How many of a set's texts the teacher answers for, besides its lessons."""
TAUGHT: Final[dict[Language, tuple[int, ...]]] = {
    "zh": (POLARITY, NEUTRAL, *EMOTIONS),
    "en": (POLARITY, NEUTRAL, COMPLAINT),
}
"""The outputs that the teacher is believed in: no English text taught it which bad feeling, no Chinese post that it complains."""

_REPEATED: Final[dict[str, int]] = {"weibo_covid_zh": 3, "waimai_zh": 2, "complaints_en": 2}
"""Small sets that are read so often in a round: else the large ones' lesson is over before theirs is learnt."""

STUDENT: Final[dict[Language, student.StudentSpec]] = {
    "zh": student.StudentSpec(group=EMOTIONS, channels=192, hidden=96, epochs=5, word_dropout=0.2, seed=11),
    "en": student.StudentSpec(group=EMOTIONS, epochs=9),
}


def key(text: str) -> int:
    """A text's name in the teacher's notes."""
    encoded = text.encode("utf-8", "surrogatepass")
    return zlib.crc32(encoded) << 32 | zlib.crc32(encoded, 1)


def lessons_for_teacher(examples: Sequence[Example], language: Language) -> tuple[list[str], Floats, Floats]:
    """The texts that the teacher learns from, with what it is to say: only outputs that it is believed in (TAUGHT)."""
    taken: list[Example] = []
    for source in sorted({e.source for e in examples}):
        mine = sorted((e for e in examples if e.source == source and e.split == TRAIN), key=lambda e: key(e.text))
        taken += mine[: _KEPT.get(source)] * (2 if source in _TWICE else 1)
    target, weight = mixing.targets(taken)
    weight = np.minimum(weight, _HEAVIEST)
    weight[:, EMOTION] *= np.array([EMOTION_WEIGHT.get(e.source, 1.0) for e in taken])[:, None]
    weight[:, [c for c in range(len(OUTPUTS)) if c not in TAUGHT[language]]] = 0
    return [e.text for e in taken], target.astype(np.float32), weight.astype(np.float32)


def hints(views: Floats) -> Floats:
    """How the teacher sees each text, in HINTS numbers of like size: more to learn from than what it answers (Jiao et al. 2020)."""
    own = words.reduced(views, HINTS)
    return np.asarray((own - own.mean(axis=0)) / np.maximum(own.std(), 1e-6), dtype=np.float32)


def asked(examples: Sequence[Example]) -> list[str]:
    """The texts besides the lessons that the teacher answers for: the small sets whole, some of the large one."""
    found = []
    for source, most in _ASKED.items():
        mine = sorted((e for e in examples if e.source == source), key=lambda e: key(e.text))
        found += [e.text for e in mine[:most]]
    return found


def teach(
    examples: Mapping[Language, Sequence[Example]],
    blends: Mapping[Language, Sequence[str]],
    vocabulary: Mapping[Language, Sequence[str]],
    spec: "encoder.TuneSpec",
    folder: Path | None,
) -> tuple[Mapping[int, Floats], dict[str, Floats]]:
    """Fine-tunes the teacher for each language, half of `spec.seconds` each (if any), and asks it about the texts that it was
    taught, the other texts of the small sets and the blends; and before that, what each word means to it: a vector."""
    from services.sentiment.training import encoder  # only who asks the teacher has PyTorch

    whole = teacher.load(folder)
    begun = time.monotonic()
    names = list(dict.fromkeys(w for known in vocabulary.values() for w in known))
    plain = encoder.Encoder(whole, len(OUTPUTS), spec).eval()
    _, vectors = encoder.answers(whole, plain, encoder.tokens(whole, names, spec.longest))
    print(f"teacher: {len(names)} words, {time.monotonic() - begun:.0f} s", flush=True)
    found: dict[int, Floats] = {}
    for language, own in examples.items() if spec.seconds > 0 else ():
        texts, target, weight = lessons_for_teacher(own, language)
        share = replace(spec, seconds=spec.seconds / len(examples))
        lessons = encoder.tokens(whole, texts, spec.longest)
        tuned = encoder.tune(whole, lessons, target, weight, share, f"teacher for {language}")
        some = list(dict.fromkeys([*texts, *asked(own), *blends[language]]))
        print(f"teacher: {len(some)} texts to answer for, {time.monotonic() - begun:.0f} s", flush=True)
        out, views = encoder.answers(whole, tuned, encoder.tokens(whole, some, spec.longest))
        told = np.concatenate([out, hints(views)], axis=1)
        found |= {key(t): o for t, o in zip(some, told, strict=True)}
        print(f"teacher: {len(some)} answers, {time.monotonic() - begun:.0f} s", flush=True)
    return found, dict(zip(names, vectors, strict=True))


def targets(
    examples: Sequence[Example], answers: Mapping[int, Floats], language: Language, blends: Sequence[str] = ()
) -> tuple[Floats, Floats]:
    """What the network is to say: the labels, softened by the teacher's answers; then of the blends its answers alone."""
    target, weight = mixing.targets(examples)
    weight = np.minimum(weight, _HEAVIEST)
    weight[:, EMOTION] *= np.array([EMOTION_WEIGHT.get(e.source, 1.0) for e in examples])[:, None]
    target, weight = (np.concatenate([a, np.zeros((len(blends), len(OUTPUTS)))]) for a in (target, weight))
    texts = [*(e.text for e in examples), *blends]
    known = [(i, answers[k]) for i, k in enumerate(map(key, texts)) if k in answers]
    if known:
        rows = np.array([i for i, _ in known])[:, None]
        columns = np.array(TAUGHT[language])
        odds = np.stack([a[: len(OUTPUTS)] for _, a in known]).astype(np.float64)
        soft = 1 / (1 + np.exp(-odds))
        spread = np.exp(odds[:, EMOTION] - odds[:, EMOTION].max(axis=1, keepdims=True))
        soft[:, EMOTION] = spread / spread.sum(axis=1, keepdims=True)
        soft = soft[:, columns]
        labelled = weight[rows, columns] > 0
        target[rows, columns] = np.where(labelled, (1 - SHARE) * target[rows, columns] + SHARE * soft, soft)
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
    notes: "Notes",
    spec: student.StudentSpec | None = None,
) -> tuple[Network, student.Params]:
    """The network of a language, trained on all of the examples; its parameters as they are kept (in 8 bits)."""
    spec = spec or STUDENT[language]
    # A mistyped word is one that the network doesn't know: only the letters' n-grams learn from it.
    examples = [e for e in examples if e.source != "mistyped_en" for _ in range(_REPEATED.get(e.source, 1))]
    made = [t for t in notes.blends.get(language, ()) if key(t) in notes.answers]
    target, weight = targets(examples, notes.answers, language, made)
    texts = [*(e.text for e in examples), *made]
    data = student.lessons(vocabulary, texts, target, weight, _hints(texts, notes.answers))
    start = student.start(embedding(vocabulary, notes.vectors, spec.seed), len(OUTPUTS), spec, data.hints.shape[1])
    params = student.train(start, data, spec, f"{language} network")
    kept = replace_embedding(params)
    return student.network(vocabulary, kept), kept


def replace_embedding(params: student.Params) -> student.Params:
    """The parameters with embeddings that 8 bits can hold: a row's numbers in 127ths of its largest."""
    rows, scale = packed(np.asarray(params["embedding"]))
    return params | {"embedding": rows.astype(np.float32) * scale[:, None]}


def packed(rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """The rows in 8 bits each and what a step is worth in each."""
    scale = np.maximum(np.abs(rows).max(axis=1), 1e-6) / 127
    return np.rint(rows / scale[:, None]).astype(np.int8), scale.astype(np.float32)
