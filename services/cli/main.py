"""The `touchline` command: a table of commands, each in its own module that is only imported when called."""

import importlib
import os
import sys
from pathlib import Path

import click

import deploy.embedded  # noqa: F401, before gRPC is loaded

# name: "module:attribute", one line a command.
COMMANDS = {
    "up": "services.cli.up:up",
    "down": "services.cli.down:down",
    "status": "services.cli.status:status",
    "topics": "services.cli.topics:topics",
    "fetch": "services.cli.fetch:fetch",
    "demo": "services.cli.demo:demo",
    "events": "services.cli.events:events",
    "sentiment": "services.cli.sentiment:sentiment",
    "audit": "services.cli.audit_command:audit",
    "dlq": "services.cli.dlq:dlq",
    "nps": "services.cli.nps:nps",
    "escalation": "services.cli.escalation:escalation",
    "router": "services.cli.router:router",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="touchline")
def cli() -> None:
    """Touchline: the real-time nervous system of a customer-service organisation. 客户服务的实时神经系统。

    Exit status: 0 done, 1 the run failed, 2 the invocation was wrong.
    """


def main() -> None:
    """The entry point of the `touchline` script."""
    _hold_the_standard_streams()
    try:
        cli(prog_name="touchline")
    except OSError as error:  # a disk that is full, a folder that may not be read: nothing of ours to trace back
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


def _hold_the_standard_streams() -> None:
    """Where one is closed, its number would go to the next file that is opened, and a child's words into that file."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
    if sys.stdout is None:
        click.echo("Error: standard output is closed. 标准输出已关闭。", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
