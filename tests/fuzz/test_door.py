"""The gateway's door, over HTTP in process and over gRPC's servicer: an event is let in whole or refused with its reason.

What is published is held against the answer after every request: so many accepted, so many records, each of them readable.
"""

import asyncio
import base64
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from hypothesis import strategies as st
from touchline.gateway.v1 import gateway_pb2

from services.gateway import app
from services.gateway.accept import Acceptance, accept
from services.gateway.cloudevents import BATCH, STRUCTURED, UnsupportedMediaType, read
from services.gateway.door import Door
from services.gateway.ingest import Ingest
from services.gateway.keys import KeyRing
from services.gateway.live.hub import Hub
from services.gateway.live.view import LiveView
from services.gateway.peers import Watch
from services.gateway.reading import Reading
from services.gateway.rpc import GatewayServicer
from services.gateway.settings import GatewaySettings
from services.runtime import records
from services.runtime.catalogue import EventType
from services.runtime.clock import wall_clock
from services.runtime.records import JSON, PROTOBUF, Outgoing, Record
from services.runtime.rpc import RpcError
from tests.fuzz import shapes
from tests.fuzz.harness import fuzz

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
KEY = "k" * 24
STATUSES = {202, 400, 401, 408, 413, 415}


class Kafka:
    """Takes everything, and remembers it."""

    def __init__(self) -> None:
        self.published: list[Outgoing] = []

    async def publish(self, records: Sequence[Outgoing]) -> None:
        self.published.extend(records)


class Gateway:
    """The application, with Kafka's stand-in."""

    def __init__(self) -> None:
        keys = Path(tempfile.mkdtemp()) / "keys.json"
        keys.write_text(json.dumps({"channels": [{"name": "app", "key": KEY}]}))
        self.settings = GatewaySettings(gateway_keys_file=keys, gateway_trace_ratio=0, gateway_max_body_bytes=200_000)
        keys_ring = KeyRing(keys, lambda: 0.0)
        keys.unlink()
        keys.parent.rmdir()
        self.kafka = Kafka()
        self.door = Door(keys_ring, self.kafka, wall_clock, self.settings)
        watch = Watch({}, wall_clock, "")
        reading = Reading(Hub(LiveView(), watch.status), None, self.door, self.settings)
        self.app = app.build(Ingest(self.door, self.settings), reading, watch)
        self._loop = asyncio.new_event_loop()

    def post(self, body: bytes, headers: dict[str, str | bytes]) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)  # an exception inside comes out of it, and fails the test
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.post("/v1/events", content=body, headers=headers)

        return self.run(ask())

    def run(self, work: Any) -> Any:
        asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(work)

    def taken(self) -> list[Outgoing]:
        found, self.kafka.published = self.kafka.published, []
        return found


@cache
def gateway() -> Gateway:
    return Gateway()


def readable(published: Sequence[Outgoing], now: datetime) -> None:
    """Each service can read what was let in: no event is half one."""
    for out in published:
        records.read(Record(out.topic, 0, 0, out.key, out.value, out.headers), now)


def checked(found: Acceptance, given: int) -> None:
    assert len(found.records) + len(found.rejected) == given
    readable(found.records, NOW)
    for wrong in found.rejected:
        assert 0 <= wrong.index < max(1, given) and wrong.field and wrong.reason
        assert shapes.SECRET not in wrong.field + wrong.reason and len(wrong.reason) < 300


def event_of(kind: EventType, rng: random.Random) -> Any:
    """A structured event, nearly right."""
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/channels/app",
        "type": kind.name,
        "subject": "c1",
        "time": rng.choice(("2026-11-01T08:59:00Z", "2026-11-01T16:59:00.123456789+08:00", "2026-11-01t08:59:00z")),
        "datacontenttype": JSON,
    }
    if rng.random() < 0.2:
        packed = shapes.mutated(shapes.message(kind.message, rng).SerializeToString(), rng)
        made |= {"datacontenttype": PROTOBUF, "data_base64": base64.b64encode(packed).decode()}
    else:
        made["data"] = shapes.data_of(kind, rng)
    for name in (*made, "traceparent", "extension"):
        if rng.random() < 0.04:
            made[name] = rng.choice(shapes.ODD + shapes.TEXTS)
    return made if rng.random() < 0.98 else rng.choice(shapes.ODD)


@fuzz(4, kinds=st.lists(shapes.event_types, max_size=4), seed=shapes.seeds, structured=st.booleans())
def test_structured_and_batched_events(kinds: list[EventType], seed: int, structured: bool) -> None:
    rng = random.Random(seed)
    events = [event_of(kind, rng) for kind in kinds]
    body = shapes.dumps(events[0] if structured and events else events)
    body = shapes.mutated(body, rng) if rng.random() < 0.2 else body
    found = read({"content-type": STRUCTURED if structured and events else BATCH}, body, 3)
    checked(accept(found, NOW, lambda kind, event_id, own: own), len(found))


@fuzz(2, kind=shapes.event_types, seed=shapes.seeds)
def test_binary_events(kind: EventType, seed: int) -> None:
    rng = random.Random(seed)
    content = rng.choice((JSON, PROTOBUF))
    value = shapes.message(kind.message, rng).SerializeToString()
    body = shapes.mutated(value if content == PROTOBUF else shapes.dumps(shapes.data_of(kind, rng)), rng)
    headers = {"content-type": content, "ce-specversion": "1.0", "ce-id": "e", "ce-source": "s", "ce-type": kind.name,
               "ce-subject": rng.choice(("c1", "%E5%90%8D", "å\x90\x8d", "%ff", "%00", "%", "\xff"))}  # fmt: skip
    for name in list(headers):
        if rng.random() < 0.06:
            headers[name] = rng.choice(shapes.TEXTS).encode().decode("latin-1")
    try:
        found = read(headers, body, 3)
    except UnsupportedMediaType:
        return
    checked(accept(found, NOW, lambda kind, event_id, own: own), len(found))


@fuzz(2, body=st.binary(max_size=300) | shapes.anything.map(shapes.dumps), kind=st.sampled_from([STRUCTURED, BATCH]))
def test_any_body(body: bytes, kind: str) -> None:
    found = read({"content-type": kind}, body, 10)
    checked(accept(found, NOW, lambda kind, event_id, own: own), len(found))


def _headers(rng: random.Random) -> dict[str, str | bytes]:
    found: dict[str, str | bytes] = {
        "authorization": f"Bearer {KEY}",
        "content-type": rng.choice((STRUCTURED, BATCH, BATCH + "; charset=utf-8", JSON, PROTOBUF, "text/plain", "")),
        "traceparent": rng.choice(("", f"00-{'ab' * 16}-{'cd' * 8}-01", "00-0-0-0", "x" * 3000)),
    }
    odd = rng.random()
    if odd < 0.1:
        found["authorization"] = rng.choice(
            ("", "Bearer", "Bearer " + "x" * 24, "Basic !!", b"Bearer \xff\xfe", "bearer  " + KEY)
        )
    elif odd < 0.2:
        found["content-encoding"] = rng.choice(("gzip", "br", "identity"))
    elif odd < 0.3:
        found[f"ce-{rng.choice(('id', 'x', 'type'))}"] = rng.choice((b"\xff", b"\x80%00", b"%F0%9F", "a"))
    return found


@fuzz(2, kinds=st.lists(shapes.event_types, max_size=5), seed=shapes.seeds)
def test_requests_have_their_effect_whole_or_not_at_all(kinds: list[EventType], seed: int) -> None:
    rng, at = random.Random(seed), gateway()
    events = [event_of(kind, rng) for kind in kinds]
    body = shapes.dumps(events if rng.random() < 0.8 else event_of(rng.choice(kinds), rng) if kinds else None)
    body = shapes.mutated(body, rng) if rng.random() < 0.3 else body
    answer = at.post(body, _headers(rng))
    published = at.taken()
    assert answer.status_code in STATUSES, answer.text
    told = answer.json()
    assert told["accepted"] == len(published)
    assert (answer.status_code == 202) or not published
    assert answer.status_code == 202 or told["rejected"]
    for wrong in told["rejected"]:
        assert wrong["field"] and wrong["reason"] and shapes.SECRET not in wrong["field"] + wrong["reason"]
    readable(published, wall_clock())


class Context:
    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", self._authorization),)


@fuzz(2, kinds=st.lists(shapes.event_types, max_size=5), seed=shapes.seeds)
def test_grpc_has_its_effect_whole_or_not_at_all(kinds: list[EventType], seed: int) -> None:
    rng, at = random.Random(seed), gateway()
    request = gateway_pb2.PublishRequest()
    for kind in kinds:
        content = rng.choice((JSON, PROTOBUF, PROTOBUF, "", "x"))
        value = shapes.message(kind.message, rng).SerializeToString()
        data = value if content == PROTOBUF else shapes.dumps(shapes.data_of(kind, rng))
        request.events.add(
            id=rng.choice(("e1", "e1", "", *shapes.TEXTS)), source="s", type=rng.choice((kind.name, kind.name, "x")),
            subject=rng.choice(("c1", "c1", *shapes.TEXTS)), time=rng.choice(("", "2026-11-01T08:59:00Z", "x")),
            datacontenttype=content, data=shapes.mutated(data, rng), traceparent=rng.choice(("", "x")),
        )  # fmt: skip
    servicer = GatewayServicer(at.door, at.settings)
    context = Context(rng.choice((f"Bearer {KEY}",) * 9 + ("Bearer x",)))
    try:
        answer = at.run(servicer.Publish(request, context))
    except RpcError as refusal:
        assert at.taken() == [] and refusal.reason and shapes.SECRET not in refusal.reason
        assert refusal.code.name in ("INVALID_ARGUMENT", "UNAUTHENTICATED")
        return
    published = at.taken()
    assert answer.accepted == len(published) and answer.accepted + len(answer.rejected) == len(kinds)
    readable(published, wall_clock())


def test_the_check_would_notice(monkeypatch: Any) -> None:
    """A door that publishes what it then refuses: the half effect that these tests look for."""
    at = Gateway()
    whole: Callable[..., Any] = at.door._answer

    def forgetful(channel: Any, found: Acceptance) -> Any:
        found.records.clear()
        return whole(channel, found)

    monkeypatch.setattr(at.door, "_answer", forgetful)
    good = {"specversion": "1.0", "id": "1", "source": "s", "type": "touchline.survey.SurveyRetracted.v1",
            "subject": "c", "data": {"surveyId": "s1"}}  # fmt: skip
    answer = at.post(shapes.dumps([good]), {"authorization": f"Bearer {KEY}", "content-type": BATCH})
    assert answer.json()["accepted"] != len(at.taken())
