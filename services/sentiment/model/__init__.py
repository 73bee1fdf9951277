"""The trained weights that the service is shipped with, and how they are read and written.

`weights.npz` holds each language's tables in 8 bits, the network's words and the rest of it in 16; `model.json` the
calibration and the figures measured when they were trained (see docs/models/sentiment.md).
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.sentiment.domain.cascade import OUTPUTS, Kinds, LanguageModel, Mix
from services.sentiment.domain.linear import Heads
from services.sentiment.domain.model import SentimentModel
from services.sentiment.domain.network import Network
from services.sentiment.domain.text import Language
from services.sentiment.domain.units import SPECIAL, Vocabulary
from services.sentiment.model import targets

FOLDER: Final = Path(__file__).parent
FORMAT: Final = 2
_LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
_LAYERS: Final = ("window", "bias", "hidden", "hidden_bias", "output", "output_bias")
_LIMITS: Final = ("doubt", "unsure", "emotion_unsure")


class ModelError(Exception):
    """The model's files are missing or don't fit this code."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A language's model as it is written: `layers` are the network's, `embedding` with a step's worth per word; `learnt_all`
    where the network has learnt from texts that figures are measured on as well."""

    model: LanguageModel
    words: tuple[str, ...] = ()
    embedding: NDArray[np.int8] | None = None
    steps: NDArray[np.float32] | None = None
    layers: Mapping[str, NDArray[np.float32]] | None = None
    learnt_all: bool = True


def load(folder: Path = FOLDER) -> SentimentModel:
    """The model in `folder`, the shipped one unless told otherwise. Raises ModelError."""
    about, tables = _files(folder)
    try:
        models = {language: _read(about["languages"][language], tables, language) for language in _LANGUAGES}
        return SentimentModel(models, targets.load())
    except (KeyError, TypeError, ValueError, targets.TargetsError) as e:
        raise ModelError(f"sentiment model in {folder}: {e} is missing or malformed") from e


def kept(folder: Path = FOLDER) -> dict[Language, Kept]:
    """The models in `folder` as they were written, for training to go on from. Raises ModelError."""
    about, tables = _files(folder)
    found: dict[Language, Kept] = {}
    try:
        for language in _LANGUAGES:
            spec = about["languages"][language]
            one = Kept(_read(spec, tables, language), learnt_all=bool(spec.get("learnt_all", True)))
            if one.model.network is not None:
                words, layers = _layers(tables, language)
                stored = {"embedding": tables[f"{language}_embedding"], "steps": tables[f"{language}_steps"]}
                del layers["embedding"]
                one = replace(one, words=tuple(words), layers=layers, **stored)
            found[language] = one
    except (KeyError, TypeError, ValueError) as e:
        raise ModelError(f"sentiment model in {folder}: {e} is missing or malformed") from e
    return found


def _files(folder: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        with np.load(folder / "weights.npz", allow_pickle=False) as stored:
            tables = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as e:
        raise ModelError(f"sentiment model in {folder}: {e}") from e
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = about.get("format") if isinstance(about, dict) else None
        raise ModelError(f"sentiment model in {folder}: format {found!r}, this code reads {FORMAT}")
    return about, tables


def _read(spec: Mapping[str, Any], tables: Mapping[str, Any], language: Language) -> LanguageModel:
    def heads(name: str) -> Heads:
        own = spec[name]
        return Heads(tables[f"{language}_{name}"], np.array(own["scale"], float), np.array(own["bias"], float))

    def mix(name: str) -> Mix:
        rows = spec[name]
        return Mix(*(np.array([rows[o][part] for o in OUTPUTS], float) for part in ("linear", "network", "bias")))

    return LanguageModel(
        longest=int(spec["longest"]),
        polar=heads("polar"),
        side=heads("side"),
        alone=mix("alone"),
        network=_network(tables, language) if f"{language}_words" in tables else None,
        both=mix("both"),
        **{name: float(spec[name]) for name in _LIMITS},
        words=int(spec.get("words", 0)),
        kinds=Kinds(heads("kinds"), *(np.array(spec["kinds"][k], float) for k in ("slope", "shift")))
        if "kinds" in spec
        else None,
    )


def _network(tables: Mapping[str, Any], language: Language) -> Network:
    words, own = _layers(tables, language)
    embedding, window = own.pop("embedding"), own.pop("window")
    places = tuple(np.ascontiguousarray(embedding @ place) for place in window)
    return Network(Vocabulary(words), places, **own)


def _layers(tables: Mapping[str, Any], language: Language) -> tuple[list[str], dict[str, NDArray[np.float32]]]:
    own = {name: tables[f"{language}_{name}"].astype(np.float32) for name in _LAYERS}
    words = tables[f"{language}_words"].tobytes().decode("utf-8").split("\n")
    embedding = tables[f"{language}_embedding"].astype(np.float32) * tables[f"{language}_steps"][:, None]
    if len(embedding) != SPECIAL + len(words):
        raise ValueError(f"{language}_embedding: has not one row per word")
    return words, own | {"embedding": embedding}


def save(folder: Path, kept: Mapping[Language, Kept], figures: Mapping[str, Any]) -> None:
    """Writes the models and the figures measured with them into `folder`."""
    tables: dict[str, Any] = {}
    languages: dict[str, Any] = {}
    for language, one in kept.items():
        model = one.model
        tables[f"{language}_polar"], tables[f"{language}_side"] = model.polar.weights, model.side.weights
        languages[language] = {
            "longest": model.longest,
            "words": model.words,
            "learnt_all": one.learnt_all,
            "polar": {"scale": model.polar.scale.tolist(), "bias": model.polar.bias.tolist()},
            "side": {"scale": model.side.scale.tolist(), "bias": model.side.bias.tolist()},
            "alone": _mix(model.alone),
            "both": _mix(model.both),
            **{name: getattr(model, name) for name in _LIMITS},
        }
        if model.kinds is not None:
            own = model.kinds
            tables[f"{language}_kinds"] = own.heads.weights
            languages[language]["kinds"] = {
                "scale": own.heads.scale.tolist(),
                "bias": own.heads.bias.tolist(),
                "slope": own.slope.tolist(),
                "shift": own.bias.tolist(),
            }
        tables |= network_tables(language, one)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "weights.npz", **tables)
    about = {"format": FORMAT, "languages": languages, "figures": figures}
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    (folder / "model.json").write_text(text, encoding="utf-8")


def network_tables(language: Language, one: Kept) -> dict[str, Any]:
    """The network's part of what is written of a model; nothing where it has none."""
    if one.embedding is None or one.layers is None:
        return {}
    return {
        f"{language}_words": np.frombuffer("\n".join(one.words).encode(), np.uint8),
        f"{language}_embedding": one.embedding,
        f"{language}_steps": one.steps,
        **{f"{language}_{name}": one.layers[name].astype(np.float16) for name in _LAYERS},
    }


def network_of(tables: Mapping[str, Any], language: Language) -> tuple[Network, dict[str, NDArray[np.float32]]]:
    """The network in what `network_tables` gave, and its parameters. Raises KeyError and ValueError."""
    return _network(tables, language), _layers(tables, language)[1]


def _mix(mix: Mix) -> dict[str, dict[str, float]]:
    return {
        output: {"linear": float(mix.linear[i]), "network": float(mix.network[i]), "bias": float(mix.bias[i])}
        for i, output in enumerate(OUTPUTS)
    }


def name(folder: Path = FOLDER) -> str:
    """What scores are signed with: it changes with the weights, so that a figure can be led back to its model."""
    digest = blake2b(digest_size=4)
    for file in ("model.json", "weights.npz"):
        digest.update((folder / file).read_bytes())
    return f"cascade-{digest.hexdigest()}"
