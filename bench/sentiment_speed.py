"""How fast sentiment is scored, on one core: `python -m bench.sentiment_speed [--data ../shared/data] [--json FILE]`.

All rows of one run, one after the other, on the same texts: customers' texts of at most 40 characters where the shared data
is there, else patterns of shop chat. Beside our rows the plain pipeline that people would write instead, TF-IDF of character
n-grams and logistic regression in scikit-learn, where that is installed (the `train` extra).
"""

# ruff: noqa: E402
import argparse
import csv
import json
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before numpy reads it: the figures are of one core

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import psutil

from services.sentiment.domain import cascade
from services.sentiment.domain.encode import encode, languages
from services.sentiment.domain.linear import log_odds
from services.sentiment.domain.model import SentimentModel
from services.sentiment.model import load
from services.sentiment.training import phrases

SHORT = 40
TEXTS = 4000
BATCH = 1000
ALONE = 1500
SECONDS = 2.0
TRAINED_ON = 8000


@dataclass(frozen=True, slots=True)
class Row:
    """One way to score, and how fast it was (the best of several rounds)."""

    way: str
    per_second: float
    times_plain: float | None = None


def texts_of(data: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """Short texts to score, and labelled ones for the plain pipeline (none without the data)."""
    file = data / "sentiment/online_shopping_zh.csv"
    if not file.exists():
        return [t for t, *_ in phrases.sentences("zh") if len(t) <= SHORT][:TEXTS], []
    with file.open(encoding="utf-8", newline="") as opened:
        rows = [(r["review"], int(r["label"])) for r in csv.DictReader(opened)]
    order = np.random.default_rng(1).permutation(len(rows)).tolist()
    mixed = [rows[i] for i in order]
    return [t for t, _ in mixed if 0 < len(t) <= SHORT][:TEXTS], mixed[:TRAINED_ON]


def rate(work: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    """Texts a second in batches, the best of the rounds that fit into SECONDS."""
    batches = [texts[i : i + BATCH] for i in range(0, len(texts), BATCH)]
    work(batches[0])
    best, begun = 0.0, time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        start = time.perf_counter()
        for batch in batches:
            work(batch)
        best = max(best, len(texts) / (time.perf_counter() - start))
    return best


def linear_only(model: SentimentModel) -> SentimentModel:
    """The same model without its second opinion."""
    return SentimentModel({k: replace(model.of(k), network=None) for k in ("zh", "en")})


def arrays(model: SentimentModel) -> Callable[[Sequence[str]], object]:
    """All outputs of Chinese texts as arrays: normalised, language told, scored."""

    def work(texts: Sequence[str]) -> object:
        encoded = encode(texts)
        languages(encoded)
        answers = model.answers("zh", encoded)
        return answers.label(), answers.emotion(), answers.complaint()

    return work


def polarity(model: SentimentModel) -> Callable[[Sequence[str]], object]:
    """Only the polarity's linear head: what the plain pipeline answers."""
    one = model.of("zh")

    def work(texts: Sequence[str]) -> object:
        encoded = encode(texts)
        languages(encoded)
        (odds,) = log_odds((one.polar,), encoded, one.longest, one.words)
        return cascade.sigmoid(odds[:, :1] * one.alone.linear[0] + one.alone.bias[0])

    return work


def plain(labelled: Sequence[tuple[str, int]]) -> Callable[[Sequence[str]], object] | None:
    """TF-IDF of character 1–4-grams and logistic regression, as scikit-learn's users write it; None where it is not installed."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped,unused-ignore]
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped,unused-ignore]
        from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True)
    pipeline = make_pipeline(vectorizer, LogisticRegression(max_iter=200))
    pipeline.fit([t for t, _ in labelled], [y for _, y in labelled])
    score: Callable[[Sequence[str]], object] = pipeline.predict_proba
    return score


def alone_ms(model: SentimentModel, texts: Sequence[str]) -> tuple[float, float]:
    """Median and 99th percentile of scoring one message, in milliseconds."""
    taken = []
    for i in range(ALONE):
        begun = time.perf_counter()
        model.score(texts[i % len(texts)])
        taken.append(time.perf_counter() - begun)
    return float(1000 * np.quantile(taken, 0.5)), float(1000 * np.quantile(taken, 0.99))


def main() -> int:
    """Measures, prints, and writes the rows where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.sentiment_speed", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    texts, labelled = texts_of(args.data)
    model = load()
    alone = linear_only(model)
    rows = [
        Row("linear heads: polarity alone", rate(polarity(model), texts)),
        Row("linear heads: all outputs", rate(arrays(alone), texts)),
        Row("cascade as shipped: all outputs", rate(arrays(model), texts)),
        Row("cascade as shipped: Score objects, targets", rate(model.score_batch, texts)),
        Row("cascade with evidence", rate(model.explain_batch, texts[:BATCH])),
    ]
    memory = psutil.Process().memory_info().rss / 2**20
    middle, late = alone_ms(model, texts)
    peer = plain(labelled) if labelled else None
    if peer is None:
        print("not run: scikit-learn's pipeline (needs the train extra and ../shared/data)")
    else:
        base = rate(peer, texts)
        rows = [replace(r, times_plain=r.per_second / base) for r in rows]
        rows.append(Row("scikit-learn: TF-IDF of characters + logistic regression", base, 1.0))
    asked = model.answers("zh", encode(texts)).asked.mean()
    load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(
        f"{len(texts)} texts of {np.mean([len(t) for t in texts]):.0f} characters, one core, load average {load_average:.1f}"
    )
    for r in rows:
        times = f"{r.times_plain:8.1f} ×" if r.times_plain is not None else ""
        print(f"{r.per_second:12,.0f} messages/s {times}  {r.way}")
    print(
        f"asked again: {100 * asked:.0f} %; one message: p50 {middle:.2f} ms, p99 {late:.2f} ms; memory {memory:.0f} MB"
    )
    if args.json:
        told = {
            "rows": [asdict(r) for r in rows],
            "p50_ms": middle,
            "p99_ms": late,
            "rss_mb": memory,
            "asked": float(asked),
        }
        args.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
