"""Trains one language's linear heads, and says what heads and network make of texts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.cascade import COMPLAINT, EMOTION, NEUTRAL, OUTPUTS, POLARITY, Kinds, shares_of
from services.sentiment.domain.encode import encode_normalised
from services.sentiment.domain.linear import Heads, log_odds
from services.sentiment.domain.network import Network
from services.sentiment.domain.text import Language
from services.sentiment.training import fit, mixing
from services.sentiment.training.data import Example

Floats = NDArray[np.float64]
Fitted = tuple[NDArray[np.float64], float]
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class LinearSpec:
    """Longest n-grams, the tables' sizes, and how freely each head is fitted (`HeadSpec.strength`)."""

    longest: int
    words: int
    polar_bits: int
    side_bits: int
    three: bool = False
    """All three labels are in the same sets: a head for each against the rest, and their differences are kept."""
    kinds: tuple[tuple[str, ...], ...] = ()
    """The sets of the first kinds of text that have a polarity head of their own; all other texts are the last kind."""
    polar: float = 10.0
    neutral: float = 10.0
    complaint: float = 5.0
    emotion: float = 15.0


LINEAR: Final[dict[Language, LinearSpec]] = {
    "zh": LinearSpec(4, 0, 22, 20, kinds=(("online_shopping_zh",), ("waimai_zh",))),
    "en": LinearSpec(5, 2, 20, 20, True, (), 3.0, 3.0, 5.0, 5.0),
}
EMOTION_WEIGHT: Final = {
    "atec_zh": 0.05,
    "shop_chat_zh": 0.1,
    "asking_zh": 0.1,
    "banking77_en": 0.05,
    "shop_chat_en": 0.1,
    "asking_en": 0.1,
}
"""Sets that know no emotion but neutral count little for it."""
_OWN_SENTENCES: Final = 2.0
"""What a sentence of our own counts at most where reviews are learnt: enough to be heard, too little to bend what they say."""
_KIND_BITS: Final = 16
_KIND_SHARE: Final = 4
"""One text in so many is enough to tell the kinds apart."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A language's linear heads; `kinds` are those that tell the kinds of text apart."""

    polar: Heads
    side: Heads
    kinds: Heads | None = None


@dataclass(frozen=True, slots=True)
class Odds:
    """The heads' own log odds of some texts, before the kinds are weighed: polar, side, kinds (texts × heads)."""

    polar: Floats
    side: Floats
    kinds: Floats | None

    def outputs(self, kinds: Kinds | None) -> Floats:
        """Texts × OUTPUTS."""
        polar = self.polar
        if kinds is not None and self.kinds is not None:
            polar = kinds.polarity(self.polar, self.kinds)[0][:, None]
        return np.concatenate([polar, self.side[:, : len(OUTPUTS) - 1]], axis=1)


def linear_heads(examples: Sequence[Example], language: Language) -> Linear:
    """All linear heads, fitted on all of the examples."""
    spec = LINEAR[language]
    texts = [e.text for e in examples]
    target, weight = mixing.targets(examples)
    weight[:, EMOTION] *= np.array([EMOTION_WEIGHT.get(e.source, 1.0) for e in examples])[:, None]
    begun = time.monotonic()
    wide = fit.table(texts, spec.longest, spec.polar_bits, spec.words)
    narrow = wide if spec.side_bits == spec.polar_bits else fit.table(texts, spec.longest, spec.side_bits, spec.words)
    yes = target > 0
    kinds = None
    if spec.three:
        polar, neutral = _of_three(wide, yes, weight, spec)
        polars, others = [polar], [neutral]
    else:
        polars = [fit.fit(wide, yes[:, POLARITY], weight[:, POLARITY], fit.HeadSpec(spec.polar))]
        if spec.kinds:
            polars = [*_of_kinds(wide, examples, yes, weight, spec), *polars]
            kinds = kind_heads(examples, spec)
        others = [fit.fit(narrow, yes[:, NEUTRAL], weight[:, NEUTRAL], fit.HeadSpec(spec.neutral))]
    print(f"{language} labels: {len(wide.columns)} n-grams, {time.monotonic() - begun:.0f} s", flush=True)
    for column in range(COMPLAINT, len(OUTPUTS)):
        strength = spec.complaint if column == COMPLAINT else spec.emotion
        others.append(fit.fit(narrow, yes[:, column], weight[:, column], fit.HeadSpec(strength)))
    print(f"{language} linear heads: {time.monotonic() - begun:.0f} s", flush=True)
    return Linear(fit.heads(polars, 4 if spec.kinds else 1), fit.heads(others), kinds)


def _of_three(table: fit.Table, yes: NDArray[np.bool_], weight: Floats, spec: LinearSpec) -> tuple[Fitted, Fitted]:
    """Polarity and neutral as differences of three heads, each of which tells one label from the others."""
    known = weight[:, NEUTRAL]
    opinion = (known > 0) & ~yes[:, NEUTRAL]
    (bad, bad_bias), (good, good_bias) = (
        fit.fit(table, opinion & (yes[:, POLARITY] == side), known, fit.HeadSpec(spec.polar)) for side in (0, 1)
    )
    none, none_bias = fit.fit(table, yes[:, NEUTRAL], known, fit.HeadSpec(spec.neutral))
    return (good - bad, good_bias - bad_bias), (none - (good + bad) / 2, none_bias - (good_bias + bad_bias) / 2)


def _of_kinds(
    table: fit.Table, examples: Sequence[Example], yes: NDArray[np.bool_], weight: Floats, spec: LinearSpec
) -> list[Fitted]:
    """A polarity head for each of the two first kinds: what they have in common, and what the second has of its own."""
    first, second = spec.kinds
    own = np.array([2 if e.source in second else 1 if e.source in first else 0 for e in examples])
    mixed = np.array([e.source.startswith(("shop_chat", "asking", "apart", "negation", "feedback")) for e in examples])
    polar = weight[:, POLARITY] * (own > 0) + np.minimum(weight[:, POLARITY], _OWN_SENTENCES) * mixed
    (common, more), bias = fit.fit_block(table, yes[:, POLARITY], polar, fit.HeadSpec(spec.polar), own == 2)
    return [(common, bias), (common + more, bias)]


def kind_heads(examples: Sequence[Example], spec: LinearSpec) -> Heads:
    """Tell the kinds of text apart: the second and the last against the first."""
    kinds = [next((i for i, k in enumerate(spec.kinds) if e.source in k), len(spec.kinds)) for e in examples]
    counted = np.bincount(kinds)
    some = [i for i, k in enumerate(kinds) if i % _KIND_SHARE == 0 or counted[k] < len(kinds) / 2 / len(counted)]
    table = fit.table([examples[i].text for i in some], spec.longest, _KIND_BITS, spec.words)
    truth, ones = np.array([kinds[i] for i in some]), np.ones(len(some))
    rest = [fit.fit(table, truth == k, ones, fit.HeadSpec(1.0)) for k in range(len(counted))]
    return fit.heads([(w - rest[0][0], b - rest[0][1]) for w, b in rest[1:]], 4)


def kinds_of(linear: Linear, odds: Odds, target: Floats, weight: Floats) -> Kinds | None:
    """The kinds of text with slope and bias fitted on texts that the heads don't know."""
    if linear.kinds is None or odds.kinds is None:
        return None
    known = weight[:, POLARITY] > 0
    shares = shares_of(odds.kinds)[known]
    slope, bias = mixing.fit_kinds(odds.polar[known], shares, target[known, POLARITY], weight[known, POLARITY])
    return Kinds(linear.kinds, slope, bias)


def linear_odds(linear: Linear, texts: Sequence[str], language: Language) -> Odds:
    """The linear heads' own log odds of normalised texts."""
    spec = LINEAR[language]
    tables = (linear.polar, linear.side, *((linear.kinds,) if linear.kinds is not None else ()))
    rows = [
        log_odds(tables, encode_normalised(texts[i : i + _BATCH]), spec.longest, spec.words)
        for i in range(0, len(texts), _BATCH)
    ]
    each = [np.concatenate(column) for column in zip(*rows, strict=True)]
    return Odds(each[0], each[1], each[2][:, : len(spec.kinds)] if len(each) > 2 else None)


def network_odds(network: Network, texts: Sequence[str]) -> Floats:
    """The network's log odds of normalised texts: texts × OUTPUTS."""
    rows = [network(encode_normalised(texts[i : i + _BATCH])) for i in range(0, len(texts), _BATCH)]
    return np.concatenate(rows).astype(np.float64)
