"""Reads an incident event log: one row an update of an incident, as service-desk tools export them.

Times are minutes since 1970-01-01 in the log's own clock. A row that can't be read is told with its line and field, and the rest is read on.
"""

import csv
import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Final, NamedTuple

CLOSED: Final = "Closed"
RESOLVED: Final = "Resolved"
_NEEDED: Final = (
    "number",
    "incident_state",
    "reassignment_count",
    "reopen_count",
    "sys_mod_count",
    "made_sla",
    "opened_at",
    "sys_updated_at",
    "priority",
)
_OPTIONAL: Final = (
    "caller_id",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "u_symptom",
    "impact",
    "urgency",
    "assignment_group",
    "assigned_to",
    "knowledge",
    "u_priority_confirmation",
)
_UNKNOWN: Final = "?"
_EPOCH: Final = date(1970, 1, 1).toordinal()
_BOOLEANS: Final = {"true": True, "false": False}
_YEARS: Final = range(1990, 2101)
_DAY: Final = re.compile(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}")
_CLOCK: Final = re.compile(r"[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2})?")


class LogError(Exception):
    """The file as a whole can't be read."""


class BadRow(NamedTuple):
    """A row that was left out: its line in the file, the field, and why."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.reason}"


class Row(NamedTuple):
    """An update of an incident. What a log doesn't tell is "?" (or 0 for a grade).

    resolved_at and closed_at are left out on purpose: a log has them on every row, though nobody knew them before the end.
    """

    line: int
    """Place among the file's rows, from 0."""
    number: str
    at: int
    """Minute of the update."""
    mod: int
    """How often the incident was changed so far."""
    opened: int
    state: str
    reassigned: int
    reopened: int
    made_sla: bool
    caller: str
    contact_type: str
    location: str
    category: str
    subcategory: str
    symptom: str
    impact: int
    urgency: int
    priority: int
    """1 is the gravest."""
    group: str
    assignee: str
    knowledge: bool
    confirmed: bool

    @property
    def is_open(self) -> bool:
        """Whether there is anything left to foresee."""
        return self.state != CLOSED


@dataclass(frozen=True, slots=True)
class Log:
    """The rows in time order, and those that were left out."""

    rows: Sequence[Row]
    bad: Sequence[BadRow]


def in_order(rows: Sequence[Row]) -> list[Row]:
    """By time, then by the incident's own count of changes; the order in the file decides nothing."""
    return sorted(rows, key=lambda r: (r.at, r.mod, r.number, r[5:]))


def read(path: Path) -> Log:
    """The log of a CSV file, gzipped or not. Raises LogError where there is no such table."""
    rows: list[Row] = []
    bad: list[BadRow] = []
    try:
        with _opened(path) as f:
            for found in _rows(f):
                if isinstance(found, Row):
                    rows.append(found)
                else:
                    bad.append(found)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as e:
        raise LogError(f"{path}: {e}") from e
    return Log(in_order(rows), bad)


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as f:
        zipped = f.read(2) == b"\x1f\x8b"
    if zipped:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(file: IO[str]) -> Iterator[Row | BadRow]:
    reader = csv.reader(file)
    header = next(reader, None)
    if header is None:
        raise LogError("the file is empty; a header with the columns' names is needed")
    missing = [c for c in _NEEDED if c not in header]
    if missing:
        raise LogError(f"the header lacks {', '.join(missing)}")
    read_row = _reader(header)
    index = -1
    for cells in reader:
        if not cells:
            continue
        index += 1
        try:
            if len(cells) != len(header):
                raise _Unreadable("row", f"has {len(cells)} fields, the header {len(header)}")
            yield read_row(index, cells)
        except _Unreadable as e:
            yield BadRow(reader.line_num, e.field, e.reason)


class _Unreadable(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field, self.reason = field, reason


def _reader(header: Sequence[str]) -> Callable[[int, Sequence[str]], Row]:
    place = {name: i for i, name in enumerate(header)}
    minutes = _Minutes()
    absent = [c for c in _OPTIONAL if c not in place]

    def read_row(index: int, cells: Sequence[str]) -> Row:
        cell: Mapping[str, str] = {name: cells[i].strip() or _UNKNOWN for name, i in place.items()}
        if absent:
            cell = {**dict.fromkeys(absent, _UNKNOWN), **cell}
        for name in ("number", "incident_state"):
            if cell[name] == _UNKNOWN:
                raise _Unreadable(name, "is missing")
        return Row(
            index,
            cell["number"],
            minutes.of(cell, "sys_updated_at"),
            _count(cell, "sys_mod_count"),
            minutes.of(cell, "opened_at"),
            cell["incident_state"],
            _count(cell, "reassignment_count"),
            _count(cell, "reopen_count"),
            _truth(cell, "made_sla"),
            cell["caller_id"],
            cell["contact_type"],
            cell["location"],
            cell["category"],
            cell["subcategory"],
            cell["u_symptom"],
            _grade(cell, "impact", needed=False),
            _grade(cell, "urgency", needed=False),
            _grade(cell, "priority", needed=True),
            cell["assignment_group"],
            cell["assigned_to"],
            cell["knowledge"].lower() == "true",
            cell["u_priority_confirmation"].lower() == "true",
        )

    return read_row


class _Minutes:
    """Reads "29/2/2016 01:23" (day first; seconds are cut off), remembering the days."""

    def __init__(self) -> None:
        self.days: dict[str, int] = {}

    def of(self, cell: Mapping[str, str], name: str) -> int:
        text = cell[name]
        day, _, clock = text.partition(" ")
        try:
            start = self.days.get(day)
            if start is None:
                if not _DAY.fullmatch(day):
                    raise ValueError
                d, m, y = (int(x) for x in day.split("/"))
                if y not in _YEARS:
                    raise _Unreadable(name, f"the year {y} is not between {_YEARS[0]} and {_YEARS[-1]}")
                start = self.days[day] = (date(y, m, d).toordinal() - _EPOCH) * 1440
            if not _CLOCK.fullmatch(clock):
                raise ValueError
            hour, minute, *_ = map(int, clock.split(":"))
        except ValueError:
            raise _Unreadable(name, f"{text[:24]!r} is no time like 29/2/2016 01:23") from None
        if not (0 <= hour < 24 and 0 <= minute < 60):
            raise _Unreadable(name, f"{text[:24]!r} is no time of a day")
        return start + hour * 60 + minute


def _count(cell: Mapping[str, str], name: str) -> int:
    text = cell[name]
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise _Unreadable(name, f"{text[:24]!r} is no count")
    return int(text)


def _truth(cell: Mapping[str, str], name: str) -> bool:
    found = _BOOLEANS.get(cell[name].lower())
    if found is None:
        raise _Unreadable(name, f"{cell[name][:24]!r} is neither true nor false")
    return found


def _grade(cell: Mapping[str, str], name: str, *, needed: bool) -> int:
    """The leading digit of "3 - Moderate"."""
    text = cell[name]
    if text[0].isascii() and text[0].isdigit():
        return int(text[0])
    if needed:
        raise _Unreadable(name, f"{text[:24]!r} doesn't begin with its grade, as in '3 - Moderate'")
    return 0
