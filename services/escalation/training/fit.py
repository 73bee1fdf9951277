"""Fits a target's score: a linear part on the first row, a forest on the row at hand, both monotone where sense demands it."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from services.escalation.tickets.features import NAMES, PLACE
from services.escalation.tickets.forest import LEAF, Floats, Forest, joined
from services.escalation.tickets.score import FAR, Linear, Rows, Score
from services.escalation.training.table import Bools, Table

RISING: Final = (
    "reassignments",
    "reopenings",
    "times resolved",
    "groups",
    "assignees",
    "silences",
    "caller's incidents",
    "caller's turned",
)
"""More of these never lowers a score."""
RISING_BREACH: Final = (*RISING, "age", "weekday age", "office age", "over", "late already")


@dataclass(frozen=True, slots=True)
class Grown:
    """How a forest is grown."""

    trees: int
    leaves: int
    rate: float
    least: int
    """Training rows in a leaf."""
    l2: float
    features: float
    """Share of the features that each split looks at."""
    rising: tuple[str, ...]
    seeds: int


ESCALATED: Final = Grown(100, 6, 0.03, 200, 20.0, 0.25, RISING, 3)
BREACHED: Final = Grown(200, 24, 0.05, 100, 10.0, 0.3, RISING_BREACH, 1)
STRENGTH: Final = 0.003
"""1 / the ridge of the linear part."""
MIX: Final = 0.5
"""The linear part's share in the score for `escalated`."""


def escalated(table: Table, seed: int = 0) -> Score:
    """The uncalibrated score of being raised or reopened later."""
    first = table.is_first & table.before_turn
    linear, base = ridge(table.first[first], table.turns[first])
    use = table.before_turn
    forest, more = grow(table.now[use], table.turns[use], 1 / table.rows_of[use], ESCALATED, seed)
    return Score(
        MIX * base + (1 - MIX) * more,
        replace(linear, weight=(MIX * linear.weight).astype(np.float32)),
        joined([forest], 1 - MIX),
    )


def breached(table: Table, seed: int = 0) -> Score:
    """The uncalibrated score of being late in the end. Rows weigh as often as they are the last word at a landmark."""
    forest, base = grow(table.now, table.late, table.stands + 0.1, BREACHED, seed)
    flat = np.zeros(len(NAMES), dtype=np.float32)
    return Score(base, Linear(flat, flat + 1, flat), forest)


def grow(rows: Rows, label: Bools, weight: Floats, how: Grown, seed: int) -> tuple[Forest, float]:
    """A forest, averaged over seeds, and its base."""
    rising = np.zeros(len(NAMES), dtype=np.int8)
    rising[[PLACE[n] for n in how.rising]] = 1
    forests, bases = [], []
    for k in range(how.seeds):
        drawn = np.random.default_rng(seed + k).random(len(rows)) < (0.8 if how.seeds > 1 else 1.1)
        model = HistGradientBoostingClassifier(
            learning_rate=how.rate,
            max_iter=how.trees,
            max_leaf_nodes=how.leaves,
            min_samples_leaf=how.least,
            l2_regularization=how.l2,
            max_features=how.features,
            max_bins=63,
            monotonic_cst=rising,
            early_stopping=False,
            random_state=seed + k,
        ).fit(rows[drawn], label[drawn], weight[drawn] / weight[drawn].mean())
        forests.append(exported(model))
        bases.append(float(np.ravel(model._baseline_prediction)[0]))
    return joined(forests, 1 / how.seeds), float(np.mean(bases))


def exported(model: HistGradientBoostingClassifier) -> Forest:
    """A fitted model's trees as ours."""
    parts = [_tree(stage[0].nodes) for stage in model._predictors]
    return joined(parts, 1.0)


def _tree(nodes: NDArray[Any]) -> Forest:
    leaf = nodes["is_leaf"].astype(bool)
    value = nodes["value"].astype(np.float64)
    count = nodes["count"].astype(np.float64)
    left, right = nodes["left"].astype(np.int32), nodes["right"].astype(np.int32)
    for i in np.argsort(-nodes["depth"].astype(int), kind="stable"):
        if not leaf[i]:
            a, b = left[i], right[i]
            value[i] = (value[a] * count[a] + value[b] * count[b]) / (count[a] + count[b])
    exact = nodes["num_threshold"].astype(np.float64)
    threshold = exact.astype(np.float32)
    threshold = np.where(threshold > exact, np.nextafter(threshold, np.float32(-np.inf)), threshold)
    return Forest(
        np.zeros(1, dtype=np.int32),
        np.where(leaf, LEAF, nodes["feature_idx"]).astype(np.int32),
        threshold.astype(np.float32),
        left,
        right,
        value.astype(np.float32),
        int(nodes["depth"].max()),
    )


def ridge(rows: Rows, label: Bools) -> tuple[Linear, float]:
    """Logistic regression on standardised features; weights that must not be negative and would be are left out."""
    centre = rows.mean(axis=0, dtype=np.float64)
    spread = rows.std(axis=0, dtype=np.float64)
    use = spread > 1e-6
    spread = np.where(use, spread, 1.0)
    away = np.clip((rows - centre) / spread, -FAR, FAR)
    rising = [PLACE[n] for n in RISING]
    while True:
        weight = np.zeros(len(NAMES))
        weight[use], base = _newton(away[:, use], label)
        wrong = [i for i in rising if weight[i] < 0]
        if not wrong:
            break
        use[wrong] = False
    linear = Linear(centre.astype(np.float32), spread.astype(np.float32), weight.astype(np.float32))
    return linear, base


def _newton(x: Floats, label: Bools) -> tuple[Floats, float]:
    """Ridge logistic regression by Newton's method; the base is not drawn to zero."""
    a = np.hstack([x, np.ones((len(x), 1))])
    held = np.full(a.shape[1], 1 / STRENGTH)
    held[-1] = 1e-9
    w = np.zeros(a.shape[1])
    share = label.mean()
    w[-1] = np.log(share / (1 - share))
    for _ in range(30):
        p = 1 / (1 + np.exp(-(a @ w)))
        gradient = a.T @ (p - label) + held * w
        step = np.linalg.solve((a * (p * (1 - p))[:, None]).T @ a + np.diag(held), gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    return w[:-1], float(w[-1])


def calibrated(score: Score, slope: float, shift: float) -> Score:
    """The score with log odds slope · z + shift."""
    return Score(
        slope * score.base + shift,
        replace(score.linear, weight=(slope * score.linear.weight).astype(np.float32)),
        joined([score.forest], slope),
    )
