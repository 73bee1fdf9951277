"""Trains the network that gives the second opinion (`domain/network.py`), with JAX.

Many outputs learn together, each from the texts that have a label for it: a text's target may be a probability
(a teacher's soft label), and its weight is 0 where nothing is known.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import encode_normalised
from services.sentiment.domain.network import Network
from services.sentiment.domain.units import MAX_UNITS, PAD, Vocabulary, unit_numbers

Floats = NDArray[np.float32]
Params = dict[str, Any]

_WIDTHS: Final = (16, 32, 64, 128, MAX_UNITS)
"""Texts of like length train together, padded to the next of these."""


@dataclass(frozen=True, slots=True)
class StudentSpec:
    """The network's sizes and how it is trained. `group` are the columns that exclude each other (one softmax)."""

    group: tuple[int, ...] = ()
    channels: int = 128
    width: int = 3
    hidden: int = 64
    epochs: int = 5
    batch: int = 128
    rate: float = 2e-3
    embedding_rate: float = 0.5
    """Of `rate`: embeddings that come from a teacher should move less than the rest."""
    word_dropout: float = 0.15
    dropout: float = 0.3
    decay: float = 1e-4
    hint: float = 0.3
    """What a text's hints weigh."""
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Lessons:
    """Texts as unit numbers with `bounds`, for each text and output a target (0 … 1) and its weight, and the teacher's hints at how
    it sees the text (not a number: none)."""

    numbers: NDArray[np.uint16]
    bounds: NDArray[np.int64]
    target: Floats
    weight: Floats
    hints: Floats


def lessons(
    vocabulary: Vocabulary, texts: Sequence[str], target: Floats, weight: Floats, hints: Floats | None = None
) -> Lessons:
    """What to learn from the normalised texts."""
    numbers, bounds = unit_numbers(vocabulary, encode_normalised(texts))
    hints = np.zeros((len(texts), 0), np.float32) if hints is None else hints
    return Lessons(numbers, bounds, target.astype(np.float32), weight.astype(np.float32), hints)


def start(embedding: Floats, outputs: int, spec: StudentSpec, hints: int = 0) -> Params:
    """Fresh parameters around the given embedding."""
    rng = np.random.default_rng(spec.seed)
    size = embedding.shape[1]

    def dense(*shape: int, fan: int) -> Floats:
        return np.asarray(rng.normal(0, np.sqrt(2 / fan), shape), dtype=np.float32)

    return {
        "embedding": embedding.astype(np.float32),
        "window": dense(spec.width, size, spec.channels, fan=spec.width * size),
        "bias": np.zeros(spec.channels, np.float32),
        "hidden": dense(2 * spec.channels, spec.hidden, fan=2 * spec.channels),
        "hidden_bias": np.zeros(spec.hidden, np.float32),
        "output": dense(spec.hidden, outputs, fan=4 * spec.hidden),
        "output_bias": np.zeros(outputs, np.float32),
        "hint": dense(2 * spec.channels, hints, fan=8 * spec.channels),
    }


def forward(params: Params, numbers: Any, spec: StudentSpec, key: Any = None) -> Any:
    """The outputs for a padded batch and what they are worked out from; with a key, units and features are dropped at random."""
    there = (numbers != PAD)[:, :, None]
    embedded = params["embedding"][numbers]
    if key is not None:
        words, features = jax.random.split(key)
        embedded *= jax.random.bernoulli(words, 1 - spec.word_dropout, numbers.shape)[:, :, None]
    embedded = jnp.where(there, embedded, 0)
    reach = spec.width // 2
    padded = jnp.pad(embedded, ((0, 0), (reach, reach), (0, 0)))
    windows = jnp.concatenate([padded[:, k : k + numbers.shape[1]] for k in range(spec.width)], axis=2)
    flat = params["window"].reshape(-1, spec.channels)
    channels = jnp.where(there, jax.nn.relu(windows @ flat + params["bias"]), 0)
    mean = channels.sum(1) / jnp.maximum(there.sum(1), 1)
    pooled = jnp.concatenate([channels.max(1), mean], axis=1)
    if key is not None:
        pooled *= jax.random.bernoulli(features, 1 - spec.dropout, pooled.shape) / (1 - spec.dropout)
    return _answers(params, pooled), pooled


def _answers(params: Params, pooled: Any) -> Any:
    inner = jax.nn.relu(pooled @ params["hidden"] + params["hidden_bias"])
    return inner @ params["output"] + params["output_bias"]


def loss(params: Params, numbers: Any, target: Any, weight: Any, hints: Any, key: Any, spec: StudentSpec) -> Any:
    """Weighted cross entropy: a softmax over the group's columns, each other column on its own; and how far the hints are missed."""
    out, pooled = forward(params, numbers, spec, key)
    single = np.array([c for c in range(out.shape[1]) if c not in spec.group], dtype=int)
    z = out[:, single]
    entropy = jnp.maximum(z, 0) - z * target[:, single] + jnp.log1p(jnp.exp(-jnp.abs(z)))
    total = (entropy * weight[:, single]).sum()
    if spec.group:
        group = np.array(spec.group)
        log_p = jax.nn.log_softmax(out[:, group], axis=1)
        total -= ((log_p * target[:, group]).sum(1) * weight[:, group[0]]).sum()
    if hints.shape[1]:
        missed = (pooled @ params["hint"] - jnp.nan_to_num(hints)) ** 2
        total += spec.hint * (missed.mean(1) * ~jnp.isnan(hints[:, 0])).sum()
    return total / numbers.shape[0]


def train(params: Params, data: Lessons, spec: StudentSpec, say: str = "") -> Params:
    """Adam with a rate that falls to nothing (a cosine), decoupled weight decay; the same for the same seed."""
    rng = np.random.default_rng(spec.seed)
    steps = spec.epochs * sum(1 for _ in _batches(data, spec, np.random.default_rng(0)))
    rates = {k: spec.rate * (spec.embedding_rate if k == "embedding" else 1.0) for k in params}

    @jax.jit  # type: ignore[untyped-decorator,unused-ignore]
    def step(params: Params, first: Params, second: Params, at: Any, batch: Any, key: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(params, *batch, key, spec)
        first = {k: 0.9 * first[k] + 0.1 * slope[k] for k in params}
        second = {k: 0.999 * second[k] + 0.001 * slope[k] ** 2 for k in params}
        warm = jnp.minimum(1.0, (at + 1) / 100)
        fall = warm * 0.5 * (1 + jnp.cos(jnp.pi * at / steps))
        first_scale, second_scale = 1 / (1 - 0.9 ** (at + 1)), 1 / (1 - 0.999 ** (at + 1))
        params = {
            k: p
            - fall * rates[k] * (first[k] * first_scale / (jnp.sqrt(second[k] * second_scale) + 1e-8) + spec.decay * p)
            for k, p in params.items()
        }
        return params, first, second, value

    params = {k: jnp.asarray(p) for k, p in params.items()}
    first = {k: jnp.zeros_like(p) for k, p in params.items()}
    second = {k: jnp.zeros_like(p) for k, p in params.items()}
    at = 0
    for epoch in range(spec.epochs):
        begun, values = time.monotonic(), []
        for batch in _batches(data, spec, rng):
            key = jax.random.fold_in(jax.random.key(spec.seed), at)
            params, first, second, value = step(params, first, second, float(at), batch, key)
            values.append(value)
            at += 1
        mean = float(np.mean([float(v) for v in values]))
        print(f"{say} epoch {epoch + 1}: loss {mean:.4f}, {time.monotonic() - begun:.0f} s", flush=True)
    return {k: np.asarray(p) for k, p in params.items() if k != "hint"}


def _batches(data: Lessons, spec: StudentSpec, rng: np.random.Generator) -> Iterator[tuple[Any, Any, Any, Any]]:
    """All texts once, in a random order, those of like length together; each batch full (padded by repeats)."""
    lengths = np.diff(data.bounds)
    order = rng.permutation(len(lengths))
    which = np.searchsorted(_WIDTHS, lengths)
    plan = []
    for bucket, width in enumerate(_WIDTHS):
        mine = order[which[order] == bucket]
        size = max(16, spec.batch * 32 // max(32, width))
        plan += [(width, size, mine[i : i + size]) for i in range(0, len(mine), size)]
    for i in rng.permutation(len(plan)):
        width, size, rows = plan[i]
        weight = data.weight[rows]
        if len(rows) < size:
            weight = np.concatenate([weight, np.zeros((size - len(rows), weight.shape[1]), np.float32)])
            rows = np.concatenate([rows, np.full(size - len(rows), rows[0])])
        yield padded(data, rows, width), data.target[rows], weight, data.hints[rows]


def padded(data: Lessons, rows: NDArray[np.int64], width: int) -> NDArray[np.int32]:
    """The texts' unit numbers as a rectangle."""
    out = np.full((len(rows), width), PAD, dtype=np.int32)
    lengths = np.diff(data.bounds)[rows]
    at = np.arange(width)[None, :] < lengths[:, None]
    starts = data.bounds[:-1][rows]
    out[at] = data.numbers[(starts[:, None] + np.arange(width)[None, :])[at]]
    return out


def network(vocabulary: Vocabulary, params: Params) -> Network:
    """The served form of the parameters: each place's product with the embeddings, worked out."""
    embedding = np.array(params["embedding"])
    embedding[PAD] = 0
    places = tuple(np.ascontiguousarray(embedding @ w) for w in params["window"])
    named = {k: np.asarray(params[k]) for k in ("bias", "hidden", "hidden_bias", "output", "output_bias")}
    return Network(vocabulary, places, **named)
