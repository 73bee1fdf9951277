"""What the optional teacher is taught, and what it is asked: its answers, its view of each text, and what each word means to it."""

import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.cascade import COMPLAINT, EMOTION, NEUTRAL, OUTPUTS, POLARITY
from services.sentiment.domain.text import Language
from services.sentiment.training import mixing, teacher, words
from services.sentiment.training.build import EMOTION_WEIGHT
from services.sentiment.training.data import TRAIN, Example

if TYPE_CHECKING:
    from services.sentiment.training import encoder

Floats = NDArray[np.float32]

HINTS: Final = 48
"""Numbers in a hint."""
HEAVIEST: Final = 5.0
"""What one label weighs at most, however rare its kind."""
EMOTIONS: Final = tuple(range(EMOTION.start, EMOTION.stop))
_KEPT: Final[dict[str, int]] = {
    "online_shopping_zh": 14_000,
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
    weight = np.minimum(weight, HEAVIEST)
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
