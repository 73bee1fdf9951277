"""The day's edges: the door over HTTP, the journal, what the desktops read, and the command's options."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from touchline.router.v1 import events_pb2

from deploy.embedded import control, state
from deploy.embedded.layout import Layout
from services.cli.audit.ledger import load_journal
from services.cli.day.desk import fact_of
from services.cli.day.door import Door, DoorError
from services.cli.day.generator import generate
from services.cli.day.journal import Journal
from services.cli.day.model import LOCAL
from services.cli.day.noise import KINDS
from services.cli.day.player import Progress
from services.cli.day.policy import for_speed
from services.cli.day.run import FASTEST, DemoError, Plan, Stack, expected_events, factor_of, hours_told
from services.cli.day.show import rest_of
from services.cli.day.world import Fact
from services.cli.demo import demo
from services.cli.events import BATCH_BYTES, _batches, describe, events
from services.router.policyfile import DEFAULT, parse
from services.runtime.errors import Unreadable
from services.runtime.records import Record, read, write

NOW = datetime(2026, 6, 18, 9, tzinfo=UTC)


class Answers(BaseHTTPRequestHandler):
    """Gives the answers that the test has prepared, one after the other."""

    script: ClassVar[list[tuple[int, dict[str, str], bytes]]] = []
    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        Answers.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        status, headers, body = Answers.script.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def gateway() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Answers.script, Answers.bodies = [], []
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_batch_is_sent_again_after_429_and_503_and_refusals_are_told_by_index(gateway: str) -> None:
    refused = {"index": 1, "field": "data.score", "reason": "is above 10"}
    Answers.script = [
        (429, {"retry-after": "0"}, b""),
        (503, {"retry-after": "0"}, b""),
        (202, {}, json.dumps({"accepted": 1, "rejected": [refused]}).encode()),
    ]
    door = Door(gateway, "key", patience_s=10)
    assert door.send_now([{"id": "a"}, {"id": "b"}]) == {1: refused}
    assert len(Answers.bodies) == 3
    assert len(set(Answers.bodies)) == 1
    door.close()


def test_any_other_answer_is_an_error_that_quotes_it(gateway: str) -> None:
    Answers.script = [(401, {}, b"no such key")]
    door = Door(gateway, "wrong", patience_s=5)
    with pytest.raises(DoorError, match="401: no such key"):
        door.send_now([{}])
    door.close()


def test_a_gateway_that_is_away_is_an_error_in_the_end() -> None:
    with pytest.raises(DoorError, match="took no batch"):
        Door("http://127.0.0.1:9", "key", patience_s=0.1).send_now([{}])


def test_every_kind_of_unreadable_record_cannot_be_read() -> None:
    day = generate(1, datetime(2026, 6, 18, tzinfo=LOCAL), hours=1, events=6000)
    assert {r.kind for r in day.unreadable} == set(KINDS)
    for r in day.unreadable:
        with pytest.raises(Unreadable):
            read(Record(r.topic, 0, 0, r.key, r.value, r.headers), day.moment(r.at))


def test_the_desktops_read_what_the_router_decides() -> None:
    offered = events_pb2.ContactOffered(contact_id="k", customer_id="c", pool="care", seat_id="s", token=7)
    out = write(offered, event_id="1", source="/router", subject="c", time=NOW)
    assert fact_of(Record(out.topic, 0, 0, out.key, out.value, out.headers)) == Fact("offered", "k", "care", "s", 7)
    closed = events_pb2.ContactClosed(
        contact_id="k", customer_id="c", pool="care", outcome=events_pb2.OUTCOME_ABANDONED
    )
    out = write(closed, event_id="2", source="/router", subject="c", time=NOW)
    assert fact_of(Record(out.topic, 0, 0, out.key, out.value, out.headers)) == Fact(
        "closed", "k", "care", outcome="abandoned"
    )
    assert fact_of(Record(out.topic, 0, 0, out.key, b"\x0a\x28x", out.headers)) is None
    assert fact_of(Record(out.topic, 0, 0, out.key, out.value, ())) is None


def test_the_journal_tells_what_became_of_each_event(tmp_path: Path) -> None:
    day = generate(1, datetime(2026, 6, 18, tzinfo=LOCAL), hours=1)
    event = {"id": "1", "time": "2026-06-18T08:00:00.000Z", "data": {"text": "你好"}}
    with Journal(tmp_path / "journal") as journal:
        journal.event(NOW, event, repeat=False, refusal=None)
        journal.event(NOW, event, repeat=True, refusal={"index": 0, "field": "data.score", "reason": "above 10"})
        journal.unreadable(NOW, day.unreadable[0])
        journal.call(NOW, "Accept", {"token": 3}, refusal={"code": "FAILED_PRECONDITION", "reason": "stale"})
        assert journal.counts == {
            "sent": 2,
            "repeated": 1,
            "refused": 1,
            "late": 1,
            "unreadable": 1,
            "calls": 1,
            "calls refused": 1,
        }
    first, second, third, fourth = map(json.loads, (tmp_path / "journal").read_text().splitlines())
    assert (first["accepted"], first["event"], first["via"], first["sent_at"]) == (
        True,
        event,
        "gateway",
        "2026-06-18T09:00:00.000Z",
    )
    assert (second["accepted"], second["field"], second["reason"]) == (False, "data.score", "above 10")
    assert third["raw"] and third["topic"] == "touchpoint.events"
    assert (fourth["accepted"], fourth["code"]) == (False, "FAILED_PRECONDITION")


@pytest.mark.parametrize("bad", [b"\xff\xfe\x00", b"not json", b"[1]"])
def test_a_journal_that_cannot_be_read_is_told_by_file_and_line(tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "journal").write_bytes(b'{"kind": "event"}\n\n' + bad + b"\n")
    with pytest.raises(ValueError, match="journal, line 3: "):
        load_journal(tmp_path / "journal")


def test_the_clock_runs_no_faster_than_the_machine_keeps_up_with() -> None:
    plan = Plan(Path(), 1, 1.0, None, None, 1.0, None)
    assert factor_of(plan, 1000) == FASTEST
    assert 1 <= factor_of(plan, 1_000_000) < 2
    assert factor_of(Plan(Path(), 1, 1.0, 7.0, None, 1.0, None), 1_000_000) == 7.0
    day = plan.day(datetime(2026, 6, 18, tzinfo=LOCAL))
    assert 0.7 * 1450 < expected_events(day) < 1.6 * 1450


def test_the_hours_of_a_day_are_told_as_they_are_also_where_it_begins_late() -> None:
    plan = Plan(Path(), 1, 0.3, None, None, 1.0, None)
    midnight = datetime(2026, 6, 18, tzinfo=LOCAL)
    assert hours_told(plan.day(midnight)) == "时段 from 13:52 to 14:10, 事故 incident 14:00"
    assert "from 15:22 to 15:40, 事故 incident 15:30" in hours_told(plan.day(midnight + timedelta(minutes=90)))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--speed", "fast"], "speed"),
        (["--hours", "30"], "hours"),
        (["--kill", "moon@0.5"], "moon"),
        (["--kill", "nps@2"], "nps@2"),
    ],
)
def test_a_wrong_option_is_named_and_ends_with_2(args: list[str], says: str) -> None:
    answer = CliRunner().invoke(demo, args)
    assert answer.exit_code == 2
    assert says in answer.output


def test_after_closing_the_demo_says_what_it_waits_for() -> None:
    open_day = Progress(NOW, 0.99, {"sent": 5}, 3, 1, 0, False, 7, 2)
    assert rest_of(open_day) == ""
    told = rest_of(replace(open_day, share=1.0))
    assert "3 会话 contacts, 2 跟进 follow-ups, 7 待办 deeds" in told
    assert "follow-ups" not in rest_of(replace(open_day, share=1.0, follow_ups=0))
    assert rest_of(replace(open_day, share=1.0, finished=True)) == ""


def test_a_demo_leaves_a_stack_alone_that_is_up_in_its_folder(tmp_path: Path) -> None:
    here = Layout.of(tmp_path)
    (tmp_path / "policy.toml").write_text("theirs")
    with state.holding(here):
        answer = CliRunner().invoke(demo, ["--hours", "0.1", "--no-browser", "--state", str(tmp_path)])
    assert answer.exit_code == 1
    assert "is in use" in answer.output and "kept for a look" not in answer.output
    assert (tmp_path / "policy.toml").read_text() == "theirs"


def test_a_stack_that_another_started_meanwhile_is_not_taken_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Layout] = []
    monkeypatch.setattr(control, "stop", stopped.append)

    async def tried() -> None:
        stack = Stack(tmp_path)
        with pytest.raises(DemoError, match="is in use"):
            await stack.up("")
        await stack.down()

    with state.holding(Layout.of(tmp_path)):
        asyncio.run(tried())
    assert stopped == []


def test_lines_that_are_no_events_are_rejected_by_number() -> None:
    rejected: list[dict[str, object]] = []
    found = list(_batches(io.BytesIO(b'{"id": 1}\n\nnot json\n[]\n{"id": 2}\n'), rejected))
    assert found == [[(1, {"id": 1}), (5, {"id": 2})]]
    assert [r["line"] for r in rejected] == [3, 4]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (rb'{"id": "\ud800"}', "surrogate"),
        (b'{"id": "\xff"}', "UTF-8"),
        (b"[" * 100_000, "nested"),
        (b'{"id": ' + b"[" * 100_000, "nested"),
        (b'{"id": 1e999}', "not finite"),
        (b'{"id": NaN}', "not finite"),
        (b'{"id": ' + b"9" * 5000 + b"}", "too long"),
        (b'{"id": "' + b"x" * BATCH_BYTES + b'"}', "larger"),
    ],
)
def test_a_line_that_cannot_be_sent_is_rejected_with_its_reason(line: bytes, why: str) -> None:
    rejected: list[dict[str, Any]] = []
    found = list(_batches(io.BytesIO(b'{"id": 1}\n' + line + b'\n{"id": 3}\n'), rejected))
    assert found == [[(1, {"id": 1}), (3, {"id": 3})]]
    assert [r["line"] for r in rejected] == [2]
    assert why in rejected[0]["reason"]


def test_a_batch_is_cut_by_its_bytes_and_by_its_events() -> None:
    lines = [json.dumps({"id": i, "text": "好" * 6_667}, ensure_ascii=False).encode() for i in range(600)]
    batches = list(_batches(io.BytesIO(b"\n".join(lines)), []))
    assert [number for batch in batches for number, _ in batch] == list(range(1, 601))
    for batch in batches:
        assert len(json.dumps([event for _, event in batch], ensure_ascii=False).encode()) <= BATCH_BYTES + 2
    assert [len(b) for b in _batches(io.BytesIO(b'{"id": 1}\n' * 501), [])] == [500, 1]


def test_what_was_accepted_is_what_the_gateway_says(
    gateway: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A first body taken but for an event, a second refused whole, a third that ends it."""
    monkeypatch.setattr("services.cli.events._status", lambda _: {"gateway": {"url": gateway, "api_key": "key"}})
    monkeypatch.setattr("services.cli.events.BATCH", 2)
    one = {"index": 1, "field": "id", "reason": "is missing"}
    whole = {"index": 0, "field": "body", "reason": "is not JSON"}
    first, second = ({"accepted": 1, "rejected": [one]}, {"accepted": 0, "rejected": [whole]})
    Answers.script = [
        (202, {}, json.dumps(first).encode()),
        (400, {}, json.dumps(second).encode()),
        (413, {}, b"too large"),
    ]
    file = tmp_path / "events.jsonl"
    file.write_text('{"id": 1}\n' * 6, encoding="utf-8")
    done = CliRunner().invoke(events, ["send", str(file), "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "413: too large" in done.stderr
    told = json.loads(done.stdout)
    assert told["accepted"] == 1
    assert [(r["line"], r["field"]) for r in told["rejected"]] == [(2, "id"), (3, "body"), (4, "body")]


def test_a_record_is_described_with_its_data_or_its_bytes() -> None:
    out = write(
        events_pb2.ContactTriaged(contact_id="k", pool="bot"), event_id="1", source="/router", subject="c", time=NOW
    )
    line = describe(Record(out.topic, 2, 9, out.key, out.value, out.headers))
    assert (line["partition"], line["offset"], line["key"]) == (2, 9, "c")
    assert line["data"] == {"contactId": "k", "pool": "bot"}
    assert line["headers"]["ce_type"] == "touchline.router.ContactTriaged.v1"
    assert describe(Record(out.topic, 2, 9, out.key, b"\x0a\x28x", out.headers))["data_base64"]


def test_a_fast_day_gives_offers_more_of_its_time_and_changes_no_rule() -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    usual, fast = parse(text), parse(for_speed(text, 100))
    assert for_speed(text, 1) == text
    assert fast.pools.keys() == usual.pools.keys()
    for name, terms in fast.pools.items():
        assert terms == replace(usual.pools[name], offer_timeout_s=400, version=fast.version)
    assert (fast.rules, fast.default, fast.handover) == (usual.rules, usual.default, usual.handover)
