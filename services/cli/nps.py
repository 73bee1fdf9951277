"""`touchline nps`: the running Net Promoter Score, of the running system or of a file."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from services.nps.domain.figures import Figure
from services.nps.domain.tally import Tally
from services.nps.lines import LineError, read_line

Breakdown = dict[str, dict[str, Figure]]


@click.group()
def nps() -> None:
    """The Net Promoter Score. 净推荐值。"""


@nps.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
def compute(file: Path, as_json: bool) -> None:
    """Computes it from FILE: survey events as JSON lines, in order of arrival. 由文件离线计算。

    Exit status 1 if any line was rejected.
    """
    tally, rejected = Tally(), []
    # Lines end with a line feed only: JSON text may hold other characters that Python takes for line ends.
    with file.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                tally.add(read_line(line))
            except LineError as error:
                rejected.append({"line": number, "error": str(error)})
    by: Breakdown = {}
    for dimension, value, figure in tally.segments():
        by.setdefault(dimension, {})[value] = figure
    show(tally.all.figure(), by, as_json, {"rejected": rejected})
    for bad in rejected:
        click.echo(f"line {bad['line']}: {bad['error']}", err=True)
    sys.exit(bool(rejected))


def show(all_: Figure, by: Breakdown, as_json: bool, more: dict[str, Any] | None = None) -> None:
    """Prints figures, as one JSON object or as a table."""
    if as_json:
        body = {"all": asdict(all_), "by": {d: {v: asdict(f) for v, f in values.items()} for d, values in by.items()}}
        # Ids and segments with lone surrogates can't be written as UTF-8: escape everything.
        click.echo(json.dumps({**body, **(more or {})}))
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("segment 分组")
    for name in ("NPS", "95 %", "n", "promoters 推荐", "passives 中立", "detractors 贬损"):
        table.add_column(name, justify="right")
    rows = [("all 全部", all_)] + [(f"{d} = {v}", f) for d in sorted(by) for v, f in sorted(by[d].items())]
    for name, f in rows:
        counts = (str(f.n), str(f.promoters), str(f.passives), str(f.detractors))
        table.add_row(name.encode(errors="replace").decode(), f"{f.nps:.1f}", f"{f.low:.1f} … {f.high:.1f}", *counts)
    Console().print(table)
