"""Follow-ups at the gateway: who may list and act, what is asked of the service, and what it refuses."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from touchline.escalation.v1 import escalation_pb2 as pb

from services.gateway import answers, app, openapi
from services.gateway.door import Door
from services.gateway.followups import Desk, FollowUps
from services.gateway.ingest import Ingest
from services.gateway.keys import KeyRing
from services.gateway.live.hub import Hub
from services.gateway.live.view import LiveView
from services.gateway.peers import Watch
from services.gateway.reading import Reading
from services.gateway.settings import GatewaySettings
from services.runtime.clock import wall_clock

KEYS = {"app": "a" * 20, "tv": "t" * 20, "care": "c" * 20}


class Code:
    def __init__(self, name: str) -> None:
        self.name = name


class No(OSError):
    """What a refused call raises, as far as the gateway looks at it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def code(self) -> Code:
        return Code(self._name)

    def details(self) -> str:
        return "follow_up_id: the follow-up is closed already"


class Service(Desk):
    """The escalation service's calls; the real ones are in tests/integration."""

    def __init__(self) -> None:
        self._service: Any = self
        self.asked: list[Any] = []
        self.no: No | None = None

    async def _answer(self, request: Any, answer: Any) -> Any:
        self.asked.append(request)
        if self.no is not None:
            raise self.no
        return answer

    def follow_up(self, **more: Any) -> pb.FollowUp:
        reasons = [pb.Reason(code="mood_low", weight=0.7, value=-0.9)]
        return pb.FollowUp(follow_up_id="f", customer_id="hu", team="care", risk=0.7, reasons=reasons, **more)

    def ListFollowUps(self, request: pb.ListFollowUpsRequest, timeout: float) -> Any:  # noqa: N802
        return self._answer(request, pb.ListFollowUpsResponse(follow_ups=[self.follow_up()]))

    def GetBudget(self, request: pb.GetBudgetRequest, timeout: float) -> Any:  # noqa: N802
        moved = pb.Threshold(threshold=0.64, started=3, open=2, waiting=1)
        return self._answer(
            request, pb.GetBudgetResponse(teams=[pb.Budget(team="care", capacity=60, thresholds=[moved])])
        )

    def ListCauses(self, request: pb.ListCausesRequest, timeout: float) -> Any:  # noqa: N802
        at = Timestamp(seconds=1_795_000_000)
        wave = pb.CauseWave(cause="batch:LL-1123", wave=1, customers=5, affected=24, reached=21, since=at, heated_at=at)
        store = pb.CauseWave(cause="store:杭州店", wave=1, customers=7, since=at, heated_at=at)
        return self._answer(request, pb.ListCausesResponse(waves=[store, wave]))

    def ClaimFollowUp(self, request: pb.ClaimFollowUpRequest, timeout: float) -> Any:  # noqa: N802
        return self._answer(request, pb.ClaimFollowUpResponse(follow_up=self.follow_up(owner=request.owner)))

    def ReleaseFollowUp(self, request: pb.ReleaseFollowUpRequest, timeout: float) -> Any:  # noqa: N802
        return self._answer(request, pb.ReleaseFollowUpResponse(follow_up=self.follow_up()))

    def CloseFollowUp(self, request: pb.CloseFollowUpRequest, timeout: float) -> Any:  # noqa: N802
        result = pb.RESULT_FAILED if request.failed else pb.RESULT_DONE
        return self._answer(
            request, pb.CloseFollowUpResponse(follow_up=self.follow_up(outcome=request.outcome, result=result))
        )


class Bench:
    def __init__(self, folder: Path, http_bind: str = "127.0.0.1:8080", desk: bool = True) -> None:
        keys = folder / "keys.json"
        channels: list[dict[str, Any]] = [{"name": name, "key": key} for name, key in KEYS.items()]
        channels[1]["view"] = channels[2]["view"] = channels[2]["act"] = True
        keys.write_text(json.dumps({"channels": channels}))
        settings = GatewaySettings(gateway_keys_file=keys, http_bind=http_bind)
        watch = Watch({}, wall_clock, "")
        hub = Hub(LiveView(), watch.status, waiting=2, watchers=1)
        door = Door(KeyRing(keys, lambda: 0.0), None, wall_clock, settings)  # type: ignore[arg-type]
        self.service = Service()
        follow_ups = FollowUps(self.service if desk else None)
        reading = Reading(hub, None, door, settings)
        self.app = app.build(Ingest(door, settings), reading, watch, follow_ups=follow_ups)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
            kind = {"content-type": "application/json"} if body is not None else {}
            return await client.request(method, f"/v1/follow-ups{path}", content=content, headers={**kind, **headers})


def check(name: str, value: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": openapi.document()["components"]}
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)


async def test_the_list_and_the_budget(tmp_path: Path) -> None:
    answer = await Bench(tmp_path).ask("GET", "")
    assert answer.status_code == 200
    check("FollowUps", answer.json())
    (budget,) = answer.json()["budgets"]
    assert (budget["capacity"], budget["started"], budget["threshold"]) == (60, 3, 0.64)
    wave, store = answer.json()["waves"]
    assert (store["kind"], store["name"]) == ("store", "杭州店"), "what may be at the root comes first"
    assert (wave["kind"], wave["name"], wave["affected"], wave["reached"]) == ("batch", "LL-1123", 24, 21)


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("/f/claim", {"owner": "李"}, {"owner": "李"}),
        ("/f/release", {"owner": "李"}, {"owner": "李"}),
        ("/f/done", {"owner": "李"}, {"owner": "李", "outcome": "contacted", "failed": False}),
        ("/f/done", {"owner": "李", "outcome": "换了新机"}, {"outcome": "换了新机", "failed": False}),
        ("/f/failed", {"owner": "李"}, {"outcome": "not_reached", "failed": True}),
    ],
)
async def test_what_is_asked_of_the_service(tmp_path: Path, path: str, body: Any, asked: dict[str, Any]) -> None:
    bench = Bench(tmp_path)
    answer = await bench.ask("POST", path, body)
    assert answer.status_code == 200
    check("FollowUp", answer.json())
    (request,) = bench.service.asked
    assert {name: getattr(request, name) for name in asked} == asked
    assert request.follow_up_id == "f" and request.command_id


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        ({"owner": 1}, {}, 400, "owner"),
        ({}, {}, 400, "owner"),
        ({"owner": "li", "more": 1}, {}, 400, "more"),
        (b"{", {}, 400, "the body"),
        (b"x" * 5000, {}, 413, "4096"),
        (b'{"owner":"\xff"}', {}, 400, "UTF-8"),
        ({"owner": "li", "command_id": 7}, {}, 400, "command_id"),
        ({"owner": "li", "command_id": "x" * 201}, {}, 400, "command_id"),
        ({"owner": "li", "command_id": "a\nb"}, {}, 400, "command_id"),
        ({"owner": "li"}, {"content-type": "text/plain"}, 415, "content-type"),
        ({"owner": "li"}, {"sec-fetch-site": "cross-site"}, 403, "elsewhere"),
        ({"owner": "li"}, {"host": "evil.example"}, 421, "GATEWAY_ALLOWED_HOSTS"),
    ],
)
async def test_a_wrong_call_is_refused_and_nothing_is_asked(
    tmp_path: Path, body: Any, headers: dict[str, str], status: int, says: str
) -> None:
    bench = Bench(tmp_path)
    answer = await bench.ask("POST", "/f/claim", body, **headers)
    assert (answer.status_code, bench.service.asked) == (status, [])
    assert says in answer.json()["error"]


@pytest.mark.parametrize(
    ("name", "may_list", "may_act"), [("", 401, 401), ("app", 403, 403), ("tv", 200, 403), ("care", 200, 200)]
)
async def test_elsewhere_than_on_loopback_a_key_says_who_may(
    tmp_path: Path, name: str, may_list: int, may_act: int
) -> None:
    bench = Bench(tmp_path, http_bind="0.0.0.0:8080")
    key = {"authorization": f"Bearer {KEYS[name]}"} if name else {}
    assert (await bench.ask("GET", "", **key)).status_code == may_list
    assert (await bench.ask("POST", "/f/claim", {"owner": "li"}, **key)).status_code == may_act


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("FAILED_PRECONDITION", 409),
        ("NOT_FOUND", 404),
        ("INVALID_ARGUMENT", 400),
        ("UNAVAILABLE", 503),
        ("DEADLINE_EXCEEDED", 504),
    ],
)
async def test_what_the_service_refuses(tmp_path: Path, code: str, status: int) -> None:
    bench = Bench(tmp_path)
    bench.service.no = No(code)
    answer = await bench.ask("POST", "/f/done", {"owner": "li"})
    assert answer.status_code == status
    (request,) = bench.service.asked
    if status < 500:
        assert "closed already" in answer.json()["error"]
    else:  # it may have been done: the caller is told by which name to ask again
        assert "may yet be carried out" in answer.json()["error"]
        assert answer.json()["command_id"] == request.command_id
        assert ("retry-after" in answer.headers) == (status == 503)
    check("Error", answer.json())


@pytest.mark.parametrize("act", ["claim", "release", "done", "failed"])
async def test_a_call_is_repeated_under_the_name_it_was_given(tmp_path: Path, act: str) -> None:
    bench = Bench(tmp_path)
    for _ in range(2):
        assert (await bench.ask("POST", f"/f/{act}", {"owner": "li", "command_id": "mine-1"})).status_code == 200
    assert [r.command_id for r in bench.service.asked] == ["mine-1"] * 2
    for _ in range(2):
        await bench.ask("POST", f"/f/{act}", {"owner": "li"})
    names = {r.command_id for r in bench.service.asked}
    assert len(names) == 3 and "" not in names


async def test_a_list_in_vain_says_nothing_of_repeating(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.service.no = No("DEADLINE_EXCEEDED")
    answer = await bench.ask("GET", "")
    assert (answer.status_code, answer.json()) == (503, {"error": "the escalation service does not answer"})


async def test_a_service_that_answered_and_failed_is_not_said_to_be_silent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.service.no = No("INTERNAL")
    answer = await bench.ask("GET", "")
    told = "the escalation service failed (INTERNAL); its log says why"
    assert (answer.status_code, answer.json()) == (503, {"error": told})
    answer = await bench.ask("POST", "/f/claim", {"owner": "li", "command_id": "mine"})
    assert (answer.status_code, answer.json()["command_id"]) == (503, "mine")
    assert answer.json()["error"].startswith(f"{told}: ")


async def test_a_body_that_does_not_arrive_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "BODY_WITHIN_S", 0.01)
    bench = Bench(tmp_path)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(bench.app), base_url="http://127.0.0.1") as client:
        kind = {"content-type": "application/json"}
        answer = await client.post("/v1/follow-ups/f/claim", content=never(), headers=kind)
    assert (answer.status_code, bench.service.asked) == (408, [])
    check("Error", answer.json())


async def test_a_caller_who_leaves_halfway_is_no_defect(tmp_path: Path) -> None:
    arriving = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"host", b"127.0.0.1")]
    path = "/v1/follow-ups/f/claim"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": headers}
    bench = Bench(tmp_path)
    await bench.app({**scope, "query_string": b"", "root_path": "", "http_version": "1.1"}, receive, send)
    assert (sent[0]["status"], bench.service.asked) == (400, [])


async def test_without_the_service_it_says_so(tmp_path: Path) -> None:
    answer = await Bench(tmp_path, desk=False).ask("GET", "")
    assert (answer.status_code, answer.json()) == (503, {"error": "ESCALATION_ADDR is not set"})
