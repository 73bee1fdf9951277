"""The teacher's encoder in JAX, and its fine-tuning on the labelled texts of all tasks at once."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from services.sentiment.training.teacher import Teacher

Floats = NDArray[np.float32]
Params = dict[str, Any]

_EPSILON: Final = 1e-12
_WIDTHS: Final = (16, 24, 32, 40, 48, 64, 96)
_HALF: Final = jnp.bfloat16
PREFIX: Final = "query: "
"""What the encoder was trained to see before a text that is no passage."""


@dataclass(frozen=True, slots=True)
class TuneSpec:
    """How the teacher is fine-tuned. `group` are the columns that exclude each other (one softmax)."""

    group: tuple[tuple[int, ...], ...] = ()
    layers: int = 12
    frozen: int = 4
    """So many of the lowest layers stay as they are."""
    longest: int = 64
    tokens: int = 1024
    """A batch's size."""
    rate: float = 1e-4
    head_rate: float = 10.0
    """Of `rate`, for the new outputs."""
    seconds: float = 1200.0
    seed: int = 7


def start(teacher: Teacher, outputs: int, spec: TuneSpec) -> Params:
    """The encoder's tensors and fresh outputs on top; a layer's tensors of one name lie in one array, `low.*` those that stay as
    they are, `high.*` those that learn: the compiler then sees one layer and not twelve."""
    rng = np.random.default_rng(spec.seed)
    given = teacher.tensors
    kept: Params = {k: given[k] for k in ("emb.pos", "emb.ln.w", "emb.ln.b")}
    kept["emb.type"] = given["emb.type"][: given["emb.ln.w"].size]
    for name in (k.split(".", 1)[1] for k in given if k.startswith("l0.")):
        for part, layers in (("low", range(spec.frozen)), ("high", range(spec.frozen, spec.layers))):
            kept[f"{part}.{name}"] = np.stack([given[f"l{n}.{name}"] for n in layers])
    head = rng.normal(0, 0.02, (given["emb.ln.w"].size, outputs)).astype(np.float32)
    return {**kept, "head.w": head, "head.b": np.zeros(outputs, np.float32)}


def _norm(x: Any, weight: Any, bias: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    spread = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(spread + _EPSILON) * weight + bias


def _halves(x: Any, weight: Any) -> Any:
    """A product of halves, also on the way back: left alone, the slopes' would be in full precision, which takes thrice as long."""
    return jnp.dot(x.astype(_HALF), weight.astype(_HALF), preferred_element_type=jnp.float32)


_product = jax.custom_vjp(_halves)


def _forth(x: Any, weight: Any) -> Any:
    return _product(x, weight), (x.astype(_HALF), weight.astype(_HALF))


def _back(kept: Any, slope: Any) -> Any:
    x, weight = kept
    slope = slope.astype(_HALF)
    rows, slopes = x.reshape(-1, x.shape[-1]), slope.reshape(-1, slope.shape[-1])
    own = jnp.dot(rows.T, slopes, preferred_element_type=jnp.float32)
    return jnp.dot(slope, weight.T, preferred_element_type=jnp.float32), own


_product.defvjp(_forth, _back)


def encode(params: Params, words: Any, there: Any, heads: int) -> Any:
    """The mean of the last layer over a text's tokens, from token embeddings (texts × tokens × size) and their mask."""
    batch, length, size = words.shape
    x = _norm(words + params["emb.pos"][:length] + params["emb.type"], params["emb.ln.w"], params["emb.ln.b"])
    hidden = jnp.where(there[:, None, None, :], 0.0, -1e9)

    def split(y: Any) -> Any:
        return y.reshape(batch, length, heads, -1).transpose(0, 2, 1, 3)

    def layer(x: Any, p: Params) -> tuple[Any, None]:
        q, k, v = (split(_product(x, p[f"{name}.w"]) + p[f"{name}.b"]) for name in "qkv")
        scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / np.sqrt(size / heads) + hidden
        mixed = jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores), v)
        mixed = mixed.transpose(0, 2, 1, 3).reshape(batch, length, size)
        x = _norm(x + _product(mixed, p["ao.w"]) + p["ao.b"], p["aln.w"], p["aln.b"])
        inner = jax.nn.gelu(_product(x, p["fi.w"]) + p["fi.b"], approximate=True)
        return _norm(x + _product(inner, p["fo.w"]) + p["fo.b"], p["oln.w"], p["oln.b"]), None

    low, high = ({k.split(".", 1)[1]: v for k, v in params.items() if k.startswith(part)} for part in ("low.", "high."))
    x, _ = jax.lax.scan(layer, x, low)
    x, _ = jax.lax.scan(layer, jax.lax.stop_gradient(x), high)
    mask = there[:, :, None]
    return (x * mask).sum(1) / mask.sum(1)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Texts as token numbers, one array each."""

    rows: tuple[NDArray[np.int32], ...]

    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text."""
        return np.array([len(r) for r in self.rows])


def tokens(teacher: Teacher, texts: Sequence[str], longest: int) -> Tokens:
    """The texts' tokens, marks of begin and end included."""
    return Tokens(tuple(np.array(teacher.tokeniser(PREFIX + t, longest), dtype=np.int32) for t in texts))


def tune(teacher: Teacher, data: Tokens, target: Floats, weight: Floats, spec: TuneSpec) -> Params:
    """The encoder after as much training as `spec.seconds` allow (at most one round over the texts)."""
    params = {k: jnp.asarray(v) for k, v in start(teacher, target.shape[1], spec).items()}
    learnt = {k: params.pop(k) for k in list(params) if k.startswith(("high.", "head."))}
    rates = {k: spec.rate * (spec.head_rate if k.startswith("head") else 1.0) for k in learnt}
    grouped = {c for g in spec.group for c in g}
    single = np.array([c for c in range(target.shape[1]) if c not in grouped], dtype=int)

    def loss(learnt: Params, words: Any, there: Any, target: Any, weight: Any) -> Any:
        out = encode({**params, **learnt}, words, there, teacher.heads) @ learnt["head.w"] + learnt["head.b"]
        z = out[:, single]
        entropy = jnp.maximum(z, 0) - z * target[:, single] + jnp.log1p(jnp.exp(-jnp.abs(z)))
        total = (entropy * weight[:, single]).sum()
        for columns in spec.group:
            group = np.array(columns)
            chosen = (jax.nn.log_softmax(out[:, group], axis=1) * target[:, group]).sum(1)
            total -= (chosen * weight[:, group[0]]).sum()
        return total / words.shape[0]

    @partial(jax.jit, donate_argnums=(0, 1, 2))  # type: ignore[untyped-decorator,unused-ignore]
    def step(learnt: Params, first: Params, second: Params, at: Any, fall: Any, batch: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(learnt, *batch)
        length = jnp.sqrt(sum((s**2).sum() for s in slope.values()))
        slope = {k: s * jnp.minimum(1.0, 1.0 / length) for k, s in slope.items()}
        first = {k: 0.9 * first[k] + 0.1 * s for k, s in slope.items()}
        second = {k: 0.98 * second[k] + 0.02 * s**2 for k, s in slope.items()}
        one, two = 1 / (1 - 0.9 ** (at + 1)), 1 / (1 - 0.98 ** (at + 1))
        moved = {k: first[k] * one / (jnp.sqrt(second[k] * two) + 1e-8) for k in learnt}
        return {k: p - fall * rates[k] * moved[k] for k, p in learnt.items()}, first, second, value

    first = {k: jnp.zeros_like(p) for k, p in learnt.items()}
    second = {k: jnp.zeros_like(p) for k, p in learnt.items()}
    rng = np.random.default_rng(spec.seed)
    begun, recent = time.monotonic(), []
    plan = list(_plan(data, spec, rng))
    for at, (some, width) in enumerate(plan):
        done = max((time.monotonic() - begun) / spec.seconds, at / len(plan))
        if done >= 1:
            break
        # The rate rises over the first twentieth, then falls in a line to nothing when the time is over.
        fall = min(1.0, 20 * max(done, 0.002)) * (1 - done)
        spare = spec.tokens // width - len(some)
        rows = np.concatenate([some, np.full(spare, some[0])])
        own = np.concatenate([weight[some], np.zeros((spare, weight.shape[1]), np.float32)])
        batch = (*rectangle(teacher, data, rows, width), target[rows], own)
        learnt, first, second, value = step(learnt, first, second, float(at), fall, batch)
        recent.append(value)
        if (at + 1) % 50 == 0:
            mean, recent = np.mean([float(v) for v in recent]), []
            print(
                f"teacher: step {at + 1} of {len(plan)}, loss {mean:.4f}, {time.monotonic() - begun:.0f} s", flush=True
            )
    return {k: np.asarray(p) for k, p in (params | learnt).items()}


def _plan(data: Tokens, spec: TuneSpec, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.int64], int]]:
    lengths = data.lengths()
    which = np.searchsorted(_WIDTHS, lengths)
    order = rng.permutation(len(lengths))
    plan = []
    for bucket, width in enumerate(_WIDTHS):
        mine = order[which[order] == bucket]
        size = spec.tokens // width
        plan += [(mine[i : i + size], width) for i in range(0, len(mine), size)]
    for i in rng.permutation(len(plan)):
        yield plan[i]


def rectangle(teacher: Teacher, data: Tokens, rows: NDArray[np.int64], width: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Token embeddings of some texts, padded to `width`, and where a token is."""
    there = np.zeros((len(rows), width), dtype=bool)
    numbers = np.zeros((len(rows), width), dtype=np.int64)
    for i, row in enumerate(rows):
        own = data.rows[row][:width]
        numbers[i, : len(own)], there[i, : len(own)] = own, True
    return teacher.rows(numbers), there


def answers(teacher: Teacher, params: Params, data: Tokens, spec: TuneSpec) -> tuple[Floats, Floats]:
    """For each text the encoder's outputs, and its vector."""

    @jax.jit  # type: ignore[untyped-decorator,unused-ignore]
    def run(words: Any, there: Any) -> Any:
        pooled = encode(params, words, there, teacher.heads)
        return pooled @ params["head.w"] + params["head.b"], pooled

    lengths = data.lengths()
    which = np.searchsorted(_WIDTHS, lengths)
    out = np.zeros((len(lengths), len(params["head.b"])), np.float32)
    vectors = np.zeros((len(lengths), len(params["emb.ln.w"])), np.float32)
    for bucket, width in enumerate(_WIDTHS):
        mine = np.flatnonzero(which == bucket)
        size = 2 * spec.tokens // width
        for i in range(0, len(mine), size):
            rows = mine[i : i + size]
            whole = np.concatenate([rows, np.full(size - len(rows), rows[0])])
            one, two = run(*rectangle(teacher, data, whole, width))
            out[rows], vectors[rows] = np.asarray(one)[: len(rows)], np.asarray(two)[: len(rows)]
    return out, vectors
