"""`touchline up`: starts and supervises everything."""

from pathlib import Path
from shlex import quote

import click

from services.cli.common import data_option, fail


def _clock(ctx: click.Context, param: click.Parameter, value: str) -> str:
    from services.runtime.clock import clock_from
    from services.runtime.errors import Misconfigured

    try:
        clock_from(value)  # as each service will read it
    except Misconfigured:
        raise click.BadParameter("expected scaled:<real epoch s>:<simulated epoch s>:<factor above 0>") from None
    return value


def _parts(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    from deploy.embedded.layout import SERVICES
    from deploy.embedded.stack import INFRASTRUCTURE

    names = tuple(filter(None, value.split(",")))
    unknown = set(names) - {*SERVICES, *INFRASTRUCTURE}
    if unknown:
        raise click.BadParameter(f"unknown part {sorted(unknown)[0]}")
    return names


@click.command(short_help="Start and supervise everything. 启动并看护整个系统。")
@click.option("--detach", is_flag=True, help="Return once the supervisor runs. 后台运行。")
@data_option
@click.option(
    "--clock", default="", callback=_clock, help="scaled:<real s>:<simulated s>:<factor>; else the wall clock. 时钟。"
)
@click.option("--no-traces", is_flag=True, help="Without Zipkin. 不启动调用链。")
@click.option(
    "--brokers", type=click.Choice(["1", "3"]), help="Kafka's brokers; three survive the loss of one. Kafka 节点数。"
)
@click.option("--only", default="", callback=_parts, hidden=True)
def up(detach: bool, data: Path, clock: str, no_traces: bool, brokers: str | None, only: tuple[str, ...]) -> None:
    """Starts Kafka, Postgres, Zipkin and the services, and watches over them until Ctrl-C.

    A part that dies is started again. 启动 Kafka、Postgres、Zipkin 和各服务，并在其退出时自动重启。
    """
    from deploy.embedded import control, jars, state, supervisor

    options = supervisor.Options(data, clock, not no_traces, only, brokers=int(brokers) if brokers else None)
    try:
        jars.ensure(click.echo)
        if not detach:
            raise SystemExit(supervisor.run(options))
        pid = control.start_detached(options)
    except (state.AlreadyRunningError, control.ControlError, jars.JarError, OSError) as error:
        fail(error)
    click.echo(f"starting, supervisor pid {pid}; see: touchline status --data {quote(str(data))}")
    click.echo(f"正在启动，看护进程 {pid}；查看：touchline status --data {quote(str(data))}")
