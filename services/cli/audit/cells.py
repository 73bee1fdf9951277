"""Metric topics: the newest value of each cell, compared with counts that the oracle made itself."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from services.cli.audit.report import Findings
from services.cli.audit.wire import MINUTE, SECOND, Broken, Record, iso, moment_of

Segment = tuple[tuple[str, str], ...]
Counts = dict[str, int]


class Cell(NamedTuple):
    """A metric's cell. start: µs since 1970, 0 for window ALL."""

    window: str
    start: int
    segment: Segment

    def __str__(self) -> str:
        where = ", ".join(f"{d}={v}" for d, v in self.segment) or "all"
        return f"{where} {self.window}" + (f" {iso(self.start)}" if self.start else "")


DAY = 86_400 * SECOND
KEPT = {"PT1M": 2 * DAY, "PT1H": 60 * DAY, "P1D": 400 * DAY}
"""How long the metric topics keep a window once it began; what is older may be gone, or in part."""


def kept(cell: Cell, now: int) -> bool:
    """Whether the cell must be there."""
    return cell.start + KEPT.get(cell.window, now) >= now


Rows = dict[Cell, Mapping[str, Any]]


def rows(records: Sequence[Record], findings: Findings) -> Rows:
    """The newest value of each cell on a metric topic; what can't be read is a finding."""
    newest: dict[tuple[int, bytes], bytes | None] = {}
    for record in records:
        newest[record.partition, record.key or b""] = record.value
    found: Rows = {}
    for value in newest.values():
        if value is None:
            continue
        try:
            row = json.loads(value)
            window = str(row["window"])
            start = 0 if window == "ALL" else moment_of(str(row["start"]))
            cell = Cell(window, start, tuple(sorted((str(d), str(v)) for d, v in row["segment"].items())))
            row["counts"].get("")
        except (ValueError, KeyError, TypeError, AttributeError, Broken) as error:
            findings.add(f"a value can't be read: {type(error).__name__}")
            continue
        if cell in found:
            findings.add(f"{cell}: stands twice, under different keys")
        found[cell] = row
    return found


class Tally:
    """Counts by cell, made by the oracle."""

    def __init__(self) -> None:
        self.cells: dict[Cell, Counts] = {}

    def add(self, time: int, segments: Iterable[Segment], amounts: Mapping[str, int], window: int = MINUTE) -> None:
        """Counts in the window that holds the time, for each segment."""
        start = time - time % window
        for segment in segments:
            counts = self.cells.setdefault(Cell("PT1M", start, segment), {})
            for name, amount in amounts.items():
                counts[name] = counts.get(name, 0) + amount


def compare(
    expected: Mapping[Cell, Counts], got: Rows, fields: Sequence[str], now: int, findings: Findings
) -> tuple[int, int]:
    """Compares every cell; one that is missing counts as zeros. Gives the sums of all counts, expected and got."""
    sums = [0, 0]
    for cell in sorted({*expected, *got}):
        # Whether what has no touchpoint gets a segment of its own is the publisher's choice; "all" holds it anyway.
        if cell not in got and any(not value for _, value in cell.segment):
            continue
        if not kept(cell, now):
            continue
        want = expected.get(cell, {})
        have = got.get(cell, {}).get("counts", {})
        for name in fields:
            a, b = want.get(name, 0), have.get(name, 0)
            sums[0] += a
            sums[1] += b
            if a != b:
                findings.add(f"{cell} {name}: expected {a}, got {b}")
    return sums[0], sums[1]
