"""The trial runs from which Java's ahead-of-time caches are made; see warm.py."""

import asyncio
import dataclasses
import os
import signal
import tempfile

from deploy.embedded import warm
from deploy.embedded.jars import Progress
from deploy.embedded.process import Child, StartError
from deploy.embedded.stack import Stack

# Java writes the cache when it ends.
WRITE_LIMIT_S = 180.0


def ensure(progress: Progress) -> None:
    """Makes the caches that are missing; half a minute on two cores."""
    missing = [part for part in ("kafka", "zipkin") if not warm.cache_file(part).exists()]
    if missing:
        progress("preparing fast starts, once / 正在准备快速启动（仅一次）")
        asyncio.run(_train(missing))


async def _train(parts: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="touchline-") as folder:
        stack = Stack(folder, parts)
        await asyncio.gather(*(_trial(stack, part) for part in parts))


async def _trial(stack: Stack, part: str) -> None:
    target = warm.cache_file(part)
    written = target.with_name(f"{target.name}.{os.getpid()}")
    await asyncio.to_thread(stack.prepare, part)
    spec = stack.spec(part)
    argv = [spec.argv[0], f"-XX:AOTCacheOutput={written}", *spec.argv[1:]]
    child = Child(dataclasses.replace(spec, argv=argv, stop_signal=signal.SIGTERM, grace_s=WRITE_LIMIT_S))
    try:
        await child.wait_ready()
        await stack.furnish(part)
    finally:
        await child.stop()
    if not written.exists():
        raise StartError(f"{part}: Java wrote no ahead-of-time cache; see {spec.log}")
    written.replace(target)
