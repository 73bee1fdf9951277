"""The broadcast's page at the gateway: who may read it, what is asked of the service, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from touchline.nps.v1 import nps_pb2 as pb

from services.gateway import app
from services.gateway.broadcast import Broadcast
from services.gateway.door import Door
from services.gateway.ingest import Ingest
from services.gateway.keys import KeyRing
from services.gateway.live.hub import Hub
from services.gateway.live.view import LiveView
from services.gateway.peers import Watch
from services.gateway.reading import Reading
from services.gateway.settings import GatewaySettings
from services.runtime.clock import wall_clock
from tests.unit.test_gateway_followups import No


class Service(Broadcast):
    """The nps service's call; the real one is in tests/integration."""

    def __init__(self) -> None:
        self._service: Any = self
        self.asked: list[pb.GetReportRequest] = []
        self.no: Exception | None = None

    async def GetReport(self, request: pb.GetReportRequest, timeout: float) -> pb.GetReportResponse:  # noqa: N802
        self.asked.append(request)
        if self.no is not None:
            raise self.no
        return pb.GetReportResponse(week="2026-W45", html="<!doctype html><title>周播报</title>")


async def get(
    folder: Path, query: str, to: Broadcast, http_bind: str = "127.0.0.1:8080", key: str = ""
) -> httpx.Response:
    keys = folder / "keys.json"
    channels = [{"name": "tv", "key": "t" * 20, "view": True}, {"name": "app", "key": "a" * 20}]
    keys.write_text(json.dumps({"channels": channels}))
    settings = GatewaySettings(gateway_keys_file=keys, http_bind=http_bind)
    watch = Watch({}, wall_clock, "")
    door = Door(KeyRing(keys, lambda: 0.0), None, wall_clock, settings)  # type: ignore[arg-type]
    reading = Reading(Hub(LiveView(), watch.status, waiting=2, watchers=1), None, door, settings)
    made = app.build(Ingest(door, settings), reading, watch, broadcast=to)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://127.0.0.1") as client:
        return await client.get(f"/v1/nps/report{query}", headers={"authorization": f"Bearer {key}"} if key else {})


async def test_the_page_is_told_as_the_service_tells_it(tmp_path: Path) -> None:
    service = Service()
    answer = await get(tmp_path, "?week=2026-W45&lang=en&segment=region%3D华东&segment=store%3Da%3Db", service)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "周播报" in answer.text
    (asked,) = service.asked
    assert (asked.week, asked.language, dict(asked.where)) == ("2026-W45", "en", {"region": "华东", "store": "a=b"})


@pytest.mark.parametrize(
    ("no", "status"), [(No("INVALID_ARGUMENT"), 400), (No("UNAVAILABLE"), 503), (No("DEADLINE_EXCEEDED"), 503)]
)
async def test_what_the_service_refuses_is_told(tmp_path: Path, no: No, status: int) -> None:
    service = Service()
    service.no = no
    answer = await get(tmp_path, "", service)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "query", ["?segment=region", "?segment==x", "?" + "&".join(f"segment=d{n}=v" for n in range(17))]
)
async def test_a_segment_that_is_none_is_named(tmp_path: Path, query: str) -> None:
    answer = await get(tmp_path, query, Service())
    assert (answer.status_code, answer.json()["error"].startswith("segment: ")) == (400, True)


async def test_a_dimension_told_twice_is_refused(tmp_path: Path) -> None:
    service = Service()
    answer = await get(tmp_path, "?segment=region%3D华东&segment=store%3Da&segment=region%3D华北", service)
    assert (answer.status_code, answer.json()) == (400, {"error": "segment: region is told twice"})
    assert not service.asked


async def test_it_asks_for_the_right_to_view_and_for_a_service(tmp_path: Path) -> None:
    abroad = "0.0.0.0:8080"
    for key, status in (("", 401), ("a" * 20, 403), ("t" * 20, 200)):
        assert (await get(tmp_path, "", Service(), abroad, key)).status_code == status
    assert (await get(tmp_path, "", Broadcast(None))).status_code == 503
