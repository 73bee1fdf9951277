"""What the tests of dead letters share: the command, what lies where, and pipelines that take what is there."""

import asyncio
import json

from click.testing import CliRunner, Result

from services.cli.main import cli
from services.runtime.tail import read_all
from tests.integration.counting import Bench


async def call(bench: Bench, *words: str) -> Result:
    """The command in a thread of its own, for it runs a loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["dlq", *words, "--bootstrap", bench.stack.bootstrap])


async def listed(bench, *words: str) -> list[dict]:
    """What `list` says of the test's topic."""
    result = await call(bench, "list", "--topic", bench.topic, "--json", *words)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


async def replayed(bench, *words: str) -> dict:
    """What `replay` answers; it must succeed."""
    result = await call(bench, "replay", *(words or ("--all", "--topic", bench.topic)), "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def on_topic(bench, topic: str = "") -> list[tuple]:
    """What lies on the test's topic, or another: (key, value, headers)."""
    return [(r.key, r.value, tuple(r.headers)) for r in await read_all(bench.kafka, topic or bench.topic)]


async def take(bench, *pipelines) -> None:
    """Lets pipelines take all that is on the topic."""
    runners = []
    for one in pipelines:
        other = Bench(bench.stack, one)
        other.pool, other.publisher = bench.pool, bench.publisher
        runners.append((other, other.runner()))
    running = [asyncio.create_task(runner.run()) for _, runner in runners]
    try:
        await asyncio.sleep(0.5)
        for other, runner in runners:
            await other.settled(runner)
    finally:
        for _, runner in runners:
            runner.stop()
        await asyncio.gather(*running)
