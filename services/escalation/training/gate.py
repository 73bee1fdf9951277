"""Whether a newly trained model may take the shipped one's place: best.json beside it keeps the best figures so far.

The figures are those of the rolling validation, so mostly of the same incidents. What a drop exceeds chance by counts as worse; it is
compared with the best figure so far, so that small steps down don't add up.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

Figures = Mapping[str, float]
FILE: Final = "best.json"
_NOISE: Final = 1.645
"""Standard errors: one model in twenty that is no worse is refused for a figure."""
_DIFFER: Final = 0.25
"""Two models of a kind differ in about a quarter of the incidents that could change a figure."""
_CALIBRATION: Final = 0.01
"""A calibration error may rise by so much."""


class GateError(Exception):
    """What the shipped model reached can't be read."""


def best(folder: Path) -> Figures:
    """The best figures so far; none where there is no model yet. Raises GateError."""
    file = folder / FILE
    if not file.exists():
        return {}
    try:
        found: dict[str, float] = {str(k): float(v) for k, v in json.loads(file.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError, TypeError) as e:
        raise GateError(f"{file}: {e}; --accept-worse needs the file gone") from e
    return found


def worse(before: Figures, found: Figures) -> list[str]:
    """In what the new figures are worse by more than chance; empty where the new model may be shipped."""
    listed = []
    for name, old in before.items():
        if name in ("incidents", "escalated"):
            continue
        new = found.get(name)
        if new is None:
            listed.append(f"{name}: was {old:.4f}, is no longer measured")
            continue
        drop = new - old if name.endswith("ece") else old - new
        allowed = _allowed(name, old, found)
        if drop > allowed:
            listed.append(f"{name}: {old:.4f} → {new:.4f}, chance allows {allowed:.4f}")
    return listed


def keep(folder: Path, before: Figures, found: Figures, *, anew: bool) -> None:
    """Writes down the best so far; `anew`: the model's own figures, as it may be worse."""
    kept = dict(found)
    for name, old in ({} if anew else before).items():
        if name in kept and name not in ("incidents", "escalated"):
            kept[name] = min(kept[name], old) if name.endswith("ece") else max(kept[name], old)
    (folder / FILE).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _allowed(name: str, old: float, found: Figures) -> float:
    if name.endswith("ece"):
        return _CALIBRATION
    n = found["escalated"] if name.startswith("escalated") else found["incidents"] * 0.2
    return _NOISE * math.sqrt(_DIFFER * old * (1 - old) / max(1.0, n))
