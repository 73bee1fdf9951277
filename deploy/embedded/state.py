"""What the supervisor writes down for the other commands, and the lock that tells whether it runs."""

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.embedded.layout import Layout, write_atomically
from deploy.embedded.process import Identity


class AlreadyRunningError(RuntimeError):
    """Another supervisor holds the data folder."""


@dataclass
class State:
    """The state file. Addresses are loopback; `ready_s` is seconds from the start until all was first healthy."""

    supervisor: Identity
    started_at: str
    api_key: str = ""
    bootstrap: str = ""
    gateway_url: str = ""
    traces_url: str | None = None
    dsn: dict[str, str] = field(default_factory=dict)
    grpc: dict[str, str] = field(default_factory=dict)
    clock: str = ""
    ready_s: float | None = None
    parts: dict[str, Identity] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    sockets: str = ""

    def write(self, layout: Layout) -> None:
        write_atomically(layout.state, json.dumps(asdict(self), indent=1), 0o600)


def read(layout: Layout) -> State | None:
    """The state last written, or None where there is none."""
    try:
        raw = json.loads(layout.state.read_text())
        raw["supervisor"] = Identity(**raw["supervisor"])
        raw["parts"] = {name: Identity(**part) for name, part in raw["parts"].items()}
        return State(**raw)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def holding(layout: Layout) -> Iterator[None]:
    """Holds the data folder's lock; the kernel lets go of it when the process ends, however that happens.

    Raises AlreadyRunningError where another process holds it.
    """
    layout.create()
    fd = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(fd, 20, 0).decode().strip()
            raise AlreadyRunningError(f"{layout.data} is in use: a stack is up there (supervisor pid {pid})") from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(fd)


def is_held(layout: Layout) -> bool:
    """Whether a supervisor runs on the data folder."""
    try:
        fd = os.open(layout.lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def clear_leftovers(layout: Layout, grace_s: float = 10.0) -> list[str]:
    """Ends what a supervisor that was killed left behind, and forgets it. Gives the names of the parts ended.

    Only processes whose start time is the recorded one are touched, so a pid used anew by others is safe.
    """
    state = read(layout)
    if state is None:
        return []
    left = {name: part for name, part in state.parts.items() if part.process()}
    children = [c for part in left.values() if (p := part.process()) for c in p.children(recursive=True)]
    for name, part in left.items():
        if process := part.process():
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
    limit = time.monotonic() + grace_s
    while time.monotonic() < limit and any(part.process() for part in left.values()):
        time.sleep(0.05)
    for process in [*filter(None, (part.process() for part in left.values())), *children]:
        if process.is_running():
            process.kill()
    forget(layout, state)
    return sorted(left)


def forget(layout: Layout, state: State) -> None:
    """Removes the state file and the socket's folder."""
    if state.sockets:
        shutil.rmtree(Path(state.sockets), ignore_errors=True)
    layout.state.unlink(missing_ok=True)
