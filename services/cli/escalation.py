"""`touchline escalation`: the follow-ups of the running system, and what foresight is worth on an incident log."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from services.cli.common import counted, fail
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
        answer, bad = command.evaluate(tickets, scores, folder, counted("row"), why=why)
    except (LogError, ModelError) as error:
        fail(error)
    except OSError as error:
        fail(f"scores: {error}")
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        _show(answer)
    _end(bad)


def _end(bad: "Sequence[BadRow]") -> None:
    """Tells the rows left out, and ends the command if there are any."""
    for row in bad[:_MOST_TOLD]:
        click.echo(str(row), err=True)
    if bad:
        more = f", {len(bad) - _MOST_TOLD} more than shown" if len(bad) > _MOST_TOLD else ""
        fail(f"{len(bad)} rows can't be read and were left out{more}. 有 {len(bad)} 行无法读取，已略过")


_RULES = {
    "reassignments and reopenings": "reassigned/reopened",
    "newest first": "newest 最新在前",
    "longest open first": "longest open 最久",
    "sentiment alone": "sentiment alone *",
}
"""What teams go by today, in words that fit beside six figures in 80 columns."""


def _show(answer: Mapping[str, Any]) -> None:
    console = Console()
    shares = ("0.05", "0.1", "0.2")
    table = _table(
        f"{answer['incidents']} incidents 工单: the so many scored highest 分数最高者",
        *(f"recall\n召回\n{float(s):.0%}" for s in shares),
        *(f"precision\n精度\n{float(s):.0%}" for s in shares),
    )

    def add(name: str, told: dict[str, Any] | None) -> None:
        cells = [told[k][s] for k in ("recall_at", "precision_at") for s in shares] if told else [None] * 6
        table.add_row(name, *map(_figure, cells))

    add("escalated 升级", answer["escalated"])
    for rule, told in answer["today"].items():
        add(f"  {_RULES.get(rule, rule)}", told)
    add("breached 超时", answer["breached"])
    for hours, told in answer["breached_at"].items():
        add(f"  {hours} h after 开单后", told)
    console.print(table)
    if answer["today"].get("sentiment alone") is None:
        console.print("* unknown: an incident log has no texts. 未知：工单日志没有文本。\n")
    flags = _table(
        "Online, on a budget 按预算在线标记",
        "flagged\n标记", "recall\n召回", "offline\n事后", "regret\n遗憾", "expected\n期望", "threshold\n阈值",
    )  # fmt: skip
    for target, by in answer["online"].items():
        for share, told in by.items():
            threshold = (told["threshold"] or {}).get("median")
            cells = (told["recall"], told["offline_recall"], told["regret"], told["regret_expected"], threshold)
            flags.add_row(f"{target} {float(share):.0%}", str(told["flagged"]), *map(_figure, cells))
    console.print(flags)


def _table(title: str, *heads: str) -> Table:
    """A table of figures, of which no cell is broken over lines."""
    table = Table(box=box.SIMPLE_HEAD, title=title, padding=(0, 0, 0, 1), pad_edge=False)
    for head in ("", *heads):
        table.add_column(head, justify="right" if head else "left", no_wrap=True)
    return table


def _figure(cell: float | None) -> str:
    return "–" if cell is None else f"{cell:.3f}"
