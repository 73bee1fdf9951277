"""A service's process that a schedule may kill, stop and let go on; nothing of it outlives the schedule."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.embedded.process import Child, Spec, tail
from services.runtime.admin import ServiceStatus, probe

ROOT = Path(__file__).resolve().parents[1]


class Process:
    """`python -m <words>` with these settings. Started at once."""

    def __init__(self, name: str, words: list[str], env: Mapping[str, str], address: str, log: Path) -> None:
        self.name, self.address, self.log = name, address, log
        self.env = dict(env)

        async def ready() -> bool:
            status = await self.status()
            return status is not None and status.healthy

        spec = Spec(
            name=name,
            argv=[sys.executable, "-m", *words],
            log=log,
            ready=ready,
            env=self.env,
            cwd=ROOT,
            death_signal=signal.SIGKILL,  # it may be stopped when we die
            start_limit_s=40,
        )
        self._child = Child(spec)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.exit_code is None

    async def status(self) -> ServiceStatus | None:
        """How it says it is; None where it does not answer."""
        return await probe(self.address, 1.0) if self.alive else None

    async def ready(self) -> "Process":
        """Waits until it is healthy. Raises StartError."""
        await self._child.wait_ready()
        return self

    async def died(self, within_s: float) -> bool:
        """Waits until it has ended by SIGKILL; False where it has not in time. Raises RuntimeError where it ended otherwise."""
        limit = time.monotonic() + within_s
        while (code := self._child.exit_code) is None:
            if time.monotonic() > limit:
                return False
            await asyncio.sleep(0.02)
        if code != -signal.SIGKILL:
            raise RuntimeError(f"{self.name} ended with {code}\n{tail(self.log)}")
        return True

    async def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        if self.alive:
            self._child.popen.kill()
        await self._child.exited()

    def stop(self) -> None:
        """SIGSTOP: it stands still, and knows nothing of it."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        if self.alive:
            os.kill(self.pid, signal.SIGCONT)

    async def leave(self, within_s: float = 15.0) -> int | None:
        """SIGTERM; gives the exit status, None where it had to be killed."""
        if self.alive:
            self._child.popen.terminate()
        limit = time.monotonic() + within_s
        while self._child.exit_code is None and time.monotonic() < limit:  # noqa: ASYNC110, the kernel tells nobody
            await asyncio.sleep(0.02)
        if self._child.exit_code is None:
            await self.kill()
            return None
        return self._child.exit_code

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        return tail(self.log, lines)
