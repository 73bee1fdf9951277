"""Reads a call log in the form of the "Anonymous Bank" data (Mandelbaum, Sakov and Zeltyn, Technion)."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from services.router.domain.simulation.recorded import NO_SEAT, Call, RecordedDay
from services.router.domain.simulation.shifts import DAY_S, Reading, shifts_of

NEEDED = (
    "customer_id", "priority", "type", "date", "vru_exit", "q_start", "q_time", "outcome", "ser_time", "server",
)  # fmt: skip
NAMED_BY = ("vru+line", "call_id")
"""Together they name a call; a log may lack them."""
CALL_BACK = "TT"
"""The type of calls that a seat makes itself, to somebody who left a message; they queue only where it got busy again."""
LONGEST_SERVICE_S = 3600
"""A longer one is an artefact: somebody forgot to sign out, or the clock was wrong."""


class LogError(ValueError):
    """The log can't be read; the message names line and field."""


def read(path: Path, reading: Reading) -> list[RecordedDay]:
    """Read the days of a log, in order. Raises LogError."""
    days: dict[str, list[Call]] = defaultdict(list)
    for day, call in _calls(path):
        days[day].append(call)
    if not days:
        raise LogError(f"{path}: holds no contact: no row is AGENT, or HANG with a q_time above 0")
    made = []
    for day in sorted(days):
        calls = tuple(sorted(days[day], key=lambda call: call.at))
        made.append(RecordedDay(day, calls, shifts_of(calls, reading)))
    return made


def _calls(path: Path) -> Iterator[tuple[str, Call]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            lacking = [name for name in NEEDED if name not in (rows.fieldnames or ())]
            if lacking:
                raise LogError(f"{path}: line 1: there is no column {', '.join(lacking)}")
            for row in rows:
                where = f"{path}: line {rows.line_num}"
                if None in row:
                    raise LogError(f"{where}: has too many fields")
                if None in row.values():
                    raise LogError(f"{where}: has too few fields")
                found = _call(row, where)
                if found is not None:
                    yield found
    except UnicodeDecodeError:
        raise LogError(f"{path}: is not UTF-8") from None
    except csv.Error as error:
        raise LogError(f"{path}: is not CSV: {error}") from None
    except OSError as error:
        raise LogError(f"{path}: can't be read: {error.strerror}") from None


def _call(row: Mapping[str, str], where: str) -> tuple[str, Call] | None:
    outcome = row["outcome"]
    if outcome not in ("AGENT", "HANG", "PHANTOM"):
        raise LogError(f'{where}: outcome: "{outcome[:20]}" is none of AGENT, HANG, PHANTOM')
    waited = _seconds(row, "q_time", where)
    answered = outcome == "AGENT"
    if outcome == "PHANTOM" or (not answered and waited == 0):
        return None
    group = row["priority"]
    if group not in ("0", "1", "2"):
        raise LogError(f'{where}: priority: "{group[:20]}" is none of 0, 1, 2')
    if not row["type"]:
        raise LogError(f"{where}: type: is empty")
    if not row["type"].isprintable():
        raise LogError(f"{where}: type: holds a control character")
    try:
        day = date.fromisoformat(row["date"]).isoformat()
    except ValueError:
        raise LogError(f'{where}: date: "{row["date"][:20]}" is not a day such as 1999-08-01') from None
    service = _seconds(row, "ser_time", where) if answered else 0
    seat = row["server"] if answered and row["server"] not in ("", "NO_SERVER") else NO_SEAT
    queued = waited > 0
    at = _clock(row, "q_start" if queued else "vru_exit", where)
    known = queued or group != "0" or row["customer_id"] not in ("", "0")
    call = Call(
        at=float(at),
        kind=row["type"],
        group=group,
        tier=group if known else "",
        waited_s=float(waited),
        answered=answered,
        seat=seat,
        service_s=float(service) if answered and 0 < service <= LONGEST_SERVICE_S else None,
        called_back=row["type"] == CALL_BACK and answered and waited == 0,
        call_id="/".join(row[name] for name in NAMED_BY if row.get(name)) or where.rpartition(": ")[2],
    )
    return day, call


def _seconds(row: Mapping[str, str], name: str, where: str) -> int:
    value = row[name]
    if not re.fullmatch(r"[0-9]{1,6}", value) or int(value) > DAY_S:
        raise LogError(f'{where}: {name}: "{value[:20]}" is not a number of seconds from 0 to {DAY_S}')
    return int(value)


def _clock(row: Mapping[str, str], name: str, where: str) -> int:
    value = row[name]
    found = re.fullmatch(r"([0-9]{1,2}):([0-5][0-9]):([0-5][0-9])", value)
    if found is None or int(found[1]) > 23:
        raise LogError(f'{where}: {name}: "{value[:20]}" is not a time of day such as 9:05:00')
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
