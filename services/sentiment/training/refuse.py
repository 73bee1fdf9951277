"""Whether a newly trained model is worse than the shipped one: then `make train` keeps the shipped one.

Both are measured on held back texts, mostly the same ones. Two models of one kind give different answers to few texts (DIFFER), so
that the difference of their accuracies on n of them has a standard error of at most √(DIFFER / n); it is more where the texts are not
the same. What a drop exceeds by less than NOISE of those is taken for chance, and compared with the best figure so far, not with the
last one, so that small steps down don't add up.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

Figures = Mapping[str, Mapping[str, float]]
"""Per data set: its figures by name, and `texts`, how many they were measured on."""

NOISE: Final = 1.645
"""Standard errors: one model in twenty that is no worse is refused for a figure."""
ERROR_NOISE: Final = 2.576
"""The same for calibration errors, one in two hundred: there are some twenty of them, and each is compared with the best that it ever was."""
DIFFER: Final = 0.06
_LOOSER: Final[Mapping[str, float]] = {
    "accuracy": 1.0,
    "surest_80": 1.0,
    "macro_f1": 1.5,
    "emotion_accuracy": 1.0,
    "emotion_f1": 2.5,
    "complaint_accuracy": 1.0,
    "complaint_f1": 2.0,
}
"""The figures that must not fall, and how much noisier than an accuracy they are: an F1 hangs on its rarest class."""
_ERRORS: Final = ("ece", "emotion_ece", "complaint_ece")
"""The figures that must not rise: calibration errors, whose noise is about a quarter of 1/√n."""
_CASES: Final = 2
"""A capability may lose so many behaviour tests: the texts around a boundary change sides with any training."""


@dataclass(frozen=True, slots=True)
class Worse:
    """A figure that got worse, and by how much that is more than chance allows. `found` is None where it is no longer measured."""

    source: str
    figure: str
    before: float
    found: float | None
    allowed: float

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.source} {self.figure}: was {self.before:.4f}, is no longer measured"
        return f"{self.source} {self.figure}: {self.before:.4f} → {self.found:.4f}, chance allows {self.allowed:.4f}"


def worse(before: Figures, found: Figures) -> list[Worse]:
    """What got worse from the shipped (or best) figures to the new ones; empty where the new model may replace the old one."""
    listed = []
    for source, old in before.items():
        new = found.get(source, {})
        for figure, value in old.items():
            if figure not in _LOOSER and figure not in _ERRORS:
                continue
            now = new.get(figure)
            allowed = _allowed(figure, value, old.get("texts", 0.0), new.get("texts", 0.0))
            if now is None or _loss(figure, value, now) > allowed:
                listed.append(Worse(source, figure, value, now, allowed))
    return listed


def best(before: Figures, found: Figures) -> dict[str, dict[str, float]]:
    """The better of each figure: what the next model is compared with. A data set of another size starts anew."""
    kept = {}
    for source, new in found.items():
        old = before.get(source, {})
        same = old.get("texts") == new.get("texts")
        kept[source] = {
            figure: old[figure] if same and figure in old and _loss(figure, old[figure], value) > 0 else value
            for figure, value in new.items()
        }
    return kept


def worse_behaviour(before: Mapping[str, float], found: Mapping[str, float], cases: Mapping[str, int]) -> list[Worse]:
    """The capabilities that lost more behaviour tests than change sides by chance. Pass rates by name, and the number of cases."""
    return [
        Worse("behaviour", name, rate, found.get(name), _CASES / cases[name])
        for name, rate in before.items()
        if name in cases and rate - found.get(name, 0.0) > _CASES / cases[name] + 1e-4
    ]


def report(listed: Iterable[Worse]) -> str:
    """What is said where a model is refused."""
    lines = "\n".join(f"  {w}" for w in listed)
    return (
        f"The new model is worse than the shipped one, which stays:\n{lines}\n--accept-worse replaces it all the same."
    )


def _loss(figure: str, before: float, found: float) -> float:
    return found - before if figure in _ERRORS else before - found


def _allowed(figure: str, value: float, before: float, found: float) -> float:
    """What chance allows. Without a number of texts: anything."""
    if not before or not found:
        return math.inf
    if figure in _ERRORS:
        return 0.25 * ERROR_NOISE / math.sqrt(min(before, found))
    variance = DIFFER / found if before == found else value * (1 - value) * (1 / before + 1 / found)
    return NOISE * _LOOSER[figure] * math.sqrt(variance)
