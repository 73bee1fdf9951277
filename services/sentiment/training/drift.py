"""Measures how well a domain shift is seen: writes docs/models/shift.md's table.

python -m services.sentiment.training.drift --data ../shared/data [--page docs/models/shift.md]

Each data set in turn is left out of what is known, and its held back texts are the incoming ones; then the same of a set that is known.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.encode import encode_normalised, ngram_hashes_of_length
from services.sentiment.domain.shift import Familiarity, drift_of
from services.sentiment.domain.text import Language
from services.sentiment.training.data import TRAIN, VALIDATE, DataError, Example, read
from services.sentiment.training.familiar import BITS, LENGTH, TEXTS

Counts = NDArray[np.int64]
_LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
_OWN: Final = ("shop_chat", "asking", "apart", "mistyped")
"""Sentences of our own are no channel that traffic comes from."""
_WINDOWS: Final = (50, 200)
_DRAWS: Final = 1_000
_SEED: Final = 20_261_122
_BATCH: Final = 5_000
_BEGIN: Final = "<!-- measured: python -m services.sentiment.training.drift -->"
_END: Final = "<!-- end of what was measured -->"


@dataclass(frozen=True, slots=True)
class Row:
    """A data set's line: the share expected without it, its own share then, and how often windows of each size are called a shift."""

    source: str
    expected: float
    share: float | None
    left_out: tuple[float, ...] | None
    known: tuple[float, ...]


def having(texts: Sequence[str], language: Language) -> Counts:
    """How many of the normalised texts have an n-gram of each slot."""
    found = np.zeros(1 << BITS, dtype=np.int64)
    for start in range(0, len(texts), _BATCH):
        slots, owners = ngram_hashes_of_length(encode_normalised(texts[start : start + _BATCH]), LENGTH[language], BITS)
        found += np.bincount(np.unique(owners << BITS | slots) & ((1 << BITS) - 1), minlength=1 << BITS)
    return found


def usual(counts: Counts, held: Sequence[str], language: Language) -> Familiarity:
    """What is known by these counts, and usual in the held back texts."""
    bits = np.packbits(counts >= TEXTS, bitorder="little")
    shares = Familiarity(bits, LENGTH[language], 0.0, 0.0).shares(encode_normalised(held))
    return Familiarity(bits, LENGTH[language], float(np.nanmean(shares)), float(np.nanstd(shares)))


def called(known: Familiarity, texts: Sequence[str], dice: np.random.Generator) -> tuple[float, ...]:
    """The share of windows, drawn from the texts, that are called a shift, for each size of window."""
    shares = known.shares(encode_normalised(texts))
    told = shares[~np.isnan(shares)]
    return tuple(
        sum(drift_of(dice.choice(told, size)).shifted(known) for _ in range(_DRAWS)) / _DRAWS for size in _WINDOWS
    )


def measure(examples: Sequence[Example], language: Language) -> Iterator[Row]:
    """The mix of all sets, then each set."""
    dice = np.random.default_rng(_SEED)
    sources = list(dict.fromkeys(e.source for e in examples))
    trained = {s: having([e.text for e in examples if e.source == s and e.split == TRAIN], language) for s in sources}
    own = {s: [e.text for e in examples if e.source == s and e.split == VALIDATE] for s in sources}
    held = [t for texts in own.values() for t in texts]
    whole = sum(trained.values(), np.zeros(1 << BITS, dtype=np.int64))
    everything = usual(whole, held, language)
    yield Row(f"{language}, validation mix", everything.mean, None, None, called(everything, held, dice))
    for source in sources:
        if source.startswith(_OWN):
            continue
        others = [t for s, texts in own.items() if s != source for t in texts]
        without = usual(whole - trained[source], others, language)
        share = float(np.nanmean(without.shares(encode_normalised(own[source]))))
        yield Row(
            source, without.mean, share, called(without, own[source], dice), called(everything, own[source], dice)
        )


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown."""
    first, last = _WINDOWS
    lines = [
        f"| data set | share expected | unseen: its share | unseen: called at {first} messages | at {last} "
        f"| known, alone: called at {first} | at {last} |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        share = "–" if row.share is None else f"{row.share:.3f}"
        left_out = ["–"] * len(_WINDOWS) if row.left_out is None else [f"{100 * v:.0f} %" for v in row.left_out]
        cells = [row.source, f"{row.expected:.3f}", share, *left_out, *(f"{100 * v:.0f} %" for v in row.known)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> int:
    """Measures, and puts the table into the page; 1 where the data can't be read."""
    parser = argparse.ArgumentParser(prog="python -m services.sentiment.training.drift", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--page", type=Path, default=Path("docs/models/shift.md"))
    args = parser.parse_args()
    try:
        rows = [row for language in _LANGUAGES for row in measure(read(args.data, language), language)]
    except DataError as e:
        print(e, file=sys.stderr)
        return 1
    before, rest = args.page.read_text(encoding="utf-8").split(_BEGIN, 1)
    after = rest.split(_END, 1)[1]
    lines = "\n".join(table(rows))
    args.page.write_text(f"{before}{_BEGIN}\n\n{lines}\n\n{_END}{after}", encoding="utf-8")
    print(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
