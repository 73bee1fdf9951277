"""The labelled texts, without duplicates: what each teaches, and which split it belongs to."""

import csv
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final

from services.sentiment.domain.encode import encode
from services.sentiment.domain.score import EMOTIONS
from services.sentiment.domain.text import Language, normalise
from services.sentiment.training import apart, asking, emoji, negation, noise, phrases
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE

TRAIN, TUNE, VALIDATE = "train", "tune", "validate"
"""What the heads and the network learn from; what their mix, its calibration and its limits are fitted on; what figures are measured on."""
_VALIDATE_SHARE: Final = {"online_shopping_zh": 8, "atec_zh": 8, "citizens_zh": 8, "banking77_en": 8, "waimai_zh": 15}
_SHARE_OF_SMALL: Final = 20
"""Per cent of the texts that are held back: more of the small sets, so that their figures mean something."""
_TUNE_SHARE: Final = {"online_shopping_zh": 4, "atec_zh": 4, "citizens_zh": 4, "banking77_en": 4, "waimai_zh": 8}
_TUNE_SHARE_OF_SMALL: Final = 10

QUESTIONS_ZH: Final = 15_000
QUESTIONS_EN: Final = 600
"""How many questions stand for "neutral" beside the sets that have that class: enough to know a question,
too few to make everything one."""
_COMPLAINT_MOST: Final[dict[Language, float]] = {"zh": 40.0, "en": 2.5}
"""What a sentence of our own counts at most for complaints: few English texts are labelled with them, and ours must not drown those."""
_MISTYPED: Final = {"shop_chat_en": 1, "apart_en": 1, "airline_en": 3}
"""One training text in so many of these sets is learnt with a typing error as well."""
_OPENING: Final = 120
"""Characters of a citizen's letter that are read: a customer's message is no longer."""

_PAYMENT: Final = re.compile(
    "花呗|借呗|蚂蚁|支付宝|余额宝|淘宝|天猫|网商|芝麻|还款|借款|贷款|额度|分期|账单|逾期|利息|银行卡|信用|提前还|收款|付款"
)
"""What the questions to a payment service are about: cut out, so that neutral is learnt from how customers
ask and not from whom."""

_AIRLINE: Final = {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}
_WEIBO: Final = {"happy": POSITIVE, "angry": NEGATIVE, "sad": NEGATIVE, "fear": NEGATIVE, "neutral": NEUTRAL}
"""Surprise can go either way: it says nothing here."""
_FEELS: Final = {name: i for i, name in enumerate(EMOTIONS)} | {"neural": EMOTIONS.index("neutral")}
_FELT_EN: Final = (
    (
        "fear",
        re.compile(
            r"\b(?:scared|scary|afraid|worr(?:y|ied|ying)|nervous|unsafe|dangerous|fear\w*|terrified|panic\w*)\b"
        ),
    ),
    (
        "sad",
        re.compile(
            r"\b(?:sad\w*|disappoint\w*|heartbroken|cry(?:ing)?|cried|sorry|miss(?:ed|ing) my|unhappy|depress\w*)\b|:\(|:'\("
        ),
    ),
    ("surprise", re.compile(r"\b(?:wow|omg|unbelievabl[ey]|shock(?:ed|ing)|surpris\w+|can'?t believe|seriously\?)")),
)
"""No English set is labelled with emotions: a negative tweet with one of these words counts as that, else as angry."""


class DataError(Exception):
    """The data folder or a file in it is missing or not what it should be."""


@dataclass(frozen=True, slots=True)
class Example:
    """A normalised text and what is known of it: its class, emotion (EMOTIONS), whether it complains; None: not known.

    `weight` is how many texts it stands for, `complaint_weight` the same for what it says about complaints.
    """

    text: str
    source: str
    split: str
    label: int | None = None
    emotion: int | None = None
    complaint: bool | None = None
    weight: float = 1.0
    complaint_weight: float = 1.0
    category: str = ""
    """What kind of goods or brand the set says it is about."""


def read(data: Path, language: Language, corrected: Sequence[Example] = ()) -> list[Example]:
    """All examples of a language, `corrected` ones first; the first label wins among equal texts. Raises DataError."""
    if not data.is_dir():
        raise DataError(f"--data: there is no folder {str(data)!r}; docs/models/sentiment.md lists the data")
    seen = {e.text: e for e in corrected}
    known = list((_chinese if language == "zh" else _english)(data))
    for raw, plain in zip(known, encode([e.text for e in known]).texts(), strict=True):
        if plain and plain not in seen:
            seen[plain] = replace(raw, text=plain, split=split_of(plain, raw.source))
    for pattern, own in _of_our_own(language):
        plain = normalise(own.text)
        if plain not in seen:
            # Patterns are few: a share of them that is counted twice holds back as many as of other small sets.
            split = _split(2 * phrases.share_of(pattern), _SHARE_OF_SMALL, _TUNE_SHARE_OF_SMALL)
            seen[plain] = replace(own, text=plain, split=split)
    if language == "en":
        for e in [e for e in seen.values() if e.split == TRAIN and e.source in _MISTYPED]:
            plain = noise.mistyped(e.text)
            if plain not in seen and zlib.crc32(e.text.encode("utf-8", "surrogatepass"), 2) % _MISTYPED[e.source] == 0:
                seen[plain] = replace(
                    e,
                    text=plain,
                    source="mistyped_en",
                    weight=0.5 * e.weight,
                    complaint_weight=0.5 * e.complaint_weight,
                )
    return list(seen.values())


def _of_our_own(language: Language) -> Iterator[tuple[str, Example]]:
    """The sentences that we wrote ourselves, each with the pattern or word that decides its split."""
    most = _COMPLAINT_MOST[language]
    patterned = chain(phrases.sentences(language), emoji.sentences(language))
    for source, sentences in (("shop_chat", patterned), ("asking", asking.sentences(language))):
        for text, label, pattern, weight in sentences:
            felt = {NEUTRAL: _FEELS["neutral"], POSITIVE: _FEELS["happy"], NEGATIVE: None}[label]
            complains = label == NEGATIVE
            counts = min(weight, most)
            yield pattern, Example(text, f"{source}_{language}", "", label, felt, complains, weight, counts)
    for text, label, feels, complains, pattern, weight in apart.sentences(language):
        felt = None if feels is None else _FEELS[feels]
        yield (
            pattern,
            Example(text, f"apart_{language}", "", label, felt, complains, weight, min(weight, 2 * most)),
        )
    for text, label, word, weight in negation.sentences(language):
        yield word, Example(text, f"negation_{language}", "", label, weight=weight)


def split_of(plain: str, source: str) -> str:
    """The split of a normalised text, from its checksum: equal texts never meet across splits."""
    share = zlib.crc32(plain.encode("utf-8", "surrogatepass")) % 100
    return _split(share, _VALIDATE_SHARE.get(source, _SHARE_OF_SMALL), _TUNE_SHARE.get(source, _TUNE_SHARE_OF_SMALL))


def _split(share: int, validate: int, tune: int) -> str:
    return VALIDATE if share < validate else TUNE if share < validate + tune else TRAIN


def _chinese(data: Path) -> Iterator[Example]:
    for name in ("online_shopping_zh", "waimai_zh"):
        for number, row in enumerate(_rows(data / f"sentiment/{name}.csv", "label", "review")):
            good = row["label"] == "1"
            # A third of the reviews is enough to tell what a complaint is.
            complains = not good if number % 3 == 0 else None
            label = POSITIVE if good else NEGATIVE
            yield Example(row["review"], name, "", label, None, complains, category=row.get("cat", ""))
    for row in _rows(data / "emotion/weibo_covid_zh.csv", "content", "label"):
        feels = _FEELS[row["label"]]
        yield Example(
            row["content"], "weibo_covid_zh", "", _WEIBO.get(EMOTIONS[feels]), feels, False, complaint_weight=0.5
        )
    for row in _rows(data / "complaints/citizen_votes_zh.csv", "留言主题", "留言详情"):
        yield Example(row["留言主题"], "citizens_zh", "", None, None, True)
        yield Example(row["留言详情"].strip()[:_OPENING], "citizens_zh", "", None, None, True)
    questions = [_PAYMENT.sub("", row["a"]) for row in _rows(data / "questions/atec_zh.csv", "a", "b")]
    for text in _thinned(questions, QUESTIONS_ZH):
        yield Example(text, "atec_zh", "", NEUTRAL, _FEELS["neutral"], False, complaint_weight=0.2)


def _english(data: Path) -> Iterator[Example]:
    for row in _rows(data / "complaints/tweets_en.csv", "text", "complaint", "domain"):
        source = "random_tweets_en" if row["domain"].startswith("random") else "complaints_en"
        yield Example(row["text"], source, "", None, None, row["complaint"] == "1", category=row["domain"])
    for row in _rows(data / "sentiment/airline_en.csv", "airline_sentiment", "text"):
        label = _AIRLINE[row["airline_sentiment"]]
        emotion = {NEUTRAL: "neutral", POSITIVE: "happy"}.get(label) or _felt(row["text"])
        complains = label == NEGATIVE
        yield Example(
            row["text"],
            "airline_en",
            "",
            label,
            _FEELS[emotion],
            complains,
            complaint_weight=0.15,
            category=row.get("airline", ""),
        )
    questions = [row["text"] for row in _rows(data / "questions/banking77_en.csv", "text", "category")]
    for text in _thinned(questions, QUESTIONS_EN):
        yield Example(text, "banking77_en", "", NEUTRAL, _FEELS["neutral"])


def _felt(text: str) -> str:
    lowered = text.lower()
    return next((name for name, words in _FELT_EN if words.search(lowered)), "angry")


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
