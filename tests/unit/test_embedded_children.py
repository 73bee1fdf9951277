"""Processes that are started while gRPC is at work: each becomes the program that it is to be."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import grpc.aio
import pytest

from deploy.embedded.process import Child, Spec

STARTED = 60
WHEN_GRPC_IS_LOADED = """
import os, sys
class Watch:
    def find_spec(self, name, *_):
        if name == "grpc":
            print(os.environ.get("GRPC_ENABLE_FORK_SUPPORT"))
sys.meta_path.insert(0, Watch())
import {module}
import grpc
"""


@pytest.mark.parametrize(
    "module", ["services.cli.main, services.cli.demo", "deploy.embedded.supervisor", "faults.kinds", "bench.__main__"]
)
def test_who_starts_processes_has_told_grpc_to_leave_them_alone(module: str) -> None:
    code = WHEN_GRPC_IS_LOADED.format(module=module)
    bare = {name: value for name, value in os.environ.items() if name != "GRPC_ENABLE_FORK_SUPPORT"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=bare
    )
    assert done.stdout.splitlines()[0] == "false"


async def test_a_child_outlives_its_beginning_while_grpc_is_at_work(tmp_path: Path) -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    async def ask() -> None:
        while True:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await asyncio.gather(channel.unary_unary("/no/Method")(b""), return_exceptions=True)

    async def ready() -> bool:
        return True

    asking = [asyncio.create_task(ask()) for _ in range(3)]
    ends: Counter[int] = Counter()
    spec = Spec("true", [sys.executable, "-S", "-c", ""], tmp_path / "log", ready)
    try:
        for _ in range(STARTED):
            child = Child(spec)
            async with asyncio.timeout(20):
                ends[await child.exited()] += 1
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await server.stop(None)
    assert ends == {0: STARTED}
