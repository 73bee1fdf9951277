"""`touchline router`: what another policy would have come to, on recorded days and beside the live one."""

import contextlib
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli.common import Number, counted, fail, plain
from services.cli.kafka import kafka_of, run_async, where

if TYPE_CHECKING:
    from services.router.replay.shadow import Shadow
    from services.runtime.settings import KafkaSettings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(short_help="Who waits for whom. 路由与排队。")
def router() -> None:
    """Who waits for whom. 路由与排队。"""


@router.command(short_help="Replay a period under a policy. 按策略回放。")
@click.option("--calls", type=FILE, help="A call log, CSV. 通话记录。")
@click.option("--events", "events_file", type=FILE, help="A recorded period of our topics, JSON lines. 录制的事件。")
@click.option("--from-kafka", is_flag=True, help="What the topics hold now, instead of a file. 直接读取 Kafka 主题。")
@click.option("--policy", "policy_file", type=FILE, help="The policy to try; else the shipped one. 待试策略。")
@click.option("--against", "other_file", type=FILE, help="Another policy, to compare with. 对照策略。")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="The first seed. 随机种子。"
)
@click.option("--runs", type=click.IntRange(1, 1000), default=16, show_default=True, help="Seeds to run. 重复次数。")
@click.option("--without-busiest-seat", is_flag=True, help="Each day without its busiest seat. 每天去掉最忙的坐席。")
@click.option(
    "--bot-takes",
    metavar="SHARE",
    type=Number(0, 1),
    help="What a bot would change that took this share of a type's calls: the shortest, and any. 机器人分流的占比（0–1）。",
)
@click.option(
    "--bot-type", metavar="TYPE", default="PS", show_default=True, help="The type for --bot-takes. 分流的来电类型。"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
@where
def replay(
    calls: Path | None, events_file: Path | None, from_kafka: bool, policy_file: Path | None, other_file: Path | None,
    seed: int, runs: int, without_busiest_seat: bool, bot_takes: float | None, bot_type: str, as_json: bool,
    data: Path, bootstrap: str | None,
) -> None:  # fmt: skip
    """Replays a recorded period under a policy, and beside another one. 按策略回放，并可对比两个策略。

    --calls: a call centre's log, as it was, under the bank's rule, under the policy; a rule's topic is the log's type,
    its tier the log's priority. --events or --from-kafka: our own topics (routing.decided, touchpoint.events,
    pool.events, as `touchline events tail` prints them), through the router's own decisions; --against is the shipped
    live policy unless told.
    """
    if [calls is not None, events_file is not None, from_kafka].count(True) != 1:
        raise click.UsageError("give one of --calls, --events, --from-kafka. 三者须给且只给一个。")
    if calls is None:
        if without_busiest_seat or bot_takes is not None:
            raise click.UsageError("--without-busiest-seat and --bot-takes go with --calls. 仅用于 --calls。")
        lines = None if events_file is not None else _topics(data, bootstrap)
        _replay_topics(events_file, lines, policy_file, other_file, seed, runs, as_json)
        return
    _replay_calls(calls, policy_file, other_file, seed, runs, without_busiest_seat, bot_takes, bot_type, as_json)


def _replay_calls(
    calls: Path, policy_file: Path | None, other_file: Path | None, seed: int, runs: int, without_busiest_seat: bool,
    bot_takes: float | None, bot_type: str, as_json: bool
) -> None:  # fmt: skip
    from services.cli.router_text import show_replay
    from services.router import policyfile
    from services.router.domain.simulation.ordering import NotReplayable
    from services.router.domain.simulation.shifts import Reading
    from services.router.replay import fitted, run
    from services.router.replay.log import LogError, read

    try:
        policy = policyfile.load(policy_file or run.POLICY)
        days = read(calls, Reading())
        other = policyfile.load(other_file) if other_file else None
        ask = run.Question(policy, run.bank_rule(), seed, runs, without_busiest_seat, other, bot_takes, bot_type)
        answer = run.replay(days, fitted.load(), ask, counted("run"))
    except LogError as error:
        fail(error)
    except (policyfile.BadPolicyError, NotReplayable) as error:
        fail(f"policy: {error}")
    _answer(answer, as_json, show_replay)


def _replay_topics(
    file: Path | None, lines: list[str] | None, policy_file: Path | None, other_file: Path | None, seed: int,
    runs: int, as_json: bool
) -> None:  # fmt: skip
    from services.cli.router_text import show_topics
    from services.router import policyfile
    from services.router.replay import topics
    from services.router.replay.recording import RecordingError, read, read_lines

    try:
        policy = policyfile.load(policy_file or policyfile.DEFAULT)
        other = policyfile.load(other_file or policyfile.DEFAULT)
        recording = read(file) if file is not None else read_lines(lines or [], "the topics")
        if policy.version == other.version:
            click.echo(
                f"policy and other are the same one ({policy.version}): a difference is chance; give --policy or --against.\n"
                "试用策略与对照策略相同，差异只是模拟误差；请给出 --policy 或 --against。",
                err=True,
            )
        answer = topics.replay(recording, topics.Question(policy, other, seed, runs), counted("run"))
    except RecordingError as error:
        fail(error)
    except policyfile.BadPolicyError as error:
        fail(f"policy: {error}")
    _answer(answer, as_json, show_topics)


def _topics(data: Path, bootstrap: str | None) -> list[str]:
    """All that the router's topics hold, as JSON lines."""
    from services.cli.events import describe
    from services.runtime.tail import read_all
    from services.runtime.topics import POOL_EVENTS, ROUTING_DECIDED, TOUCHPOINT_EVENTS

    kafka = kafka_of(data, bootstrap)

    async def read() -> list[str]:
        found = [await read_all(kafka, topic) for topic in (TOUCHPOINT_EVENTS, POOL_EVENTS, ROUTING_DECIDED)]
        # What can't be read went to the dead letters; the replay is of what could.
        told = [describe(record) for records in found for record in records]
        return [json.dumps(line) for line in told if "data" in line and line["headers"].get("ce_id")]

    return run_async(read())


def _answer(answer: dict[str, Any], as_json: bool, show: Callable[[dict[str, Any]], None]) -> None:
    if as_json:
        click.echo(json.dumps(answer))
    else:
        show(answer)


class Duration(click.ParamType):
    """A time such as 90s, 15m or 2h, as seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; a usage error where it is none."""
        found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a time such as 90s, 15m or 2h. 时间格式不对。", param, ctx)
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]


@router.command(short_help="Run a candidate beside the live policy. 影子运行候选策略。")
@click.option("--policy", "policy_file", required=True, type=FILE, help="The candidate. 候选策略。")
@click.option("--for", "seconds", type=Duration(), help="End after this time: 90s, 15m, 2h; else at Ctrl-C. 运行时长。")
@click.option("--contacts", "most", type=click.IntRange(1), help="End after so many decisions. 决策条数。")
@click.option("--from-start", is_flag=True, help="Begin with the first decision kept. 从头开始。")
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end. 结束时输出一个 JSON 对象。")
@where
def shadow(
    policy_file: Path, seconds: float | None, most: int | None, from_start: bool, as_json: bool, data: Path,
    bootstrap: str | None,
) -> None:  # fmt: skip
    """Runs a candidate policy beside the live one: which contacts would go elsewhere. 影子运行候选策略。

    It decides on what the live router decided on, as recorded with each decision, and changes nothing. Contacts that
    would go elsewhere are told as they come (on standard error with --json), the totals at the end.
    """
    from services.cli.router_text import show_shadow
    from services.router import policyfile
    from services.router.replay.shadow import Shadow

    try:
        found = Shadow(policyfile.load(policy_file))
    except policyfile.BadPolicyError as error:
        fail(f"policy: {error}")
    kafka = kafka_of(data, bootstrap)
    begun = time.monotonic()
    until = None if seconds is None else begun + seconds
    with contextlib.suppress(KeyboardInterrupt):
        run_async(_follow(kafka, found, until, most, from_start, as_json))
    _answer({**found.body(), "seconds": round(time.monotonic() - begun, 3)}, as_json, show_shadow)


async def _follow(
    kafka: "KafkaSettings", found: "Shadow", until: float | None, most: int | None, from_start: bool, as_json: bool
) -> None:
    from services.router.replay.shadow import en, zh
    from services.runtime.tail import tail
    from services.runtime.topics import ROUTING_DECIDED

    async with contextlib.aclosing(tail(kafka, [ROUTING_DECIDED], from_start=from_start)) as batches:
        async for batch in batches:
            for record in batch:
                other = found.hear(record, datetime.now(UTC))
                if other is not None:
                    told = f"{other.decided_at:%H:%M:%S} {other.contact_id}: {en(other)} · {zh(other)}"
                    click.echo(plain(told), err=as_json)
                if most is not None and found.seen >= most:
                    return
            if until is not None and time.monotonic() >= until:
                return
