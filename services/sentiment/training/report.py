"""What the model card shows of the validation texts: by category and length, risk and coverage, the cascade's curve, errors."""

import re
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain import cascade
from services.sentiment.domain.cascade import Answers, LanguageModel
from services.sentiment.domain.encode import encode
from services.sentiment.training import figures
from services.sentiment.training.data import Example
from services.sentiment.training.labels import NEGATIVE, POSITIVE

Floats = NDArray[np.float64]

_LENGTHS: Final = ((1, 10), (11, 20), (21, 40), (41, 80), (81, 160), (161, 100_000))
_SHARES: Final = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
DOUBTS: Final = (1.0, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.0)
_SHORT: Final = 40
_TIMED: Final = 4000
_SHOWN: Final = 26
_KINDS: Final = (
    ("negation", re.compile(r"不|没|无|别|\bnot\b|n't|\bno\b|never")),
    ("contrast", re.compile(r"但|可是|不过|就是|虽然|\bbut\b|however|though")),
    ("question or wish", re.compile(r"\?|吗|呢|希望|建议|please|wish|would")),
    ("comparison, hearsay", re.compile(r"比|别人|听说|以前|上次|than|last time|used to")),
    ("very short", re.compile(r"^.{1,8}$")),
    ("other", re.compile(r"")),
)


def right(examples: Sequence[Example], answers: Answers, binary: bool) -> tuple[Floats, NDArray[np.bool_]]:
    """How sure the answers are, and which are right; by the polarity's sign where the set knows no neutral."""
    p = answers.label()
    truth = np.array([e.label for e in examples])
    if not binary:
        return p.max(axis=1), p.argmax(axis=1) == truth
    share = p[:, POSITIVE] / (p[:, POSITIVE] + p[:, NEGATIVE])
    guess = np.where(share > 0.5, POSITIVE, NEGATIVE)
    return np.maximum(share, 1 - share), guess == truth


def parts(examples: Sequence[Example], answers: Answers, source: str) -> list[str]:
    """Markdown: a set's accuracy by category and by length, and its risk–coverage."""
    rows = [i for i, e in enumerate(examples) if e.source == source and e.label is not None]
    mine = [examples[i] for i in rows]
    own = Answers(answers.log_odds[rows], answers.asked[rows])
    sure, ok = right(mine, own, source in figures.BINARY)
    lines = []
    categories = sorted({e.category for e in mine})
    if len(categories) > 1:
        cells = [(c, np.array([e.category == c for e in mine])) for c in categories]
        lines += _wide([f"{c} ({m.sum()})" for c, m in cells], [ok[m].mean() for _, m in cells])
    lengths = np.array([len(e.text) for e in mine])
    bands = [(a, b, (lengths >= a) & (lengths <= b)) for a, b in _LENGTHS]
    bands = [band for band in bands if band[2].sum() >= 20]
    names = [f"{a}–{b} ({m.sum()})" if b < 10_000 else f"over {a - 1} ({m.sum()})" for a, b, m in bands]
    lines += _wide(names, [ok[m].mean() for _, _, m in bands])
    curve = figures.risk_coverage(sure, ok, _SHARES)
    lines += _wide([f"surest {100 * share:.0f} %" for share, _ in curve], [1 - risk for _, risk in curve])
    return lines


def _wide(names: Sequence[str], values: Sequence[float]) -> list[str]:
    return [
        "| " + " | ".join(names) + " |",
        "|---" * len(names) + "|",
        "| " + " | ".join(f"{v:.3f}" for v in values) + " |",
        "",
    ]


def curve(
    model: LanguageModel, examples: Sequence[Example], linear: Floats, network: Floats, source: str
) -> list[dict[str, float]]:
    """For each limit of doubt: the share that is asked about again, the set's accuracy, short messages a second."""
    rows = [i for i, e in enumerate(examples) if e.source == source and e.label is not None]
    mine = [examples[i] for i in rows]
    alone = Answers(linear[rows] * model.alone.linear + model.alone.bias, np.zeros(len(rows), dtype=np.bool_))
    both = linear[rows] * model.both.linear + network[rows] * model.both.network + model.both.bias
    doubt = cascade.doubt(alone)
    short = [e.text for e in mine if len(e.text) <= _SHORT][:_TIMED] or [e.text for e in mine][:_TIMED]
    found = []
    for limit in DOUBTS:
        asked = doubt > limit
        mixed = Answers(np.where(asked[:, None], both, alone.log_odds), asked)
        _, ok = right(mine, mixed, source in figures.BINARY)
        one = {"doubt": limit, "asked": float(asked.mean()), "accuracy": float(ok.mean())}
        found.append(one | {"per_second": _speed(model, short, limit)})
    return found


def _speed(model: LanguageModel, texts: Sequence[str], limit: float) -> float:
    from dataclasses import replace

    limited = replace(model, doubt=limit)
    best = 0.0
    for _ in range(3):
        begun = time.perf_counter()
        for start in range(0, len(texts), 1000):
            cascade.answer(limited, encode(texts[start : start + 1000]))
        best = max(best, len(texts) / (time.perf_counter() - begun))
    return best


def errors(examples: Sequence[Example], answers: Answers, sources: Sequence[str]) -> list[str]:
    """Markdown: wrong answers that were sure of themselves, two of each kind; cut short, figures and names masked."""
    rows = [i for i, e in enumerate(examples) if e.source in sources and e.label is not None]
    mine = [examples[i] for i in rows]
    own = Answers(answers.log_odds[rows], answers.asked[rows])
    names = ("negative", "neutral", "positive")
    shown: dict[str, list[str]] = {name: [] for name, _ in _KINDS}
    counts = dict.fromkeys(shown, 0)
    p = own.label()
    guess = np.where(p[:, POSITIVE] > p[:, NEGATIVE], POSITIVE, NEGATIVE)
    guess = np.array(
        [g if e.source in figures.BINARY else int(q) for g, e, q in zip(guess, mine, p.argmax(1), strict=True)]
    )
    wrong = [i for i in range(len(mine)) if guess[i] != mine[i].label]
    for i in sorted(wrong, key=lambda i: -p[i].max()):
        kind = next(name for name, sign in _KINDS if sign.search(mine[i].text))
        counts[kind] += 1
        label = mine[i].label
        if len(shown[kind]) < 2 and label is not None:
            shown[kind].append(f"{_masked(mine[i].text)} (labelled {names[label]}, read as {names[guess[i]]})")
    total = max(1, sum(counts.values()))
    return [
        f"- {kind}, {100 * counts[kind] / total:.0f} %: " + "; ".join(shown[kind]) for kind in shown if counts[kind]
    ]


def _masked(text: str) -> str:
    plain = re.sub(r"@\s?\w+|https?\S*|\S*\.com\S*", "…", text)
    plain = re.sub(r"[0-9]+", "0", plain).replace("|", " ")
    return f"“{plain[:_SHOWN].strip()}{'…' if len(plain) > _SHOWN else ''}”"
