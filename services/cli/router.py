"""`touchline router`: what another order of the queue would have come to."""

import json
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from services.cli.common import fail

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def router() -> None:
    """Who waits for whom. 路由与排队。"""


@router.command()
@click.option("--calls", required=True, type=FILE, help="The call log, CSV. 通话记录。")
@click.option("--policy", "policy_file", type=FILE, help="The policy to try; else the shipped one. 待试策略。")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="The first seed. 随机种子。"
)
@click.option("--runs", type=click.IntRange(1, 1000), default=16, show_default=True, help="Seeds to run. 重复次数。")
@click.option("--without-busiest-seat", is_flag=True, help="Each day without its busiest seat. 每天去掉最忙的坐席。")
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
def replay(
    calls: Path, policy_file: Path | None, seed: int, runs: int, without_busiest_seat: bool, as_json: bool
) -> None:
    """Replays a recorded call centre's days: as they were, under the bank's rule, under a policy. 回放真实呼叫中心。

    A policy is in the router's own form: a rule's topic is the log's type, its tier the log's priority.
    """
    from services.router import policyfile
    from services.router.domain.simulation.ordering import NotReplayable
    from services.router.domain.simulation.shifts import Reading
    from services.router.replay import fitted, run
    from services.router.replay.log import LogError, read

    try:
        policy = policyfile.load(policy_file or run.POLICY)
        days = read(calls, Reading())
        ask = run.Question(policy, run.bank_rule(), seed, runs, without_busiest_seat)
        answer = run.replay(days, fitted.load(), ask, _tell)
    except LogError as error:
        fail(error)
    except (policyfile.BadPolicyError, NotReplayable) as error:
        fail(f"policy: {error}")
    if as_json:
        click.echo(json.dumps(answer))
    else:
        _show(answer)


def _tell(done: int, of: int) -> None:
    click.echo(f"\rrun {done} of {of}", err=True, nl=done == of)


def _show(answer: dict[str, Any]) -> None:
    console = Console()
    table = Table(box=box.SIMPLE_HEAD, title="Whole period 全部")
    table.add_column("")
    for name in ("history 历史", "bank's rule 银行规则", "policy 策略", "policy − rule 差 (95 %)"):
        table.add_column(name, justify="right")
    told, rule, ours, less = (answer[k] for k in ("history", "bank_rule", "policy", "policy_less_bank_rule"))
    table.add_row("contacts 来电", *(str(f["contacts"]) for f in (told, rule, ours)), "")
    table.add_row(
        "mean wait 平均等待, s",
        f"{told['mean_wait_s']:.1f}",
        *(_wait(f) for f in (rule, ours)),
        _span(less["mean_wait_s"]),
    )
    table.add_row("p90 wait 九成等待, s", *(f"{f['p90_wait_s']:.0f}" for f in (told, rule, ours)), "")
    table.add_row("in 20 s 20 秒接通", *(f"{100 * f['service_level_20s']:.1f} %" for f in (told, rule, ours)), "")
    table.add_row(
        "abandoned 放弃",
        *(f"{100 * f['abandonment']:.2f} %" for f in (told, rule, ours)),
        _span(less["abandonment"], 100, " pt"),
    )
    for by, title in (("by_priority", "priority 优先级"), ("by_type", "type 类型")):
        for name in told[by]:
            each = [f[by][name] for f in (told, rule, ours)]
            span = _span(less[by][name]["mean_wait_s"]) if name in less.get(by, {}) else ""
            shares = (f"{100 * g['abandoned'] / g['contacts'] if g['contacts'] else 0:.1f} %" for g in each)
            waits = (f"{g['mean_wait_s']:.1f} · {share}" for g, share in zip(each, shares, strict=True))
            table.add_row(f"{title} {name}: wait 等待, s · abandoned 放弃", *waits, span)
    console.print(table)
    by_day = Table(box=box.SIMPLE_HEAD, title="By day 按天: mean wait 平均等待, s · abandoned 放弃, %")
    for name in ("day 日期", "contacts 来电", "history 历史", "bank's rule 银行规则", "policy 策略"):
        by_day.add_column(name, justify="left" if name.startswith("day") else "right")
    for day in answer["days"]:
        cells = (
            f"{day[k]['mean_wait_s']:.0f} · {100 * day[k]['abandonment']:.1f}"
            for k in ("history", "bank_rule", "policy")
        )
        by_day.add_row(day["day"], str(day["history"]["contacts"]), *cells)
    console.print(by_day)


def _wait(f: dict[str, Any]) -> str:
    return f"{f['mean_wait_s']:.1f} ± {f['error']['mean_wait_s']:.1f}"


def _span(found: dict[str, float], scale: float = 1, unit: str = "") -> str:
    return f"{scale * found['mean']:+.2f}{unit} ({scale * found['low']:+.2f} … {scale * found['high']:+.2f})"
