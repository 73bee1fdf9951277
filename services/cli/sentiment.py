"""`touchline sentiment score`: JSON lines in, one answer a line out, in the same order."""

import io
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from services.cli.common import fail
from services.cli.feedback import feedback

if TYPE_CHECKING:  # imported when a text is scored: `touchline --help` must not wait for numpy
    from services.sentiment.domain.model import Explained, SentimentModel
    from services.sentiment.domain.text import Language

_CHUNK: Final = 1 << 18
_LANGUAGES: "Final[dict[Any, Language | None]]" = {None: None, "zh": "zh", "en": "en"}
_DIGITS: Final = 6
"""Decimals of the probabilities that are written: more than the weights carry."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One line's question, or what is wrong with the line (`error`)."""

    line: int
    id: Any = None
    text: str = ""
    language: "Language | None" = None
    error: str | None = None


@click.group(short_help="Sentiment of what customers say. 客户言语的情绪。")
def sentiment() -> None:
    """Sentiment of what customers say. 客户言语的情绪。"""


sentiment.add_command(feedback)


@sentiment.command(short_help="Score texts, JSON lines in and out. 为文本打分。")
def score() -> None:
    """Scores messages: {"id","text"[,"lang"]} a line in; a line out with id, lang, label, polarity, probability,
    emotion, targets, complaint and evidence: which characters speak for what, and how much. 逐行打分，并给出依据。

    A line that can't be read is answered in its place by {"line","error"}, and the exit status becomes 1. 无法读取的行原位返回错误，退出码为 1。
    """
    from services.sentiment.model import ModelError, load

    if sys.stdin is None:
        fail("standard input is closed. 标准输入已关闭。")
    try:
        model = load()
    except ModelError as error:
        fail(error)
    failed = False
    line = 0
    for chunk in lines(sys.stdin.buffer):
        asked = [read(raw, line + i) for i, raw in enumerate(chunk, start=1)]
        line += len(chunk)
        failed |= any(a.error for a in asked)
        sys.stdout.write("".join(answer + "\n" for answer in answers(model, asked)))
        sys.stdout.flush()
    sys.exit(1 if failed else 0)


def lines(stream: BinaryIO) -> Iterator[list[bytes]]:
    """The stream's lines as they come: all complete ones that are there, without waiting for more."""
    begun: list[bytes] = []  # of a line that has not ended yet: put together once, however many pieces it comes in
    read_some = stream.read1 if isinstance(stream, io.BufferedReader) else stream.read
    while chunk := read_some(_CHUNK):
        first, *others = chunk.split(b"\n")
        begun.append(first)
        if others:
            *complete, rest = b"".join(begun), *others
            begun = [rest]
            yield complete
    if rest := b"".join(begun):
        yield [rest]


def read(raw: bytes, line: int) -> Asked:
    """What the line asks, or its error."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return Asked(line, error="not JSON")
    if not isinstance(value, dict):
        return Asked(line, error="not a JSON object")
    if "id" not in value:
        return Asked(line, error="id: missing")
    asked_id = value["id"]
    finite = math.isfinite(asked_id) if isinstance(asked_id, float) else isinstance(asked_id, str | int | None)
    if not finite:
        return Asked(line, error="id: neither a string, a finite number, true, false nor null")
    text = value.get("text")
    if not isinstance(text, str):
        return Asked(line, error="text: missing" if text is None else "text: not a string")
    if not text.strip():
        return Asked(line, error="text: empty")
    lang = value.get("lang")
    if not (lang is None or isinstance(lang, str)) or lang not in _LANGUAGES:
        return Asked(line, error="lang: neither zh nor en")
    return Asked(line, asked_id, text, _LANGUAGES[lang])


def answers(model: "SentimentModel", asked: list[Asked]) -> Iterator[str]:
    """One JSON object per line, in order."""
    good = [a for a in asked if a.error is None]
    scores = iter(model.explain_batch([a.text for a in good], [a.language for a in good]))
    for a in asked:
        value = {"line": a.line, "error": a.error} if a.error else answer(a.id, next(scores))
        yield json.dumps(value, separators=(",", ":"))


def answer(asked_id: Any, explained: "Explained") -> dict[str, Any]:
    """The answer's object; `probability` is given also under "unsure".

    An output's evidence and its `rest` (bias, and what the second opinion added) add up to its `log_odds`.
    """
    from services.sentiment.domain.model import EMOTIONS

    scored = explained.score
    emotion = scored.emotion
    return {
        "id": asked_id,
        "lang": scored.language,
        "label": scored.label,
        "polarity": round(scored.polarity, _DIGITS),
        "probability": {
            "negative": round(scored.negative, _DIGITS),
            "neutral": round(scored.neutral, _DIGITS),
            "positive": round(scored.positive, _DIGITS),
        },
        "emotion": {
            "label": emotion.label,
            "probability": {name: round(p, _DIGITS) for name, p in zip(EMOTIONS, emotion.probability, strict=True)},
            "strength": round(emotion.strength, _DIGITS),
        },
        "targets": [
            {"area": t.area, "stage": t.stage, "probability": round(t.probability, _DIGITS)} for t in scored.targets
        ],
        "complaint": round(scored.complaint, _DIGITS),
        "evidence": [
            {"start": e.start, "end": e.end, "weight": round(e.weight, _DIGITS), "for": e.output}
            for e in explained.evidence
        ],
        "log_odds": {name: round(z, _DIGITS) for name, z in explained.log_odds.items()},
        "rest": {name: round(z, _DIGITS) for name, z in explained.rest.items()},
    }
