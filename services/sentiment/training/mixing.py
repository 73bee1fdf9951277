"""Calibrates the outputs, and weighs the network's opinion against the linear heads', on texts that trained neither."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped,unused-ignore]

from services.sentiment.domain.cascade import COMPLAINT, EMOTION, NEUTRAL, OUTPUTS, POLARITY, Mix
from services.sentiment.training import labels
from services.sentiment.training.data import Example

Floats = NDArray[np.float64]

_PRIOR: Final = 1e-3
"""Pulls the weights a little towards one half each: it decides only where the texts don't."""
WEIGHT: Final[dict[str, tuple[float, float, float, float]]] = {
    "online_shopping_zh": (1, 1, 0.3, 0),
    "waimai_zh": (1, 1, 0.3, 0),
    "weibo_covid_zh": (1, 1, 0.3, 1),
    "atec_zh": (1, 1, 0.1, 0.05),
    "shop_chat_zh": (1, 1, 1, 0.1),
    "asking_zh": (1, 1, 1, 0.1),
    "apart_zh": (1, 1, 1, 0.1),
    "negation_zh": (0.5, 0.5, 0.5, 0),
    "citizens_zh": (0, 0, 1, 0),
    "airline_en": (1, 1, 0, 1),
    "banking77_en": (0, 0.1, 0, 0.05),
    "shop_chat_en": (0, 0.1, 0, 0.05),
    "asking_en": (0, 0.1, 0, 0.05),
    "apart_en": (0, 0.1, 0, 0.05),
    "negation_en": (0.1, 0.1, 0, 0),
    "complaints_en": (0, 0, 1, 0),
    "random_tweets_en": (0, 0, 0.25, 0),
}
"""How much a text of each set counts for the calibration of polarity, neutral, complaint, emotion."""
_OPINION: Final = {"negation_zh": 0.0, "negation_en": 0.0}
"""How much of a text's weight says that it isn't neutral: all, but of sets that only teach which way an opinion goes."""


def targets(examples: Sequence[Example]) -> tuple[Floats, Floats]:
    """What each output should say of each text (0 or 1), and how much it counts: 0 where it is not known."""
    target = np.zeros((len(examples), len(OUTPUTS)))
    weight = np.zeros((len(examples), len(OUTPUTS)))
    for i, e in enumerate(examples):
        if e.label is not None:
            target[i, NEUTRAL] = e.label == labels.NEUTRAL
            weight[i, NEUTRAL] = e.weight * _OPINION.get(e.source, 1.0)
            if e.label != labels.NEUTRAL:
                target[i, POLARITY] = e.label == labels.POSITIVE
                weight[i, POLARITY] = e.weight
        if e.complaint is not None:
            target[i, COMPLAINT] = e.complaint
            weight[i, COMPLAINT] = e.complaint_weight
        if e.emotion is not None:
            target[i, EMOTION.start + e.emotion] = 1
            weight[i, EMOTION] = e.weight
    return target, weight


def importance(examples: Sequence[Example], weight: Floats) -> Floats:
    """The calibration's weights: those of `targets`, by data set."""
    by_set = np.array([WEIGHT.get(e.source, (1, 1, 1, 1)) for e in examples])
    columns = [0, 1, 2] + [3] * (len(OUTPUTS) - 3)
    return np.asarray((weight > 0) * by_set[:, columns])


def fit(linear: Floats, network: Floats | None, target: Floats, weight: Floats, tilt: float) -> Mix:
    """The mix under which the targets are likeliest. `tilt`: how far the emotions' chances are evened out, 0 … 1.

    Rare emotions are named too seldom where each is given its honest chance; the tilt trades some of that for them.
    """
    a, b, c = np.ones(len(OUTPUTS)), np.zeros(len(OUTPUTS)), np.zeros(len(OUTPUTS))
    second = np.zeros_like(linear) if network is None else network
    for column in range(EMOTION.start):
        known = weight[:, column] > 0
        if known.any():
            x = np.stack([linear[known, column], second[known, column]])
            # How the opinion's chances weigh against neutral's in the softmax over the three labels.
            polar = linear[known, POLARITY] * a[POLARITY] + second[known, POLARITY] * b[POLARITY] + c[POLARITY]
            offset = -np.logaddexp(polar / 2, -polar / 2) if column == NEUTRAL else np.zeros(len(polar))
            own = weight[known, column]
            a[column], b[column], c[column] = _binary(x, offset, target[known, column], own, network is None)
    known = weight[:, EMOTION.start] > 0
    if known.any():
        x = np.stack([linear[known, EMOTION], second[known, EMOTION]])
        share = (target[known, EMOTION] * weight[known, EMOTION]).sum(0) + 1
        a[EMOTION], b[EMOTION], bias = _softmax(
            x, target[known, EMOTION], weight[known, EMOTION.start], network is None
        )
        c[EMOTION] = bias - tilt * np.log(share / share.sum())
    return Mix(a, b, c)


def fit_kinds(polar: Floats, shares: Floats, target: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Slope and bias for each kind's polarity, under which the labels are likeliest."""
    kinds = shares.shape[1]
    x = np.concatenate([shares * polar[:, :kinds], shares], axis=1)

    def cost(v: Floats) -> tuple[float, Floats]:
        z = x @ v
        p = 1 / (1 + np.exp(-np.clip(z, -30, 30)))
        value = (weight * (np.logaddexp(0, z) - target * z)).sum() / weight.sum()
        pull = np.concatenate([v[:kinds] - 1, 0.1 * v[kinds:]])
        slope = x.T @ (weight * (p - target)) / weight.sum()
        return value + _PRIOR * (pull**2).sum(), slope + 2 * _PRIOR * pull * np.repeat([1.0, 0.1], kinds)

    begin = np.repeat([1.0, 0.0], kinds)
    found = minimize(cost, begin, jac=True, bounds=[(0.1, None)] * kinds + [(None, None)] * kinds).x
    return found[:kinds], found[kinds:]


def _binary(x: Floats, offset: Floats, truth: Floats, weight: Floats, alone: bool) -> tuple[float, float, float]:
    def cost(v: Floats) -> tuple[float, Floats]:
        z = v[0] * x[0] + v[1] * x[1] + v[2] + offset
        p = 1 / (1 + np.exp(-np.clip(z, -30, 30)))
        value = (weight * (np.logaddexp(0, z) - truth * z)).sum() / weight.sum()
        slope = weight * (p - truth) / weight.sum()
        grad = np.array([slope @ x[0], slope @ x[1], slope.sum()])
        pull = np.array([v[0] - 0.5, v[1] - 0.5, 0.0])
        return value + _PRIOR * (pull**2).sum(), grad + 2 * _PRIOR * pull

    limits = [(0.0, None), (0.0, 0.0) if alone else (0.0, None), (None, None)]
    found = minimize(cost, np.array([0.5, 0.0 if alone else 0.5, 0.0]), jac=True, bounds=limits).x
    return float(found[0]), float(found[1]), float(found[2])


def _softmax(x: Floats, truth: Floats, weight: Floats, alone: bool) -> tuple[float, float, Floats]:
    kinds = truth.shape[1]

    def cost(v: Floats) -> tuple[float, Floats]:
        z = v[0] * x[0] + v[1] * x[1] + v[2:]
        z = z - z.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        value = -(weight[:, None] * truth * log_p).sum() / weight.sum()
        slope = weight[:, None] * (np.exp(log_p) - truth) / weight.sum()
        grad = np.concatenate([[(slope * x[0]).sum(), (slope * x[1]).sum()], slope.sum(0)])
        pull = np.concatenate([[v[0] - 0.5, v[1] - 0.5], 0.01 * v[2:]])
        return value + _PRIOR * (pull**2).sum(), grad + 2 * _PRIOR * pull * np.concatenate(
            [[1, 1], np.full(kinds, 0.01)]
        )

    limits = [(0.0, None), (0.0, 0.0) if alone else (0.0, None), *[(None, None)] * kinds]
    start = np.concatenate([[0.5, 0.0 if alone else 0.5], np.zeros(kinds)])
    found = minimize(cost, start, jac=True, bounds=limits).x
    return float(found[0]), float(found[1]), np.asarray(found[2:])
