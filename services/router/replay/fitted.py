"""The distributions that a replay draws from: kept as JSON beside this file, with where they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.router.domain.simulation.distributions import ANY, Fitted, PatienceTable, Quantiles
from services.router.domain.simulation.recorded import Cell

SHIPPED = Path(__file__).with_name("fitted.json")
FORMAT = 1


def load(path: Path = SHIPPED) -> Fitted:
    """Read fitted distributions. Raises ValueError where the file is of another format."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.get("format") != FORMAT:
        raise ValueError(f"{path.name}: format {found.get('format')} is not {FORMAT}")
    return Fitted(
        patience=PatienceTable(
            tuple(found["patience"]["queue_from"]),
            {
                _cell(name): tuple(Quantiles(tuple(map(float, values))) for values in bins)
                for name, bins in found["patience"]["cells"].items()
            },
        ),
        service={_cell(name): Quantiles(tuple(map(float, values))) for name, values in found["service"].items()},
        wrap_up=Quantiles(tuple(map(float, found["wrap_up"]))),
        shares={"" if kind == "*" else kind: shares for kind, shares in found["shares"].items()},
    )


def save(fitted: Fitted, provenance: Mapping[str, Any], path: Path = SHIPPED) -> None:
    """Write fitted distributions, in seconds to the tenth, one distribution a line."""
    body = {
        "format": FORMAT,
        "provenance": dict(provenance),
        "patience": {
            "queue_from": list(fitted.patience.queue_from),
            "cells": {_name(c): [_values(q) for q in bins] for c, bins in fitted.patience.cells.items()},
        },
        "service": {_name(cell): _values(q) for cell, q in fitted.service.items()},
        "wrap_up": _values(fitted.wrap_up),
        "shares": {kind or "*": {t: round(s, 5) for t, s in of.items()} for kind, of in fitted.shares.items()},
    }
    path.write_text(_lines(body) + "\n", encoding="utf-8")


def _values(q: Quantiles) -> list[float]:
    return [int(v) if v == int(v) else v for v in (round(value, 1) for value in q.values)]


def _name(cell: Cell) -> str:
    return f"{cell.kind or '*'}/{cell.tier or '*'}"


def _cell(name: str) -> Cell:
    kind, tier = name.split("/")
    return Cell(ANY if kind == "*" else kind, ANY if tier == "*" else tier)


def _lines(value: Any, indent: int = 0) -> str:
    """JSON with each list of numbers on one line."""
    if isinstance(value, dict):
        inside = ",\n".join(f"{' ' * (indent + 1)}{json.dumps(k)}: {_lines(v, indent + 1)}" for k, v in value.items())
        return "{\n" + inside + "\n" + " " * indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        inside = ",\n".join(" " * (indent + 1) + _lines(v, indent + 1) for v in value)
        return "[\n" + inside + "\n" + " " * indent + "]"
    return json.dumps(value, ensure_ascii=False)
