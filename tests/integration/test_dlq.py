"""`touchline dlq` on a real Kafka: what was refused is listed once, hidden until asked for, and sent again once."""

import json
from uuid import uuid4

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from services.cli.main import cli
from tests.integration import counting
from tests.integration.counting import POISON, message, pipeline
from tests.integration.dead import call, listed, on_topic, take

pytestmark = pytest.mark.integration

WORDS = "my card number is 6222"


async def test_what_two_pipelines_refused_is_one_case_and_is_sent_once(bench, monkeypatch):
    both = [pipeline(f"{name}.{bench.topic}", bench.topic) for name in ("one", "two")]
    garbled = replace(message("a", WORDS, 2, topic=bench.topic), value=WORDS.encode())
    await bench.publisher.publish([message("a", "good", 1, topic=bench.topic), garbled])
    await bench.publisher.publish([message("a", POISON, 3, topic=bench.topic)])
    await take(bench, *both)

    first, second = await listed(bench)
    assert [c["id"] for c in (first, second)] == ["a-2", "a-3"]
    assert first["pipelines"] == [p.name for p in both]
    assert (first["field"], first["reason"]) == ("data", "is not a MessageReceived in protobuf")
    assert second["reason"] == "could not be decided: ValueError"
    assert not first["replayed"]

    # A rehearsal sends nothing.
    before = await on_topic(bench)
    rehearsal = await call(bench, "replay", "--all", "--topic", bench.topic, "--dry-run")
    assert rehearsal.exit_code == 0 and rehearsal.stdout.startswith("2 records")
    assert await on_topic(bench) == before and len(await listed(bench)) == 2

    # The cause of one is mended; the other is as bad as before.
    monkeypatch.setattr(counting, "POISON", "something else")
    sent = await call(bench, "replay", "--all", "--topic", bench.topic, "--json")
    assert sent.exit_code == 0, sent.output
    assert json.loads(sent.stdout)["replayed"] == 2
    after = await on_topic(bench)
    assert len(after) == 5
    places = {"a-2": first["place"], "a-3": second["place"]}
    again = [
        (key, value, (*headers, ("dlq_first", places[name].encode()), ("dlq_replays", b"1")))
        for key, value, headers in before
        if (name := dict(headers)["ce_id"].decode()) in places
    ]
    assert sorted(after) == sorted([*before, *again])
    assert await listed(bench) == []
    assert {c["place"]: c["replayed"] for c in await listed(bench, "--replayed")} == {
        first["place"]: True,
        second["place"]: True,
    }

    await take(bench, *both)
    rows = await bench.pool.fetch(
        "SELECT pipeline, (body->>'messages')::int FROM runtime.entity WHERE pipeline = ANY($1)",
        [p.name for p in both],
    )
    assert dict(map(tuple, rows)) == {p.name: 2 for p in both}
    [again] = await listed(bench)
    assert again["id"] == "a-2" and again["pipelines"] == [p.name for p in both]
    assert again["place"] == first["place"] != again["lies_at"] and again["replays"] == 1


async def test_what_one_pipeline_had_taken_counts_there_once(bench, monkeypatch):
    strict, lenient = (pipeline(f"{name}.{bench.topic}", bench.topic) for name in ("strict", "lenient"))
    await bench.publisher.publish([message("a", POISON, 1, topic=bench.topic)])
    await take(bench, strict)
    monkeypatch.setattr(counting, "POISON", "something else")
    await take(bench, lenient)
    [case] = await listed(bench)
    assert case["pipelines"] == [strict.name]
    sent = await call(bench, "replay", case["place"])
    assert sent.exit_code == 0 and sent.stdout.startswith("1 record "), sent.output
    once_more = await call(bench, "replay", case["place"])
    assert once_more.exit_code == 0 and once_more.stdout.startswith("0 records") and "--again" in once_more.output
    assert (await call(bench, "replay", case["place"], "--again")).stdout.startswith("1 record ")
    await take(bench, strict, lenient)
    rows = await bench.pool.fetch(
        "SELECT pipeline, (body->>'messages')::int FROM runtime.entity WHERE pipeline = ANY($1)",
        [strict.name, lenient.name],
    )
    assert dict(map(tuple, rows)) == {strict.name: 1, lenient.name: 1}
    assert await listed(bench) == []


async def test_what_a_customer_wrote_is_shown_only_when_asked_for(bench):
    bad = message("a", "forbidden", 1, topic=bench.topic)
    garbled = replace(message("a", WORDS, 2, topic=bench.topic), value=WORDS.encode())
    await bench.publisher.publish([bad, garbled])
    await take(bench, bench.pipeline)
    readable, unreadable = [c["place"] for c in sorted(await listed(bench), key=lambda c: c["id"])]

    quiet = await call(bench, "list", "--topic", bench.topic)
    assert quiet.stdout.startswith("place 位置") and "  test  a-1\n" in quiet.stdout
    assert "data.text: is forbidden" in quiet.stdout and WORDS not in quiet.output
    hidden = await call(bench, "show", unreadable)
    assert hidden.exit_code == 0 and "ce_id: a-2" in hidden.stdout
    assert WORDS not in hidden.output and "--value" in hidden.stdout and "已隐藏" in hidden.stdout
    assert "data" not in json.loads((await call(bench, "show", readable, "--json")).stdout)

    shown = json.loads((await call(bench, "show", readable, "--json", "--value")).stdout)
    assert shown["data"]["text"] == "forbidden" and shown["headers"]["ce_type"].endswith("MessageReceived.v1")
    assert not any(name.startswith("dlq_") for name in shown["headers"])
    raw = await call(bench, "show", unreadable, "--value")
    assert "base64" in raw.stdout and raw.exit_code == 0


async def test_what_is_older_than_services_remember_is_left_out(bench, monkeypatch):
    await bench.publisher.publish([message("a", POISON, 1, topic=bench.topic)])
    await take(bench, bench.pipeline)
    [case] = await listed(bench)
    monkeypatch.setenv("BATCH_SEEN_FOR", "PT0.001S")
    left = await call(bench, "replay", "--all", "--topic", bench.topic)
    assert left.exit_code == 0 and left.stdout.startswith("0 records") and "1 left out" in left.output
    assert (await call(bench, "replay", case["place"])).exit_code == 1
    assert len(await on_topic(bench)) == 1
    assert (await call(bench, "replay", case["place"], "--older")).exit_code == 0
    assert len(await on_topic(bench)) == 2


async def test_records_as_large_as_kafka_takes_hold_nothing_up(bench):
    large = replace(message("a", WORDS, 1, topic=bench.topic), value=b"\xff" * 1_048_000)
    longest = replace(message("a", WORDS, 2, topic=bench.topic), key=uuid4().bytes.hex().encode() * 5000)
    await bench.publisher.publish([message("a", "good", 0, topic=bench.topic), large, longest])
    await bench.publisher.publish([message("a", "good", 3, topic=bench.topic)])
    await take(bench, bench.pipeline)
    assert await bench.counts() == {"a": 2}
    cases = sorted(await listed(bench), key=lambda c: c["id"])
    assert [(c["id"], c["field"], c["reason"]) for c in cases] == [
        ("a-1", "data", "is not a MessageReceived in protobuf"),
        ("a-2", "key", "is longer than 2560 bytes"),
    ]
    shown = await call(bench, "show", cases[0]["place"], "--value")
    assert shown.exit_code == 0 and "too large for a letter" in shown.stdout
    sent = await call(bench, "replay", "--all", "--topic", bench.topic)
    assert sent.exit_code == 1 and sent.stdout.startswith("1 record "), sent.output
    assert f"{cases[0]['place']}: dlq_bytes" in sent.output
    assert [c["id"] for c in await listed(bench)] == ["a-1"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["replay"], 2, "--all"),
        (["replay", "--all", "t/0/1"], 2, "--all"),
        (["replay", "t/0/1", "--topic", "t"], 2, "--topic"),
        (["replay", "t/0/1", "--reason", "x"], 2, "--all"),
        (["list", "--since", "yesterday"], 2, "--since"),
        (["list", "--since", "2026-01-01T00:00:00"], 2, "--since"),
        (["replay", "t/0"], 2, "TOPIC/PARTITION/OFFSET"),
        (["show", "t/zero/1"], 2, "TOPIC/PARTITION/OFFSET"),
        (["list", "--data", "elsewhere"], 2, "not both"),
        (["show", "touchpoint.events/0/999"], 1, "is no dead letter"),
        (["replay", "touchpoint.events/0/999"], 1, "is no dead letter"),
    ],
)
async def test_a_wrong_invocation_is_told_from_a_failed_run(bench, words, status, said):
    result = await call(bench, *words)
    assert result.exit_code == status and said in result.output, result.output
    assert "Traceback" not in result.output


def test_a_stack_that_is_not_there(tmp_path):
    result = CliRunner().invoke(cli, ["dlq", "list", "--data", str(tmp_path)])
    assert result.exit_code == 1 and "nothing is up" in result.output


def test_a_kafka_that_is_not_there():
    result = CliRunner().invoke(cli, ["dlq", "list", "--topic", "t", "--bootstrap", "127.0.0.1:1"])
    assert result.exit_code == 1 and "Kafka is away" in result.output
