"""The shipped model of the incident log, beside this file: weights.npz, model.json."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.escalation.tickets.features import NAMES
from services.escalation.tickets.forest import Forest
from services.escalation.tickets.score import Linear, Score
from services.escalation.tickets.world import World

FOLDER: Final = Path(__file__).parent
TARGETS: Final = ("escalated", "breached")
_TABLES: Final = ("records", "arrivals", "work")
_LEAST: Final = 0.02
"""Sums that faded below it are left out."""


class ModelError(Exception):
    """The model can't be read, or is of another version of the features."""


@dataclass(frozen=True, slots=True)
class Model:
    """Both targets' scores, what the training log had taught by its end, and the card's figures."""

    scores: Mapping[str, Score]
    known: Mapping[str, NDArray[np.float32]]
    """Per target: the highest scores (probabilities) of earlier incidents, sorted; where a budget's threshold begins."""
    past: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any]
    """trained_from, trained_until (the first and last opening among the training incidents), incidents, source, figures."""

    def world(self) -> World:
        """A world that knows what the training log had taught. A new one each time, as it goes on learning."""
        world = World()
        at = int(self.past["at"])
        for name in _TABLES:
            table = getattr(world, name)
            for key, sums in zip(
                json.loads(self.past[f"{name} keys"].tobytes()), self.past[f"{name} sums"], strict=True
            ):
                table.put(tuple(key), at, sums.tolist())
        callers = json.loads(self.past["callers"].tobytes())
        world.seen = dict(zip(callers, self.past["callers at"].tolist(), strict=True))
        return world


def day(minute: int) -> str:
    """A minute of a log's clock, as ISO 8601."""
    return (datetime(1970, 1, 1) + timedelta(minutes=minute)).isoformat(timespec="minutes")


def past_of(world: World, at: int) -> dict[str, NDArray[Any]]:
    """What a world knows as of a minute, as arrays."""
    found: dict[str, NDArray[Any]] = {"at": np.array(at)}
    for name in _TABLES:
        cells = list(getattr(world, name).cells(at, _LEAST))
        found[f"{name} keys"] = _text([list(key) for key, _ in cells])
        found[f"{name} sums"] = np.array([sums for _, sums in cells], dtype=np.float32)
    callers = sorted(world.seen)
    found["callers"] = _text(callers)
    found["callers at"] = np.array([world.seen[c] for c in callers], dtype=np.int64)
    return found


def _text(value: Any) -> NDArray[Any]:
    return np.frombuffer(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), dtype=np.uint8)


def save(folder: Path, model: Model) -> None:
    """Writes the model's two files."""
    arrays: dict[str, NDArray[Any]] = {f"past {k}": v for k, v in model.past.items()}
    for name, score in model.scores.items():
        forest, linear = score.forest, score.linear
        arrays |= {
            f"{name} base": np.array(score.base),
            f"{name} centre": linear.centre,
            f"{name} spread": linear.spread,
            f"{name} weight": linear.weight,
            f"{name} roots": forest.roots,
            f"{name} feature": forest.feature.astype(np.int16),
            f"{name} threshold": forest.threshold,
            f"{name} left": forest.left,
            f"{name} right": forest.right,
            f"{name} value": forest.value,
            f"{name} depth": np.array(forest.depth),
            f"{name} known": model.known[name],
        }
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "weights.npz", **arrays)  # type: ignore[arg-type]
    about = {**model.about, "features": list(NAMES)}
    (folder / "model.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder: Path = FOLDER) -> Model:
    """The model in a folder. Raises ModelError."""
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if about.pop("features") != list(NAMES):
            raise ModelError("the model was trained on other features; make train")
        with np.load(folder / "weights.npz", allow_pickle=False) as found:
            arrays = {k: found[k] for k in found.files}
        scores = {name: _score(arrays, name) for name in TARGETS}
        known = {name: arrays[f"{name} known"] for name in TARGETS}
        past = {k.removeprefix("past "): v for k, v in arrays.items() if k.startswith("past ")}
    except (OSError, ValueError, KeyError, EOFError, AttributeError, TypeError, zlib.error, zipfile.BadZipFile) as e:
        raise ModelError(f"the model in {folder.name} can't be read: {e}") from e
    return Model(scores, known, past, about)


def _score(arrays: Mapping[str, NDArray[Any]], name: str) -> Score:
    def of(part: str) -> NDArray[Any]:
        return arrays[f"{name} {part}"]

    forest = Forest(
        of("roots"),
        of("feature").astype(np.int32),
        of("threshold"),
        of("left").astype(np.int32),
        of("right").astype(np.int32),
        of("value"),
        int(of("depth")),
    )
    return Score(float(of("base")), Linear(of("centre"), of("spread"), of("weight")), forest)
