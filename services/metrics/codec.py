"""Cells in the projections' table, on the wire in, and on the metric topics out."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from touchline.metrics.v1 import counter_pb2

from services.metrics.domain.cells import Cell, Share, total
from services.metrics.domain.figures import derive
from services.runtime.records import Incoming


def read(incoming: Incoming) -> tuple[Cell, str, Share]:
    """A counter: the empty cell it belongs to, whose share it is, and what that share says. Raises TypeError otherwise."""
    counter = incoming.message
    if not isinstance(counter, counter_pb2.CounterChanged):
        raise TypeError(incoming.type)
    cell = Cell(counter.metric, dict(counter.segment), counter.window, counter.start.ToDatetime(UTC), {})
    return cell, counter.share, Share(counter.version, dict(counter.counts))


def stored(cell: Cell) -> dict[str, Any]:
    """A cell as plain JSON values, as Faust's table and its changelog keep it."""
    plain: dict[str, Any] = msgspec.to_builtins(cell)
    return plain


def restored(value: dict[str, Any]) -> Cell:
    """The inverse of `stored`."""
    return msgspec.convert(value, Cell)


_ENCODER = msgspec.json.Encoder(order="deterministic")


def metric_key(cell: Cell) -> bytes:
    """The key on the metric topic: the segment and the window; compaction keeps the last value of each."""
    return b"|".join((_ENCODER.encode(cell.segment), cell.window.encode(), _when(cell.start).encode()))


def metric_value(cell: Cell) -> bytes:
    """The value on the metric topic: JSON by docs/schemas/metrics.<metric>.json, complete in itself."""
    counts = total(cell)
    value = {
        "metric": cell.metric,
        "segment": dict(cell.segment),
        "window": cell.window,
        "start": _when(cell.start),
        "counts": counts,
        **derive(cell.metric, counts),
    }
    return _ENCODER.encode(value)


def _when(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
