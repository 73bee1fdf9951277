"""Trains one language: linear heads, network, and how they are mixed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.cascade import COMPLAINT, EMOTION, NEUTRAL, OUTPUTS, POLARITY
from services.sentiment.domain.encode import encode_normalised
from services.sentiment.domain.linear import Heads, log_odds
from services.sentiment.domain.network import Network
from services.sentiment.domain.text import Language
from services.sentiment.training import fit, mixing
from services.sentiment.training.data import Example

Floats = NDArray[np.float64]
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class LinearSpec:
    """Longest n-gram, the tables' sizes, and how freely each head is fitted (`HeadSpec.strength`)."""

    longest: int
    polar_bits: int
    side_bits: int
    three: bool = False
    """All three labels are in the same sets: a head for each against the rest, and their differences are kept."""
    polar: float = 10.0
    neutral: float = 10.0
    complaint: float = 5.0
    emotion: float = 5.0


LINEAR: Final[dict[Language, LinearSpec]] = {
    "zh": LinearSpec(4, 22, 19),
    "en": LinearSpec(5, 19, 19, True, 3.0, 3.0, 20.0, 3.0),
}
EMOTION_WEIGHT: Final = {"atec_zh": 0.05, "shop_chat_zh": 0.1, "banking77_en": 0.05, "shop_chat_en": 0.1}
"""Sets that know no emotion but neutral count little for it."""


def linear_heads(examples: Sequence[Example], language: Language) -> tuple[Heads, Heads]:
    """The polarity's head, and the others' beside each other, fitted on all of the examples."""
    spec = LINEAR[language]
    texts = [e.text for e in examples]
    target, weight = mixing.targets(examples)
    weight[:, EMOTION] *= np.array([EMOTION_WEIGHT.get(e.source, 1.0) for e in examples])[:, None]
    begun = time.monotonic()
    wide = fit.table(texts, spec.longest, spec.polar_bits)
    narrow = wide if spec.side_bits == spec.polar_bits else fit.table(texts, spec.longest, spec.side_bits)
    yes = target > 0
    if spec.three:
        known = weight[:, NEUTRAL]
        opinion = known * ~yes[:, NEUTRAL]
        sides = [
            fit.fit(wide, (opinion > 0) & (yes[:, POLARITY] == side), known, fit.HeadSpec(spec.polar))
            for side in (0, 1)
        ]
        (bad, bad_bias), (good, good_bias) = sides
        none, none_bias = fit.fit(wide, yes[:, NEUTRAL], known, fit.HeadSpec(spec.neutral))
        polar = good - bad, good_bias - bad_bias
        others = [(none - (good + bad) / 2, none_bias - (good_bias + bad_bias) / 2)]
    else:
        polar = fit.fit(wide, yes[:, POLARITY], weight[:, POLARITY], fit.HeadSpec(spec.polar))
        others = [fit.fit(narrow, yes[:, NEUTRAL], weight[:, NEUTRAL], fit.HeadSpec(spec.neutral))]
    print(f"{language} labels: {len(wide.columns)} n-grams, {time.monotonic() - begun:.0f} s", flush=True)
    for column in range(COMPLAINT, len(OUTPUTS)):
        strength = spec.complaint if column == COMPLAINT else spec.emotion
        others.append(fit.fit(narrow, yes[:, column], weight[:, column], fit.HeadSpec(strength)))
    print(f"{language} linear heads: {time.monotonic() - begun:.0f} s", flush=True)
    return fit.heads([polar]), fit.heads(others)


def linear_odds(heads: tuple[Heads, Heads], texts: Sequence[str], language: Language) -> Floats:
    """The linear heads' own log odds of normalised texts: texts × OUTPUTS."""
    rows = []
    for start in range(0, len(texts), _BATCH):
        polar, side = log_odds(heads, encode_normalised(texts[start : start + _BATCH]), LINEAR[language].longest)
        rows.append(np.concatenate([polar, side[:, : len(OUTPUTS) - 1]], axis=1))
    return np.concatenate(rows)


def network_odds(network: Network, texts: Sequence[str]) -> Floats:
    """The network's log odds of normalised texts: texts × OUTPUTS."""
    rows = [network(encode_normalised(texts[i : i + _BATCH])) for i in range(0, len(texts), _BATCH)]
    return np.concatenate(rows).astype(np.float64)
