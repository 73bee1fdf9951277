"""The gate before the shipped model: what the best model so far reached, and whether a new one may take its place.

best.json lies beside the model: the best figures so far and the shipped model's pass rates of the behaviour tests.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from services.sentiment.training import refuse
from services.sentiment.training.behaviour import Rate, as_figures
from services.sentiment.training.refuse import Figures, Worse

FILE: Final = "best.json"


class GateError(Exception):
    """What the shipped model reached can't be read."""


def worse(folder: Path, figures: Figures, rates: Sequence[Rate]) -> list[Worse]:
    """In what the new model is worse than the best in `folder`; empty where there is none yet. Raises GateError."""
    best = _read(folder)
    listed = refuse.worse(best["figures"], figures)
    return listed + refuse.worse_behaviour(best["behaviour"], as_figures(rates), {r.key: r.total for r in rates})


def keep(folder: Path, figures: Figures, rates: Sequence[Rate], *, anew: bool) -> None:
    """Writes down what the model that goes into `folder` reached; `anew` where it may be worse: the best figures are its own."""
    before: Figures = {} if anew else _read(folder)["figures"]
    found = {"figures": refuse.best(before, figures), "behaviour": dict(as_figures(rates))}
    (folder / FILE).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(folder: Path) -> Mapping[str, Any]:
    """best.json, or where a model has none yet, its own figures."""
    file = folder / FILE if (folder / FILE).exists() else folder / "model.json"
    if not file.exists():
        return {"figures": {}, "behaviour": {}}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {"figures": dict(found["figures"]), "behaviour": dict(found.get("behaviour", {}))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise GateError(f"{file}: {e} is missing or malformed; --accept-worse goes on without it") from e
