"""Reads and writes what the model knows of its training texts' n-grams (familiarity.npz)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.shift import Familiarity
from services.sentiment.domain.text import Language

FILE: Final = Path(__file__).parent / "familiarity.npz"
_LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


class FamiliarityError(Exception):
    """The file is missing or doesn't fit this code."""


def load(file: Path = FILE) -> dict[Language, Familiarity]:
    """What is familiar in each language. Raises FamiliarityError."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {language: _read(stored[language], stored[f"{language}_usual"]) for language in _LANGUAGES}
    except (OSError, ValueError, KeyError) as e:
        raise FamiliarityError(f"{file}: {e}") from e


def _read(known: NDArray[np.uint8], usual: NDArray[np.float64]) -> Familiarity:
    length, mean, spread = usual.tolist()
    if known.dtype != np.uint8 or known.size & (known.size - 1):
        raise ValueError("a bit set is not of 2^n bytes")
    return Familiarity(known, int(length), mean, spread)


def save(found: Mapping[Language, Familiarity], file: Path = FILE) -> None:
    """Writes it."""
    arrays: dict[str, Any] = {}
    for language, usual in found.items():
        arrays[language] = usual.known
        arrays[f"{language}_usual"] = np.array([usual.length, usual.mean, usual.spread])
    np.savez_compressed(file, **arrays)
