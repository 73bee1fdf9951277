"""Fits the linear heads: naive-Bayes-scaled n-grams, logistic regression, 8-bit weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped,unused-ignore]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped,unused-ignore]

from services.sentiment.domain.encode import encode_normalised
from services.sentiment.domain.linear import Heads, grams

_BATCH: Final = 2000
_MIN_TEXTS: Final = 2
"""An n-gram seen in one text only teaches that text: it gets no weight."""
_TOLERANCE: Final = 1e-5
_ROUNDS: Final = 200
_APART: Final = 0.7
"""How freely a kind's own weights are fitted beside the common ones."""
_CLIP_QUANTILE: Final = 0.9995
"""Weights beyond this quantile are cut to it, so that 8 bits resolve the many small ones."""


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """How to fit a head: `strength` is the inverse regularisation; `idf`: n-grams that few texts have weigh more."""

    strength: float = 10.0
    idf: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """The texts' hashed n-gram counts divided by the root of their number, only the columns that may get a weight."""

    counts: sparse.csr_matrix
    lengths: NDArray[np.int64]
    columns: NDArray[np.int64]
    bits: int


def table(texts: Sequence[str], longest: int, bits: int, words: int = 0) -> Table:
    """The n-grams of normalised texts."""
    parts, lengths = [], []
    for start in range(0, len(texts), _BATCH):
        encoded = encode_normalised(texts[start : start + _BATCH])
        rows, columns = [], []
        for some in grams(encoded, longest, words):
            owner = np.repeat(np.arange(len(encoded)), some.counts)
            nth = np.arange(len(owner)) - np.repeat(np.cumsum(some.counts) - some.counts, some.counts)
            rows.append(owner)
            columns.append(some.rows(bits)[some.starts[owner] + nth])
        row, column = np.concatenate(rows), np.concatenate(columns)
        shape = (len(encoded), 1 << bits)
        part = sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=shape)
        part.sum_duplicates()
        length = np.bincount(row, minlength=len(encoded))
        part.data /= np.sqrt(np.repeat(length, np.diff(part.indptr))).astype(np.float32)
        parts.append(part)
        lengths.append(length)
    whole = sparse.vstack(parts).tocsr()
    columns_kept = np.flatnonzero(np.bincount(whole.indices, minlength=1 << bits) >= _MIN_TEXTS)
    number = np.full(1 << bits, -1, dtype=np.int32)
    number[columns_kept] = np.arange(len(columns_kept), dtype=np.int32)
    kept = number[whole.indices] >= 0
    indptr = np.concatenate([[0], np.cumsum(kept)])[whole.indptr]
    counts = sparse.csr_matrix(
        (whole.data[kept], number[whole.indices[kept]], indptr), shape=(len(texts), len(columns_kept))
    )
    return Table(counts, np.concatenate(lengths), columns_kept, bits)


def nb_scale(
    matrix: sparse.csr_matrix,
    lengths: NDArray[np.int64],
    truth: NDArray[np.bool_],
    weight: NDArray[np.float64],
    with_idf: bool,
) -> NDArray[np.float64]:
    """Per n-gram |log odds of its class| (Wang and Manning 2012), by log inverse text frequency if asked.

    A text counts by its weight: else a large set that matters little decides what a small one's words are worth.
    """
    texts = np.bincount(matrix.indices, np.repeat(weight, np.diff(matrix.indptr)), matrix.shape[1])
    root = np.sqrt(lengths) * weight
    yes, no = (matrix[side].T @ root[side] + 1.0 for side in (truth, ~truth))
    odds = np.abs(np.log((yes / yes.sum()) / (no / no.sum())))
    idf = np.log(np.maximum(weight.sum() / np.maximum(texts, 1.0), 1.0)) if with_idf else 1.0
    seen = np.bincount(matrix.indices, minlength=matrix.shape[1]) >= _MIN_TEXTS
    return np.asarray(odds * idf * seen, dtype=np.float64)


def fit(
    grams_of: Table, truth: NDArray[np.bool_], weight: NDArray[np.float64], spec: HeadSpec
) -> tuple[NDArray[np.float64], float]:
    """Weights over the whole table and the bias that tell `truth` from the texts with a weight above 0."""
    own, bias = fit_block(grams_of, truth, weight, spec, None)
    return own[0], bias


def fit_block(
    grams_of: Table,
    truth: NDArray[np.bool_],
    weight: NDArray[np.float64],
    spec: HeadSpec,
    apart: NDArray[np.bool_] | None,
) -> tuple[list[NDArray[np.float64]], float]:
    """The same with a second set of weights that only the texts `apart` have, on top of the common ones (Daumé 2007)."""
    known = weight > 0
    blocks: list[sparse.csr_matrix] = []
    scales: list[NDArray[np.float64]] = []
    for block in (known, None if apart is None else known & apart):
        if block is None:
            continue
        scale = nb_scale(grams_of.counts[block], grams_of.lengths[block], truth[block], weight[block], spec.idf)
        scaled = (grams_of.counts[known] @ sparse.diags(scale)).tocsr()
        # Dividing by the root of the mean squared row makes `strength` mean the same for every data set.
        within = block[known]
        squares = np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel()
        scale /= np.sqrt((weight[known] * squares)[within].sum() / weight[known][within].sum())
        scales.append(scale)
        shown = sparse.diags(np.ones(int(known.sum())) if not blocks else _APART * within)
        blocks.append((shown @ grams_of.counts[known] @ sparse.diags(scale)).tocsr())
    if apart is not None:
        blocks.append(sparse.csr_matrix(apart[known].astype(float)[:, None]))
    matrix = sparse.hstack(blocks).tocsr() if len(blocks) > 1 else blocks[0]
    # Most n-grams are none of a small set's: without them it is fitted in a fraction of the time.
    used = np.unique(matrix.indices[matrix.data != 0])
    regression = LogisticRegression(C=spec.strength, tol=_TOLERANCE, max_iter=_ROUNDS)
    fitted = regression.fit(matrix[:, used], truth[known], sample_weight=weight[known])
    weights = np.zeros(matrix.shape[1])
    weights[used] = fitted.coef_[0]
    size = len(grams_of.columns)
    found = []
    for number, scale in enumerate(scales):
        own = np.zeros(1 << grams_of.bits)
        part = weights[number * size : (number + 1) * size] * scale
        own[grams_of.columns] = part if not number else _APART * part
        found.append(own)
    return found, float(fitted.intercept_[0])


def heads(fitted: Sequence[tuple[NDArray[np.float64], float]], width: int | None = None) -> Heads:
    """The fitted heads side by side in one table of `width` columns, in 8 bits."""
    width = width or len(fitted)
    weights = np.zeros((len(fitted[0][0]), width), np.int8)
    scale, bias = np.ones(width), np.zeros(width)
    for column, (own, start) in enumerate(fitted):
        weights[:, column], scale[column] = quantise(own)
        bias[column] = start
    return Heads(weights, scale, bias)


def quantise(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], float]:
    """The weights as int8 and the worth of one step."""
    some = np.abs(weights[weights != 0])
    step = float(np.quantile(some, _CLIP_QUANTILE)) / 127 if len(some) else 1.0
    return np.clip(np.rint(weights / step), -127, 127).astype(np.int8), step
