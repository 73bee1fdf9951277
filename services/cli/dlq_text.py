"""A dead letter for people: a line or two, or in full; what a customer wrote only where it is asked for."""

import json
from typing import Any

import click

from services.cli.common import plain
from services.cli.dlq_cases import Case, headers_of
from services.cli.events import describe as describe_event
from services.runtime.letters import origin, original
from services.runtime.records import Record


def describe(case: Case, value: bool) -> dict[str, Any]:
    """A case in full; what the event says only with `value`."""
    letter, place = case.letter, origin(case.letter)
    if case.missing():  # its letter holds no more than its names
        return {**case.row(), "key": "", "headers": headers_of(letter), "bytes": int(case.header("dlq_bytes"))}
    out = original(letter)
    as_it_came = tuple((name, text) for name, text in out.headers if not name.startswith("dlq_"))
    told = describe_event(Record(place.topic, place.partition, place.offset, out.key, out.value, as_it_came))
    content: dict[str, Any] = {name: told[name] for name in ("data", "data_base64") if value and name in told}
    return {**case.row(), "key": told["key"], "headers": told["headers"], "bytes": len(out.value), **content}


HEADING = (
    "place 位置  time 时间  type 类型  source 来源  id 编号\n    field: reason 原因  (pipelines that gave it 处理流程)"
)


def many(count: int, what: str) -> str:
    """`1 record`, `2 records`."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def echo(case: Case) -> None:
    """Place, time, type, source and id; then each reason with the pipelines that gave it."""
    row = {name: plain(text) if isinstance(text, str) else text for name, text in case.row().items()}
    tags = []
    if case.replayed:
        tags.append(f"sent again {row['replayed_at'][:19]}Z 已重放")
    elif case.replays:
        tags.append(f"came back after {many(case.replays, 'replay')} 重放 {case.replays} 次仍失败")
    if row["kind"] == "fact":
        tags.append("a fact that Kafka did not take 未能发布的事实")
    shown = "".join(f"  [{tag}]" for tag in tags)
    click.echo("  ".join([row["place"], *(row[name] or "-" for name in ("time", "type", "source", "id"))]) + shown)
    by_reason: dict[tuple[str, str], list[str]] = {}
    for r in case.refusals():
        by_reason.setdefault((r["field"], r["reason"]), []).append(r["pipeline"])
    for (name, reason), pipelines in by_reason.items():
        what = f"{name}: {reason}" if name else reason
        click.echo(f"    {plain(what)}  ({plain(', '.join(pipelines))})")


def echo_in_full(case: Case, value: bool) -> None:
    """All of it; the content only with `value`."""
    told = describe(case, value)
    echo(case)
    click.echo("\nheaders 消息头")
    for name, text in told["headers"].items():
        click.echo(f"  {plain(name)}: {plain(text)}")
    if not value:
        click.echo(
            f"\nvalue 内容: hidden, {told['bytes']} bytes; it may hold what a customer wrote. Show it with --value."
        )
        click.echo("           已隐藏，可能含客户原文；加 --value 查看。")
    elif case.missing():
        click.echo(f"\nvalue 内容: {case.missing()}")
    elif "data" in told:
        text = json.dumps(told["data"], ensure_ascii=False, indent=2)
        click.echo("\nvalue 内容\n" + text.encode(errors="replace").decode())
    else:
        click.echo(f"\nvalue 内容 (base64: it can't be read 无法解析)\n{told['data_base64']}")
