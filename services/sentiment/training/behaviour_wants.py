"""What a behaviour test wants of the scores, and the test itself: its texts, and whether their scores are as they must be."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final, Literal

from services.sentiment.domain.score import EMOTIONS, Score
from services.sentiment.domain.text import Language

Kind = Literal["minimum", "invariance", "direction"]

SAME: Final = 0.25
"""An invariance holds where the sign of the polarity stays, or the polarity moves less than this."""
SLACK: Final = 0.02
"""A direction holds where the polarity goes at most so far the other way."""
ROUNDING: Final = 1e-5
"""How far a text's figures may differ from batch to batch."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test: its texts (before, after; or the only one), and whether their scores are as they must be."""

    capability: str
    language: Language
    kind: Kind
    texts: tuple[str, ...]
    passes: Callable[[Sequence[Score]], bool]
    wants: str


def is_positive(scores: Sequence[Score]) -> bool:
    """The polarity's sign says positive."""
    return scores[0].polarity > 0


def is_negative(scores: Sequence[Score]) -> bool:
    """The polarity's sign says negative."""
    return scores[0].polarity < 0


def is_neutral(scores: Sequence[Score]) -> bool:
    """Neutral is the likeliest class."""
    return scores[0].neutral >= max(scores[0].negative, scores[0].positive)


def is_unmoved(scores: Sequence[Score]) -> bool:
    """The second comes out as the first: same sign, or hardly moved."""
    before, after = scores
    same_side = (before.polarity > 0) == (after.polarity > 0)
    return same_side or abs(before.polarity - after.polarity) <= SAME


def is_equal(scores: Sequence[Score]) -> bool:
    """The second comes out as the first, but for the rounding of sums: some processors add up a batch's rows in different orders."""
    return _close(astuple(scores[0]), astuple(scores[1]))


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_close, one, other))
    return abs(one - other) <= ROUNDING if isinstance(one, float) else bool(one == other)


def is_raised(scores: Sequence[Score]) -> bool:
    """The second is no less positive than the first."""
    return scores[1].polarity >= scores[0].polarity - SLACK


def is_lowered(scores: Sequence[Score]) -> bool:
    """The second is no more positive than the first."""
    return scores[1].polarity <= scores[0].polarity + SLACK


def is_not_lifted(scores: Sequence[Score]) -> bool:
    """A negative text that stays negative."""
    return scores[1].polarity < 0 or scores[1].polarity <= scores[0].polarity + SLACK


def feels(label: str) -> Callable[[Sequence[Score]], bool]:
    """The emotion is the likeliest one."""
    at = [str(e) for e in EMOTIONS].index(label)
    return lambda s: max(s[0].emotion.probability) == s[0].emotion.probability[at]


def is_calm_fault(scores: Sequence[Score]) -> bool:
    """A complaint, without anger as the likeliest emotion."""
    return scores[0].complaint >= 0.5 and not feels("angry")(scores)


def is_bare_anger(scores: Sequence[Score]) -> bool:
    """Anger, without a complaint of a fault."""
    return scores[0].complaint < 0.5 and feels("angry")(scores)


def is_merely_asked(scores: Sequence[Score]) -> bool:
    """Not taken for ill humour: the polarity stays well above what stands for anger elsewhere."""
    return scores[0].polarity > -0.3


def is_sound(scores: Sequence[Score]) -> bool:
    """Probabilities that add up to one, in whatever text."""
    s = scores[0]
    return abs(s.negative + s.neutral + s.positive - 1) < 1e-6 and min(s.negative, s.neutral, s.positive) >= 0
