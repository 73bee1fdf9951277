"""`up --detach` and `down`, seen from outside the supervisor."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict

from deploy.embedded import state
from deploy.embedded.layout import Layout
from deploy.embedded.process import tail
from deploy.embedded.services import ROOT
from deploy.embedded.supervisor import Options

# Services get 10 s, then Kafka, Postgres and Zipkin 10 s.
DOWN_LIMIT_S = 40.0


class ControlError(RuntimeError):
    """The supervisor did not start or did not end."""


def start_detached(options: Options) -> int:
    """Leaves a supervisor running and gives its pid, once it has written its state.

    Raises ControlError with the reason where it ends before that, AlreadyRunningError where one runs.
    """
    layout = Layout.of(options.data)
    layout.create()
    if state.is_held(layout):
        raise state.AlreadyRunningError(f"{layout.data} is in use: a stack is up there")
    log = layout.logs / "supervisor.log"
    raw = json.dumps({**asdict(options), "data": str(layout.data)})
    with log.open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "deploy.embedded.supervisor", raw],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    while True:
        code = child.poll()
        if code is not None:
            raise ControlError(f"the supervisor ended with exit status {code}\n{tail(log)}")
        now = state.read(layout)
        if now is not None and now.supervisor.pid == child.pid and now.parts:
            return child.pid
        time.sleep(0.05)


def stop(layout: Layout) -> str:
    """Ends the stack of a data folder, or what one that was killed left behind, and says what was done.

    Raises ControlError where processes are left that can't be ended.
    """
    if not state.is_held(layout):
        left = state.clear_leftovers(layout)
        return f"already down; ended what was left: {', '.join(left)}" if left else "already down"
    now = state.read(layout)
    pid = now.supervisor.pid if now else _holder(layout)
    limit = time.monotonic() + DOWN_LIMIT_S
    _signal(pid, signal.SIGTERM)
    while state.is_held(layout):
        if time.monotonic() > limit:
            _signal(pid, signal.SIGKILL)
            time.sleep(0.5)
            if state.is_held(layout):
                raise ControlError(f"the supervisor (pid {pid}) does not end")
            state.clear_leftovers(layout)
            return "down, by force"
        time.sleep(0.05)
    # The lock goes before the process does.
    while now and now.supervisor.process() and time.monotonic() < limit:
        time.sleep(0.02)
    state.clear_leftovers(layout)
    return "down"


def _holder(layout: Layout) -> int:
    return int(layout.lock.read_text() or 0)


def _signal(pid: int, number: signal.Signals) -> None:
    if pid > 0:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
