"""`touchline dlq`: what the services could not read or decide: listed, shown, and sent again once the cause is mended."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from services.cli.common import TEXT, fail
from services.cli.kafka import kafka_of, run_async, where

if TYPE_CHECKING:
    from services.cli.dlq_cases import Case, Filter
    from services.runtime.letters import Origin
    from services.runtime.settings import KafkaSettings

C = TypeVar("C", bound=Callable[..., Any])

SENT_AT_ONCE = 500


def which(command: C) -> C:
    """The options that say which dead letters."""
    for option in (
        click.option("--since", metavar="WHEN", help="Put aside since: 15m, 2h, 7d, or an RFC 3339 time. 起始时间。"),
        click.option("--reason", metavar="TEXT", help="Only whose field or reason holds this. 原因中包含。"),
        click.option("--pipeline", metavar="NAME", help="Only what this pipeline refused. 只看一个处理流程。"),
        click.option("--topic", type=TEXT, metavar="NAME", help="Only what came on this topic. 只看一个主题。"),
    ):
        command = option(command)
    return command


@click.group(short_help="What could not be read or decided. 死信：无法读取或处理的事件。")
def dlq() -> None:
    """Dead letters: what could not be read or decided. 死信：无法读取或处理的事件。

    A record is named by its place, TOPIC/PARTITION/OFFSET, where it lay when it was first refused.
    """


@dlq.command("list", short_help="List the dead letters, and why. 列出死信及原因。")
@which
@click.option("--replayed", is_flag=True, help="Those that were sent again as well. 包括已重放的。")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line. 每行一个 JSON 对象。")
@where
def list_(
    topic: str | None, pipeline: str | None, reason: str | None, since: str | None, replayed: bool, as_json: bool,
    data: Path, bootstrap: str | None,
) -> None:  # fmt: skip
    """Lists the records that were put aside, each once, with who refused it and why. 列出死信及原因。"""
    from services.cli.dlq_text import HEADING, echo, many

    lets = _filter(pipeline, reason, since)
    found = [case for case in run_async(_read(kafka_of(data, bootstrap), _topics(topic))) if lets.lets(case)]
    shown = [case for case in found if replayed or not case.replayed]
    if shown and not as_json:
        click.echo(HEADING)
    for case in shown:
        if as_json:
            click.echo(json.dumps(case.row(), ensure_ascii=True))
        else:
            echo(case)
    if not as_json:
        more = len(found) - len(shown)
        hidden = (
            f", {more} more {'was' if more == 1 else 'were'} sent again (--replayed); 另有 {more} 条已重放"
            if more
            else ""
        )
        click.echo(f"{many(len(shown), 'dead letter')} 条死信{hidden}", err=True)


@dlq.command(short_help="Show one dead letter. 查看一条死信。")
@click.argument("place", type=TEXT)
@click.option(
    "--value", is_flag=True, help="Also what the event says, customers' words included. 显示内容（含客户原文）。"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
@where
def show(place: str, value: bool, as_json: bool, data: Path, bootstrap: str | None) -> None:
    """Shows one record: who refused it, its headers, and with --value what it says. 查看一条死信。"""
    from services.cli.dlq_text import describe, echo_in_full

    wanted = _place(place)
    [case] = _chosen(run_async(_read(kafka_of(data, bootstrap), _topics(wanted.topic))), [wanted])
    if as_json:
        click.echo(json.dumps(describe(case, value), ensure_ascii=True))
    else:
        echo_in_full(case, value)


@dlq.command(short_help="Send dead letters again. 将死信原样重新发送。")
@click.argument("places", type=TEXT, nargs=-1, metavar="[PLACE]...")
@click.option("--all", "everything", is_flag=True, help="All that were not sent again yet. 所有未重放的。")
@which
@click.option("--again", is_flag=True, help="Also what was sent again already. 包括已重放过的。")
@click.option("--older", is_flag=True, help="Also what is older than services remember events. 包括超出去重期限的。")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing. 只演示，不发送。")
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
@where
def replay(
    places: tuple[str, ...], everything: bool, topic: str | None, pipeline: str | None, reason: str | None,
    since: str | None, again: bool, older: bool, dry_run: bool, as_json: bool, data: Path, bootstrap: str | None,
) -> None:  # fmt: skip
    """Sends records again, as they first came, on their own topic. 将死信原样重新发送。

    Each goes once, however many pipelines refused it: those that had taken it know it by its id. What was sent again
    already is left out unless --again. One that is still bad is a dead letter anew, under its first place, and counts
    how often it was sent. What first came longer ago than BATCH_SEEN_FOR (7 days) would count again where it had been taken, and is
    left out unless --older. 每条只发送一次，已处理过的服务会按事件编号去重；已重放的默认跳过；仍有问题的会再次成为死信。
    """
    if everything == bool(places):
        raise click.UsageError("name records by their PLACE, or give --all. 请给出 PLACE 或 --all。")
    if not everything and any((topic, pipeline, reason, since)):
        raise click.UsageError("--topic and other filters go with --all. --topic 等筛选须与 --all 合用。")
    lets, wanted = _filter(pipeline, reason, since), list(dict.fromkeys(map(_place, places)))
    kafka = kafka_of(data, bootstrap)
    found = run_async(
        _read(kafka, _topics(topic) if everything else sorted({t for p in wanted for t in _topics(p.topic)}))
    )
    chosen = [case for case in found if lets.lets(case)] if everything else _chosen(found, wanted)
    done = [] if again else [case for case in chosen if case.replayed]
    chosen = [case for case in chosen if again or not case.replayed]
    limit = datetime.min.replace(tzinfo=UTC) if older else datetime.now(UTC) - _remembered()
    old = [case for case in chosen if case.came_at() < limit]
    if old and not everything:
        fail(f"{old[0].place}: is older than services remember events; with --older it is sent all the same")
    chosen = [case for case in chosen if case.came_at() >= limit]
    sent, failed = ([], []) if dry_run else run_async(_send(kafka, chosen))
    if as_json:
        answer = {
            "replayed": len(sent),
            "would_replay": len(chosen) if dry_run else 0,
            "already_replayed": len(done),
            "too_old": len(old),
            "failed": [{"place": str(place), "reason": why} for place, why in failed],
            "places": [str(case.place) for case in (chosen if dry_run else sent)],
        }
        click.echo(json.dumps(answer))
    else:
        from services.cli.dlq_text import many

        verb = "would be sent again 将重放" if dry_run else "sent again 已重放"
        click.echo(f"{many(len(chosen) if dry_run else len(sent), 'record')} 条 {verb}")
        if done and not everything:
            click.echo(f"{len(done)} left out: sent again already (--again) 已重放过，跳过", err=True)
        if old:
            click.echo(
                f"{len(old)} left out: older than services remember events (--older) 超出去重期限，未重放", err=True
            )
    if failed:
        fail("; ".join(f"{place}: {why}" for place, why in failed))


def _place(text: str) -> "Origin":
    from services.runtime.letters import Origin

    try:
        return Origin.parse(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not TOPIC/PARTITION/OFFSET", param_hint="PLACE") from None


def _filter(pipeline: str | None, reason: str | None, since: str | None) -> "Filter":
    from services.cli.dlq_cases import Filter, parse_since

    try:
        return Filter(pipeline, reason, parse_since(since, datetime.now(UTC)) if since else None)
    except ValueError:
        why = f"{since!r} is neither like 15m, 2h, 7d nor an RFC 3339 time with its offset. 时间格式不对。"
        raise click.BadParameter(why, param_hint="--since") from None


def _topics(topic: str | None) -> list[str]:
    """The topics whose dead letters are meant. One that is no topic of ours may be a user's own."""
    from services.runtime.topics import CATALOGUE, DEAD_LETTERS

    if topic is not None:
        return [topic.removesuffix(DEAD_LETTERS)]
    return [t.name.removesuffix(DEAD_LETTERS) for t in CATALOGUE if t.name.endswith(DEAD_LETTERS)]


def _remembered() -> timedelta:
    from services.runtime.errors import Misconfigured
    from services.runtime.settings import BatchSettings, load

    try:
        return load(BatchSettings).seen_for
    except Misconfigured as error:
        fail(error)


async def _read(kafka: "KafkaSettings", topics: Sequence[str]) -> "list[Case]":
    from services.cli.dlq_cases import cases
    from services.runtime.tail import read_all
    from services.runtime.topics import DEAD_LETTERS

    read = await asyncio.gather(*(read_all(kafka, topic + DEAD_LETTERS) for topic in topics))
    return [case for records in read for case in cases(records)]


def _chosen(found: "Sequence[Case]", wanted: "Sequence[Origin]") -> "list[Case]":
    """The cases at these places, or whose record lies there now. Fails, before anything is done, where there is none."""
    from services.runtime.letters import origin

    known = {origin(letter): case for case in found for letter in case.letters} | {case.place: case for case in found}
    for place in wanted:
        if place not in known:
            fail(f"{place}: is no dead letter")
    return list({known[place].place: known[place] for place in sorted(wanted)}.values())


async def _send(kafka: "KafkaSettings", chosen: "Sequence[Case]") -> "tuple[list[Case], list[tuple[Origin, str]]]":
    """Sends the records again, in their order, and marks each: those that were, and why others were not.

    First sent, then marked: what is sent twice counts once, by its id. The other way round it might not be sent at all.
    """
    from services.runtime.errors import Permanent
    from services.runtime.letters import mark, original
    from services.runtime.publisher import Publisher

    sent: list[Case] = []
    failed: list[tuple[Origin, str]] = []
    if not chosen:
        return sent, failed
    publisher = Publisher(kafka)

    async def send(some: "Sequence[Case]") -> None:
        try:
            await publisher.publish([original(case.letter) for case in some])
        except Permanent as error:
            if len(some) == 1:
                failed.append((some[0].place, str(error)))
                return
            for case in some:
                await send([case])
            return
        await publisher.publish([mark(case.letter, case.place) for case in some])
        sent.extend(some)

    await publisher.start()
    try:
        for first in range(0, len(chosen), SENT_AT_ONCE):
            await send(chosen[first : first + SENT_AT_ONCE])
    finally:
        await publisher.stop()
    return sent, failed
