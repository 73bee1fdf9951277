"""The trained weights that the service is shipped with, and how they are read and written.

`weights.npz` holds one int8 table per language and head; `model.json` what else the heads need, and the
figures measured when they were trained (see docs/models/sentiment.md).
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.sentiment.domain.model import Head, LinearModel, SentimentModel
from services.sentiment.domain.text import Language

FOLDER: Final = Path(__file__).parent
FORMAT: Final = 1
_LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
_HEADS: Final = ("polar", "neutral")


class ModelError(Exception):
    """The model's files are missing or don't fit this code."""


def load(folder: Path = FOLDER) -> SentimentModel:
    """The model in `folder`, the shipped one unless told otherwise. Raises ModelError."""
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        with np.load(folder / "weights.npz", allow_pickle=False) as stored:
            tables = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as e:
        raise ModelError(f"sentiment model in {folder}: {e}") from e
    if about.get("format") != FORMAT:
        raise ModelError(f"sentiment model in {folder}: format {about.get('format')!r}, this code reads {FORMAT}")
    try:
        return SentimentModel({language: _read(about, tables, language) for language in _LANGUAGES})
    except (KeyError, TypeError) as e:
        raise ModelError(f"sentiment model in {folder}: {e} is missing or malformed") from e


def _read(about: Mapping[str, Any], tables: Mapping[str, Any], language: Language) -> LinearModel:
    spec = about["languages"][language]
    heads = {
        name: Head(
            tables[f"{language}_{name}"],
            float(spec[name]["scale"]),
            float(spec[name]["bias"]),
            float(spec[name]["temperature"]),
        )
        for name in _HEADS
    }
    return LinearModel(heads["polar"], heads["neutral"], int(spec["longest"]), float(spec["threshold"]))


def save(folder: Path, models: Mapping[Language, LinearModel], figures: Mapping[str, Any]) -> None:
    """Writes `models` and the figures measured with them into `folder`."""
    tables: dict[str, Any] = {}
    languages: dict[str, Any] = {}
    for language, model in models.items():
        spec: dict[str, Any] = {"longest": model.longest, "threshold": model.threshold}
        for name, head in (("polar", model.polar), ("neutral", model.neutral)):
            tables[f"{language}_{name}"] = head.weights
            spec[name] = {"scale": head.scale, "bias": head.bias, "temperature": head.temperature}
        languages[language] = spec
    np.savez_compressed(folder / "weights.npz", **tables)
    about = {"format": FORMAT, "languages": languages, "figures": figures}
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    (folder / "model.json").write_text(text, encoding="utf-8")


def name(folder: Path = FOLDER) -> str:
    """What scores are signed with: it changes with the weights, so that a figure can be led back to its model."""
    digest = blake2b(digest_size=4)
    for file in ("model.json", "weights.npz"):
        digest.update((folder / file).read_bytes())
    return f"linear-{digest.hexdigest()}"
