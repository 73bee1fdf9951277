"""Dead letters that are sent again have their effect exactly once, whoever dies meanwhile; what is still bad grows by nothing."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from msgspec.structs import replace
from touchline.seat.v1 import events_pb2 as seat

from services.router.main import assignment_pipeline
from services.router.policyfile import DEFAULT, load
from services.runtime.admin import create_topics
from services.runtime.errors import Permanent
from services.runtime.letters import refused_fact
from services.runtime.postgres import states_of
from services.runtime.records import write
from services.runtime.topics import Topic
from tests.integration import counting, test_faults
from tests.integration.counting import Bench, message, pipeline
from tests.integration.dead import call, listed, on_topic, replayed, take

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

# A text that can't be decided until the cause is mended; the process of `counting_process` has it mended already.
BROKEN = "broken"


@pytest.fixture
def broken(monkeypatch):
    """The cause, until it is mended by a call."""
    monkeypatch.setattr(counting, "POISON", BROKEN)
    return lambda: monkeypatch.setattr(counting, "POISON", "something else")


async def test_replayed_twice_and_killed_in_the_middle_counts_once(bench, broken, tmp_path):
    """The pipeline dies within the batch of what was sent again; an operator who is not sure sends all of it once more."""
    bad = [message(f"k{n % 7}", BROKEN, n, topic=bench.topic) for n in range(42)]
    good = [message(f"k{n % 7}", "fine", 100 + n, topic=bench.topic) for n in range(14)]
    await bench.publisher.publish([*bad, *good])
    await take(bench, bench.pipeline)
    assert sum((await bench.counts()).values()) == 14 and len(await listed(bench)) == 42

    assert (await replayed(bench))["replayed"] == 42
    log = tmp_path / "counting.log"
    with test_faults.process(bench, log, "transacted:1") as first:
        assert await asyncio.to_thread(first.wait, 20) == -signal.SIGKILL, log.read_text()
    assert 14 < sum((await bench.counts()).values()) < 56
    assert (await replayed(bench)) | {"places": []} == {
        "replayed": 0, "would_replay": 0, "already_replayed": 42, "too_old": 0, "failed": [], "places": [],
    }  # fmt: skip
    assert (await replayed(bench, "--all", "--topic", bench.topic, "--again"))["replayed"] == 42
    with test_faults.process(bench, log, "published:1") as second:
        assert await asyncio.to_thread(second.wait, 20) == -signal.SIGKILL, log.read_text()
    with test_faults.process(bench, log) as third:
        await test_faults.settled(bench, 56)
        third.terminate()
        assert await asyncio.to_thread(third.wait, 15) == 0, log.read_text()

    assert await bench.counts() == {f"k{k}": 8 for k in range(7)}
    told = [number for _, key, number in await _facts(bench) if key == BROKEN]
    assert len(told) == 42
    assert await listed(bench) == []
    assert {c["replays"] for c in await listed(bench, "--replayed")} == {2}


async def _facts(bench) -> list[tuple[str, str, int]]:
    """What was published, each id once."""
    return list({fact_id: (fact_id, key, number) for fact_id, key, number in await test_faults.facts(bench)}.values())


# The command, killed before it hands over a batch for the n-th time: each batch is sent, then marked.
DYING = """
import os, signal, sys
from services.cli.main import cli
from services.runtime.publisher import Publisher

publish, left = Publisher.publish, int(sys.argv.pop(1))

async def dying(self, records):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    await publish(self, records)

Publisher.publish = dying
cli()
"""


@pytest.mark.parametrize(("before", "sent", "marked"), [(2, 500, 0), (3, 500, 500), (4, 600, 500)])
async def test_a_replay_that_is_killed_is_simply_run_again(bench, broken, before, sent, marked):
    count = 600  # two of the batches that it sends
    bad = [message(f"k{n % 50}", BROKEN, n, topic=bench.topic) for n in range(count)]
    await bench.publisher.publish(bad)
    await take(bench, bench.pipeline)
    words = ["dlq", "replay", "--all", "--topic", bench.topic, "--bootstrap", bench.stack.bootstrap]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "KAFKA_"))}
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", DYING, str(before), *words], env=environment, cwd=test_faults.ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert len(await on_topic(bench)) == count + sent
    answer = await replayed(bench)
    assert (answer["already_replayed"], answer["replayed"]) == (marked, count - marked)

    broken()
    await take(bench, bench.pipeline)
    assert await bench.counts() == {f"k{n}": count // 50 for n in range(50)}
    assert len(await _facts(bench)) == count
    assert await listed(bench) == []


async def test_what_the_sender_has_sent_anew_meanwhile_counts_once(bench, broken):
    """The channel sent it mended, under its id; then somebody replays the letter all the same."""
    forbidden = message("a", "forbidden", 2, topic=bench.topic)
    await bench.publisher.publish([message("a", BROKEN, 1, topic=bench.topic), forbidden])
    await take(bench, bench.pipeline)
    assert len(await listed(bench)) == 2
    broken()
    anew = [message("a", "as it should be", n, topic=bench.topic) for n in (1, 2)]
    await bench.publisher.publish(anew)
    await take(bench, bench.pipeline)
    assert await bench.counts() == {"a": 2}
    assert (await replayed(bench))["replayed"] == 2
    await take(bench, bench.pipeline)
    assert await bench.counts() == {"a": 2}
    assert [key for _, key, _ in await _facts(bench)] == ["as it should be"] * 2
    # The one that still can't be read says so; nothing of it took effect.
    [again] = await listed(bench)
    assert (again["id"], again["replays"], again["field"]) == ("a-2", 1, "data.text")


def every_kind(topic: str) -> dict[str, object]:
    """A record of each kind that is put aside, by the reason's beginning."""
    fine = message("a", "fine", 0, topic=topic)

    def said(number: int, text: str = "fine", **changed: bytes | None) -> object:
        made = message("a", text, number, topic=topic)
        headers = {**dict(made.headers), **{name.replace("_", "-") if name == "content_type" else name: v for name, v in changed.items()}}  # fmt: skip
        return replace(made, headers=tuple((name, v) for name, v in headers.items() if v is not None))

    return {
        "ce_id: header is missing": said(1, ce_id=None),
        "ce_source: is not UTF-8": said(2, ce_source=b"\xff"),
        "ce_type: is not a known event type": said(3, ce_type=b"touchline.no.Such.v1"),
        "ce_time: header is missing": said(4, ce_time=None),
        "time: is not an RFC 3339 time": said(5, ce_time=b"yesterday"),
        "time: is before the year 2000": said(6, ce_time=b"1999-12-31T23:59:59Z"),
        "key: is missing": replace(fine, key=b"", headers=said(7).headers),
        "content-type: is neither": said(8, content_type=b"text/plain"),
        "data: is not a MessageReceived": replace(fine, value=b"\xff\xff", headers=said(9).headers),
        "data.text: is forbidden": said(10, "forbidden"),
        "could not be decided: ValueError": said(11, BROKEN),
    }


async def test_every_reason_is_listed_and_sent_again_without_growing(bench, broken):
    kinds = every_kind(bench.topic)
    await bench.publisher.publish(list(kinds.values()))
    await take(bench, bench.pipeline)
    for times in range(3):
        found = await listed(bench)
        told = sorted(f"{c['field']}: {c['reason']}".removeprefix(": ") for c in found)
        assert [t.startswith(k) for t, k in zip(told, sorted(kinds), strict=True)] == [True] * len(kinds), told
        assert {c["replays"] for c in found} == {times}
        assert (await replayed(bench))["replayed"] == len(kinds)
        assert await listed(bench) == []
        await take(bench, bench.pipeline)
    sent = await on_topic(bench)
    assert len(sent) == 4 * len(kinds)
    # However often it came back, a record carries two headers of ours and no more.
    assert max(len([n for n, _ in headers if n.startswith("dlq_")]) for _, _, headers in sent) == 2
    letters = await on_topic(bench, f"{bench.topic}.dlq")
    assert max(len(headers) for _, _, headers in letters) <= 7 + 8
    broken()
    assert (await replayed(bench, "--all", "--topic", bench.topic, "--reason", "ValueError"))["replayed"] == 1
    await take(bench, bench.pipeline)
    assert await bench.counts() == {"a": 1} and len(await listed(bench)) == len(kinds) - 1


async def test_filters_choose_what_is_listed_and_sent(bench, broken):
    one, two = (pipeline(f"{name}.{bench.topic}", bench.topic) for name in ("one", "two"))
    await bench.publisher.publish([message("a", BROKEN, 1, topic=bench.topic)])
    await take(bench, one, two)
    await bench.publisher.publish([message("a", "forbidden", 2, topic=bench.topic)])
    await take(bench, one)
    between = datetime.fromisoformat((await listed(bench))[1]["put_aside_at"])

    async def ids(*words: str) -> list[str]:
        return [c["id"] for c in await listed(bench, *words)]

    assert await ids("--pipeline", two.name) == ["a-1"]
    assert await ids("--pipeline", "nobody") == []
    assert await ids("--reason", "FORBIDDEN") == ["a-2"] == await ids("--reason", "data.text")
    assert await ids("--reason", "valueerror", "--pipeline", one.name) == ["a-1"]
    assert await ids("--since", "1h") == ["a-1", "a-2"] and await ids("--since", "0s") == []
    assert await ids("--since", between.isoformat()) == ["a-2"]
    rehearsal = await replayed(bench, "--all", "--topic", bench.topic, "--reason", "forbidden", "--dry-run")
    assert (rehearsal["would_replay"], rehearsal["replayed"]) == (1, 0) and len(await on_topic(bench)) == 2
    assert (await replayed(bench, "--all", "--topic", bench.topic, "--pipeline", two.name))["replayed"] == 1
    assert await ids() == ["a-2"] and await ids("--replayed") == ["a-1", "a-2"]


async def test_a_fact_that_kafka_refused_is_listed_and_sent_again_once_it_can(bench):
    facts = [message("a", f"fact {n}", n, topic=bench.topic) for n in range(2)]
    error = Permanent("the record is larger than Kafka takes")
    whole = refused_fact(facts[0], error, bench.pipeline.name, whole=True)
    names = refused_fact(facts[1], error, bench.pipeline.name)
    await bench.publisher.publish([whole, names, whole])  # the outbox went out twice

    found = {c["id"]: c for c in await listed(bench)}
    assert set(found) == {"a-0", "a-1"} and {c["kind"] for c in found.values()} == {"fact"}
    assert [found[i]["replayable"] for i in ("a-0", "a-1")] == [True, False]
    assert found["a-0"]["place"].startswith(f"{bench.topic}.dlq/")
    shown = await call(bench, "show", found["a-1"]["place"], "--value")
    assert shown.exit_code == 0 and "no more of the fact than its names" in shown.stdout, shown.output
    sent = await call(bench, "replay", "--all", "--topic", bench.topic)
    assert sent.exit_code == 1 and sent.stdout.startswith("1 record ") and "its decision stands" in sent.output
    [(key, value, headers)] = await on_topic(bench)
    assert (key, value, headers[: len(facts[0].headers)]) == (facts[0].key, facts[0].value, facts[0].headers)
    assert [c["id"] for c in await listed(bench)] == ["a-1"]
    # Whoever reads the topic takes it as the event that it is.
    await take(bench, bench.pipeline)
    assert await bench.counts() == {"a": 1}


async def test_a_seats_event_comes_back_to_its_pool(stack, monkeypatch):
    """The router's own assignment, with a bug: the seat signs in once the bug is mended, and once only."""
    topic = f"t{uuid4().hex[:8]}"
    await create_topics(stack.bootstrap, [Topic(topic, "", 2), Topic(f"{topic}.dlq", "", 2)])
    policy = load(DEFAULT)
    made = assignment_pipeline(policy)
    mended = {"yes": False}

    def decide(state, event, now):
        if not mended["yes"]:
            raise KeyError("a bug")
        return made.decide(state, event, now)

    assigning = dataclasses.replace(made, name=f"assignment.{topic}", topics=(topic,), decide=decide, project=None)
    async with Bench(stack, assigning) as bench:
        bench.topic = topic
        signed_in = seat.SeatSignedIn(pool="care", seat_id="s-1", skills={"billing": 3}, languages=["zh"], capacity=1)
        event = write(signed_in, event_id="sign-in", source="test", subject="s-1", time=datetime.now(UTC))
        await bench.publisher.publish([replace(event, topic=topic)])
        await take(bench, assigning)
        [case] = await listed(bench)
        assert (case["type"], case["reason"]) == ("touchline.seat.SeatSignedIn.v1", "could not be decided: KeyError")
        shown = await call(bench, "show", case["place"], "--json")
        assert '"key": "care"' in shown.stdout
        mended["yes"] = True
        for _ in range(2):
            assert (await replayed(bench, case["place"], "--again"))["replayed"] == 1
        await take(bench, assigning)
        assert await listed(bench) == []
        [(key, saved)] = (await states_of(bench.pool, assigning.name, parts=True)).items()
        assert (key, saved.version, list(saved.parts)) == ("care", 1, ["seats/s-1"])
