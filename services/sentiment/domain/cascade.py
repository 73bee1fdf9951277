"""One language's model: linear heads answer every text; the network gives a second opinion to the least sure.

What a word says of a shop's goods it may not say of a meal: a language may have a polarity head for each kind of text (`Kinds`).
A small head tells how likely a text is of each kind, and their log odds count by that: given these shares, still a linear model.

Both speak of the same outputs (OUTPUTS). Of a text that only the linear heads saw, an output's log odds are
slope · z + bias; where the network was asked as well, linear · z + network · n + bias, with a bias of its own. Slopes and
biases are calibrated on texts that neither was trained on.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import Encoded
from services.sentiment.domain.linear import Floats, Heads, contributions, log_odds
from services.sentiment.domain.network import Network
from services.sentiment.domain.score import EMOTIONS

OUTPUTS: Final = ("polarity", "neutral", "complaint", *(f"emotion:{e}" for e in EMOTIONS))
"""polarity: positive against negative, a and b of a softmax over the three labels (-a/2, b, a/2). neutral: that b."""
POLARITY, NEUTRAL, COMPLAINT = 0, 1, 2
EMOTION: Final = slice(3, 3 + len(EMOTIONS))
_FURTHEST: Final = 30.0
"""Log odds beyond which a probability is not told apart from 0 or 1."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How the linear heads' and the network's log odds become an output's: one number each per output."""

    linear: Floats
    network: Floats
    bias: Floats

    def __post_init__(self) -> None:
        if not all(a.shape == (len(OUTPUTS),) for a in (self.linear, self.network, self.bias)):
            raise ValueError(f"mix: needs {len(OUTPUTS)} numbers each")


@dataclass(frozen=True, slots=True)
class Kinds:
    """Kinds of text, each with the polarity head of its number: `heads` tell the kinds apart (log odds of a softmax, the
    first kind's are 0; a table may be wider than it needs to be), and a kind's polarity is slope · z + bias."""

    heads: Heads
    slope: Floats
    bias: Floats

    def __post_init__(self) -> None:
        if self.slope.shape != self.bias.shape or len(self.slope) > self.heads.weights.shape[1] + 1:
            raise ValueError("kinds: slope and bias are not one per kind")

    def polarity(self, polar: Floats, odds: Floats) -> tuple[Floats, Floats]:
        """The log odds from those of each kind's head and of the kinds; and by how much each head counts: texts × kinds."""
        shares = shares_of(odds[:, : len(self.slope) - 1])
        counts = shares * self.slope
        return (counts * polar[:, : counts.shape[1]]).sum(axis=1) + shares @ self.bias, counts


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A language's heads (`polar` has the polarity, of each kind where there are `kinds`; `side` the other outputs in order),
    network and limits. N-grams are of up to `longest` characters and `words` words.

    doubt: a text whose label or emotion the linear heads give up to this probability to be wrong is not asked about again.
    unsure, emotion_unsure: the confidence below which label and emotion are "unsure".
    """

    longest: int
    polar: Heads
    side: Heads
    alone: Mix
    network: Network | None
    both: Mix
    doubt: float
    unsure: float
    emotion_unsure: float
    words: int = 0
    kinds: Kinds | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """The outputs' log odds for some texts (texts × OUTPUTS), and which of the texts the network was asked about."""

    log_odds: Floats
    asked: NDArray[np.bool_]

    def label(self) -> Floats:
        """P(negative), P(neutral), P(positive): texts × 3."""
        half = self.log_odds[:, POLARITY] / 2
        return _softmax(np.stack([-half, self.log_odds[:, NEUTRAL], half], axis=1))

    def emotion(self) -> Floats:
        """The probability of each of EMOTIONS: texts × 6."""
        return _softmax(self.log_odds[:, EMOTION])

    def complaint(self) -> Floats:
        """The probability that the text complains of a fault."""
        return sigmoid(self.log_odds[:, COMPLAINT])

    def strength(self) -> Floats:
        """How strongly the emotion is felt, 0 … 1: how far from neutral it is, times how one-sided the opinion is."""
        calm = self.emotion()[:, EMOTIONS.index("neutral")]
        return np.asarray((1 - calm) * np.tanh(np.abs(self.log_odds[:, POLARITY]) / 4))


def sigmoid(z: Floats) -> Floats:
    """The probability of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -_FURTHEST, _FURTHEST))))


def _softmax(z: Floats) -> Floats:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def shares_of(odds: Floats) -> Floats:
    """How likely each kind of text is, from the log odds of all but the first: texts × kinds."""
    return _softmax(np.concatenate([np.zeros((len(odds), 1)), odds], axis=1))


def linear(model: LanguageModel, texts: Encoded) -> Floats:
    """The linear heads' own log odds: texts × OUTPUTS."""
    return _linear(model, texts)[0]


def _linear(model: LanguageModel, texts: Encoded) -> tuple[Floats, Floats]:
    """The same, and by how much each column of `polar` counts for the polarity: texts × columns."""
    if model.kinds is None:
        polar, side = log_odds((model.polar, model.side), texts, model.longest, model.words)
        return np.concatenate([polar, side[:, : len(OUTPUTS) - 1]], axis=1), np.ones((len(texts), 1))
    tables = (model.polar, model.side, model.kinds.heads)
    polar, side, odds = log_odds(tables, texts, model.longest, model.words)
    polarity, counts = model.kinds.polarity(polar, odds)
    return np.concatenate([polarity[:, None], side[:, : len(OUTPUTS) - 1]], axis=1), counts


def answer(model: LanguageModel, texts: Encoded) -> Answers:
    """What the cascade makes of the texts."""
    z = linear(model, texts)
    first = Answers(z * model.alone.linear + model.alone.bias, np.zeros(len(texts), dtype=np.bool_))
    if model.network is None or not len(texts):
        return first
    asked = doubt(first) > model.doubt
    if not asked.any():
        return first
    second = model.network(texts if asked.all() else texts.take(asked))
    mixed = first.log_odds
    mixed[asked] = z[asked] * model.both.linear + second * model.both.network + model.both.bias
    return Answers(mixed, asked)


def doubt(answers: Answers) -> Floats:
    """How likely label or emotion is wrong, whichever is likelier."""
    return np.asarray(1 - np.minimum(answers.label().max(axis=1), answers.emotion().max(axis=1)))


def parts(model: LanguageModel, texts: Encoded, answers: Answers) -> Floats:
    """What each code point adds to each output's log odds by way of the linear heads: code points × OUTPUTS."""
    counts = _linear(model, texts)[1]
    polar = contributions(model.polar, texts, model.longest, model.words)[:, : counts.shape[1]]
    polarity = (polar * np.repeat(counts, texts.sizes, axis=0)).sum(axis=1)
    side = contributions(model.side, texts, model.longest, model.words)[:, : len(OUTPUTS) - 1]
    slope = np.where(answers.asked[:, None], model.both.linear, model.alone.linear)
    return np.asarray(np.concatenate([polarity[:, None], side], axis=1) * np.repeat(slope, texts.sizes, axis=0))
