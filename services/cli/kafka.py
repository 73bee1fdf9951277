"""Which Kafka a command reads, and how a run on it fails."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from services.cli.common import data_option, fail, not_up

if TYPE_CHECKING:
    from services.runtime.settings import KafkaSettings

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])


def where(command: C) -> C:
    """The options that say which Kafka."""
    option = click.option(
        "--bootstrap",
        metavar="HOST:PORT",
        help="This Kafka instead of the local stack's; KAFKA_* variables say how to get in. 指定 Kafka 地址。",
    )
    return data_option(option(command))


def kafka_of(data: Path, bootstrap: str | None) -> "KafkaSettings":
    """The Kafka that was named, or the local stack's. Ends the command where there is none."""
    from deploy.embedded.layout import Layout
    from deploy.embedded.state import is_held, read
    from services.runtime.settings import KafkaSettings

    if bootstrap is not None:
        given = click.get_current_context().get_parameter_source("data")
        if given is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("give --data or --bootstrap, not both. --data 与 --bootstrap 只能给一个。")
        return KafkaSettings(bootstrap=bootstrap)
    layout = Layout.of(data)
    state = read(layout) if is_held(layout) else None
    if state is None or not state.bootstrap:
        not_up(data)
    return KafkaSettings(bootstrap=state.bootstrap)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Runs it. What Kafka's client raises, or its settings, is a failed run; its errors are RuntimeErrors."""
    from services.runtime.errors import TouchlineError

    try:
        return asyncio.run(work)
    except BrokenPipeError:
        raise  # nobody reads on: no failure of the run
    except (TouchlineError, OSError, ValueError, RuntimeError) as error:
        fail(error)
