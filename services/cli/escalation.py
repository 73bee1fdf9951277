"""`touchline escalation`: the follow-ups of the running system."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from services.cli.calls import reason_of, service_address
from services.cli.common import data_option, fail

if TYPE_CHECKING:
    from touchline.escalation.v1 import escalation_pb2

T = TypeVar("T")


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
