"""The table for people, the JSON for programs, and the machine in words."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from bench.measure import RATE, Result
from deploy.embedded.postgres import binaries

BASE = {"throughput": "bare", "latency": "round trip"}


@dataclass(frozen=True)
class Machine:
    """What this ran on; the load average at the start tells whether it was alone."""

    cores: int
    cpu: str
    system: str
    python: str
    kafka: str
    postgres: str
    aiokafka: str
    faust: str
    load_average: tuple[float, float, float]

    def in_words(self) -> str:
        return (
            f"{self.cores} cores ({self.cpu}), {self.system}, Python {self.python}, Kafka {self.kafka}, "
            f"Postgres {self.postgres}, aiokafka {self.aiokafka}, Faust {self.faust}; load average at the start "
            + " ".join(map(str, self.load_average))
        )


def machine() -> Machine:
    """This machine, now."""
    jars = Path(__file__).resolve().parent.parent / "deploy" / "embedded" / "jars.lock"
    kafka = re.search(r"kafka-clients:([\d.]+)", jars.read_text())
    one, five, fifteen = (round(x, 1) for x in os.getloadavg())
    return Machine(
        os.cpu_count() or 1,
        _cpu(),
        f"{platform.system()} {platform.release()}",
        platform.python_version(),
        kafka[1].rstrip(".") if kafka else "?",
        _postgres(),
        version("aiokafka"),
        version("faust-streaming"),
        (one, five, fifteen),
    )


def _postgres() -> str:
    command = [str(binaries() / "postgres"), "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[2]


def _cpu() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    bars = "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths))
    made = [
        "| "
        + " | ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        + " |"
        for line in lines
    ]
    return "\n".join([made[0], f"|{bars}|", *made[1:]])


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.2f}×" if value is not None and base else "–"


def _verdict(r: Result) -> str:
    if r.holds:
        return "exact"
    return "; ".join(
        [*([f"{r.lost} lost"] if r.lost else []), *([f"{r.doubled} doubled"] if r.doubled else []), *r.errors]
    )


def table(results: Sequence[Result]) -> str:
    """Both tables in Markdown, with ratios to the bare ceiling and to the bare round trip."""
    fast = [r for r in results if r.workload == "throughput"]
    steady = [r for r in results if r.workload == "latency"]
    base = {r.workload: r for r in results if r.system == BASE[r.workload]}
    parts = []
    if fast:
        ceiling = base["throughput"].events_per_s if "throughput" in base else None
        rows = [
            [
                r.system,
                str(r.events),
                _number(r.events_per_s, ",.0f"),
                _ratio(r.events_per_s, ceiling),
                *(_number((r.cpu_us_per_event or {}).get(p), ".0f") for p in ("own", "kafka", "postgres")),
                _number(r.rss_mb, ".0f"),
                _verdict(r),
            ]
            for r in fast
        ]
        head = ["throughput", "events", "events/s", "to bare", "own µs/event", "Kafka µs", "Postgres µs", "MB", "facts"]
        parts.append(_rows(head, rows))
    if steady:
        trip = base["latency"].p99_ms if "latency" in base else None
        rows = [
            [
                r.system,
                str(r.events),
                *(_number(x, ".1f") for x in (r.p50_ms, r.p99_ms, r.p999_ms)),
                _ratio(r.p99_ms, trip),
                _number(r.late_p99_ms, ".1f"),
                _verdict(r),
            ]
            for r in steady
        ]
        head = [
            f"latency at {RATE:.0f}/s",
            "events",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "p99 to round trip",
            "sent late p99",
            "facts",
        ]
        parts.append(_rows(head, rows))
    return "\n\n".join(parts)


def write_json(path: Path, results: Sequence[Result], made: Machine) -> None:
    """A list with one object a row; fields that do not apply are null."""
    rows = [{**asdict(r), "first_new_s": None, "machine": asdict(made)} for r in results]
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
