"""The gateway's process on real Kafka: acceptance over HTTP and gRPC, the live stream, journeys, Kafka going away."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import httpx
import pytest
from touchline.contact.v1 import events_pb2 as contact
from touchline.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from touchline.router.v1 import events_pb2 as router
from touchline.runtime.v1 import status_pb2, status_pb2_grpc
from touchline.sentiment.v1 import sentiment_pb2 as sentiment

from deploy.embedded.layout import is_free
from deploy.embedded.stack import Stack
from services.gateway.cloudevents import BATCH, STRUCTURED
from services.runtime import records
from services.runtime.publisher import Publisher
from services.runtime.settings import KafkaSettings
from services.runtime.tail import read_all

pytestmark = pytest.mark.integration

KEY, SLOW = "k" * 24, "s" * 24
AUTH = {"authorization": f"Bearer {KEY}"}
ROOT = Path(__file__).resolve().parents[2]
TRACE = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


def free_port() -> int:
    return next(p for p in range(28_000 + os.getpid() % 1000, 32_000) if is_free(p))


class Gateway:
    """A gateway's process and its addresses."""

    def __init__(self, process: asyncio.subprocess.Process, http: str, rpc: str, log: Path) -> None:
        self.process, self.http, self.rpc, self.log = process, http, rpc, log

    def client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.http, timeout=30, **options)


@asynccontextmanager
async def gateway(bootstrap: str, folder: Path, **env: str) -> AsyncIterator[Gateway]:
    keys = folder / "keys.json"
    channels = [{"name": "app", "key": KEY, "rate_per_s": None}, {"name": "slow", "key": SLOW, "rate_per_s": 5}]
    keys.write_text(json.dumps({"channels": channels}))
    http = free_port()
    rpc = next(p for p in range(http + 1, 33_000) if is_free(p))
    log = folder / "gateway.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.gateway.main", cwd=ROOT, stderr=out, stdout=out,
            env={**os.environ, "KAFKA_BOOTSTRAP": bootstrap, "HTTP_BIND": f"127.0.0.1:{http}", "GRPC_BIND": f"127.0.0.1:{rpc}",
                 "GATEWAY_KEYS_FILE": str(keys), "OTEL_TRACES_EXPORTER": "none", **env},
        )  # fmt: skip
    made = Gateway(process, f"http://127.0.0.1:{http}", f"127.0.0.1:{rpc}", log)
    try:
        await within(20, lambda: healthy(made), f"the gateway did not come up: {log}")
        yield made
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0, log.read_text()


async def healthy(made: Gateway) -> bool:
    async with made.client() as client:
        try:
            return (await client.get("/healthz")).status_code in (200, 503)
        except httpx.HTTPError:
            return False


async def within(limit: float, probe: Any, what: str) -> Any:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := await probe():
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(what)


@pytest.fixture(scope="module")
async def running(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with gateway(stack.bootstrap, tmp_path_factory.mktemp("gateway")) as made:
        async with made.client() as client:

            async def up() -> bool:
                return (await client.get("/healthz")).status_code == 200

            await within(20, up, "Kafka was not reached")
        yield made


def answered(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": "survey",
        "type": "touchline.survey.SurveyAnswered.v1",
        "subject": f"customer-{uuid4().hex[:6]}",
        "time": "2026-11-01T09:00:00Z",
        "datacontenttype": "application/json",
        "data": {"surveyId": "s1", "score": 9, "segments": {"channel": "微信"}, "comment": "好"},
        **changes,
    }


async def published(bootstrap: str, ids: set[str]) -> dict[str, records.Incoming]:
    found = {}
    for record in await read_all(KafkaSettings(bootstrap=bootstrap), "touchpoint.events"):
        if dict(record.headers)["ce_id"].decode() in ids:
            event = records.read(record, datetime.now(UTC))
            found[event.event_id] = event
    return found


async def test_a_batch_is_on_kafka_when_it_is_answered(stack: Stack, running: Gateway) -> None:
    good, bad = [answered() for _ in range(250)], answered(data={"surveyId": "s", "score": 11})
    async with running.client() as client:
        got = await client.post(
            "/v1/events", content=json.dumps([*good[:100], bad, *good[100:]]), headers={**AUTH, "content-type": BATCH}
        )
    assert got.status_code == 202
    assert got.json() == {
        "accepted": 250,
        "rejected": [{"index": 100, "field": "data.score", "reason": "is more than 10"}],
    }
    found = await published(stack.bootstrap, {e["id"] for e in [*good, bad]})
    assert found.keys() == {e["id"] for e in good}
    assert all(found[e["id"]].key == e["subject"] for e in good)


async def test_statuses(running: Gateway) -> None:
    async with running.client() as client:

        async def post(content: Any, kind: str = BATCH, key: str = KEY, **headers: str) -> httpx.Response:
            sent = {"authorization": f"Bearer {key}", "content-type": kind, **headers}
            return await client.post(
                "/v1/events", content=content if isinstance(content, bytes) else json.dumps(content), headers=sent
            )

        assert (await post([answered()])).status_code == 202
        assert (await post(answered(), STRUCTURED)).status_code == 202
        refused = await post([answered(data={})])
        assert (refused.status_code, refused.json()["rejected"][0]["field"]) == (400, "data.surveyId")
        assert (await post(b"{")).json()["rejected"] == [{"index": 0, "field": "body", "reason": "is not JSON"}]
        wrong = await post([], key="wrong")
        assert (wrong.status_code, wrong.headers["www-authenticate"][:6]) == (401, "Bearer")
        assert (await client.post("/v1/events", content=b"[]", headers={"content-type": BATCH})).status_code == 401
        assert (await post([], "text/plain")).status_code == 415
        assert (await post([], **{"content-encoding": "gzip"})).status_code == 415
        assert (await post(b"[" + b" " * (5 << 20) + b"]")).status_code == 413
        assert (await post([answered()] * 2001)).status_code == 413
        first, second = await post([answered()] * 30, key=SLOW), await post([answered()], key=SLOW)
        assert (first.status_code, second.status_code) == (202, 429)
        assert 1 <= int(second.headers["retry-after"]) <= 5
        assert (await client.get("/v1/events")).status_code == 405


async def test_a_chunked_body_is_bounded_as_well(running: Gateway) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 65_536

    async with running.client() as client:
        try:
            got = await client.post("/v1/events", content=endless(), headers={**AUTH, "content-type": BATCH})
        except httpx.HTTPError:
            return  # cut off while it was still sending, which is as good
    assert got.status_code == 413


async def test_trace_contexts_travel(stack: Stack, running: Gateway) -> None:
    header, own, both = (
        answered(),
        answered(traceparent=TRACE.replace("ab", "ef")),
        answered(traceparent=TRACE[:-1] + "0"),
    )
    async with running.client() as client:
        got = await client.post(
            "/v1/events",
            content=json.dumps([header, own, both]),
            headers={**AUTH, "content-type": BATCH, "traceparent": TRACE},
        )
    assert got.status_code == 202
    found = await published(stack.bootstrap, {header["id"], own["id"], both["id"]})
    assert found[header["id"]].traceparent[:36] == TRACE[:36]
    assert found[header["id"]].traceparent != TRACE  # the event's own span, in the request's trace
    assert found[own["id"]].traceparent[3:35] == "ef" * 16
    assert found[both["id"]].traceparent == both["traceparent"]  # not sampled: handed on as it is


async def test_grpc_has_the_same_door(stack: Stack, running: Gateway) -> None:
    def as_event(e: dict[str, Any]) -> gateway_pb2.CloudEvent:
        names = ("id", "source", "type", "subject", "time", "datacontenttype")
        return gateway_pb2.CloudEvent(data=json.dumps(e["data"]).encode(), **{n: e[n] for n in names})

    good, bad = answered(), answered(data={"surveyId": "s", "score": "nine"})
    async with grpc.aio.insecure_channel(running.rpc) as channel:
        stub = gateway_pb2_grpc.GatewayServiceStub(channel)
        auth = (("authorization", f"Bearer {KEY}"),)
        got = await stub.Publish(gateway_pb2.PublishRequest(events=[as_event(good), as_event(bad)]), metadata=auth)
        assert got.accepted == 1
        assert [(r.index, r.field, r.reason) for r in got.rejected] == [(1, "data.score", "is not a whole number")]
        for events, metadata, code in [
            ([good], (), grpc.StatusCode.UNAUTHENTICATED),
            ([good], (("authorization", "Bearer wrong"),), grpc.StatusCode.UNAUTHENTICATED),
            ([bad], auth, grpc.StatusCode.INVALID_ARGUMENT),
        ]:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Publish(gateway_pb2.PublishRequest(events=map(as_event, events)), metadata=metadata)
            assert caught.value.code() is code
        status = await status_pb2_grpc.StatusServiceStub(channel).GetStatus(status_pb2.GetStatusRequest())
        assert (status.service, status.healthy, status.lag) == ("gateway", True, 0)
    assert (await published(stack.bootstrap, {good["id"]}))[good["id"]].key == good["subject"]


async def test_the_stream_and_the_journey_tell_of_a_contact(stack: Stack, running: Gateway) -> None:
    customer, at = f"hu-{uuid4().hex[:6]}", datetime(2026, 11, 1, 9, tzinfo=UTC)
    c = f"c-{customer}"
    facts = [
        contact.ContactRequested(contact_id=c, channel="web", topic="repair"),
        contact.MessageReceived(contact_id=c, speaker=contact.SPEAKER_CUSTOMER, text="空调修了还是不制冷"),
        router.ContactTriaged(contact_id=c, customer_id=customer, pool="repair", priority=2, rule="mood"),
        router.ContactQueued(contact_id=c, customer_id=customer, pool="repair", queued_at=at),
        sentiment.MessageScored(contact_id=c, customer_id=customer, contact_mood=-0.5, customer_mood=-0.6),
        router.ContactAccepted(contact_id=c, customer_id=customer, pool="repair", seat_id="s1", waited_ms=4000),
    ]
    publisher = Publisher(KafkaSettings(bootstrap=stack.bootstrap))
    await publisher.start()
    rows: dict[str, list[dict[str, Any]]] = {}

    async def enough() -> None:
        async with running.client() as client, client.stream("GET", "/v1/stream") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            kind = ""
            async for line in stream.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    rows.setdefault(kind, []).append(json.loads(value))
                mine = [r for r in rows.get("contact", []) if r["contact_id"] == c]
                pools = [r for r in rows.get("pool", []) if r["pool"] == "repair"]
                if (
                    mine
                    and pools
                    and mine[-1]["state"] == "in_service"
                    and mine[-1]["mood"]
                    and pools[-1]["in_service"]
                    and rows.get("status")
                ):
                    return

    watching = asyncio.create_task(enough())
    try:
        await asyncio.sleep(0.5)
        for n, fact in enumerate(facts):
            await publisher.publish(
                [
                    records.write(
                        fact, event_id=f"{customer}-{n}", source="test", subject=customer, time=at, traceparent=TRACE
                    )
                ]
            )
        await asyncio.wait_for(watching, 15)
    finally:
        watching.cancel()
        await publisher.stop()
    row = [r for r in rows["contact"] if r["contact_id"] == c][-1]
    assert (row["seat_id"], row["waited_s"], row["mood"], row["trace_id"], row["rule"]) == (
        "s1",
        4.0,
        -0.5,
        TRACE[3:35],
        "mood",
    )
    assert rows["status"][-1]["services"]["gateway"]["healthy"] is True
    async with running.client() as client:
        told = (await client.get(f"/v1/customers/{customer}/journey")).json()
        assert {s["kind"] for s in told["steps"]} == {"requested", "said", "routed", "queued", "scored", "accepted"}
        assert told["mood"] == -0.6
        assert any("空调" in s["zh"] for s in told["steps"])
        assert (await client.get("/v1/customers/nobody/journey")).status_code == 404
        assert (await client.get("/v1/contacts/x/explain")).status_code == 503
        assert (await client.get("/", headers={"host": "evil.example"})).status_code == 421
    assert "空调" not in running.log.read_text()


async def test_a_wrong_keys_file_ends_the_process_and_says_so(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.gateway.main", cwd=ROOT, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "KAFKA_BOOTSTRAP": "127.0.0.1:1", "GATEWAY_KEYS_FILE": str(tmp_path / "none.json")},
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert b"GATEWAY_KEYS_FILE" in said and b"can't be read" in said


async def test_kafka_away_is_503_and_what_is_sent_again_arrives(tmp_path: Path) -> None:
    """A stack of its own, as Kafka is ended: before the gateway's start, and in the middle."""
    async with Stack(tmp_path / "stack", parts=["kafka"]) as own:
        await own.stop("kafka")
        async with gateway(own.bootstrap, tmp_path, GATEWAY_PUBLISH_TIMEOUT_S="2") as made, made.client() as client:
            headers = {**AUTH, "content-type": BATCH}
            sent: list[dict[str, Any]] = []

            async def post() -> httpx.Response:
                batch = [answered() for _ in range(20)]
                got = await client.post("/v1/events", content=json.dumps(batch), headers=headers)
                if got.status_code == 202:
                    sent.extend(batch)
                return got

            async def taken() -> bool:
                return (await post()).status_code == 202

            got = await post()
            assert (got.status_code, got.json()["accepted"]) == (503, 0)
            assert int(got.headers["retry-after"]) >= 1
            await own.start("kafka")
            await within(30, taken, "nothing was taken after Kafka came")
            await own.stop("kafka")
            assert (await post()).status_code == 503
            assert (await client.get("/healthz")).status_code == 503
            await own.start("kafka")
            await within(30, taken, "nothing was taken after Kafka came back")
            found = await published(own.bootstrap, {e["id"] for e in sent})
            assert found.keys() == {e["id"] for e in sent}
