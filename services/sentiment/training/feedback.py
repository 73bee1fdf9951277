"""Corrections by people as labelled texts: the lines that `touchline sentiment feedback export` writes.

{"text", "lang": "zh|en", "label": "positive|neutral|negative|unsure" [, "emotion": …|"unsure"] [, "complaint": true|false]
 [, "said": {"probability": {…}}]}; other fields are left alone. "unsure" teaches nothing.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Final, cast

from services.sentiment.domain.score import EMOTIONS, LABELS
from services.sentiment.domain.shift import Calibration, judged
from services.sentiment.domain.text import Language, normalise
from services.sentiment.training.data import Example, split_of

WEIGHT: Final = 5.0
"""How many texts of other people's shops one of our own customers' counts for."""
_UNSURE: Final = "unsure"
_UNTOLD: Final = (None, _UNSURE, "unspecified")


class FeedbackError(Exception):
    """A line is not a correction; the message names the line, the field and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person said of a message; None where they said nothing or didn't know. `said` are the probabilities of LABELS then."""

    text: str
    language: Language
    label: int | None
    emotion: int | None
    complaint: bool | None
    said: tuple[float, ...] | None


def read(path: Path) -> list[Correction]:
    """All corrections, in order. Raises FeedbackError."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # a text may hold other line ends
    except (OSError, UnicodeDecodeError) as e:
        raise FeedbackError(f"--feedback: cannot read {path}: {e}") from e
    return list(_corrections(lines))


def _corrections(lines: Iterable[str]) -> Iterator[Correction]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            if not isinstance(found, dict):
                raise ValueError("it is no object")
            yield parse(found)
        except ValueError as e:
            raise FeedbackError(f"--feedback: line {number}: {e}") from e


def parse(found: dict[str, Any]) -> Correction:
    """One line's correction. Raises ValueError naming the field."""
    text, language = found.get("text"), found.get("lang")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("text: is missing or empty")
    if language not in ("zh", "en"):
        raise ValueError(f"lang: {language!r} is neither zh nor en")
    complaint = found.get("complaint")
    if complaint is not None and not isinstance(complaint, bool):
        raise ValueError(f"complaint: {complaint!r} is neither true nor false")
    return Correction(
        text,
        cast(Language, language),
        _place(found, "label", [*map(str, LABELS)]),
        _place(found, "emotion", [*map(str, EMOTIONS)]),
        complaint,
        _probabilities(found.get("said")),
    )


def _place(found: dict[str, Any], field: str, names: list[str]) -> int | None:
    value = found.get(field)
    if value in _UNTOLD:
        return None
    if value not in names:
        raise ValueError(f"{field}: {value!r} is none of {', '.join(names)}, {_UNSURE}")
    return names.index(value)


def _probabilities(said: Any) -> tuple[float, ...] | None:
    if said is None:
        return None
    try:
        row = tuple(float(said["probability"][label]) for label in LABELS)
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(f"said.probability: {e} is missing or malformed") from e
    if not all(0.0 <= p <= 1.0 for p in row):
        raise ValueError("said.probability: not within 0 and 1")
    return row


def examples(corrections: Iterable[Correction], language: Language) -> list[Example]:
    """The language's corrections for training, the last of equal texts; some are held back like any other set's."""
    source = f"feedback_{language}"
    latest: dict[str, Example] = {}
    for c in corrections:
        plain = normalise(c.text)
        if c.language != language or not plain or (c.label is None and c.emotion is None and c.complaint is None):
            continue
        latest.pop(plain, None)
        latest[plain] = Example(plain, source, split_of(plain, source), c.label, c.emotion, c.complaint, WEIGHT, WEIGHT)
    return list(latest.values())


def calibration(corrections: Iterable[Correction]) -> Calibration:
    """How the model's confidence at the time held against what people said."""
    judgements = (
        judged(max(c.said), c.said.index(max(c.said)) == c.label)
        for c in corrections
        if c.said is not None and c.label is not None
    )
    return reduce(lambda a, b: a + b, judgements, Calibration())
