"""The embedded stack's small rules: ports, keys, backoff, whose process it is, which jar it is."""

import itertools
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.embedded import jars, state
from deploy.embedded.layout import Layout, api_key, assign_ports, is_free
from deploy.embedded.process import Identity, StartError, describe_exit
from deploy.embedded.supervisor import greeting, next_delay


def layout(tmp_path: Path) -> Layout:
    made = Layout.of(tmp_path)
    made.create()
    return made


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_the_api_key_is_told_to_a_person_and_to_no_log() -> None:
    now = state.State(Identity(1, 1.0), "2026-11-23T00:00:00Z", api_key="secret-key", gateway_url="http://127.0.0.1:1")
    assert "secret-key" in greeting(now, person=True)
    told = greeting(now, person=False)
    assert "secret-key" not in told and "touchline status --json" in told


def test_ports_are_kept_and_differ(tmp_path: Path) -> None:
    names = ["kafka", "kafka.controller", "nps.grpc"]
    first = assign_ports(layout(tmp_path), names)
    assert len(set(first.values())) == 3
    assert assign_ports(layout(tmp_path), names) == first


def test_a_port_taken_by_others_is_given_up(tmp_path: Path) -> None:
    first = assign_ports(layout(tmp_path), ["kafka", "nps.grpc"])
    with socket.socket() as other:
        other.bind(("127.0.0.1", first["kafka"]))
        other.listen()
        assert not is_free(first["kafka"])
        second = assign_ports(layout(tmp_path), ["kafka", "nps.grpc"])
    assert second["kafka"] != first["kafka"]
    assert second["nps.grpc"] == first["nps.grpc"]


def test_the_api_key_is_made_once_and_private(tmp_path: Path) -> None:
    here = layout(tmp_path)
    key = api_key(here)
    assert len(key) >= 24
    assert api_key(here) == key
    assert stat.S_IMODE(here.keys.stat().st_mode) == 0o600
    assert json.loads(here.keys.read_text()) == {"channels": [{"name": "demo", "key": key, "rate_per_s": None}]}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"channels": 5}', '{"channels": [{"name": "app", "key": "k"}]}', '{"channels": [5]}']
)
def test_a_keys_file_without_the_demo_channel_is_named(tmp_path: Path, text: str) -> None:
    here = Layout.of(tmp_path)
    here.keys.write_text(text)
    with pytest.raises(StartError, match=f"{here.keys}.*demo"):
        api_key(here)


@given(st.lists(st.floats(0, 29.9), min_size=8, max_size=20))
def test_the_delay_doubles_to_ten_seconds_while_lives_are_short(lives: list[float]) -> None:
    delay, waits = 0.2, []
    for lived in lives:
        wait, delay = next_delay(delay, lived)
        waits.append(wait)
    assert waits[0] == 0.2
    assert all(later == min(2 * earlier, 10.0) for earlier, later in itertools.pairwise(waits))
    assert waits[-1] == 10.0


@given(st.floats(0.2, 10), st.floats(30, 1e6))
def test_the_delay_is_forgotten_after_a_healthy_life(delay: float, lived: float) -> None:
    assert next_delay(delay, lived) == (0.2, 0.4)


def test_a_pid_used_anew_is_never_touched(tmp_path: Path) -> None:
    here, stranger, ours = layout(tmp_path), sleeper(), sleeper()
    try:
        created = psutil.Process(stranger.pid).create_time()
        parts = {"nps": Identity(stranger.pid, created - 100), "router": Identity.of(ours.pid)}
        state.State(Identity(os.getpid(), 0.0), "2026-01-01T00:00:00+00:00", parts=parts).write(here)
        assert state.clear_leftovers(here, grace_s=5) == ["router"]
        assert ours.wait(5) == -signal.SIGTERM
        assert stranger.poll() is None
        assert not here.state.exists()
    finally:
        stranger.kill()
        ours.kill()
        stranger.wait()


def test_one_supervisor_a_folder(tmp_path: Path) -> None:
    here = layout(tmp_path)
    assert not state.is_held(here)
    with state.holding(here):
        assert state.is_held(here)
        with pytest.raises(state.AlreadyRunningError, match=f"pid {os.getpid()}"), state.holding(here):
            pass
    assert not state.is_held(here)


def test_a_broken_state_file_counts_as_none(tmp_path: Path) -> None:
    here = layout(tmp_path)
    here.state.write_text('{"supervisor": 3}')
    assert state.read(here) is None


def test_every_jar_is_locked_once_with_its_digest() -> None:
    locked = jars.locked()
    names = [jar.coordinate for jar in locked]
    assert len(names) == len(set(names))
    assert all(len(jar.sha256) == 64 for jar in locked)
    for roots in jars.ROOTS.values():
        assert set(roots) <= set(names)


def test_a_jar_with_another_digest_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_CACHE", str(tmp_path))
    jar = jars.Jar("kafka", "org.example:thing:1.0", "0" * 64)

    def serve_another(coordinate: str) -> Path:
        path = jars.jar_path(jar)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"something else")
        return path

    monkeypatch.setattr(jars, "_download", serve_another)
    with pytest.raises(jars.JarError, match=r"org\.example:thing:1\.0: sha256"):
        jars._obtain(jar)
    assert not jars.jar_path(jar).exists()


def test_an_end_is_told_in_words() -> None:
    assert describe_exit(-9) == "was ended by SIGKILL"
    assert describe_exit(3) == "ended with exit status 3"
