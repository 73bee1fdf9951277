"""`touchline escalation`: the follow-ups of the running system, and what foresight is worth on an incident log."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table

from services.cli.calls import reason_of, service_address
from services.cli.common import data_option, fail

if TYPE_CHECKING:
    from touchline.escalation.v1 import escalation_pb2

    from services.escalation.tickets.log import BadRow

T = TypeVar("T")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, writable=True, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_MOST_TOLD = 50
"""Rows left out that are told one by one."""


@click.group()
def escalation() -> None:
    """Complaints about to escalate. 即将升级的投诉。"""


@escalation.group("follow-ups")
def follow_ups() -> None:
    """What somebody should see to. 待跟进任务。"""


@follow_ups.command("list")
@data_option
@click.option("--all", "include_closed", is_flag=True, help="Closed ones as well. 包括已关闭的。")
@click.option("--customer", default="", help="Only those of one customer. 只看一位客户。")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line. 每行一个 JSON 对象。")
def list_(data: Path, include_closed: bool, customer: str, limit: int, as_json: bool) -> None:
    """Lists follow-ups, those due first come first. 列出跟进任务，先到期的在前。"""
    from touchline.escalation.v1 import escalation_pb2

    request = escalation_pb2.ListFollowUpsRequest(include_closed=include_closed, customer_id=customer, limit=limit)
    found = _call(data, lambda stub: stub.ListFollowUps(request, timeout=10)).follow_ups
    if as_json:
        for follow_up in found:
            click.echo(json.dumps(_row(follow_up), ensure_ascii=False))
        return
    for follow_up in found:
        _print(follow_up)
    if not found:
        click.echo("none 无", err=True)


@follow_ups.command("close")
@click.argument("follow_up_id")
@data_option
@click.option("--outcome", default="contacted", show_default=True, help="What came of it. 结果。")
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
def close(follow_up_id: str, data: Path, outcome: str, as_json: bool) -> None:
    """Closes a follow-up. 关闭跟进任务。"""
    from touchline.escalation.v1 import escalation_pb2

    request = escalation_pb2.CloseFollowUpRequest(follow_up_id=follow_up_id, outcome=outcome)
    closed = _call(data, lambda stub: stub.CloseFollowUp(request, timeout=10)).follow_up
    if as_json:
        click.echo(json.dumps(_row(closed), ensure_ascii=False))
    else:
        _print(closed)


@escalation.command()
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


def _call(data: Path, ask: Callable[[Any], Awaitable[T]]) -> T:
    """One call to the escalation service of the stack on this data folder; ends the command where it fails."""
    from touchline.escalation.v1 import escalation_pb2_grpc

    from services.runtime.rpc import LookupFailed, channel

    async def run(address: str) -> T:
        async with channel(address) as to:
            return await ask(escalation_pb2_grpc.EscalationServiceStub(to))

    try:
        return asyncio.run(run(service_address(data, "escalation")))
    except LookupFailed as error:
        fail(f"escalation: {reason_of(error)}")


def _row(f: "escalation_pb2.FollowUp") -> dict[str, Any]:
    return {
        "follow_up_id": f.follow_up_id,
        "customer_id": f.customer_id,
        "contact_id": f.contact_id,
        "touchpoint": f.touchpoint,
        "risk": f.risk,
        "reasons": [{"code": r.code, "weight": r.weight, "value": r.value} for r in f.reasons],
        "flagged_at": f.flagged_at.ToJsonString(),
        "due_at": f.due_at.ToJsonString(),
        "closed_at": f.closed_at.ToJsonString() if f.HasField("closed_at") else None,
        "outcome": f.outcome,
        "overdue": f.overdue,
    }


def _print(f: "escalation_pb2.FollowUp") -> None:
    """Three lines a follow-up: a table would cut the ids that one wants to copy."""
    due = f.due_at.ToDatetime().strftime("%Y-%m-%d %H:%M UTC") + (" overdue 逾期" if f.overdue else "")
    click.echo(f"{f.follow_up_id}  {f.outcome or 'open 未关闭'}  due 到期 {due}")
    click.echo(
        f"  customer 客户 {f.customer_id}  touchpoint 触点 {f.touchpoint or '-'}  contact 会话 {f.contact_id or '-'}"
    )
    reasons = ", ".join(f"{r.code} {r.weight:.2f}" for r in f.reasons)
    click.echo(f"  risk 风险 {f.risk:.2f}: {reasons}")
