"""`touchline demo`: a retailer's day, live, with an audit at its end."""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from shlex import quote

import click

from services.cli.common import Number, fail


def _speed(ctx: click.Context, param: click.Parameter, value: str) -> float | None:
    if value == "max":
        return None
    try:
        speed = float(value.rstrip("x×"))
        if not 0 < speed <= 1000:
            raise ValueError
    except ValueError:
        raise click.BadParameter("expected a number above 0 and up to 1000, or max") from None
    return speed


def _kill(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    from deploy.embedded.layout import SERVICES

    wanted = []
    for one in value:
        name, _, share = one.partition("@")
        try:
            at = float(share or 0.5)
        except ValueError:
            at = -1.0
        if name not in SERVICES or not 0 <= at <= 1:
            raise click.BadParameter(
                f"{one}: expected SERVICE[@SHARE], a service of {', '.join(SERVICES)} and a share from 0 to 1"
            )
        wanted.append((name, at))
    return tuple(wanted)


def _real(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    from services.cli.day.realdata import missing

    if value is not None and (lacks := missing(value)):
        raise click.BadParameter(f"{value} has no {lacks}; expected a folder laid out like ../shared/data")
    return value


@click.command(short_help="Play a retailer's day and audit it. 演示零售商的一天，并核对结果。")
@click.option("--hours", type=Number(0.1, 14), default=14.0, show_default=True, help="Hours of the day. 时长。")
@click.option(
    "--speed", default="100", callback=_speed, show_default=True, help="Times as fast as life, or max. 倍速。"
)
@click.option("--no-browser", is_flag=True, help="Open no browser. 不打开浏览器。")
@click.option("--data", "real", type=click.Path(file_okay=False, path_type=Path), callback=_real,
              help="Play real calls and reviews from this folder; the stack's own folder is --state here. 使用该目录中的真实数据；系统的数据目录在此为 --state。")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another day. 随机种子。")
@click.option("--scale", type=Number(0.01, 100), default=1.0, show_default=True, help="Multiplies the volume. 规模。")
@click.option("--events", type=click.IntRange(50), help="About this many events in all. 事件总数（约）。")
@click.option(
    "--kill",
    multiple=True,
    callback=_kill,
    metavar="SERVICE[@SHARE]",
    help="End a service with SIGKILL on the way. 中途强制终止服务。",
)
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this folder: what other commands call --data. 数据目录（其他命令的 --data）。",
)
def demo(
    hours: float, speed: float | None, no_browser: bool, real: Path | None, seed: int, scale: float, events: int | None,
    kill: tuple[tuple[str, float], ...], state: Path | None,
) -> None:  # fmt: skip
    """Plays a day from 08:00 to 22:00 (fewer hours: around the incident at 14:00), waits until all is settled, and audits it.

    Where the stack takes long to start, all of the day is later by what its clock ran on meanwhile; the times are told.
    启动较慢时，整日（含事故）相应顺延，并会说明新的时间。

    Exit status 0 only if the audit holds; 130 after Ctrl-C. Nothing keeps running. 只有核对全部相符才返回 0；不遗留任何进程。
    """
    from deploy.embedded import jars
    from deploy.embedded.layout import Layout
    from deploy.embedded.state import is_held
    from services.cli.day.perform import perform
    from services.cli.day.run import Plan

    folder = (state or Path(tempfile.mkdtemp(prefix="touchline-demo-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if is_held(Layout.of(folder)):  # before anything is written there: the policies in it are that stack's
        fail(
            f"{folder} is in use: a stack is up there, and goes on; give another --state, or end it with "
            f"`touchline down --data {quote(str(folder))}`. 该目录已有系统在运行，未受影响；请换一个 --state。"
        )
    try:
        jars.ensure(click.echo)
    except (jars.JarError, OSError) as error:
        fail(error)
    plan = Plan(folder, seed, hours, speed, events, scale, real, kill)
    code = 1
    try:
        code = asyncio.run(perform(plan, not no_browser))
    finally:
        # What a failed run leaves is worth a look.
        if state is None and code != 1:
            shutil.rmtree(folder, ignore_errors=True)
        elif code == 1:
            click.echo(f"数据保留在 kept for a look: {folder}", err=True)
    sys.exit(code)
