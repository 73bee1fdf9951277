"""What `touchline escalation evaluate` costs: `python -m bench.escalation_tickets [--data ../shared/data] [--json FILE]`.

The command as a user runs it, in a process of its own, on the whole incident log, with --scores and without and with --why: processor
time, wall clock, peak memory, rows a second of processor time.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from services.escalation.tickets.log import read

FILE = Path("tickets/incidents.csv.gz")


@dataclass(frozen=True, slots=True)
class Row:
    """One run."""

    way: str
    rows: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    rows_per_cpu_s: float


def run(way: str, arguments: list[str], rows: int) -> Row:
    """Runs the command to its end."""
    begun = time.monotonic()
    program = [sys.executable, "-m", "services.cli.main", "escalation", "evaluate", *arguments]
    child = os.posix_spawn(
        sys.executable,
        program,
        {**os.environ, "OMP_NUM_THREADS": "1"},
        file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0o600) for fd in (1, 2)],
    )
    _, status, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{way}: ended with {os.waitstatus_to_exitcode(status)}")
    cpu = used.ru_utime + used.ru_stime
    return Row(
        way, rows, round(cpu, 1), round(time.monotonic() - begun, 1), round(used.ru_maxrss / 1024), round(rows / cpu)
    )


def main() -> None:
    """Runs the ways and prints them."""
    parser = argparse.ArgumentParser(prog="python -m bench.escalation_tickets", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    file = args.data / FILE
    if not file.exists():
        sys.exit(f"{file} is not here")
    rows = len(read(file).rows)
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "scores.jsonl")
        tickets = ["--tickets", str(file), "--json"]
        found = [
            run("scores", [*tickets, "--scores", out], rows),
            run("scores and reasons", [*tickets, "--scores", out, "--why"], rows),
        ]
    for row in found:
        print(
            f"{row.way}: {row.rows} rows, {row.cpu_s} s of processor time ({row.rows_per_cpu_s} rows/s), {row.wall_s} s, {row.peak_mb} MB"
        )
    if args.json:
        args.json.write_text(json.dumps([asdict(r) for r in found], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
