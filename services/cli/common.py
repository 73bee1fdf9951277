"""What commands share: the data folder, kinds of parameters, and how a failure is told."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, NoReturn

import click

REJECTED_SHOWN = 10
"""Rejected lines that are told on standard error at most."""

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".touchline"),
    show_default=True,
    help="The folder that keeps everything. 数据目录。",
)


PROGRESS_EVERY_S = 5.0


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


class Number(click.FloatRange):
    """A finite number within bounds. Click's own range lets NaN through, since NaN is beyond neither bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number. 不是有限的数值。", param, ctx)
        return float(number)


class Lines(click.File):
    """A file of lines, - for standard input. A standard input that is closed is told, as a file that is missing is."""

    def __init__(self) -> None:
        super().__init__("rb")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "-" and sys.stdin is None:
            self.fail("standard input is closed. 标准输入已关闭。", param, ctx)
        return super().convert(value, param, ctx)


def plain(text: str) -> str:
    """Text that does nothing to a terminal, and can be written: what a customer or a channel named may hold anything."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def counted(what: str) -> Callable[[int, int], None]:
    """Tells on standard error how far a run is: in one line that changes on a terminal, else in a line now and then."""
    last = time.monotonic()

    def tell(done: int, of: int) -> None:
        nonlocal last
        if sys.stderr is not None and sys.stderr.isatty():
            click.echo(f"\r{what} {done} of {of}", err=True, nl=done == of)
        elif done == of or time.monotonic() - last >= PROGRESS_EVERY_S:
            last = time.monotonic()
            click.echo(f"{what} {done} of {of}", err=True)

    return tell


def say_rejected(lines: Sequence[tuple[int, str]]) -> None:
    """Tells on standard error which lines of a file were rejected, and why: the first of them, and how many more."""
    for line, reason in lines[:REJECTED_SHOWN]:
        click.echo(f"line {line}: {reason}", err=True)
    if len(lines) > REJECTED_SHOWN:
        more = len(lines) - REJECTED_SHOWN
        click.echo(f"… and {more} more / 另有 {more} 行", err=True)


def fail(reason: object) -> NoReturn:
    """Ends the command with exit status 1."""
    raise Failed(str(reason))


def not_up(data: Path) -> NoReturn:
    """Ends a command that asks a running stack where none is up on this data folder."""
    fail(f"{data}: nothing is up there; start it with `touchline up --data {quote(str(data))}`. 尚未启动。")
