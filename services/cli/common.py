"""What commands share: the data folder, and how a failure is told."""

from pathlib import Path
from typing import Any, NoReturn

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


class Text(click.ParamType):
    """A text that can be sent: bytes of the command line that are no UTF-8 come as lone surrogates, and are refused."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("is not UTF-8. 不是 UTF-8 文本。", param, ctx)
        return text


TEXT = Text()


def fail(reason: object) -> NoReturn:
    """Ends the command with exit status 1."""
    raise Failed(str(reason))
