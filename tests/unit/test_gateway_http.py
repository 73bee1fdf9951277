"""The HTTP side without Kafka: statuses, the read side's guard, the interface's description."""

import contextlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.gateway import app, openapi
from services.gateway.cloudevents import BATCH, STRUCTURED
from services.gateway.door import Door
from services.gateway.ingest import Ingest
from services.gateway.keys import KeyRing
from services.gateway.live.hub import Hub
from services.gateway.live.view import LiveView
from services.gateway.peers import Watch
from services.gateway.reading import Reading
from services.gateway.settings import GatewaySettings
from services.runtime.clock import wall_clock
from services.runtime.errors import Transient
from services.runtime.records import JSON, Outgoing, Record

KEY, VIEW = "k" * 24, "v" * 24


class Kafka:
    """Stands in for the publisher where it is the door that is tested; real Kafka is in tests/integration."""

    def __init__(self) -> None:
        self.away = False
        self.published: list[Outgoing] = []

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if self.away:
            raise Transient("Kafka is away")
        self.published.extend(records)


class Bench:
    def __init__(self, folder: Path, **changes: Any) -> None:
        keys = folder / "keys.json"
        channels = [{"name": "app", "key": KEY, "rate_per_s": 100}, {"name": "tv", "key": VIEW, "view": True}]
        keys.write_text(json.dumps({"channels": channels}))
        self.now = 0.0
        self.settings = GatewaySettings(gateway_keys_file=keys, **changes)
        self.kafka = Kafka()
        watch = Watch({}, wall_clock, "")
        self.hub = Hub(LiveView(), watch.status, waiting=2, watchers=1)
        door = Door(KeyRing(keys, lambda: self.now), self.kafka, wall_clock, self.settings)
        self.reading = Reading(self.hub, self.why, door, self.settings)
        self.app: Starlette = app.build(Ingest(door, self.settings), self.reading, watch)

    async def why(self, contact_id: str) -> dict[str, Any] | None:
        if contact_id == "away":
            raise ConnectionError
        decision = {"at": "2026-11-01T09:00:00Z", "kind": "triaged", "zh": "人工", "en": "a human"}
        return {"contact_id": contact_id, "decisions": [decision]} if contact_id == "c1" else None

    def client(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)

    async def post(self, content: Any, kind: str = BATCH, key: str = KEY) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        async with self.client(authorization=f"Bearer {key}") as client:
            return await client.post("/v1/events", content=body, headers={"content-type": kind})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def resolved(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": openapi.document()["components"]}


def check(name: str, value: Any) -> None:
    jsonschema.validate(value, resolved(name), jsonschema.Draft202012Validator)


async def test_answers_keep_the_described_shape(bench: Bench) -> None:
    taken = await bench.post([openapi.EXAMPLE, {**openapi.EXAMPLE, "data": {}}])
    assert (taken.status_code, taken.json()["accepted"]) == (202, 1)
    assert len(bench.kafka.published) == 1
    answers = [
        taken,
        await bench.post([{}]),
        await bench.post(b"{"),
        await bench.post([], key="wrong" * 5),
        await bench.post([], "text/plain"),
    ]
    assert [a.status_code for a in answers] == [202, 400, 400, 401, 415]
    for answer in answers:
        check("Answer", answer.json())


async def test_kafka_away_is_503_with_nothing_accepted(bench: Bench) -> None:
    bench.kafka.away = True
    got = await bench.post([openapi.EXAMPLE])
    assert (got.status_code, got.json()["accepted"]) == (503, 0)
    assert int(got.headers["retry-after"]) >= 1
    check("Answer", got.json())
    bench.kafka.away = False
    assert (await bench.post([openapi.EXAMPLE])).status_code == 202


async def test_over_the_rate_is_429_until_the_told_time_has_passed(bench: Bench) -> None:
    events = [openapi.EXAMPLE] * 700
    assert (await bench.post(events)).status_code == 202
    limited = await bench.post([openapi.EXAMPLE])
    wait = int(limited.headers["retry-after"])
    assert (limited.status_code, wait) == (429, 6)
    assert len(bench.kafka.published) == 700
    check("Answer", limited.json())
    bench.now = wait
    assert (await bench.post([openapi.EXAMPLE])).status_code == 202


async def test_bounds_of_size(tmp_path: Path) -> None:
    bench = Bench(tmp_path, gateway_max_body_bytes=10_000, gateway_max_batch_events=3, gateway_max_event_bytes=300)
    assert (await bench.post(b" " * 10_001)).status_code == 413
    assert (await bench.post([openapi.EXAMPLE] * 4)).status_code == 413
    large = {**openapi.EXAMPLE, "data": {**openapi.EXAMPLE["data"], "comment": "x" * 400}}
    assert (await bench.post(large, STRUCTURED)).status_code == 413
    assert (await bench.post([large, openapi.EXAMPLE])).status_code == 202


async def test_on_loopback_reading_is_open_to_its_own_name_only(bench: Bench) -> None:
    async with bench.client() as client:
        for path in ("/", "/docs", "/openapi.json", "/static/dashboard.css", "/static/plotly.min.js"):
            got = await client.get(path)
            assert got.status_code == 200, path
            assert "default-src 'self'" in got.headers["content-security-policy"]
            assert (await client.get(path, headers={"host": "evil.example"})).status_code == 421
        for host in ("localhost:8080", "127.0.0.1", "[::1]:8080"):
            assert (await client.get("/docs", headers={"host": host})).status_code == 200
        for path in ("/static/none.js", "/static/index.html", "/static/__init__.py", "/static/%2e%2e%2fapp.py"):
            assert (await client.get(path)).status_code == 404, path


async def test_elsewhere_reading_needs_a_key_that_may_view(tmp_path: Path) -> None:
    bench = Bench(tmp_path, http_bind="0.0.0.0:8080")
    async with bench.client() as client:
        for path in ("/", "/v1/stream", "/v1/customers/x/journey", "/v1/contacts/c1/explain", "/docs"):
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers={"authorization": f"Bearer {KEY}"})).status_code == 403
        assert (await client.get("/docs", headers={"authorization": f"Bearer {VIEW}"})).status_code == 200
        assert (await client.get("/docs", auth=("anyone", VIEW))).status_code == 200
        assert (await client.get("/docs", auth=("anyone", "wrong"))).status_code == 401
        assert (await client.get("/docs", headers={"authorization": "Basic ???"})).status_code == 401


async def test_who_may_command_pools(bench: Bench, tmp_path: Path) -> None:
    """On loopback whoever calls it by its name, though nothing is asked without a router; elsewhere who may supervise."""
    async with bench.client() as client:
        got = await client.post("/v1/pools/care/mode", json={"mode": "managed", "by": "w"})
    assert got.status_code == 503 and "ROUTER_ADDR" in got.json()["error"]
    bench.settings = bench.settings.model_copy(update={"http_bind": "0.0.0.0:8380"})
    bench.reading._settings = bench.settings
    async with bench.client() as client:
        for key, status in (("", 401), (KEY, 403), (VIEW, 403)):
            told = {"authorization": f"Bearer {key}"} if key else {}
            assert (await client.post("/v1/pools/care/drain", json={}, headers=told)).status_code == status


async def test_explain(bench: Bench) -> None:
    async with bench.client() as client:
        got = [await client.get(f"/v1/contacts/{c}/explain") for c in ("c1", "nobody", "away")]
    assert [g.status_code for g in got] == [200, 404, 503]
    check("Explanation", got[0].json())
    check("Error", got[1].json())


async def test_what_starlette_itself_refuses_is_told_as_all_else(bench: Bench) -> None:
    async def broken(_: Any) -> Response:
        raise RuntimeError("a secret")

    bench.app.router.routes.append(Route("/broken", broken))
    transport = httpx.ASGITransport(bench.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        got = [await client.get(p) for p in ("/v1/none", "/static/none.js", "/broken")] + [await client.post("/docs")]
    assert [g.status_code for g in got] == [404, 404, 500, 405]
    for one in got:
        check("Error", one.json())
        assert "secret" not in one.text
    assert "GET" in got[3].headers["allow"]


async def test_health_follows_kafka(bench: Bench) -> None:
    async with bench.client() as client:
        got = await client.get("/healthz")
    assert got.status_code == 503
    check("Health", got.json())


def test_every_route_is_described_and_nothing_else(bench: Bench) -> None:
    described = {
        (p, m.upper()) for p, item in openapi.document()["paths"].items() for m in item if m in ("get", "post")
    }
    routed = {
        (r.path_format, m) for r in bench.app.routes if isinstance(r, Route) for m in r.methods or () if m != "HEAD"
    }
    assert described == routed


def test_the_description_holds_together() -> None:
    document = openapi.document()
    schemas = document["components"]["schemas"]
    for ref in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert ref in schemas
    for name in schemas:
        jsonschema.Draft202012Validator.check_schema(resolved(name))
    check("Event", openapi.EXAMPLE)
    for path, item in document["paths"].items():
        operations = [o for m, o in item.items() if m in ("get", "post")]
        parameters = [*item.get("parameters", ()), *(p for o in operations for p in o.get("parameters", ()))]
        named = {p["name"] for p in parameters if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), path
        for operation in operations:
            assert operation["summary"] and operation["responses"]


async def test_each_example_is_accepted(bench: Bench) -> None:
    content = openapi.document()["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    assert (await bench.post(content[STRUCTURED]["example"], STRUCTURED)).json()["accepted"] == 1
    assert (await bench.post(content[BATCH]["example"])).json()["accepted"] == 1
    attributes = {f"ce-{k}": str(v) for k, v in openapi.EXAMPLE.items() if k not in ("data", "datacontenttype")}
    async with bench.client(authorization=f"Bearer {KEY}", **attributes) as client:
        got = await client.post("/v1/events", json=content[JSON]["example"])
    assert got.json() == {"accepted": 1, "rejected": []}


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    page = openapi.page()
    assert "POST".lower() in page and "/v1/events" in page
    assert not re.search(r"(src|href)=['\"]?(https?:)?//", page)


async def test_a_slow_watcher_is_let_go_and_others_are_not_held_up(bench: Bench) -> None:
    bench.hub._most = 2
    slow, quick = bench.hub.watch(), bench.hub.watch()
    assert b"retry" in await anext(slow)
    assert b"retry" in await anext(quick)
    for n in range(5):
        bench.hub._send(b"%d" % n)
        assert await anext(quick) == b"%d" % n
    assert bench.hub.dropped == 1
    with pytest.raises(StopAsyncIteration):
        await anext(slow)
    await quick.aclose()
    assert not bench.hub._watchers


async def test_a_place_among_the_watchers_is_taken_at_once_and_given_back_unread(bench: Bench) -> None:
    """Between the count and the first row there was a moment in which any number could come in."""

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def broken(_: Any) -> None:
        raise OSError

    request = Request({"type": "http", "headers": []})
    first = await bench.reading.stream(request)
    assert (await bench.reading.stream(request)).status_code == 503
    with contextlib.suppress(Exception):  # the connection is gone before anything was sent
        await first({"type": "http", "asgi": {"spec_version": "2.4"}}, gone, broken)
    again = bench.hub.watch()
    bench.hub._send(b"told before the first row")
    assert (await anext(again)).startswith(b"retry")
    bench.hub._send(b"told after")
    assert await anext(again) == b"told after"
    bench.hub.close()
    with pytest.raises(StopAsyncIteration):
        await anext(again)
    unread = bench.hub.watch()
    bench.hub.close()
    with pytest.raises(StopAsyncIteration):
        await anext(unread)


async def test_an_id_with_a_slash_can_be_asked_for(bench: Bench) -> None:
    await bench.post([{**openapi.EXAMPLE, "subject": "华东/hu"}])
    [out] = bench.kafka.published
    bench.hub.view.apply(Record(out.topic, 0, 0, out.key, out.value, out.headers))
    async with bench.client() as client:
        found = await client.get(f"/v1/customers/{quote('华东/hu', safe='')}/journey")
        assert (found.status_code, found.json()["customer_id"]) == (200, "华东/hu")
        assert (await client.get(f"/v1/contacts/{quote('a/c1', safe='')}/explain")).json() == {
            "error": "the router knows no such contact"
        }
