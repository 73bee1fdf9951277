"""`touchline escalation`: the follow-ups of the running system, and what foresight is worth on an incident log."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from services.cli.common import fail
from services.cli.followups import follow_ups

if TYPE_CHECKING:
    from services.escalation.tickets.log import BadRow

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, writable=True, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_MOST_TOLD = 50
"""Rows left out that are told one by one."""


@click.group(short_help="Complaints about to escalate. 即将升级的投诉。")
def escalation() -> None:
    """Complaints about to escalate. 即将升级的投诉。"""


escalation.add_command(follow_ups)


@escalation.command(short_help="What foresight is worth on a log. 在工单日志上评估升级预测。")
@click.option(
    "--tickets", required=True, type=_FILE, help="The incident event log, CSV, gzipped or not. 工单事件日志。"
)
@click.option("--scores", type=_OUT, help="Writes each open row's scores here, one JSON object a line. 逐行分数。")
@click.option("--why", is_flag=True, help="With --scores: reasons that add up to each score's log odds. 附理由。")
@click.option("--model", "folder", type=_FOLDER, help="Another model than the shipped one. 另选模型。")
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
def evaluate(tickets: Path, scores: Path | None, why: bool, folder: Path | None, as_json: bool) -> None:
    """Walks an incident log in time order and tells what the scores would have been worth. 在工单日志上评估升级预测。

    Each row is scored from what was known then. Rows that can't be read are told on standard error and left out; the rest is
    evaluated, and the command ends with status 1.
    """
    from services.escalation.tickets import command
    from services.escalation.tickets.log import LogError
    from services.escalation.tickets.model import ModelError

    try:
        answer, bad = command.evaluate(tickets, scores, folder, _tell, why=why)
    except (LogError, ModelError) as error:
        fail(error)
    except OSError as error:
        fail(f"scores: {error}")
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        _show(answer)
    _end(bad)


def _tell(done: int, of: int) -> None:
    click.echo(f"\rrow {done} of {of}", err=True, nl=done == of)


def _end(bad: "Sequence[BadRow]") -> None:
    """Tells the rows left out, and ends the command if there are any."""
    for row in bad[:_MOST_TOLD]:
        click.echo(str(row), err=True)
    if bad:
        more = f", {len(bad) - _MOST_TOLD} more than shown" if len(bad) > _MOST_TOLD else ""
        fail(f"{len(bad)} rows can't be read and were left out{more}. 有 {len(bad)} 行无法读取，已略过")


def _show(answer: Mapping[str, Any]) -> None:
    console = Console()
    shares = ("0.05", "0.1", "0.2")
    table = Table(box=box.SIMPLE_HEAD, title=f"{answer['incidents']} incidents 工单")
    for name in (
        "",
        *(f"recall at 召回 {float(s):.0%}" for s in shares),
        *(f"precision 精度 {float(s):.0%}" for s in shares),
    ):
        table.add_column(name, justify="right" if name else "left")

    def add(name: str, told: dict[str, Any] | None) -> None:
        if told is None:
            table.add_row(name, *("–" for _ in range(6)))
            return
        cells = [told[k][s] for k in ("recall_at", "precision_at") for s in shares]
        table.add_row(name, *("–" if c is None else f"{c:.3f}" for c in cells))

    add("escalated 升级", answer["escalated"])
    for rule, told in answer["today"].items():
        add(f"  {rule}", told)
    add("breached 超时", answer["breached"])
    for hours, told in answer["breached_at"].items():
        add(f"  after {hours} h 开单后", told)
    console.print(table)
    flags = Table(box=box.SIMPLE_HEAD, title="Online, on a budget 按预算在线标记")
    for name in (
        "",
        "share 比例",
        "flagged 标记",
        "recall 召回",
        "offline 事后",
        "regret 遗憾",
        "expected 期望",
        "threshold 阈值",
    ):
        flags.add_column(name, justify="right" if name else "left")
    for target, by in answer["online"].items():
        for share, told in by.items():
            cells = (
                told["recall"],
                told["offline_recall"],
                told["regret"],
                told["regret_expected"],
                (told["threshold"] or {}).get("median"),
            )
            flags.add_row(target, share, str(told["flagged"]), *("–" if c is None else f"{c:.3f}" for c in cells))
    console.print(flags)
