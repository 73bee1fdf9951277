"""Behaviour tests in the manner of CheckList (Ribeiro et al. 2020): what a model must do, capability by capability.

Three kinds of tests: a *minimum* says what one text must come out as, an *invariance* that a change must not matter, a *direction*
which way a change must move the polarity. The texts are our own (behaviour_cases.py), so that they can be shown.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from services.sentiment.domain.score import EMOTIONS, Score
from services.sentiment.domain.text import Language

Kind = Literal["minimum", "invariance", "direction"]
Scorer = Callable[[Sequence[str]], Sequence[Score]]
"""Scores texts in order; the language is guessed, as for a channel that doesn't tell it."""

SAME: Final = 0.25
"""An invariance holds where the sign of the polarity stays, or the polarity moves less than this."""
SLACK: Final = 0.02
"""A direction holds where the polarity goes at most so far the other way."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Case:
    """One test: its texts (before, after; or the only one), and whether their scores are as they must be."""

    capability: str
    language: Language
    kind: Kind
    texts: tuple[str, ...]
    passes: Callable[[Sequence[Score]], bool]
    wants: str


@dataclass(frozen=True, slots=True)
class Rate:
    """How many cases of a capability in a language passed, and some that failed: their texts, and what was wanted."""

    capability: str
    language: Language
    kinds: tuple[Kind, ...]
    passed: int
    total: int
    failures: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its name among the floors."""
        return f"{self.capability}.{self.language}"

    @property
    def share(self) -> float:
        """The pass rate, 0 … 1."""
        return self.passed / self.total


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
    """The second comes out exactly as the first."""
    return scores[0] == scores[1]


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


def run(score: Scorer, cases: Sequence[Case]) -> list[Rate]:
    """The pass rates, capability by capability in the cases' order, zh before en."""
    texts = list(dict.fromkeys(t for c in cases for t in c.texts))
    scores = dict(zip(texts, score(texts), strict=True))
    groups: dict[tuple[str, Language], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.capability, case.language), []).append(case)
    rates = []
    for (capability, language), mine in groups.items():
        failed = [c for c in mine if not c.passes([scores[t] for t in c.texts])]
        shown = tuple(f"{' → '.join(t[:80] or '(empty)' for t in c.texts)}: {c.wants}" for c in failed[:_SHOWN])
        kinds = tuple(dict.fromkeys(c.kind for c in mine))
        rates.append(Rate(capability, language, kinds, len(mine) - len(failed), len(mine), shown))
    return rates


def table(rates: Iterable[Rate]) -> list[str]:
    """Markdown rows for the model card: pass rate and an example of what fails."""
    rows = [
        "| capability | language | kinds of test | cases | passed | fails, for example |",
        "|---|---|---|---|---|---|",
    ]
    for rate in rates:
        example = rate.failures[0].replace("|", "\\|").replace("\n", " ") if rate.failures else "–"
        kinds = ", ".join(rate.kinds)
        rows.append(
            f"| {rate.capability} | {rate.language} | {kinds} | {rate.total} | {100 * rate.share:.1f} % | {example} |"
        )
    return rows


def as_figures(rates: Iterable[Rate]) -> Mapping[str, float]:
    """The pass rates by name, as model.json keeps them."""
    return {rate.key: round(rate.share, 4) for rate in rates}


def main() -> int:
    """Runs the shipped model: `python -m services.sentiment.training.behaviour`."""
    from services.sentiment import model
    from services.sentiment.training.behaviour_cases import all_cases

    parser = argparse.ArgumentParser(prog="python -m services.sentiment.training.behaviour", description=main.__doc__)
    parser.add_argument("--failures", action="store_true", help="also some cases that fail")
    parser.add_argument(
        "--floors", action="store_true", help="only the pass rates, as tests/behaviour/floors.toml has them"
    )
    args = parser.parse_args()
    rates = run(model.load().score_batch, all_cases())
    if args.floors:
        print("\n".join(f'"{rate.key}" = {int(1000 * rate.share) / 1000}' for rate in rates))
        return 0
    for rate in rates:
        print(f"{rate.key:24} {rate.passed:4} of {rate.total:4}  {100 * rate.share:5.1f} %")
        if args.failures:
            print("".join(f"    {failure}\n" for failure in rate.failures), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
