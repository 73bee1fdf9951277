"""What the trained model is worth, measured on texts it never saw, as the service serves it."""

import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.model import LinearModel, SentimentModel, probabilities
from services.sentiment.domain.text import Language
from services.sentiment.training.baseline import word_list
from services.sentiment.training.data import Example
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE

_BATCH: Final = 2000
_BINARY: Final = ("online_shopping_zh", "waimai_zh")
_ROUNDS: Final = 200


def predict(model: LinearModel, texts: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities of all texts, in batches."""
    return np.concatenate([probabilities(model, texts[i : i + _BATCH]) for i in range(0, len(texts), _BATCH)])


def measure(model: LinearModel, language: Language, examples: Sequence[Example]) -> dict[str, dict[str, float]]:
    """Figures for each data set among the examples (give the validation split)."""
    p = predict(model, [e.text for e in examples])
    truth = np.array([e.label for e in examples])
    figures = {}
    for source in sorted({e.source for e in examples}):
        mine = np.array([e.source == source for e in examples])
        listed = [word_list(e.text, language) for e in examples if e.source == source]
        one = _binary if source in _BINARY else _three
        figures[source] = {
            "texts": float(mine.sum()),
            **one(p[mine], truth[mine], listed),
            "unsure": float((p[mine].max(axis=1) < model.threshold).mean()),
        }
    return {k: {n: round(v, 4) for n, v in f.items()} for k, f in figures.items()}


def _binary(p: NDArray[np.float64], truth: NDArray[np.int64], listed: list[tuple[int, int]]) -> dict[str, float]:
    """The set has no neutral class: the answer is read from the sign of the polarity."""
    guess = np.where(p[:, POSITIVE] > p[:, NEGATIVE], POSITIVE, NEGATIVE)
    share = p[:, POSITIVE] / (p[:, POSITIVE] + p[:, NEGATIVE])
    sure = np.maximum(share, 1 - share)
    right = guess == truth
    surest = np.argsort(-sure, kind="stable")[: int(0.8 * len(sure))]
    base = np.array([POSITIVE if balance > 0 else NEGATIVE for _, balance in listed])
    return {
        "accuracy": float(right.mean()),
        "macro_f1": macro_f1(truth, guess, (NEGATIVE, POSITIVE)),
        "ece": ece(sure, right),
        "accuracy_surest_80": float(right[surest].mean()),
        "called_neutral": float((p.argmax(axis=1) == NEUTRAL).mean()),
        "word_list_accuracy": float((base == truth).mean()),
    }


def _three(p: NDArray[np.float64], truth: NDArray[np.int64], listed: list[tuple[int, int]]) -> dict[str, float]:
    guess = p.argmax(axis=1)
    base = np.array([label for label, _ in listed])
    classes = tuple(sorted(set(truth.tolist())))
    return {
        "accuracy": float((guess == truth).mean()),
        "macro_f1": macro_f1(truth, guess, classes),
        "ece": ece(p.max(axis=1), guess == truth),
        "word_list_accuracy": float((base == truth).mean()),
        "word_list_macro_f1": macro_f1(truth, base, classes),
    }


def macro_f1(truth: NDArray[np.int64], guess: NDArray[np.int64], classes: Sequence[int]) -> float:
    """The mean of the classes' F1."""
    each = []
    for c in classes:
        both = float(((truth == c) & (guess == c)).sum())
        each.append(2 * both / max(1.0, float((truth == c).sum() + (guess == c).sum())))
    return sum(each) / len(each)


def ece(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error over equal-width bins of confidence (Naeini et al. 2015)."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def threshold(p: NDArray[np.float64], truth: NDArray[np.int64], target: float) -> float:
    """The lowest confidence, in hundredths, above which answers are right at least `target` of the time."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    for hundredths in range(34, 100):
        answered = confidence >= hundredths / 100
        if answered.any() and right[answered].mean() >= target:
            return hundredths / 100
    return 1.0


def speed(model: SentimentModel, texts: Sequence[str]) -> dict[str, float]:
    """Messages a second in batches of 1000, and µs for one alone, on this machine, normalisation included."""
    model.score_batch(texts[:1000])
    begun = time.perf_counter()
    for start in range(0, len(texts), 1000):
        model.score_batch(texts[start : start + 1000])
    batched = time.perf_counter() - begun
    sample = sorted(texts, key=lambda t: abs(len(t) - 50))[:_ROUNDS]
    alone = []
    for text in sample:
        begun = time.perf_counter()
        model.score(text)
        alone.append(time.perf_counter() - begun)
    return {"per_second": round(len(texts) / batched), "alone_us": round(1e6 * float(np.median(alone)), 1)}


def as_table(figures: dict[str, dict[str, float]]) -> list[str]:
    """Markdown rows, one a data set."""
    names = sorted({n for f in figures.values() for n in f}, key=_order)
    head = ["| data set | " + " | ".join(n.replace("_", " ") for n in names) + " |", "|---" * (len(names) + 1) + "|"]
    rows = []
    for source, figure in figures.items():
        cells = [_cell(n, figure[n]) if n in figure else "–" for n in names]
        rows.append(f"| {source} | " + " | ".join(cells) + " |")
    return head + rows


def _order(name: str) -> tuple[int, str]:
    first: dict[str, int] = {"texts": 0, "accuracy": 1, "macro_f1": 2, "ece": 3, "accuracy_surest_80": 4}
    return first.get(name, 9), name


def _cell(name: str, value: float) -> Any:
    return f"{value:.0f}" if name == "texts" else f"{value:.3f}"
