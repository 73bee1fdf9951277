"""`touchline down`: ends everything, in order."""

from pathlib import Path

import click

from services.cli.common import data_option, fail


@click.command(short_help="Stop everything. 停止整个系统。")
@data_option
def down(data: Path) -> None:
    """Ends the services, then Kafka, Postgres and Zipkin. Nothing is left running. 停止全部进程。"""
    from deploy.embedded import control
    from deploy.embedded.layout import Layout

    try:
        click.echo(control.stop(Layout.of(data)))
    except (control.ControlError, OSError) as error:
        fail(error)
