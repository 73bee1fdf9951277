"""A row of what was measured; as the docs keep it, and as `--json` tells it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Costs:
    """What an event took, by part: microseconds of processor, bytes written, rows."""

    own_us: float | None = None
    kafka_us: float | None = None
    postgres_us: float | None = None
    bytes_in: float | None = None
    bytes_out: float | None = None
    wal_bytes: float | None = None
    rows: float | None = None
    commits: float | None = None
    disk_bytes: float | None = None


@dataclass
class Result:
    """One row: a system and a workload. None where it does not apply or was not measured.

    lost, doubled: None where facts can't be foretold. skipped: why it was not run.
    """

    system: str
    workload: str
    settings: str
    events: int = 0
    events_per_s: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    p999_ms: float | None = None
    first_new_s: float | None = None
    caught_up_s: float | None = None
    lost: int | None = None
    doubled: int | None = None
    repeated: int | None = None
    rss_mb: float | None = None
    late_p99_ms: float | None = None
    costs: Costs = field(default_factory=Costs)
    more: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    skipped: str = ""
    command: str = ""
    run: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled, or wrong."""
        return not (self.lost or self.doubled or self.errors)

    @property
    def key(self) -> tuple[str, str]:
        return self.workload, self.system

    def told(self) -> dict[str, Any]:
        """The row as other programs read it."""
        return {
            "system": self.system,
            "workload": self.workload,
            "events_per_s": self.events_per_s,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "first_new_s": self.first_new_s,
            "lost": self.lost,
            "doubled": self.doubled,
            "rss_mb": self.rss_mb,
            "settings": self.settings,
        }


def tell(path: Path, results: Sequence[Result]) -> None:
    """Writes every row that was measured, as one list."""
    rows = [r.told() for r in results if not r.skipped]
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")


@dataclass
class Book:
    """All that stands in docs/benchmarks.json: machines by run, and the latest row of each system and workload."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[Result] = field(default_factory=list)

    def find(self, workload: str, system: str) -> Result | None:
        return next((r for r in self.rows if r.key == (workload, system)), None)

    def enter(self, run: str, machine: dict[str, Any], results: Sequence[Result]) -> None:
        """Puts a run's rows in the place of older ones; a row that was skipped never displaces a measured one."""
        for made in results:
            old = self.find(*made.key)
            if old is not None and made.skipped and not old.skipped:
                continue
            made.run = run
            self.rows = [r for r in self.rows if r is not old] + [made]
        self.runs[run] = machine
        used = {r.run for r in self.rows}
        self.runs = {name: told for name, told in self.runs.items() if name in used}


def read_book(path: Path) -> Book:
    """The book; an empty one where there is none yet."""
    if not path.exists():
        return Book()
    kept = json.loads(path.read_text())
    rows = [Result(**{**row, "costs": Costs(**row["costs"])}) for row in kept["rows"]]
    return Book(kept["runs"], rows)


def write_book(path: Path, book: Book) -> None:
    rows = [asdict(r) for r in sorted(book.rows, key=lambda r: r.workload)]
    path.write_text(json.dumps({"runs": book.runs, "rows": rows}, ensure_ascii=False, indent=1) + "\n")
