"""Behaviour tests in the manner of CheckList (Ribeiro et al. 2020): what a model must do, capability by capability.

Three kinds of tests: a *minimum* says what one text must come out as, an *invariance* that a change must not matter, a *direction*
which way a change must move the polarity. The texts are our own (behaviour_cases.py), so that they can be shown.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.sentiment import model
from services.sentiment.domain.score import Score
from services.sentiment.domain.text import Language
from services.sentiment.training.behaviour_cases import all_cases
from services.sentiment.training.behaviour_wants import Case, Kind

Scorer = Callable[[Sequence[str]], Sequence[Score]]
"""Scores texts in order; the language is guessed, as for a channel that doesn't tell it."""

_SHOWN: Final = 3


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
