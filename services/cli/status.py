"""`touchline status`: how each part is, asked of the parts."""

import asyncio
import json
import sys
from pathlib import Path
from shlex import quote

import click

from services.cli.common import Number, data_option

PATIENCE_S = 240.0


@click.command(short_help="How everything is. 查看状态。")
@data_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出 JSON。")
@click.option(
    "--wait", "wait_s", metavar="[SECONDS]", type=Number(0), is_flag=False, flag_value=PATIENCE_S,
    help=f"Wait until all is healthy, {PATIENCE_S:.0f} s unless told; exit status 1 if it is not in time. 等到全部就绪。",
)  # fmt: skip
def status(data: Path, as_json: bool, wait_s: float | None) -> None:
    """Health and lag of each part, start time and resident memory. 各部件的健康、积压、启动用时与内存。"""
    from deploy.embedded.layout import Layout
    from deploy.embedded.status import gather, healthy_within, table, unwell

    layout = Layout.of(data)
    answer = asyncio.run(gather(layout) if wait_s is None else healthy_within(layout, wait_s))
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else table(answer))
    if answer["state"] == "down" and not as_json:
        click.echo(f"start it with / 启动：touchline up --detach --data {quote(str(data))}", err=True)
    if wait_s is not None and answer["state"] != "healthy":
        names = ", ".join(unwell(answer)) or answer["state"]
        click.echo(f"not healthy within {wait_s:g} s / {wait_s:g} 秒内未就绪: {names}", err=True)
        sys.exit(1)
