"""What is said where something ends that should not: in our words, and nothing is let go that Kafka never refused."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import grpc.aio
import pytest
from opentelemetry.metrics import CallbackOptions
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.runtime.v1 import status_pb2

from services.runtime import service
from services.runtime.checkpoint import Place, Unsent
from services.runtime.errors import Misconfigured, Transient
from services.runtime.lag import Lag
from services.runtime.patience import Patience
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing
from services.runtime.relay import Relay
from services.runtime.rpc import RpcServer, Servicer, channel
from services.runtime.settings import KafkaSettings, RpcSettings

ENDS = """
from services.runtime import service
async def build(house): ...
async def ends(*_):
    {what}
service._serve = ends
service.serve("router", build)
"""
RAISES = "raise KeyError('电话 13800001111')"
UNHEARD = """import asyncio, gc
    from services.runtime.endings import unheard
    asyncio.get_running_loop().set_exception_handler(unheard)
    async def carried(): raise KeyError('电话 13800001111')
    task = asyncio.create_task(carried()); await asyncio.sleep(0.01); del task; gc.collect()"""


@pytest.mark.parametrize(("what", "code"), [(RAISES, 1), (UNHEARD, 0)])
def test_the_words_of_what_ends_unforeseen_stay_out_of_the_log(what: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDS.format(what=what)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == code
    assert "KeyError" in done.stderr and "13800001111" not in done.stderr


async def test_facts_wait_where_a_certificate_is_being_replaced(tmp_path: Path) -> None:
    gone = tmp_path / "being-replaced.pem"
    publisher = Publisher(KafkaSettings(bootstrap="127.0.0.1:1", security_protocol="SSL", ssl_cafile=str(gone)))
    with pytest.raises(Misconfigured):
        await publisher.start()
    publisher._has_served = True  # its producer was let go after some trouble
    relay = Relay("counting", publisher, Patience("counting"))
    with pytest.raises(Transient):
        await relay.publish([Unsent(7, (Outgoing("routing.decided", b"hu", b"", ()),))])
    assert relay.acknowledged == []


class _Broken(nps_pb2_grpc.NpsServiceServicer):
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def GetCustomerNps(self, request: object, context: object) -> nps_pb2.GetCustomerNpsResponse:  # noqa: N802
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (asyncpg.UndefinedColumnError("column hu"), grpc.StatusCode.INTERNAL),
        (asyncpg.ConnectionDoesNotExistError("gone"), grpc.StatusCode.UNAVAILABLE),
        (ConnectionRefusedError(), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_a_statement_of_ours_that_is_wrong_is_no_outage(error: Exception, status: grpc.StatusCode) -> None:
    async def well() -> status_pb2.GetStatusResponse:
        return status_pb2.GetStatusResponse()

    answers = Servicer(nps_pb2_grpc.add_NpsServiceServicer_to_server, _Broken(error), "touchline.nps.v1.NpsService")
    server = RpcServer(RpcSettings(bind="127.0.0.1:0"), [answers], well)
    await server.start()
    try:
        async with channel(f"127.0.0.1:{server.port}", RpcSettings()) as asked:
            with pytest.raises(grpc.aio.AioRpcError) as found:
                await nps_pb2_grpc.NpsServiceStub(asked).GetCustomerNps(nps_pb2.GetCustomerNpsRequest())
    finally:
        await server.stop(0)
    assert found.value.code() is status
    assert "hu" not in (found.value.details() or "")


class _Away:
    """A broker that is away for whoever only asks."""

    there = True

    async def ends(self) -> dict[Place, int]:
        if not self.there:
            raise Transient("Kafka is away")
        return {Place("t", 0): 5}

    async def bounds(self, places: set[Place]) -> dict[Place, tuple[int, int]]:
        return {}

    async def behind(self) -> tuple[dict[Place, int], int]:
        return {Place("t", 0): 3}, 1


async def test_a_broker_away_shows_where_nothing_is_to_be_published(monkeypatch: pytest.MonkeyPatch) -> None:
    away = _Away()
    lag = Lag("counting", away, away)  # type: ignore[arg-type]
    made = service._Pipeline.__new__(service._Pipeline)
    made.runner = SimpleNamespace(lag=lag)  # type: ignore[assignment]
    tried: list[str] = []
    monkeypatch.setattr(service._Pipeline, "tried_again", lambda _, error: tried.append(error))
    monkeypatch.setattr(service, "LAG_EVERY_S", 0.02)
    watching = asyncio.create_task(service._watch_lag([made]))
    await asyncio.sleep(0.1)
    assert [o.value for o in lag.observe_lag(CallbackOptions())] == [2] and not tried
    away.there = False
    await asyncio.sleep(0.1)
    assert lag.observe_lag(CallbackOptions()) == lag.observe_backlog(CallbackOptions()) == []
    assert set(tried) == {"LagUnknown"}
    watching.cancel()
