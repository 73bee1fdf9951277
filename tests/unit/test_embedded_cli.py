"""The command line's habits: quick to start, exact about bad invocations."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deploy.embedded.status import table
from services.cli.day.run import not_up
from services.cli.main import COMMANDS, cli

HEAVY = ("grpc", "aiokafka", "asyncpg", "numpy", "opentelemetry", "deploy.embedded.supervisor")


def test_help_loads_no_heavy_module() -> None:
    code = (
        "import sys; from services.cli.main import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output


def _told(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """Each command below with the line that its group's help has for it."""
    ctx = click.Context(command)
    yield name, command.get_short_help_str(limit=64)
    if isinstance(command, click.Group):
        for each in command.list_commands(ctx):
            below = command.get_command(ctx, each)
            assert below is not None
            yield from _told(below, f"{name} {each}")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_groups_help_tells_each_command_uncut_in_english_and_chinese(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for which, line in _told(command, name):
        assert "..." not in line and re.search(r"[\u4e00-\u9fff]", line), (which, line)


@pytest.mark.parametrize(
    "words",
    [
        ["sideways"],
        ["up", "--clock", "fast"],
        ["up", "--clock", "scaled:1:2:0"],
        ["up", "--only", "kafka,carafe"],
        ["status", "--jason"],
    ],
)
def test_a_bad_invocation_exits_with_2(words: list[str]) -> None:
    assert CliRunner().invoke(cli, words).exit_code == 2


def test_the_status_of_nothing_is_down_in_one_object(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["status", "--data", str(tmp_path / "none"), "--json"])
    assert result.exit_code == 0
    answer = json.loads(result.output)
    assert answer["state"] == "down"
    assert {"gateway", "kafka", "traces", "dashboard", "services", "ready_s", "rss_mb"} <= set(answer)
    assert not (tmp_path / "none").exists()


def test_the_status_of_nothing_says_how_to_start_it(tmp_path: Path) -> None:
    data = tmp_path / "no ne"
    result = CliRunner().invoke(cli, ["status", "--data", str(data)])
    assert result.exit_code == 0
    assert result.stdout == "Touchline: down 未启动\n"
    assert f"touchline up --detach --data '{data}'" in result.stderr


def test_the_start_is_told_with_its_time_zone() -> None:
    told = table({**STARTING, "started_at": "2026-06-18T09:00:00+00:00"})
    assert re.search(r"^started 启动时间 +2026-06-1[789] \d\d:00:00 [+-]\d{4}$", told, re.MULTILINE)


def test_waiting_for_what_does_not_come_up_ends_with_1_and_says_so(tmp_path: Path) -> None:
    asked = ["status", "--data", str(tmp_path / "none"), "--wait"]
    result = CliRunner().invoke(cli, [*asked, "0.1", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["state"] == "down"
    assert "not healthy within 0.1 s / 0.1 秒内未就绪" in result.stderr
    assert CliRunner().invoke(cli, [*asked, "soon"]).exit_code == 2


SERVICE = {"pid": None, "healthy": False, "lag": None, "backlog": 0, "restarts": 0}
STARTING = {
    "state": "starting",
    "gateway": {"url": "http://g", "api_key": "k", "grpc": None},
    "kafka": {"bootstrap": "h:1", "healthy": True, "brokers": [{"id": 1, "address": "h:1", "healthy": True, "restarts": 0}]},
    "postgres": {"dsn": {}, "healthy": False},
    "traces": {"url": None, "healthy": True},
    "dashboard": {"url": "http://g/"},
    "services": {
        "nps": {**SERVICE, "detail": "TimeoutError; TimeoutError; starting; starting"},
        "router": {**SERVICE, "pid": 7, "healthy": True, "lag": 0, "detail": ""},
    },
    "ready_s": None,
    "rss_mb": 1.0,
}  # fmt: skip


def test_the_status_table_says_each_trouble_once_in_words_and_has_no_blank_cell() -> None:
    lines = {line.split()[0]: line.split() for line in table(STARTING).splitlines()}
    assert lines["nps"][1:] == ["–", "NO", "否", "–", "0", "no", "answer", "无应答;", "starting", "启动中"]
    assert lines["router"][1:] == ["7", "yes", "是", "0", "0", "–"]
    assert lines["kafka"][1:] == ["–", "yes", "是", "–", "–", "h:1"]
    assert lines["postgres"][1:] == ["–", "NO", "否", "–", "–", "–"]


def test_a_demo_that_gives_up_says_how_long_it_waited_for_what_and_what_to_do() -> None:
    told = not_up(STARTING, Path("x/logs"))
    assert (
        "not healthy within 240 s / 240 秒内未就绪: waiting for 仍在等待 postgres, nps; look at x/logs, or try again"
        in told
    )
    assert "ended while starting" in not_up({**STARTING, "state": "down"}, Path("x/logs"))


def test_down_where_nothing_is_up_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["down", "--data", str(tmp_path / "none")])
    assert (result.exit_code, result.output.strip()) == (0, "already down")
