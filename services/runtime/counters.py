"""Counters: changes of cells, added up over a batch, and the counts so far as records for the projections."""

import json
from collections.abc import Iterable
from datetime import datetime

from touchline.metrics.v1 import counter_pb2

from services.runtime.checkpoint import Cell, Dirty
from services.runtime.pipeline import Delta, Metric
from services.runtime.records import Outgoing, timestamp, write

# A metric has one of these windows, never both: minutes, or all time.
_EACH_ONCE = ("PT1M", "ALL")


def segment_text(segment: Iterable[tuple[str, str]]) -> str:
    """A segment as canonical JSON: the same segment is the same text."""
    return json.dumps(dict(segment), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Tally:
    """Adds up the deltas of one batch, so that each cell is written once."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._places = {name: i for i, name in enumerate(metric.fields)}
        self._cells: dict[tuple[object, ...], tuple[Delta, int, list[int], list[str]]] = {}

    def add(self, delta: Delta, partition: int, traceparent: str) -> None:
        """Adds a change that was caused on a source partition. Raises KeyError for a field that the metric does not have."""
        segment = delta.segment if len(delta.segment) < 2 else tuple(sorted(delta.segment))
        key = (delta.window, delta.start, segment, partition)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = (delta, partition, [0] * len(self._places), [""])
        _, _, counts, trace = cell
        for name, amount in delta.counts.items():
            counts[self._places[name]] += amount
        if traceparent:
            trace[0] = traceparent

    def cells(self) -> list[Cell]:
        """The cells that changed, in an order that every transaction shares, so that none waits for another in a circle."""
        changed = [
            Cell(d.metric, d.window, d.start, segment_text(d.segment), p, d.publish, tuple(counts), trace[0])
            for d, p, counts, trace in self._cells.values()
            if any(counts)
        ]
        return sorted(changed, key=lambda c: (c.metric, c.window, c.start, c.segment, c.partition))


def totals(cells: Iterable[Cell], metric: Metric) -> dict[str, int]:
    """What cells add over all segments, by field: each thing once, though it counts in several windows."""
    found: dict[str, int] = {}
    for cell in cells:
        if cell.segment == "{}" and cell.window in _EACH_ONCE:
            for name, count in zip(metric.fields, cell.counts, strict=True):
                if count:
                    found[name] = found.get(name, 0) + count
    return found


def counter_record(pipeline: str, metric: Metric, cell: Dirty, now: datetime) -> Outgoing:
    """A cell's count so far as a record on `counters`. Its id names the cell's share and version: a repeat is recognisable."""
    share = f"{pipeline}/{cell.partition}"
    name = f"{cell.metric}|{cell.window}|{cell.start:%Y-%m-%dT%H:%MZ}|{cell.segment}"
    message = counter_pb2.CounterChanged(
        metric=cell.metric,
        segment=json.loads(cell.segment),
        window=cell.window,
        start=timestamp(cell.start),
        share=share,
        version=cell.version,
        counts=dict(zip(metric.fields, cell.counts, strict=False)),
    )
    return write(
        message,
        event_id=f"{name}|{share}|{cell.version}",
        source=f"touchline/{pipeline}",
        subject=name,
        time=now,
        traceparent=cell.traceparent,
    )
