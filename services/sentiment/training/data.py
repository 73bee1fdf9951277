"""The labelled texts, without duplicates, and which split each belongs to."""

import csv
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.sentiment.domain.text import Language, normalise
from services.sentiment.training import phrases
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE

TRAIN, CALIBRATE, VALIDATE = "train", "calibrate", "validate"
_VALIDATE_SHARE, _CALIBRATE_SHARE = 10, 5
"""Per cent of the texts; the rest trains."""

QUESTIONS_ZH: Final = 15_000
QUESTIONS_EN: Final = 2_000
"""How many questions stand for "neutral" beside the sets that have that class: enough to know a question,
too few to make everything one (zh: a quarter of the reviews; en: a fifth of the tweets)."""

_PAYMENT: Final = re.compile(
    "花呗|借呗|蚂蚁|支付宝|余额宝|淘宝|天猫|网商|芝麻|还款|借款|贷款|额度|分期|账单|逾期|利息|银行卡|信用|提前还|收款|付款"
)
"""What the questions to a payment service are about: cut out, so that neutral is learnt from how customers
ask and not from whom."""

_AIRLINE: Final = {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}
_WEIBO: Final = {"happy": POSITIVE, "angry": NEGATIVE, "sad": NEGATIVE, "fear": NEGATIVE, "neural": NEUTRAL}
"""Surprise can go either way: it says nothing here."""


class DataError(Exception):
    """The data folder or a file in it is missing or not what it should be."""


@dataclass(frozen=True, slots=True)
class Example:
    """A normalised text, its class, the set it came from, its split, and how many texts it stands for."""

    text: str
    label: int
    source: str
    split: str
    weight: float = 1.0


def read(data: Path, language: Language) -> list[Example]:
    """All examples of a language, first label wins among equal texts. Raises DataError."""
    if not data.is_dir():
        raise DataError(f"--data: there is no folder {str(data)!r}; docs/models/sentiment.md lists the data")
    seen: dict[str, Example] = {}
    for text, label, source in (_chinese if language == "zh" else _english)(data):
        plain = normalise(text)
        if plain and plain not in seen:
            seen[plain] = Example(plain, label, source, split_of(plain))
    for text, label, pattern, weight in phrases.sentences(language):
        plain = normalise(text)
        if plain not in seen:
            split = _split(phrases.share_of(pattern))
            seen[plain] = Example(plain, label, f"shop_chat_{language}", split, weight)
    return list(seen.values())


def split_of(plain: str) -> str:
    """The split of a normalised text, from its checksum: equal texts never meet across splits."""
    return _split(zlib.crc32(plain.encode("utf-8", "surrogatepass")) % 100)


def _split(share: int) -> str:
    if share < _VALIDATE_SHARE:
        return VALIDATE
    return CALIBRATE if share < _VALIDATE_SHARE + _CALIBRATE_SHARE else TRAIN


def _chinese(data: Path) -> Iterator[tuple[str, int, str]]:
    for name, path in (
        ("online_shopping_zh", "sentiment/online_shopping_zh.csv"),
        ("waimai_zh", "sentiment/waimai_zh.csv"),
    ):
        for row in _rows(data / path, "label", "review"):
            yield row["review"], POSITIVE if row["label"] == "1" else NEGATIVE, name
    for row in _rows(data / "emotion/weibo_covid_zh.csv", "content", "label"):
        if row["label"] in _WEIBO:
            yield row["content"], _WEIBO[row["label"]], "weibo_covid_zh"
    questions = [_PAYMENT.sub("", row["a"]) for row in _rows(data / "questions/atec_zh.csv", "a", "b")]
    for text in _thinned(questions, QUESTIONS_ZH):
        yield text, NEUTRAL, "atec_zh"


def _english(data: Path) -> Iterator[tuple[str, int, str]]:
    for row in _rows(data / "sentiment/airline_en.csv", "airline_sentiment", "text"):
        yield row["text"], _AIRLINE[row["airline_sentiment"]], "airline_en"
    questions = [row["text"] for row in _rows(data / "questions/banking77_en.csv", "text", "category")]
    for text in _thinned(questions, QUESTIONS_EN):
        yield text, NEUTRAL, "banking77_en"


def _thinned(texts: list[str], keep: int) -> list[str]:
    """About `keep` of the texts, the same ones each time, spread by checksum and not by place."""
    return sorted(texts, key=lambda t: (zlib.crc32(t.encode(), 1), t))[:keep]


def _rows(path: Path, *columns: str) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: column {missing[0]} is missing")
            yield from reader
    except OSError as e:
        raise DataError(f"--data: cannot read {path}: {e.strerror}") from e
