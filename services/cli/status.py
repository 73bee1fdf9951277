"""`touchline status`: how each part is, asked of the parts."""

import asyncio
import json
from pathlib import Path

import click

from services.cli.common import data_option


@click.command(short_help="How everything is. 查看状态。")
@data_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出 JSON。")
def status(data: Path, as_json: bool) -> None:
    """Health and lag of each part, start time and resident memory. 各部件的健康、积压、启动用时与内存。"""
    from deploy.embedded.layout import Layout
    from deploy.embedded.status import gather, table

    answer = asyncio.run(gather(Layout.of(data)))
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else table(answer))
