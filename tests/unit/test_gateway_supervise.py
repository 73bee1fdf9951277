"""A supervisor's commands and the router's explanations at the gateway: what is asked, and what is told of a refusal."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from touchline.router.v1 import router_pb2 as pb

from services.gateway import app
from services.gateway.door import Door
from services.gateway.ingest import Ingest
from services.gateway.keys import KeyRing
from services.gateway.live.hub import Hub
from services.gateway.live.view import LiveView
from services.gateway.peers import Explains, Seats, Watch
from services.gateway.reading import Reading
from services.gateway.settings import GatewaySettings
from services.gateway.supervise import Supervise
from services.runtime.clock import wall_clock
from tests.unit.test_gateway_followups import No, check


class Router:
    """The router's calls; the real ones are in tests/integration."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.no: No | None = None

    def __getattr__(self, method: str) -> Callable[..., Any]:
        async def call(request: Any, timeout: float) -> Any:
            self.asked.append(request)
            if self.no is not None:
                raise self.no
            return getattr(pb, f"{method}Response")()

        return call


class Bench:
    def __init__(self, folder: Path) -> None:
        keys = folder / "keys.json"
        keys.write_text(json.dumps({"channels": [{"name": "app", "key": "a" * 20}]}))
        settings = GatewaySettings(gateway_keys_file=keys)
        watch = Watch({}, wall_clock, "")
        door = Door(KeyRing(keys, lambda: 0.0), None, wall_clock, settings)  # type: ignore[arg-type]
        self.router = Router()
        supervise, explains = Supervise(None), Explains(_NoChannel())
        supervise._router = explains._router = self.router
        hub = Hub(LiveView(), watch.status, waiting=2, watchers=1)
        reading = Reading(hub, explains.explain, door, settings)
        self.app = app.build(Ingest(door, settings), reading, watch, supervise=supervise)

    async def ask(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        headers = {"content-type": "application/json"} if content is not None else {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1") as client:
            return await client.request(method, path, content=content, headers=headers)


class _Floor:
    """A router that has one pool."""

    def __init__(self, *states: str) -> None:
        self._seats = [pb.Seat(seat_id=str(i), state=state) for i, state in enumerate(states)]

    async def GetPool(self, request: Any, timeout: float) -> pb.GetPoolResponse:  # noqa: N802 (gRPC's name)
        return pb.GetPoolResponse(pool=request.pool, seats=self._seats)


class _NoChannel:
    def unary_unary(self, *_: Any, **__: Any) -> None:
        return None


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("mode", {"mode": "managed", "by": "w", "reason": "风暴"}),
        ("assign", {"seat_id": "s", "contact_id": "c", "by": "w"}),
        ("drain", {"seat_id": "s", "by": "w"}),
    ],
)
async def test_a_command_is_asked_as_it_was_told_and_can_be_repeated(
    bench: Bench, command: str, fields: dict[str, str]
) -> None:
    for body in ({**fields, "command_id": "mine"}, fields, fields):
        answer = await bench.ask("POST", f"/v1/pools/care/{command}", json.dumps(body).encode())
        assert answer.status_code == 200
    told, *unnamed = bench.router.asked
    assert {name: getattr(told, name) for name in fields} == fields
    assert (told.pool, told.command_id) == ("care", "mine")
    assert len({"", *(r.command_id for r in unnamed)}) == 3, "the gateway names each call that has no name"


async def test_a_pools_seats_are_counted_as_the_router_has_them(bench: Bench) -> None:
    counted = Seats(_NoChannel())
    counted._router = _Floor("ready", "ready", "paused", "away", "draining", "signed_out")
    assert await counted.count("care") == (2, 5)
    counted._router = bench.router
    assert await counted.count("care") == (0, 0)
    bench.router.no = No("NOT_FOUND")
    assert await counted.count("care") == (0, 0)
    bench.router.no = No("UNAVAILABLE")
    assert await counted.count("care") is None, "what was told last stands"


@pytest.mark.parametrize(
    "body",
    [
        b'{"by":"\\ud800","mode":"managed"}',
        b'{"by":"\\udc00 and more","mode":"managed"}',
        b'{"by":"\xff"}',
        b'{"by":1}',
        b'{"seat_id":"s"}',
        b"[]",
        b"",
        b'{"by":' + b"[" * 4000,
        b'{"by":"w","command_id":"' + b"x" * 201 + b'"}',
    ],
)
async def test_a_wrong_body_is_refused_and_nothing_is_asked(bench: Bench, body: bytes) -> None:
    answer = await bench.ask("POST", "/v1/pools/service/mode", body)
    assert (answer.status_code, bench.router.asked) == (400, [])
    check("Error", answer.json())


@pytest.mark.parametrize(
    ("code", "status"),
    [("INVALID_ARGUMENT", 400), ("FAILED_PRECONDITION", 409), ("UNAVAILABLE", 503), ("DEADLINE_EXCEEDED", 504)],
)
async def test_what_the_router_refuses(bench: Bench, code: str, status: int) -> None:
    bench.router.no = No(code)
    answer = await bench.ask("POST", "/v1/pools/care/drain", b'{"seat_id":"s","by":"w"}')
    assert answer.status_code == status
    (request,) = bench.router.asked
    assert answer.json().get("command_id") == (request.command_id if status >= 500 else None)


@pytest.mark.parametrize(
    ("code", "status"),
    [("INVALID_ARGUMENT", 400), ("NOT_FOUND", 404), ("UNAVAILABLE", 503), ("DEADLINE_EXCEEDED", 503)],
)
async def test_an_explanation_refused_is_not_an_outage(bench: Bench, code: str, status: int) -> None:
    bench.router.no = No(code)
    answer = await bench.ask("GET", "/v1/contacts/%00/explain")
    assert (answer.status_code, "retry-after" in answer.headers) == (status, status == 503)
