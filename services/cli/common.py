"""What commands share: the data folder, and how a failure is told."""

from pathlib import Path
from typing import NoReturn

import click

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".touchline"),
    show_default=True,
    help="The folder that keeps everything. 数据目录。",
)


class Failed(click.ClickException):
    """A run that failed: the reason on standard error, exit status 1."""

    exit_code = 1


def fail(reason: object) -> NoReturn:
    """Ends the command with exit status 1."""
    raise Failed(str(reason))
