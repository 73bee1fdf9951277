"""`touchline demo`, as a script would run it: a short day with a service killed in the middle, audited, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.integration

TOUCHLINE = Path(sys.executable).parent / "touchline"


def naming(folder: Path) -> list[psutil.Process]:
    """Processes whose command line names the folder."""
    return [p for p in psutil.process_iter(["cmdline"]) if any(str(folder) in a for a in p.info["cmdline"] or ())]


def test_a_short_day_with_a_service_killed_holds_its_audit(tmp_path: Path) -> None:
    state = tmp_path / "day"
    # An hour, for less of the incident would be too few customers to have one cause.
    command = [TOUCHLINE, "demo", "--hours", "1", "--speed", "max", "--no-browser", "--seed", "3"]
    done = subprocess.run(
        [*command, "--kill", "nps@0.5", "--state", state], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "all hold" in done.stdout + done.stderr
    assert "killed nps" in done.stdout + done.stderr
    # The incident is one cause, and customers hear of it before they call; the audit recomputes both.
    waves = re.search(r"waves: one cause of many complaints +([1-9]\d*) +\1  .*product:水果 (\d+) 位", done.stdout)
    assert waves is not None and int(waves[2]) >= 5, done.stdout[-3000:]
    reached = re.search(r"reached: (\d+) customers, (\d+) before they called", done.stdout)
    assert reached is not None and int(reached[1]) >= int(reached[2]) > 0, done.stdout[-3000:]
    followed = re.search(r"flagged before: \d+; followed up: (\d+) customers", done.stdout)
    assert followed is not None and int(followed[1]) > 0, done.stdout[-3000:]
    # An hour is too short to know what following up is worth, unless by much; what was planted is told in any case.
    prevented = r"what was prevented +(\d+) +\1  .*(not yet known: |prevented \d+ ).*; planted: \d+ kept from it"
    assert re.search(prevented, done.stdout), done.stdout[-3000:]
    assert naming(state) == []


def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    state = tmp_path / "day"
    playing = subprocess.Popen(
        [TOUCHLINE, "demo", "--hours", "1", "--speed", "60", "--no-browser", "--state", state],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(naming(state)) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)  # until parts of the stack run
    assert len(naming(state)) >= 3
    os.kill(playing.pid, signal.SIGINT)
    assert playing.wait(60) == 130
    assert naming(state) == []
