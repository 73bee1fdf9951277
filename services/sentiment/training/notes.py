"""The teacher's notes: what it said of which text and what each word means to it, kept in a file so that it is asked once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.text import Language
from services.sentiment.training.data import TRAIN, Example

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Notes:
    """Answers by the text's key, vectors by word, the words of each language's network, and the texts that were blended for
    the teacher to answer (blends.py); all empty without a teacher."""

    answers: Mapping[int, Floats]
    vectors: Mapping[str, Floats]
    words: Mapping[Language, list[str]]
    blends: Mapping[Language, list[str]]

    def told(self) -> str:
        """What the network had from the teacher, for the model card."""
        if not self.vectors:
            return "without the teacher"
        words = "with the teacher's words (`make train TEACHER=1`): the network's begin with what they mean to it"
        return f"{words}, and it learnt from {len(self.answers)} of its answers" if self.answers else words

    @classmethod
    def of(cls, file: Path | None, examples: Mapping[Language, Sequence[Example]], seconds: float) -> "Notes":
        """The notes in the file, which are made where it is missing; `seconds` as for `make`."""
        if file is None:
            return cls({}, {}, *({language: [] for language in examples} for _ in range(2)))
        if not file.exists():
            cls.make(examples, seconds).save(file)
        with np.load(file, allow_pickle=False) as stored:
            words: dict[Language, list[str]] = {k: _text(stored[f"words_{k}"]) for k in examples}
            made: dict[Language, list[str]] = {k: _text(stored[f"blends_{k}"]) for k in examples}
            names = _text(stored["names"])
            vectors = dict(zip(names, stored["vectors"].astype(np.float32), strict=True))
            answers = dict(zip(stored["keys"].tolist(), stored["answers"].astype(np.float32), strict=True))
            return cls(answers, vectors, words, made)

    @classmethod
    def make(cls, examples: Mapping[Language, Sequence[Example]], seconds: float) -> "Notes":
        """Asks the teacher, after fine-tuning it for so many seconds; with none it only says what each word means to it."""
        from services.sentiment.training import blends, encoder, teacher, teaching, words

        pieces = list(teacher.load().tokeniser.pieces)
        known = {k: words.words([e.text for e in own if e.split == TRAIN], k, pieces) for k, own in examples.items()}
        made = {k: blends.blended(own, k) for k, own in examples.items()}
        spec = encoder.TuneSpec(group=teaching.EMOTIONS, seconds=seconds)
        answers, vectors = teaching.teach(examples, made, known, spec, None)
        return cls(answers, vectors, known, made)

    def save(self, file: Path) -> None:
        """Writes the notes."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            tables: dict[str, Any] = {f"words_{k}": _bytes(v) for k, v in self.words.items()}
            tables |= {f"blends_{k}": _bytes(v) for k, v in self.blends.items()}
            tables["keys"] = np.array(list(self.answers), dtype=np.uint64)
            tables["answers"] = np.array(list(self.answers.values()), dtype=np.float16)
            tables["names"] = _bytes(list(self.vectors))
            tables["vectors"] = np.array(list(self.vectors.values()), dtype=np.float16)
            np.savez_compressed(out, **tables)


def _bytes(words: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(words).encode(), np.uint8)


def _text(stored: NDArray[np.uint8]) -> list[str]:
    return stored.tobytes().decode().split("\n")
