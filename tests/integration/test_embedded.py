"""The embedded stack on real Kafka, Postgres and Zipkin: it starts, heals, ends, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.embedded.services import ROOT
from deploy.embedded.stack import Stack
from services.runtime.topics import CATALOGUE

pytestmark = pytest.mark.timeout(300)
LINUX = sys.platform == "linux"


def touchline(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli.main", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def status(data: Path) -> dict[str, Any]:
    done = touchline("status", "--data", str(data), "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def until_healthy(data: Path, supervisor: "subprocess.Popen[bytes]") -> None:
    def healthy() -> bool:
        assert supervisor.poll() is None, (data / "test.log").read_text()
        return bool(status(data)["state"] == "healthy")

    until("healthy", healthy)


def until(what: str, probe: Callable[[], bool], limit_s: float = 120.0) -> None:
    limit = time.monotonic() + limit_s
    while not probe():
        assert time.monotonic() < limit, f"{what}: not within {limit_s} s"
        time.sleep(0.1)


def belonging_to(data: Path) -> list[psutil.Process]:
    """Processes that name the data folder in their command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(str(data) in word for word in words):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's tmp_path: each pytest that starts takes the way to it from all but its owner, so from Postgres's user."""
    with tempfile.TemporaryDirectory(prefix="touchline-test-") as made:
        yield Path(made)


@pytest.fixture
def data(folder: Path) -> Iterator[Path]:
    folder = folder / "stack"
    yield folder
    touchline("down", "--data", str(folder))
    left = belonging_to(folder)
    for process in left:
        process.kill()
    assert left == []


def supervise(data: Path, *only: str) -> subprocess.Popen[bytes]:
    """A supervisor in the foreground whose services are tiny ones."""
    raw = {"data": str(data), "only": only, "module": "tests.integration.tiny"}
    command = [sys.executable, "-m", "deploy.embedded.supervisor", json.dumps(raw)]
    data.mkdir(parents=True, exist_ok=True)
    with (data / "test.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)


async def _topics(bootstrap: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def _databases(dsn: str) -> tuple[str, set[str]]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT datname FROM pg_database")
        return await connection.fetchval("SELECT current_database()"), {row["datname"] for row in rows}
    finally:
        await connection.close()


def test_kafka_has_the_topics_and_postgres_the_databases_and_both_keep_them(data: Path) -> None:
    for _ in range(2):
        with Stack(data) as stack:
            assert asyncio.run(_topics(stack.bootstrap)) >= {topic.name for topic in CATALOGUE}
            current, all_of_them = asyncio.run(_databases(stack.dsn("nps")))
            assert current == "touchline_nps"
            assert {"touchline_sentiment", "touchline_router", "touchline_escalation"} <= all_of_them
            bootstrap = stack.bootstrap
        assert not (data / "run").exists()
    assert json.loads((data / "ports.json").read_text())["kafka"] == int(bootstrap.split(":")[1])


def test_a_data_folder_too_deep_for_a_socket_gets_one_elsewhere(folder: Path) -> None:
    deep = folder.joinpath(*(["a-folder-with-a-long-name"] * 5))
    with Stack(deep, ["postgres"]) as stack:
        socket = stack.sockets
        assert not socket.is_relative_to(deep)
        assert asyncio.run(_databases(stack.dsn("router")))[0] == "touchline_router"
    assert not socket.exists()


def test_only_loopback_is_listened_on(data: Path) -> None:
    with Stack(data, ["kafka", "zipkin"], topics=False) as stack:
        for child in stack.children.values():
            listening = [c for c in psutil.Process(child.pid).net_connections("inet") if c.status == "LISTEN"]
            assert listening
            assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}


def test_parts_that_die_are_started_again_and_nothing_is_left_after_down(data: Path) -> None:
    first = supervise(data)
    until_healthy(data, first)
    answer = status(data)
    assert set(answer["services"]) == {"gateway", "sentiment", "router", "nps", "escalation", "metrics"}
    assert answer["services"]["nps"]["lag"] == 7
    assert answer["ready_s"] > 0
    assert 100 < answer["rss_mb"] < 2000
    key = json.loads((data / "gateway-keys.json").read_text())["channels"][0]
    assert key == {"name": "demo", "key": answer["gateway"]["api_key"], "rate_per_s": None}

    second = touchline("up", "--detach", "--data", str(data))
    assert second.returncode == 1
    assert "in use" in second.stderr

    pids = json.loads((data / "touchline.json").read_text())["parts"]
    os.kill(answer["services"]["nps"]["pid"], signal.SIGKILL)
    os.kill(pids["kafka"]["pid"], signal.SIGKILL)
    os.kill(pids["postgres"]["pid"], signal.SIGKILL)
    assert status(data)["state"] == "degraded"
    until("healthy again", lambda: status(data)["state"] == "healthy")
    healed = status(data)
    assert healed["services"]["nps"]["pid"] != answer["services"]["nps"]["pid"]
    assert healed["services"]["nps"]["restarts"] == 1
    assert healed["kafka"]["bootstrap"] == answer["kafka"]["bootstrap"]
    assert "nps was ended by SIGKILL" in (data / "test.log").read_text()
    assert "starting it again" in (data / "logs" / "nps.log").read_text()

    down = touchline("down", "--data", str(data))
    assert (down.returncode, down.stdout.strip()) == (0, "down")
    assert first.wait(10) == 0
    assert belonging_to(data) == []
    assert not (data / "run").exists()
    assert status(data)["state"] == "down"
    again = touchline("down", "--data", str(data))
    assert (again.returncode, again.stdout.strip()) == (0, "already down")


def test_ctrl_c_ends_everything(data: Path) -> None:
    supervisor = supervise(data, "kafka", "postgres", "nps")
    until_healthy(data, supervisor)
    os.killpg(supervisor.pid, signal.SIGINT)
    assert supervisor.wait(30) == 0
    assert belonging_to(data) == []
    assert not (data / "run").exists()


@pytest.mark.parametrize("after_s", [0, 0.7])
def test_ctrl_c_while_starting_ends_everything(data: Path, after_s: float) -> None:
    supervisor = supervise(data)
    until("state file", (data / "touchline.json").exists)
    time.sleep(after_s)  # while storage is formatted, and while parts come up
    os.killpg(supervisor.pid, signal.SIGINT)
    assert supervisor.wait(30) == 0
    assert belonging_to(data) == []


def test_what_a_killed_supervisor_leaves_is_gone_after_down(data: Path) -> None:
    supervisor = supervise(data, "kafka", "postgres", "nps")
    until_healthy(data, supervisor)
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    assert status(data)["state"] == "down"
    if LINUX:  # the kernel tells the parts
        until("all ended", lambda: belonging_to(data) == [], 20)
    down = touchline("down", "--data", str(data))
    assert down.returncode == 0
    assert "already down" in down.stdout
    assert belonging_to(data) == []
    assert not (data / "run").exists()
    assert not (data / "touchline.json").exists()


def test_a_start_that_fails_at_once_says_why(data: Path) -> None:
    (data / "postgres").mkdir(parents=True)
    (data / "postgres" / "PG_VERSION").write_text("9.6\n")
    done = touchline("up", "--data", str(data), "--only", "postgres")
    assert done.returncode == 1
    assert "postgres" in done.stderr
