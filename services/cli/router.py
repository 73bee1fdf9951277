"""`touchline router`: what another order of the queue would have come to."""

import json
from pathlib import Path

import click

from services.cli.common import fail

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def router() -> None:
    """Who waits for whom. 路由与排队。"""


@router.command()
@click.option("--calls", required=True, type=FILE, help="The call log, CSV. 通话记录。")
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
    type=click.FloatRange(0, 1),
    help="What a bot would change that took this share of a type's calls: the shortest, and any. 机器人分流的占比（0–1）。",
)
@click.option(
    "--bot-type", metavar="TYPE", default="PS", show_default=True, help="The type for --bot-takes. 分流的来电类型。"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
def replay(
    calls: Path, policy_file: Path | None, other_file: Path | None, seed: int, runs: int, without_busiest_seat: bool,
    bot_takes: float | None, bot_type: str, as_json: bool
) -> None:  # fmt: skip
    """Replays a recorded call centre's days: as they were, under the bank's rule, under a policy. 回放真实呼叫中心。

    A policy is in the router's own form: a rule's topic is the log's type, its tier the log's priority.
    """
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
        answer = run.replay(days, fitted.load(), ask, _tell)
    except LogError as error:
        fail(error)
    except (policyfile.BadPolicyError, NotReplayable) as error:
        fail(f"policy: {error}")
    if as_json:
        click.echo(json.dumps(answer))
    else:
        show_replay(answer)


def _tell(done: int, of: int) -> None:
    click.echo(f"\rrun {done} of {of}", err=True, nl=done == of)
