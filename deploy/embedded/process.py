"""A child process that is ours: started with its log, recognised by its start time, ended in an orderly way."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROTATE_BYTES = 20_000_000
PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec the child must not take locks.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class StartError(RuntimeError):
    """A part of the stack did not come up. The text tells it all; `reason` in few words, without the log's last lines."""

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason or text


@dataclass(frozen=True)
class Spec:
    """How a part is started, known to be ready, and ended.

    `death_signal` is what the kernel sends it when its parent dies (Linux); `grace_s` what it gets between
    `stop_signal` and SIGKILL; `ready` says whether it serves; `user` is a uid and gid to run as.
    """

    name: str
    argv: Sequence[str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: tuple[int, int] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0
    start_limit_s: float = 120.0


@dataclass(frozen=True)
class Identity:
    """A process that can't be mistaken for a later one with the same pid."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, or None where it has ended (a zombie counts as ended)."""
        try:
            process = psutil.Process(self.pid)
            # The clock that create_time is reckoned from may be adjusted by fractions of a second.
            same = abs(process.create_time() - self.created) < 1.0
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def die_with_parent(parent: int, number: int) -> None:
    """Asks the kernel to send us this signal when our parent dies (Linux; elsewhere nothing)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)


class Child:
    """One run of a Spec. Start it in the main thread: the kernel ties the death signal to the starting thread."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.started = time.monotonic()
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        if spec.log.exists() and spec.log.stat().st_size > ROTATE_BYTES:
            spec.log.replace(spec.log.with_suffix(".log.1"))
        parent, number = os.getpid(), int(spec.death_signal)
        uid, gid = spec.user or (None, None)
        with spec.log.open("ab") as log:
            self.popen = subprocess.Popen(
                list(spec.argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **spec.env},
                cwd=spec.cwd,
                # Its own session: Ctrl-C at the terminal reaches the supervisor alone, which ends the parts in order.
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
                # Two system calls through a library loaded before: safe after a fork, also with threads about.
                preexec_fn=lambda: die_with_parent(parent, number),  # noqa: PLW1509
            )
        self.identity = Identity.of(self.popen.pid)

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def exit_code(self) -> int | None:
        return self.popen.poll()

    async def exited(self) -> int:
        """Waits for its end and gives its exit status (negative: the signal)."""
        while (code := self.popen.poll()) is None:  # noqa: ASYNC110, the kernel gives no event that all systems have
            await asyncio.sleep(0.1)
        return code

    async def wait_ready(self) -> None:
        """Waits until it serves. Raises StartError where it ended before, or took too long."""
        limit = time.monotonic() + self.spec.start_limit_s
        while not await self.spec.ready():
            if (code := self.popen.poll()) is not None:
                reason = describe_exit(code)
                raise StartError(f"{self.spec.name} {reason}\n{tail(self.spec.log)}", reason)
            if time.monotonic() > limit:
                reason = f"not ready in {self.spec.start_limit_s:.0f} s"
                raise StartError(f"{self.spec.name} {reason}; see {self.spec.log}", reason)
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Asks it to end, and after the grace period makes it; with its descendants."""
        family = _descendants(self.pid)
        if self.popen.poll() is None:
            self.popen.send_signal(self.spec.stop_signal)
            try:
                await asyncio.wait_for(self.exited(), self.spec.grace_s)
            except TimeoutError:
                self.popen.kill()
                await self.exited()
        await end_all(family, 2.0)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


async def end_all(processes: list[psutil.Process], grace_s: float) -> None:
    """Waits for the processes to end by themselves, then kills what is left."""
    limit = time.monotonic() + grace_s
    while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in _alive(processes)):
        if time.monotonic() > limit:
            for process in _alive(processes):
                process.kill()
            return
        await asyncio.sleep(0.05)


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    alive = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
        except psutil.NoSuchProcess:
            continue
    return alive


def describe_exit(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit status {code}"


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
