"""`touchline audit`: recompute what the running system says from the events alone, and compare."""

import asyncio
import json
import sys
from pathlib import Path

import click

from services.cli.common import data_option, fail, not_up


@click.command(short_help="Audit the running system. 以独立计算核对运行中的系统。")
@data_option
@click.option(
    "--journal",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines of what was sent; without it the topics' own events are taken. 发送日志。",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
def audit(data: Path, journal: Path | None, as_json: bool) -> None:
    """Audits the running system against an independent oracle. 以独立计算核对运行中的系统。

    Exit status 0 only if everything holds, 1 where anything differs.
    """
    # Imported here: `touchline --help` must not wait for Kafka's and gRPC's clients.
    from services.cli.audit import audit as run_audit
    from services.cli.audit.collect import NotRunning

    try:
        report = asyncio.run(run_audit(data, journal, progress=lambda what: click.echo(f"audit: {what}", err=True)))
    except NotRunning:
        not_up(data)
    except (ValueError, OSError, RuntimeError) as error:  # the last is what a Kafka that is away raises
        fail(error)
    click.echo(json.dumps(report.as_dict(), ensure_ascii=False) if as_json else report.table())
    sys.exit(0 if report.ok else 1)
