"""The command line where files, streams and numbers are not as they should be: a clear word, and never a traceback."""

import io
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from touchline.escalation.v1 import escalation_pb2

from deploy.embedded.layout import Layout
from deploy.embedded.process import Identity
from deploy.embedded.state import State, holding
from services.cli import events, followups
from services.cli.audit import collect
from services.cli.common import plain
from services.cli.events import _batches, describe
from services.cli.main import cli
from services.cli.sentiment import lines
from services.runtime import librdkafka
from services.runtime.records import Record

TOUCHLINE = [sys.executable, "-m", "services.cli.main"]


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--wait", "nan"],
        ["status", "--wait", "inf"],
        ["demo", "--hours", "nan"],
        ["demo", "--scale", "nan"],
        ["up", "--clock", "scaled:nan:nan:nan"],
        ["up", "--clock", "scaled:0:1e300:1"],
        ["sentiment", "feedback", "export", "--after", str(2**63)],
        ["router", "replay", "--calls", __file__, "--bot-takes", "nan"],
    ],
)
def test_a_number_that_is_none_is_a_bad_invocation(words: list[str]) -> None:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2, done.output
    assert words[-2] in done.output  # the option is named


def _run(words: list[str], **closed: int) -> "subprocess.CompletedProcess[bytes]":
    """A command, some of whose standard streams are closed."""

    def close() -> None:
        for number in closed.values():
            os.close(number)

    return subprocess.run([*TOUCHLINE, *words], capture_output=True, preexec_fn=close, timeout=60, check=False)


@pytest.mark.parametrize("words", [["sentiment", "score"], ["events", "send", "-"]])
def test_a_closed_standard_input_is_told(words: list[str]) -> None:
    done = _run(words, stdin=0)
    assert done.returncode in (1, 2)
    assert "标准输入已关闭" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_closed_standard_output_is_told_and_nothing_is_done() -> None:
    done = _run(["nps", "weeks", "--answers", "1"], stdout=1)
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert "标准输出已关闭" in done.stderr.decode()


def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*TOUCHLINE, "nps", "weeks", "--answers", "1"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: [Errno 28]"), done.stderr


class Counted(io.BytesIO):
    """A stream whose pieces are small, and that can't be read on at its end."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 3))


@pytest.mark.parametrize("text", [b"", b"\n", b"a", b"a\n", b"one\ntwo\n\nthree", b"one line of many pieces\n" * 3])
def test_lines_come_whole_however_they_arrive(text: bytes) -> None:
    wanted = text.split(b"\n")
    wanted = wanted if wanted[-1] else wanted[:-1]
    assert [line for some in lines(Counted(text)) for line in some] == wanted
    assert [line for some in lines(io.BytesIO(text)) for line in some] == wanted


def test_a_huge_line_is_put_together_once() -> None:
    """What a line costs grows with its length: it was copied anew with each piece of it that came."""
    copied = 0

    class Piece(bytes):
        def __radd__(self, other: bytes) -> bytes:
            nonlocal copied
            copied += len(other)
            return bytes(other) + bytes(self)

    class Pieces(io.BytesIO):
        left = 50

        def read(self, size: int | None = -1) -> bytes:
            self.left -= 1
            return Piece(b"x" * 100) if self.left >= 0 else b""

    assert [len(line) for some in lines(Pieces()) for line in some] == [5000]
    assert copied == 0


def test_an_event_file_may_begin_with_a_byte_order_mark() -> None:
    rejected: list[dict[str, Any]] = []
    given = io.BytesIO(b'\xef\xbb\xbf{"id": "1"}\r\n{"id": "2"}\r\n')
    [batch] = _batches(given, rejected)
    assert ([e for _, e in batch], rejected) == ([{"id": "1"}, {"id": "2"}], [])


@pytest.mark.parametrize("value", [rb'{"a": "\ud800"}', b'{"a": NaN}', b"[1e999]", b"\xff", b"{"])
def test_a_record_whose_value_is_no_json_that_can_be_written_is_shown_in_base64(value: bytes) -> None:
    told = describe(Record("metrics.volume", 0, 7, b"k", value, ()))
    assert "data" not in told
    assert told["data_base64"]
    json.dumps(told, ensure_ascii=False, allow_nan=False).encode()


def test_a_tail_without_kafka_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(librdkafka, "ASK_S", 0.2)
    monkeypatch.setattr(events, "_status", lambda _: {"kafka": {"bootstrap": "127.0.0.1:1"}})
    done = CliRunner().invoke(cli, ["events", "tail", "touchpoint.events"])
    assert done.exit_code == 1
    assert "Kafka is away" in done.output


def test_what_a_channel_named_does_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    follow_up = escalation_pb2.FollowUp(
        follow_up_id="f1", customer_id="\x1b[2Jhu", contact_id="c\r1", opening_zh="您好"
    )
    followups._print(follow_up)
    shown = capsys.readouterr().out
    assert "hu" in shown
    assert not {c for c in shown if not c.isprintable()} - {"\n"}
    assert plain("a\x1b\ud800胡 b") == "a��胡 b"


def test_a_segment_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    line = {"id": "1", "source": "s", "type": "answered", "time": "2026-11-02T00:00:00Z", "survey_id": "v", "score": 9}
    file = tmp_path / "调查 1.jsonl"
    file.write_text(json.dumps({**line, "segments": {"re\x1b]0;gion": "华\x9b2J东"}}))
    done = CliRunner().invoke(cli, ["nps", "compute", str(file)])
    assert done.exit_code == 0, done.output
    assert not {c for c in done.output if not c.isprintable()} - {"\n"}


@pytest.mark.parametrize(
    "words",
    [
        ["events", "tail", "touchpoint.events"],
        ["nps", "get"],
        ["dlq", "list"],
        ["escalation", "follow-ups", "list"],
        ["audit"],
    ],
)
def test_where_nothing_is_up_the_command_that_helps_can_be_typed(tmp_path: Path, words: list[str]) -> None:
    folder = tmp_path / "数据 夹"
    done = CliRunner().invoke(cli, [*words, "--data", str(folder)])
    assert done.exit_code == 1
    helps = done.output.partition("`")[2].partition("`")[0]
    assert shlex.split(helps) == ["touchline", "up", "--data", str(folder)]


def test_an_audit_of_a_stack_that_was_killed_says_at_once_that_nothing_is_up(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    layout.create()
    left = State(Identity(1, 0.0), "2026-01-01T00:00:00+00:00", bootstrap="127.0.0.1:1", grpc={"nps": "127.0.0.1:1"})
    left.write(layout)
    began = time.monotonic()
    done = CliRunner().invoke(cli, ["audit", "--data", str(tmp_path)])
    assert (done.exit_code, "nothing is up there" in done.output) == (1, True), done.output
    assert time.monotonic() - began < 10
    with holding(layout):
        assert collect.running(tmp_path) == left
