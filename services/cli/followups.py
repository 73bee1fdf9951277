"""`touchline escalation follow-ups`: the follow-ups of the running system, and what a person does with one.

What changes one asks the escalation service as the dashboard does: the team's owner decides it, and the command ends
with the follow-up as it stands then.
"""

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import click

from services.cli.calls import reason_of, service_address
from services.cli.common import TEXT, data_option, fail, plain

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp
    from touchline.escalation.v1 import escalation_pb2

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
_DECIDED_WITHIN_S = 10


REASONS = {
    "mood_falling": "情绪走低 mood is falling",
    "repeat_contact": "72 小时内反复联系 came back within 72 h",
    "reopened_ticket": "工单被重新打开 a ticket was reopened",
    "waiting": "等待过久 waited long",
    "complaint_words": "话里提到投诉或赔偿 speaks of complaining or compensation",
    "delivery_failed": "配送出了问题 a delivery went wrong",
    "mood_low": "情绪很差 mood is low",
    "abandoned_contact": "等不及挂断了 gave up waiting",
}
"""In the dashboard's words."""


def _me() -> str:
    """The name of whoever is signed in at this machine, where it has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""


_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line. 每行一个 JSON 对象。")


def _acts(command: F) -> F:
    """A command on one follow-up, by somebody."""
    for option in (
        _json_option,
        click.option(
            "--owner",
            type=TEXT,
            default=_me,
            show_default="the user's name",
            help="Who does it. 由谁。",
        ),
        data_option,
        click.argument("follow_up_id", type=TEXT),
    ):
        command = option(command)
    return command


@click.group("follow-ups", short_help="What somebody should see to. 待跟进任务。")
def follow_ups() -> None:
    """What somebody should see to. 待跟进任务。"""


@follow_ups.command("list", short_help="List follow-ups, first due first. 列出跟进任务。")
@data_option
@click.option("--all", "include_closed", is_flag=True, help="Closed ones as well. 包括已关闭的。")
@click.option("--customer", type=TEXT, default="", help="Only those of one customer. 只看一位客户。")
@click.option("--team", type=TEXT, default="", help="Only those of one team. 只看一个小组。")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many. 最多几条。"
)
@_json_option
def list_(data: Path, include_closed: bool, customer: str, team: str, limit: int, as_json: bool) -> None:
    """Lists follow-ups, those due first come first. 列出跟进任务，先到期的在前。"""
    from touchline.escalation.v1 import escalation_pb2

    request = escalation_pb2.ListFollowUpsRequest(
        include_closed=include_closed, customer_id=customer, team=team, limit=limit
    )
    found = _call(data, lambda stub: stub.ListFollowUps(request, timeout=_DECIDED_WITHIN_S)).follow_ups
    for follow_up in found:
        _tell(follow_up, as_json)
    if not found and not as_json:
        click.echo("none 无", err=True)


@follow_ups.command("claim", short_help="Start a follow-up. 认领跟进任务。")
@_acts
def claim(follow_up_id: str, data: Path, owner: str, as_json: bool) -> None:
    """Starts a follow-up: nothing displaces it from then on. 认领跟进任务。"""
    from touchline.escalation.v1 import escalation_pb2

    request = escalation_pb2.ClaimFollowUpRequest(follow_up_id=follow_up_id, owner=owner, command_id=str(uuid4()))
    _tell(_call(data, lambda stub: stub.ClaimFollowUp(request, timeout=_DECIDED_WITHIN_S)).follow_up, as_json)


@follow_ups.command("release", short_help="Give a follow-up back. 放回跟进任务。")
@_acts
def release(follow_up_id: str, data: Path, owner: str, as_json: bool) -> None:
    """Gives back a follow-up, so that somebody else may start it. 放回跟进任务，让他人认领。"""
    from touchline.escalation.v1 import escalation_pb2

    request = escalation_pb2.ReleaseFollowUpRequest(follow_up_id=follow_up_id, owner=owner, command_id=str(uuid4()))
    _tell(_call(data, lambda stub: stub.ReleaseFollowUp(request, timeout=_DECIDED_WITHIN_S)).follow_up, as_json)


@follow_ups.command("done", short_help="End it: somebody saw to it. 完成跟进任务。")
@_acts
@click.option("--outcome", type=TEXT, default="contacted", show_default=True, help="What came of it. 结果。")
def done(follow_up_id: str, data: Path, owner: str, as_json: bool, outcome: str) -> None:
    """Ends a follow-up: somebody saw to it. 完成跟进任务。"""
    _close(follow_up_id, data, owner, outcome, failed=False, as_json=as_json)


@follow_ups.command("failed", short_help="End it: without success. 跟进未成功。")
@_acts
@click.option("--outcome", type=TEXT, default="not_reached", show_default=True, help="What came of it. 结果。")
def failed(follow_up_id: str, data: Path, owner: str, as_json: bool, outcome: str) -> None:
    """Ends a follow-up: it was tried without success. 跟进未成功。"""
    _close(follow_up_id, data, owner, outcome, failed=True, as_json=as_json)


@follow_ups.command("close", short_help="End it for whoever started it. 以认领人的名义关闭。")
@click.argument("follow_up_id", type=TEXT)
@data_option
@click.option("--outcome", type=TEXT, default="contacted", show_default=True, help="What came of it. 结果。")
@_json_option
def close(follow_up_id: str, data: Path, outcome: str, as_json: bool) -> None:
    """Ends a follow-up in the name of whoever has started it. 以认领人的名义关闭跟进任务。"""
    _close(follow_up_id, data, "", outcome, failed=False, as_json=as_json)


def _close(follow_up_id: str, data: Path, owner: str, outcome: str, *, failed: bool, as_json: bool) -> None:
    from touchline.escalation.v1 import escalation_pb2

    request = escalation_pb2.CloseFollowUpRequest(
        follow_up_id=follow_up_id, outcome=outcome, owner=owner, failed=failed, command_id=str(uuid4())
    )
    _tell(_call(data, lambda stub: stub.CloseFollowUp(request, timeout=_DECIDED_WITHIN_S)).follow_up, as_json)


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


def _tell(f: "escalation_pb2.FollowUp", as_json: bool) -> None:
    if as_json:
        from services.gateway.followups import row

        click.echo(json.dumps(row(f), ensure_ascii=False))
    else:
        _print(f)


def _print(f: "escalation_pb2.FollowUp") -> None:
    """Some lines a follow-up: a table would cut the ids that one wants to copy."""
    due = _when(f.due_at) + (" overdue 逾期" if f.overdue else "")
    who = f"  {f.owner} 跟进中" if f.owner and not f.outcome else ""
    reasons = "; ".join(f"{REASONS.get(r.code, r.code)} {r.weight:.2f}" for r in f.reasons)
    lines = [
        f"{f.follow_up_id}  {f.outcome or 'open 未关闭'}{who}  due 到期 {due}",
        f"  customer 客户 {f.customer_id}  touchpoint 触点 {f.touchpoint or '-'}  contact 会话 {f.contact_id or '-'}",
        f"  risk 风险 {f.risk:.2f}: {reasons}",
    ]
    if not f.outcome:
        lines += [f"  {words}" for words in (f.opening_zh, f.opening_en) if words]
    for line in lines:
        click.echo(plain(line))


def _when(moment: "Timestamp") -> str:
    """A time in the zone of whoever reads it, and which zone that is."""
    return moment.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M %z")
