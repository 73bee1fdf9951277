"""Fits one head: naive-Bayes-scaled n-grams, logistic regression, Platt calibration, 8-bit weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped,unused-ignore]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped,unused-ignore]

from services.sentiment.domain.model import Head, head_probabilities
from services.sentiment.domain.text import ngram_hashes

_BATCH: Final = 2000
_MIN_TEXTS: Final = 2
"""An n-gram seen in one text only teaches that text: it gets no weight."""
_TOLERANCE: Final = 1e-5
_CLIP_QUANTILE: Final = 0.9995
"""Weights beyond this quantile are cut to it, so that 8 bits resolve the many small ones."""


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """How to fit a head: table size 2^bits, longest n-gram, `strength` = inverse regularisation,
    and whether n-grams that few texts have weigh more (idf)."""

    bits: int
    longest: int
    strength: float
    idf: bool = True


def counts(texts: Sequence[str], spec: HeadSpec) -> sparse.csr_matrix:
    """How often each text has each hashed n-gram."""
    parts = []
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        hashes, owners = ngram_hashes(batch, spec.longest, spec.bits)
        shape = (len(batch), 1 << spec.bits)
        part = sparse.csr_matrix((np.ones(len(hashes), np.float32), (owners, hashes)), shape=shape)
        part.sum_duplicates()
        parts.append(part)
    return sparse.vstack(parts).tocsr()


def nb_scale(matrix: sparse.csr_matrix, truth: NDArray[np.bool_], with_idf: bool) -> NDArray[np.float64]:
    """Per n-gram |log odds of its class| (Wang and Manning 2012), by log inverse text frequency if asked."""
    texts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    yes = np.asarray(matrix[truth].sum(axis=0)).ravel() + 1.0
    no = np.asarray(matrix[~truth].sum(axis=0)).ravel() + 1.0
    odds = np.abs(np.log((yes / yes.sum()) / (no / no.sum())))
    idf = np.log(matrix.shape[0] / np.maximum(texts, 1)) if with_idf else 1.0
    return np.asarray(odds * idf * (texts >= _MIN_TEXTS), dtype=np.float64)


def fit_head(texts: Sequence[str], truth: NDArray[np.bool_], weight: NDArray[np.float64], spec: HeadSpec) -> Head:
    """A head, not yet calibrated, that tells `truth` from the texts, each counting by its weight."""
    matrix = counts(texts, spec)
    scale = nb_scale(matrix, truth, spec.idf)
    length = np.asarray(matrix.sum(axis=1)).ravel()
    scaled = (sparse.diags(1 / np.sqrt(length)) @ matrix @ sparse.diags(scale)).tocsr()
    scaled.eliminate_zeros()
    # Dividing by the mean square row length makes `strength` mean the same for every data set.
    size = float(scaled.multiply(scaled).sum() / scaled.shape[0])
    regression = LogisticRegression(C=spec.strength / size, tol=_TOLERANCE, max_iter=300)
    fitted = regression.fit(scaled, truth, sample_weight=weight)
    weights = fitted.coef_[0] * scale
    table, step = quantise(weights)
    return Head(table, step, float(fitted.intercept_[0]), 1.0)


def quantise(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], float]:
    """The weights as int8 and the worth of one step."""
    step = float(np.quantile(np.abs(weights[weights != 0]), _CLIP_QUANTILE)) / 127
    return np.clip(np.rint(weights / step), -127, 127).astype(np.int8), step


def calibrate(head: Head, texts: Sequence[str], truth: NDArray[np.bool_], longest: int) -> Head:
    """The head with the temperature and bias of Platt's scaling on texts that it wasn't fitted on."""
    p = probability(head, texts, longest)
    z = np.log(p / (1 - p))[:, None]
    platt = LogisticRegression(C=1e6).fit(z, truth)
    slope, shift = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    return replace(head, bias=head.bias + shift / slope, temperature=1.0 / slope)


def probability(head: Head, texts: Sequence[str], longest: int) -> NDArray[np.float64]:
    """The head's probability for each text, in batches, by the code that serves it."""
    parts = []
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        hashes, owners = ngram_hashes(batch, longest, head.bits)
        lengths = np.bincount(owners, minlength=len(batch))
        parts.append(head_probabilities(head, hashes, owners, lengths))
    return np.concatenate(parts)
