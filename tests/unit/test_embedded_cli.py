"""The command line's habits: quick to start, exact about bad invocations."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

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


def test_down_where_nothing_is_up_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["down", "--data", str(tmp_path / "none")])
    assert (result.exit_code, result.output.strip()) == (0, "already down")
