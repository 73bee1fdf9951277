"""Reads the target lexicon (targets.toml) that the service is shipped with."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from services import taxonomy
from services.sentiment.domain.targets import NOTHING, Lexicon, TargetModel, Word, Worth
from services.sentiment.domain.text import Language, normalise

FILE: Final = Path(__file__).parent / "targets.toml"
_LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


class TargetsError(Exception):
    """The file is missing or not a lexicon of the taxonomy; the message names the field."""


def load(file: Path = FILE) -> TargetModel:
    """The lexicons in `file`, the shipped one unless told otherwise. Raises TargetsError."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise TargetsError(f"{file}: {e}") from e
    try:
        return TargetModel(
            {
                language: Lexicon(
                    list(words(found[language], language)),
                    Worth(**{k: float(v) for k, v in found["worth"][language].items()}),
                    spaced=language == "en",
                )
                for language in _LANGUAGES
            }
        )
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise TargetsError(f"{file}: {e} is missing or malformed") from e


def entries(language: Language, file: Path = FILE) -> list[Word]:
    """A language's words as the file has them."""
    return list(words(tomllib.loads(file.read_text(encoding="utf-8"))[language], language))


def words(tables: Mapping[str, Any], language: Language) -> Iterator[Word]:
    """A language's words. Raises ValueError for a stage that the taxonomy doesn't have, or a word that normalises to another."""
    known = {stage.key for stage in taxonomy.load().stages}
    for area, stages in tables.items():
        named = {NOTHING: stages} if area == "nothing" else {f"{area}.{name}": lists for name, lists in stages.items()}
        for stage, lists in named.items():
            if stage not in known and stage != NOTHING:
                raise ValueError(f"{language}: stage {stage!r}")
            for kind in ("sure", "maybe"):
                for entry in lists.get(kind, "").replace("|", "\n").split(None if language == "zh" else "\n"):
                    text = entry.strip().removesuffix("$")
                    if text and normalise(text) != text:
                        raise ValueError(f"{language}: {stage or 'nothing'}: {text!r} is not in its normal form")
                    if text:
                        yield Word(text, stage, kind == "sure", entry.strip().endswith("$"))
