"""`touchline nps`: the running Net Promoter Score, of the running system or of a file."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cli.calls import all_pages, reason_of, service_address
from services.cli.common import data_option, fail, plain, say_rejected
from services.cli.nps_report import report, weeks
from services.nps.domain.enough import enough
from services.nps.domain.figures import Figure
from services.nps.domain.tally import Tally
from services.nps.lines import LineError, OtherType, read_line

if TYPE_CHECKING:
    from touchline.nps.v1 import nps_pb2

Breakdown = dict[str, dict[str, Figure]]


@click.group(short_help="The Net Promoter Score. 净推荐值。")
def nps() -> None:
    """The Net Promoter Score. 净推荐值。"""


nps.add_command(report)
nps.add_command(weeks)


@nps.command(short_help="Ask the running system. 查询运行中的系统。")
@data_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
def get(data: Path, as_json: bool) -> None:
    """Asks the running system for all answers of all time. 查询运行中的系统。"""
    from services.runtime.rpc import LookupFailed

    try:
        answer = asyncio.run(_ask(service_address(data, "nps")))
    except LookupFailed as error:
        fail(f"nps: {reason_of(error)}")
    by = {d: {v: _figure(f) for v, f in sorted(b.values.items())} for d, b in sorted(answer.by.items())}
    show(_figure(answer.all), by, as_json)


async def _ask(address: str) -> "nps_pb2.GetNpsResponse":
    from touchline.nps.v1 import nps_pb2_grpc

    from services.runtime.rpc import channel

    async with channel(address) as to:
        return await all_pages(nps_pb2_grpc.NpsServiceStub(to), 30)


def _figure(f: "nps_pb2.Figure") -> Figure:
    return Figure(f.promoters, f.passives, f.detractors, f.n, f.nps, f.low, f.high)


@nps.command(short_help="Compute it from a file. 由文件离线计算。")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
def compute(file: Path, as_json: bool) -> None:
    """Computes it from FILE: survey events as JSON lines, in order of arrival. 由文件离线计算。

    Lines of the other types that `touchline nps report` reads are passed over and counted on standard error.
    Exit status 1 if any line was rejected. 周播报的其他类型略过并计数；有拒收行时退出码为 1。
    """
    from services.nps.report.book import TYPES

    tally, passed = Tally(), 0
    rejected: list[tuple[int, str]] = []
    # Lines end with a line feed only: JSON text may hold other characters that Python takes for line ends.
    with file.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                tally.add(read_line(line))
            except LineError as error:
                if isinstance(error, OtherType) and error.kind in TYPES:
                    passed += 1
                else:
                    rejected.append((number, str(error)))
    by: Breakdown = {}
    for dimension, value, figure in tally.segments():
        by.setdefault(dimension, {})[value] = figure
    show(tally.all(), by, as_json, {"rejected": [{"line": line, "error": error} for line, error in rejected]})
    if passed:
        click.echo(
            f"{passed} lines are other events of the weekly report: passed over. {passed} 行是周播报的其他事件，已略过。",
            err=True,
        )
    say_rejected(rejected)
    sys.exit(bool(rejected))


def show(all_: Figure, by: Breakdown, as_json: bool, more: dict[str, Any] | None = None) -> None:
    """Prints figures, as one JSON object or as a table."""
    if as_json:
        body = {"all": asdict(all_), "by": {d: {v: asdict(f) for v, f in values.items()} for d, values in by.items()}}
        # Ids and segments with lone surrogates can't be written as UTF-8: escape everything.
        click.echo(json.dumps({**body, **(more or {})}))
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("segment 分组", overflow="fold")
    for name in ("NPS", "95 %", "n", "9–10/7–8/0–6"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    _row(table, "all 全部", all_)
    for dimension, values in sorted(by.items()):
        table.add_section()
        table.add_row(escape(plain(dimension)), style="bold")
        for value, figure in sorted(values.items()):
            _row(table, f"  {value}", figure)
    Console().print(table)


FEW: Final = {
    "none": "none 没有",
    "few": "too few 太少",
    "wide": "too few 太少",
    "enough": "",
}


def _row(table: Table, name: str, f: Figure) -> None:
    counts = f"{f.promoters}/{f.passives}/{f.detractors}"
    interval = f"{f.low:.1f} … {f.high:.1f}"
    table.add_row(escape(plain(name)), f"{f.nps:.1f}", interval, str(f.n), counts, FEW[enough(f).verdict])
