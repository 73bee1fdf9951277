"""Measures the target lexicon on labelled texts, and fits what its words are worth.

python -m services.sentiment.training.targets --data ../shared/data

targets_sample.csv names the texts by data set, row and checksum, with the stages that we labelled them with (rules: docs/models/targets.md).
The words were chosen with a look at the texts of the parts "words" and "learn"; the words' worths are fitted to "held". The part
"test" is looked at by nothing but the figures. All but "words" were labelled twice.
"""

import argparse
import csv
import sys
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from services.sentiment.domain.targets import Mention, TargetModel
from services.sentiment.domain.text import Language, normalise
from services.sentiment.model import targets as shipped
from services.sentiment.training.data import DataError

SAMPLE: Final = Path(__file__).with_name("targets_sample.csv")
Part = Literal["words", "held", "learn", "test"]
PARTS: Final[tuple[Part, ...]] = ("test", "held", "learn", "words")
FITTED: Final = ("held",)
_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "online_shopping_zh": ("sentiment/online_shopping_zh.csv", "review"),
    "waimai_zh": ("sentiment/waimai_zh.csv", "review"),
    "weibo_covid_zh": ("emotion/weibo_covid_zh.csv", "content"),
    "airline_en": ("sentiment/airline_en.csv", "text"),
    "tweets_en": ("complaints/tweets_en.csv", "text"),
}
_RIDGE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with the stages it is about; `first` and `second` are the two passes of labelling (second: None where there was one)."""

    text: str
    language: Language
    part: Part
    stages: frozenset[str]
    first: frozenset[str]
    second: frozenset[str] | None


def read(data: Path) -> list[Labelled]:
    """The labelled texts. Raises DataError where the data is missing, or not that which was labelled."""
    texts: dict[str, list[str]] = {}
    try:
        for name, (file, column) in _FILES.items():
            with (data / file).open(encoding="utf-8", newline="") as rows:
                texts[name] = [row[column] for row in csv.DictReader(rows)]
    except OSError as e:
        raise DataError(f"--data: cannot read {e.filename}: {e.strerror}") from e
    found = []
    with SAMPLE.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            name, at = row["set"], int(row["row"])
            text = texts[name][at] if at < len(texts[name]) else ""
            if zlib.crc32(text.encode()) != int(row["crc32"]):
                raise DataError(f"--data: row {at} of {name} is not the text that was labelled")
            first, second, stages = (frozenset(row[c].split()) for c in ("first", "second", "labels"))
            language: Language = "zh" if name.endswith("zh") else "en"
            part = next(p for p in PARTS if p == row["part"])
            found.append(Labelled(text, language, part, stages, first, None if part == "words" else second))
    return found


def measure(model: TargetModel, labelled: Sequence[Labelled]) -> dict[str, float]:
    """F1 over stages (macro: of those that occur) and areas, and how well "nothing in particular" is told."""
    said = [frozenset(t.stage for t in model.targets(normalise(x.text), x.language)) for x in labelled]
    true = [x.stages for x in labelled]
    stages = _f1_by_name(true, said)
    areas = _f1_by_name(*([frozenset(s.partition(".")[0] for s in one) for one in all_] for all_ in (true, said)))
    both = sum(len(t & s) for t, s in zip(true, said, strict=True))
    silent = [t for t, s in zip(true, said, strict=True) if not s]
    return {
        "texts": len(labelled),
        "stages": len(stages),
        "macro_f1": sum(stages.values()) / len(stages),
        "micro_f1": 2 * both / (sum(map(len, true)) + sum(map(len, said))),
        "precision": both / max(1, sum(map(len, said))),
        "recall": both / max(1, sum(map(len, true))),
        "areas_macro_f1": sum(areas.values()) / len(areas),
        "nothing_said": len(silent) / len(labelled),
        "nothing_precision": sum(not t for t in silent) / max(1, len(silent)),
        "nothing_recall": sum(not t for t in silent) / max(1, sum(not t for t in true)),
    }


def _f1_by_name(true: Sequence[frozenset[str]], said: Sequence[frozenset[str]]) -> dict[str, float]:
    real, named, both = (
        Counter(name for one in sets for name in one)
        for sets in (true, said, [t & s for t, s in zip(true, said, strict=True)])
    )
    return {name: 2 * both[name] / (real[name] + named[name]) for name in sorted(real)}


def agreement(labelled: Sequence[Labelled]) -> dict[str, float]:
    """Between the two passes: how often both gave the very same stages, and Cohen's kappa over single decisions."""
    twice = [(x.first, x.second) for x in labelled if x.second is not None]
    names = sorted({s for pair in twice for one in pair for s in one})
    a = np.array([[n in one for n in names] for one, _ in twice])
    b = np.array([[n in one for n in names] for _, one in twice])
    seen, chance = (a == b).mean(), a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return {
        "texts": len(twice),
        "same": float((a == b).all(axis=1).mean()),
        "kappa": float((seen - chance) / (1 - chance)),
    }


def fit(model: TargetModel, labelled: Sequence[Labelled], language: Language) -> tuple[float, float, float]:
    """Bias and worths of sure and maybe words in log odds: a logistic regression on how many of them name a stage."""
    surest = model.worth(language).sure
    rows: list[tuple[float, float, float]] = []
    truth: list[bool] = []
    for x in labelled:
        if x.language == language:
            by_stage: dict[str, list[Mention]] = {}
            for mention in model.mentions(normalise(x.text), language):
                by_stage.setdefault(mention.stage, []).append(mention)
            for stage, mentions in by_stage.items():
                sure = sum(m.weight == surest for m in mentions)
                rows.append((1.0, sure, len(mentions) - sure))
                truth.append(stage in x.stages)
    x_, y, w = np.array(rows), np.array(truth, dtype=np.float64), np.zeros(3)
    ridge = np.array([1e-6, _RIDGE, _RIDGE])
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-x_ @ w))
        w += np.linalg.solve((x_.T * (p * (1 - p))) @ x_ + np.diag(ridge), x_.T @ (y - p) - ridge * w)
    return float(w[0]), float(w[1]), float(w[2])


def table(figures: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Markdown rows, one a language and part."""
    names = list(next(iter(figures.values())))
    rows = ["| | " + " | ".join(n.replace("_", " ") for n in names) + " |", "|---" * (len(names) + 1) + "|"]
    for title, f in figures.items():
        cells = [f"{f[n]:.0f}" if n in ("texts", "stages") else f"{f[n]:.2f}" for n in names]
        rows.append(f"| {title} | " + " | ".join(cells) + " |")
    return rows


def measure_all(model: TargetModel, labelled: Sequence[Labelled]) -> dict[str, dict[str, float]]:
    """Figures by language and part."""
    return {
        f"{language}, {part}": measure(model, [x for x in labelled if (x.language, x.part) == (language, part)])
        for part in PARTS
        for language in ("zh", "en")
    }


def main() -> int:
    """Prints figures and the fitted worths; 1 where the data can't be read."""
    parser = argparse.ArgumentParser(prog="python -m services.sentiment.training.targets", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/, emotion/ and complaints/")
    args = parser.parse_args()
    try:
        labelled = read(args.data)
    except DataError as e:
        print(e, file=sys.stderr)
        return 1
    model = shipped.load()
    print("\n".join(table(measure_all(model, labelled))))
    for language in ("zh", "en"):
        mine = [x for x in labelled if x.language == language]
        bias, sure, maybe = fit(model, [x for x in mine if x.part in FITTED], language)
        both = agreement(mine)
        print(
            f"{language}: bias {bias:.2f}, sure {sure:.2f}, maybe {maybe:.2f}; two passes agree on {both['same']:.0%}, kappa {both['kappa']:.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
