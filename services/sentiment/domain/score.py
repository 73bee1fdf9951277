"""What the model makes of a text."""

from dataclasses import dataclass
from typing import Final, Literal

from services.sentiment.domain.text import Language

Label = Literal["negative", "neutral", "positive", "unsure"]
LABELS: Final[tuple[Label, Label, Label]] = ("negative", "neutral", "positive")

EmotionLabel = Literal["happy", "angry", "sad", "fear", "surprise", "neutral", "unsure"]
EMOTIONS: Final[tuple[EmotionLabel, ...]] = ("happy", "angry", "sad", "fear", "surprise", "neutral")
"""The order of an emotion's probabilities."""
_CALM: Final = EMOTIONS.index("neutral")


@dataclass(frozen=True, slots=True)
class Emotion:
    """What the speaker feels; `probability` is in the order of EMOTIONS and adds up to 1."""

    label: EmotionLabel
    """The likeliest, or "unsure" where its probability is below the language's threshold."""
    probability: tuple[float, ...]
    strength: float
    """How strongly it is felt, 0 … 1."""


NO_EMOTION: Final = Emotion("neutral", tuple(float(i == _CALM) for i in range(len(EMOTIONS))), 0.0)


@dataclass(frozen=True, slots=True)
class Target:
    """What the text is about: an area of the touchpoint taxonomy, a stage within it ("" where unknown), how likely."""

    area: str
    stage: str
    probability: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the characters start..end of the original add to the log odds of an output.

    The output is "polarity", "emotion:<label>", "complaint" or "target:<stage>".
    """

    start: int
    end: int
    weight: float
    output: str


@dataclass(frozen=True, slots=True)
class Score:
    """What the model makes of one text."""

    language: Language
    label: Label
    """The likeliest class, or "unsure" where its probability is below the language's threshold."""
    polarity: float
    """P(positive) - P(negative), -1 … 1."""
    confidence: float
    """The likeliest class's calibrated probability, 1/3 … 1."""
    negative: float
    neutral: float
    positive: float
    emotion: Emotion = NO_EMOTION
    complaint: float = 0.0
    """The probability that the text complains of a fault, however calmly it does."""
    targets: tuple[Target, ...] = ()
    """Whom or what it is about, the likeliest first; empty for nothing in particular."""
