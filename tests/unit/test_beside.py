"""Work beside the pipelines: it goes on after a failure, and the log names no words."""

import asyncio
import logging

import pytest

from services.runtime.beside import again


async def test_a_failure_is_told_by_its_kind_and_the_next_time_comes(caplog: pytest.LogCaptureFixture) -> None:
    done = asyncio.Event()
    times = 0

    async def work() -> None:
        nonlocal times
        times += 1
        if times == 1:
            raise ValueError("what a customer said")
        done.set()

    with caplog.at_level(logging.WARNING):
        task = asyncio.create_task(again(work, 0.0, "it was not done")())
        await asyncio.wait_for(done.wait(), 5)
        task.cancel()
    assert [r.getMessage() for r in caplog.records] == ["it was not done: ValueError"]


async def test_it_ends_when_it_is_cancelled() -> None:
    async def work() -> None:
        await asyncio.sleep(3600)

    task = asyncio.create_task(again(work, 0.0, "")())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
