"""What a trained model is worth, measured on texts it never saw."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.cascade import Answers
from services.sentiment.training.data import Example
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE

Floats = NDArray[np.float64]
Figures = dict[str, float]

BINARY: Final = ("online_shopping_zh", "waimai_zh")
"""Sets without a neutral class: judged by the polarity's sign."""
BINS: Final = 10


def measure(examples: Sequence[Example], answers: Answers) -> dict[str, Figures]:
    """Figures for each data set among the examples."""
    measured: dict[str, Figures] = {}
    sources = np.array([e.source for e in examples])
    for source in sorted(set(sources.tolist())):
        rows = np.flatnonzero(sources == source).tolist()
        mine = [examples[i] for i in rows]
        own = Answers(answers.log_odds[rows], answers.asked[rows])
        found: Figures = {"texts": float(len(mine))}
        if mine[0].label is not None or source == "weibo_covid_zh":
            found |= _polarity(mine, own, source in BINARY)
        if source == "weibo_covid_zh":
            found |= _emotion(mine, own)
        if any(e.complaint is not None for e in mine):
            found |= _complaint(mine, own)
        measured[source] = {k: round(v, 4) for k, v in found.items()}
    return measured


def _polarity(examples: Sequence[Example], answers: Answers, binary: bool) -> Figures:
    known = np.array([e.label is not None for e in examples])
    truth = np.array([-1 if e.label is None else e.label for e in examples])[known]
    p = answers.label()[known]
    if not binary:
        guess, sure = p.argmax(axis=1), p.max(axis=1)
        classes = sorted(set(truth.tolist()))
        return {
            "accuracy": float((guess == truth).mean()),
            "macro_f1": macro_f1(truth, guess, classes),
            "ece": ece(sure, guess == truth),
        }
    share = p[:, POSITIVE] / (p[:, POSITIVE] + p[:, NEGATIVE])
    guess = np.where(p[:, POSITIVE] > p[:, NEGATIVE], POSITIVE, NEGATIVE)
    sure, right = np.maximum(share, 1 - share), guess == truth
    kept = np.argsort(-sure, kind="stable")[: int(0.8 * len(sure))]
    return {
        "accuracy": float(right.mean()),
        "macro_f1": macro_f1(truth, guess, (NEGATIVE, POSITIVE)),
        "ece": ece(sure, right),
        "surest_80": float(right[kept].mean()),
        "called_neutral": float((p.argmax(axis=1) == NEUTRAL).mean()),
    }


def _emotion(examples: Sequence[Example], answers: Answers) -> Figures:
    truth = np.array([e.emotion for e in examples])
    p = answers.emotion()
    guess = p.argmax(axis=1)
    return {
        "emotion_accuracy": float((guess == truth).mean()),
        "emotion_f1": macro_f1(truth, guess, sorted(set(truth.tolist()))),
        "emotion_ece": ece(p.max(axis=1), guess == truth),
    }


def _complaint(examples: Sequence[Example], answers: Answers) -> Figures:
    known = np.array([e.complaint is not None for e in examples])
    truth = np.array([bool(e.complaint) for e in examples])[known].astype(int)
    p = answers.complaint()[known]
    guess = (p >= 0.5).astype(int)
    found = {"complaint_accuracy": float((guess == truth).mean())}
    if truth.any():
        found["complaint_f1"] = macro_f1(truth, guess, (1,))
    return found | {"complaint_ece": ece(np.maximum(p, 1 - p), guess == truth)}


def macro_f1(truth: NDArray[np.int64], guess: NDArray[np.int64], classes: Sequence[int]) -> float:
    """The mean of the classes' F1."""
    each = []
    for c in classes:
        both = float(((truth == c) & (guess == c)).sum())
        each.append(2 * both / max(1.0, float((truth == c).sum() + (guess == c).sum())))
    return sum(each) / len(each)


def ece(confidence: Floats, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error over equal-width bins of confidence (Naeini et al. 2015)."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def threshold(confidence: Floats, right: NDArray[np.bool_], target: float) -> float:
    """The lowest confidence, in hundredths, from which on answers are right at least `target` of the time."""
    for hundredths in range(34, 100):
        answered = confidence >= hundredths / 100
        if answered.any() and right[answered].mean() >= target:
            return hundredths / 100
    return 1.0


def risk_coverage(confidence: Floats, right: NDArray[np.bool_], shares: Sequence[float]) -> list[tuple[float, float]]:
    """For each share of the texts that is answered, the surest first: the share of wrong answers."""
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(~right[order])
    found = []
    for share in shares:
        answered = max(1, round(share * len(order)))
        found.append((share, float(wrong[answered - 1] / answered)))
    return found


def as_table(figures: dict[str, Figures]) -> list[str]:
    """Markdown rows, one a data set."""
    names = list(dict.fromkeys(n for f in figures.values() for n in f))
    head = ["| data set | " + " | ".join(n.replace("_", " ") for n in names) + " |", "|---" * (len(names) + 1) + "|"]
    rows = []
    for source, figure in figures.items():
        cells = [_cell(n, figure[n]) if n in figure else "–" for n in names]
        rows.append(f"| {source} | " + " | ".join(cells) + " |")
    return head + rows


def _cell(name: str, value: float) -> str:
    return f"{value:.0f}" if name == "texts" else f"{value:.3f}"
