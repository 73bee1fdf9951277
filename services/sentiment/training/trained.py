"""What comes of training: handed from the run that makes it to the card that tells of it, and kept for languages that stay as they are.

told.json lies beside the model: what the card says of each language.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.sentiment import model as shipped
from services.sentiment.domain.text import Language
from services.sentiment.model import Kept
from services.sentiment.training import figures

FILE: Final = "told.json"
_TOLD: Final = ("measured", "alone", "curves", "parts", "errors")


@dataclass(frozen=True, slots=True)
class Trained:
    """A language's model, what was measured of it on the validation texts, and its parts of the model card.

    clean: what was measured, before it was trained once more on all texts; None where nothing was measured anew.
    """

    kept: Kept
    measured: dict[str, figures.Figures]
    alone: dict[str, figures.Figures]
    curves: dict[str, list[dict[str, float]]]
    parts: dict[str, list[str]]
    errors: list[str]
    clean: Kept | None = None


def trained_before(folder: Path, languages: Sequence[Language]) -> dict[Language, Trained]:
    """The models in `folder` as they were trained; none of a language of which nothing was kept."""
    if not (folder / FILE).exists():
        return {}
    told: Mapping[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    kept = shipped.kept(folder)
    return {k: Trained(kept[k], **{name: told[k][name] for name in _TOLD}) for k in languages if k in told}


def write_told(folder: Path, trained: Mapping[Language, Trained]) -> None:
    """Keeps what the card says of each language."""
    told = {k: {name: getattr(one, name) for name in _TOLD} for k, one in trained.items()}
    (folder / FILE).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
