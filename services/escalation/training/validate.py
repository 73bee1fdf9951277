"""Rolling validation by time: each model is asked about incidents opened after all of those that it learnt from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.escalation.tickets.calibration import platt
from services.escalation.tickets.evaluate import judge, report
from services.escalation.tickets.figures import LANDMARKS, Floats
from services.escalation.tickets.log import Row
from services.escalation.tickets.model import TARGETS, Model
from services.escalation.tickets.score import chance
from services.escalation.tickets.scoring import Batch, Scoring, batches
from services.escalation.training import baseline, fit
from services.escalation.training.table import Bools, by_opening, labels, part, table

CUTS: Final = (0.4, 0.55, 0.7, 0.85, 1.0)
"""Shares of the incidents, by opening: a model of those before a cut is asked about those up to the next. The first fold only calibrates."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an uncalibrated model said of rows, and what came."""

    odds: Floats
    hit: Bools
    weight: Floats
    peaks: Floats
    """Each incident's highest log odds on the rows on which a flag counts."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A part of the log, the report on it, and the plain baseline's."""

    opened: tuple[int, int]
    trained: int
    report: Mapping[str, Any]
    plain: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trained:
    """The model of the whole log, and the folds."""

    model: Model
    folds: Sequence[Fold]


def train(rows: Sequence[Row], source: Mapping[str, Any], say: Say) -> Trained:
    """Validates on the folds, then trains on all of the log, calibrated by what the folds' models said of later incidents."""
    numbers = by_opening(rows)
    folds: list[Fold] = []
    asked: dict[str, list[Asked]] = {t: [] for t in TARGETS}
    for low, high in pairwise(CUTS):
        a, b = int(low * len(numbers)), int(high * len(numbers))
        earlier, later = part(rows, numbers[:a]), part(rows, numbers[a:b])
        raw = fitted(earlier, source)
        told = list(batches(later, raw.world()))
        if asked["escalated"]:
            model = with_calibration(raw, asked)
            scoring = Scoring(model)
            judged = judge(later, [s for batch in told for s in scoring.answers(batch).scored])
            opened = [r.opened for r in later]
            folds.append(
                Fold((min(opened), max(opened)), a, report(judged, model), baseline.told(earlier, later, model))
            )
            say(f"fold from {low:.0%}: {_short(folds[-1])}")
        for target, found in _asked(later, told, raw).items():
            asked[target].append(found)
    say("the whole log")
    final = with_calibration(fitted(rows, source), asked)
    return Trained(replace(final, about={**final.about, "figures": pooled(folds)}), folds)


def fitted(rows: Sequence[Row], source: Mapping[str, Any]) -> Model:
    """A model of a log, not calibrated."""
    found, past = table(rows)
    scores = {"escalated": fit.escalated(found), "breached": fit.breached(found)}
    opened = [r.opened for r in rows]
    about = {
        "trained_from": min(opened),
        "trained_until": max(opened),
        "incidents": len({r.number for r in rows}),
        "source": dict(source),
    }
    return Model(scores, {t: np.zeros(0, dtype=np.float32) for t in TARGETS}, past, about)


def with_calibration(model: Model, asked: Mapping[str, Sequence[Asked]]) -> Model:
    """The model calibrated on what earlier models said of incidents later than theirs (the last two folds of them)."""
    scores, known = {}, {}
    for target, found in asked.items():
        odds, hit, weight = (np.concatenate([getattr(a, k) for a in found[-2:]]) for k in ("odds", "hit", "weight"))
        slope, shift = platt(odds, hit, weight)
        scores[target] = fit.calibrated(model.scores[target], slope, shift)
        known[target] = np.sort(chance(slope * found[-1].peaks + shift))[:: max(1, len(found[-1].peaks) // 500)].astype(
            np.float32
        )
    return replace(model, scores=scores, known=known)


def _asked(rows: Sequence[Row], told: Sequence[Batch], model: Model) -> dict[str, Asked]:
    """What an uncalibrated model says of a log: of rows before the turn, and of those that stand at the landmarks."""
    found = labels(rows)
    first, now = np.concatenate([b.first for b in told]), np.concatenate([b.now for b in told])
    odds = {t: model.scores[t].odds(first, now) for t in TARGETS}
    use, stand = found.before_turn, found.stands > 0
    return {
        "escalated": Asked(
            odds["escalated"][use],
            found.turns[use],
            1 / found.rows_of[use],
            _peaks(found.incident[use], odds["escalated"][use]),
        ),
        "breached": Asked(
            odds["breached"][stand], found.late[stand], found.stands[stand], _peaks(found.incident, odds["breached"])
        ),
    }


def _peaks(incident: NDArray[np.intp], odds: Floats) -> Floats:
    best = np.full(int(incident.max()) + 1, -np.inf)
    np.maximum.at(best, incident, odds)
    found: Floats = best[np.isfinite(best)]
    return found


def pooled(folds: Sequence[Fold]) -> dict[str, float]:
    """The folds' figures, each weighing as much as its incidents of the kind."""
    n = [f.report["incidents"] for f in folds]
    hits = [f.report["escalated"]["positives"] for f in folds]
    found = {
        f"escalated recall {s}": _mean([f.report["escalated"]["recall_at"][s] for f in folds], hits)
        for s in ("0.05", "0.1", "0.2")
    }
    found["breached ece"] = _mean([f.report["breached"]["ece"] for f in folds], n)
    found["escalated ece"] = _mean([f.report["escalated"]["ece"] for f in folds], n)
    for h in LANDMARKS:
        for figure in ("pr_auc", "ece"):
            found[f"breached {h} h {figure}"] = _mean([f.report["breached_at"][str(h)][figure] for f in folds], n)
    found["breached 24 h recall 0.2"] = _mean([f.report["breached_at"]["24"]["recall_at"]["0.2"] for f in folds], n)
    return {**{k: round(v, 4) for k, v in found.items()}, "incidents": sum(n), "escalated": sum(hits)}


def _mean(values: Sequence[float], weight: Sequence[float]) -> float:
    return float(np.average(values, weights=weight))


def _short(fold: Fold) -> str:
    both = []
    for told in (fold.plain, fold.report):
        e, at = told["escalated"], told["breached_at"]
        recall = "/".join(f"{e['recall_at'][s]:.2f}" for s in ("0.05", "0.1", "0.2"))
        ap = "/".join(f"{at[str(h)]['pr_auc']:.3f}" for h in LANDMARKS)
        both.append(f"escalated {recall} ece {e['ece']:.4f}, breached {ap} recall {at['24']['recall_at']['0.2']:.3f}")
    return f"{fold.report['incidents']} incidents; baseline {both[0]}; ours {both[1]}"
