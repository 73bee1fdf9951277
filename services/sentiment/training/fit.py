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


def table(texts: Sequence[str], longest: int, bits: int) -> Table:
    """The n-grams of normalised texts."""
    parts, lengths = [], []
    for start in range(0, len(texts), _BATCH):
        encoded = encode_normalised(texts[start : start + _BATCH])
        rows, columns = [], []
        for some in grams(encoded, longest):
            owner = np.repeat(np.arange(len(encoded)), encoded.sizes)[: len(some.hashes)]
            place = np.arange(len(some.hashes)) - some.starts[owner]
            inside = place < some.counts[owner]
            rows.append(owner[inside])
            columns.append(some.rows(bits)[inside])
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
    matrix: sparse.csr_matrix, lengths: NDArray[np.int64], truth: NDArray[np.bool_], with_idf: bool
) -> NDArray[np.float64]:
    """Per n-gram |log odds of its class| (Wang and Manning 2012), by log inverse text frequency if asked."""
    texts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    root = np.sqrt(lengths)
    yes, no = (matrix[side].T @ root[side] + 1.0 for side in (truth, ~truth))
    odds = np.abs(np.log((yes / yes.sum()) / (no / no.sum())))
    idf = np.log(matrix.shape[0] / np.maximum(texts, 1)) if with_idf else 1.0
    return np.asarray(odds * idf * (texts >= _MIN_TEXTS), dtype=np.float64)


def fit(
    grams_of: Table, truth: NDArray[np.bool_], weight: NDArray[np.float64], spec: HeadSpec
) -> tuple[NDArray[np.float64], float]:
    """Weights over the whole table and the bias that tell `truth` from the texts with a weight above 0."""
    known = weight > 0
    matrix, mine = grams_of.counts[known], truth[known]
    scale = nb_scale(matrix, grams_of.lengths[known], mine, spec.idf)
    scaled = (matrix @ sparse.diags(scale)).tocsr()
    # Dividing by the mean square row length makes `strength` mean the same for every data set.
    size = float(scaled.multiply(scaled).sum() / scaled.shape[0])
    regression = LogisticRegression(C=spec.strength / size, tol=_TOLERANCE, max_iter=_ROUNDS)
    fitted = regression.fit(scaled, mine, sample_weight=weight[known])
    weights = np.zeros(1 << grams_of.bits)
    weights[grams_of.columns] = fitted.coef_[0] * scale
    return weights, float(fitted.intercept_[0])


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
