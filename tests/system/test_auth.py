"""Every gRPC port that changes state asks who calls: right keys work, wrong ones don't, and no port is left open to others."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.router.v1 import router_pb2, router_pb2_grpc
from touchline.runtime.v1 import status_pb2
from touchline.sentiment.v1 import sentiment_pb2, sentiment_pb2_grpc

import services.escalation.rpc
import services.gateway.rpc
import services.nps.rpc
import services.router.rpc
import services.sentiment.rpc
from services.gateway.settings import GatewaySettings
from services.runtime import callers
from services.runtime.admin import probe
from services.runtime.callers import is_loopback
from services.runtime.errors import Misconfigured
from services.runtime.rpc import RpcServer, Servicer, channel
from services.runtime.settings import RpcSettings
from tests.authority import Authority, needs_openssl

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DESK, PEER, STRANGER = "d" * 24, "p" * 24, "s" * 24
CHANGES = {
    *("Accept", "Decline", "Finish", "Transfer", "SetMode", "Assign", "Drain"),
    *(
        "ClaimFollowUp",
        "ReleaseFollowUp",
        "CloseFollowUp",
        "PromiseAction",
        "EndAction",
        "ExportCorrections",
        "Publish",
    ),
}
ROUTER, ESCALATION = "touchline.router.v1.RouterService", "touchline.escalation.v1.EscalationService"
NPS = "touchline.nps.v1.NpsService"
MODULES: tuple[Any, ...] = (router_pb2, escalation_pb2, nps_pb2)


class Answers(
    router_pb2_grpc.RouterServiceServicer,
    escalation_pb2_grpc.EscalationServiceServicer,
    nps_pb2_grpc.NpsServiceServicer,
):
    """Answers anything with nothing, and writes down what it was asked: what it does not write down never ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if not name[0].isupper():
            return super().__getattribute__(name)

        async def answer(request: Any, context: Any) -> Any:
            self.ran.append(name)
            module = next(m for m in MODULES if hasattr(m, f"{name}Response"))
            return getattr(module, f"{name}Response")()

        return answer


def real(answers: Any) -> list[Servicer]:
    """The router's and escalation's services as their processes serve them, but for the object that answers."""
    nothing: Any = None
    made = (
        services.router.rpc.servicer(nothing, "", nothing, nothing, 1.0),
        services.escalation.rpc.servicer(nothing, "", nothing, nothing, nothing),
        services.nps.rpc.servicer(nothing, nothing, nothing, nothing, nothing, nothing, nothing),
    )
    return [Servicer(s.register, answers, s.name, s.changing, s.own_keys) for s in made]


async def status() -> status_pb2.GetStatusResponse:
    return status_pb2.GetStatusResponse(service="probe", healthy=True)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "callers.json"
    known = [{"name": "desk", "key": DESK, "change": True}, {"name": "peers", "key": PEER}]
    path.write_text(json.dumps({"callers": known}))
    return path


@asynccontextmanager
async def served(answers: Any, settings: RpcSettings) -> AsyncIterator[str]:
    server = RpcServer(settings, real(answers), status)
    await server.start()
    await server.healthy(True)
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop(0)


def methods() -> Iterator[tuple[str, str]]:
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from ((service.full_name, method.name) for method in service.methods)


async def call(address: str, service: str, method: str, settings: RpcSettings) -> str:
    module, stub = {
        ROUTER: (router_pb2, router_pb2_grpc.RouterServiceStub),
        ESCALATION: (escalation_pb2, escalation_pb2_grpc.EscalationServiceStub),
        NPS: (nps_pb2, nps_pb2_grpc.NpsServiceStub),
    }[service]
    async with channel(address, settings) as to:
        try:
            await getattr(stub(to), method)(getattr(module, f"{method}Request")(), timeout=3)
        except grpc.aio.AioRpcError as refused:
            return str(refused.code().name)
        return "OK"


def showing(key: str) -> RpcSettings:
    return RpcSettings(key=key)


@pytest.mark.parametrize(("service", "method"), list(methods()))
async def test_each_method_asks_for_a_key(service: str, method: str, keys: Path) -> None:
    answers = Answers()
    async with served(answers, RpcSettings(keys_file=keys)) as address:
        refused = [await call(address, service, method, s) for s in (RpcSettings(), showing(STRANGER))]
        assert refused == ["UNAUTHENTICATED"] * 2 and answers.ran == []
        looked = await call(address, service, method, showing(PEER))
        assert looked == ("PERMISSION_DENIED" if method in CHANGES else "OK")
        assert answers.ran == ([] if method in CHANGES else [method])
        assert await call(address, service, method, showing(DESK)) == "OK"
        assert answers.ran[-1] == method


async def test_health_status_and_reflection_are_open_and_tell_nothing_of_customers(keys: Path) -> None:
    async with served(Answers(), RpcSettings(keys_file=keys)) as address, grpc.aio.insecure_channel(address) as to:
        health = await health_pb2_grpc.HealthStub(to).Check(health_pb2.HealthCheckRequest(), timeout=3)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        told = reflection_pb2_grpc.ServerReflectionStub(to).ServerReflectionInfo(iter([asked]), timeout=3)
        async for answer in told:
            names = {s.name for s in answer.list_services_response.service}
        assert {ROUTER, ESCALATION} <= names
        found = await probe(address, 2.0)
        assert found is not None and found.healthy


def rewrite(path: Path, text: str) -> None:
    path.write_text(text)


async def test_a_key_that_is_taken_out_works_no_longer(keys: Path) -> None:
    async with served(Answers(), RpcSettings(keys_file=keys)) as address:
        assert await call(address, ROUTER, "Accept", showing(DESK)) == "OK"
        rewrite(keys, json.dumps({"callers": [{"name": "new", "key": STRANGER, "change": True}]}))
        assert await call(address, ROUTER, "Accept", showing(DESK)) == "UNAUTHENTICATED"
        assert await call(address, ROUTER, "Accept", showing(STRANGER)) == "OK"
        rewrite(keys, "{")
        assert await call(address, ROUTER, "Accept", showing(STRANGER)) == "UNAUTHENTICATED"


def every_service() -> list[Servicer]:
    nothing: Any = None
    gateway = GatewaySettings(gateway_keys_file=Path("keys.json"))
    return [
        *real(Answers()),
        services.sentiment.rpc.servicer(nothing, nothing, "", nothing),
        services.gateway.rpc.servicer(nothing, gateway),
    ]


def test_each_method_that_changes_state_is_declared() -> None:
    """By the schema: what is not a lookup by its name must be declared, so that a new command can't be left open by mistake."""
    from google.protobuf import descriptor_pool

    pool = descriptor_pool.Default()
    lookups = ("Get", "List", "Explain", "Score")
    for one in every_service():
        commands = {m.name for m in pool.FindServiceByName(one.name).methods if not m.name.startswith(lookups)}
        assert set(one.changing) == commands, one.name
    assert {m for s in every_service() for m in s.changing} == CHANGES
    told = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    assert not {m for m in CHANGES if f"`{m}`" not in told}


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", ":0"])
@pytest.mark.parametrize("index", range(4))
async def test_a_port_that_others_can_reach_is_not_opened_without_keys_or_certificates(bind: str, index: int) -> None:
    with pytest.raises(Misconfigured, match="GRPC_KEYS_FILE"):
        RpcServer(RpcSettings(bind=bind), [every_service()[index]], status)


@needs_openssl
async def test_an_authority_without_a_certificate_guards_nothing_and_is_refused(tmp_path: Path) -> None:
    ca = Authority(tmp_path, "ca")
    with pytest.raises(Misconfigured, match="GRPC_TLS_CERT"):
        RpcServer(RpcSettings(bind="0.0.0.0:0", tls_ca=str(ca.cert)), real(Answers()), status)


async def test_with_keys_it_may_be_reached_from_elsewhere(keys: Path) -> None:
    await RpcServer(RpcSettings(bind="0.0.0.0:0", keys_file=keys), real(Answers()), status).stop(0)


async def test_the_gateway_asks_for_keys_of_its_own(keys: Path) -> None:
    """Publish is guarded by the channels' keys: a caller's key is none of theirs, and the other way round."""

    class Door:
        def channel(self, authorization: str) -> None:
            assert authorization == f"Bearer {DESK}"

    door: Any = Door()
    gateway = services.gateway.rpc.servicer(door, GatewaySettings(gateway_keys_file=Path("keys.json")))
    server = RpcServer(RpcSettings(keys_file=keys), [gateway], status)
    await server.start()
    try:
        async with channel(f"127.0.0.1:{server.port}", showing(DESK)) as to:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await gateway_pb2_grpc.GatewayServiceStub(to).Publish(gateway_pb2.PublishRequest(), timeout=3)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    finally:
        await server.stop(0)


@needs_openssl
async def test_the_probe_speaks_tls_to_peers_that_do(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    (cert, key), (mine, my_key) = ours.issue("server"), ours.issue("client")
    settings = RpcSettings(tls_cert=cert, tls_key=key, tls_ca=str(ours.cert))
    async with served(Answers(), settings) as address:
        found = await probe(address, 3.0, RpcSettings(tls_ca=str(ours.cert), tls_cert=mine, tls_key=my_key))
        assert found is not None and (found.service, found.healthy) == ("probe", True)
        assert await probe(address, 1.0, RpcSettings()) is None
        assert await probe(address, 1.0, RpcSettings(tls_ca=str(theirs.cert))) is None


ONE = {"name": "a", "key": DESK}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (1, "JSON"),
        ({"callers": []}, "callers"),
        ({"callers": [1]}, r"callers\[0\]: is not an object"),
        ({"callers": [{**ONE, "name": ""}]}, "name"),
        ({"callers": [{**ONE, "key": "short"}]}, "key"),
        ({"callers": [{**ONE, "change": 1}]}, "change"),
        ({"callers": [{**ONE, "admin": True}]}, r"callers\[0\]"),
        ({"callers": [ONE, {**ONE, "name": "b"}]}, "same key"),
    ],
)
def test_a_wrong_file_of_callers_is_named_without_its_keys(given: Any, named: str, tmp_path: Path) -> None:
    path = tmp_path / "callers.json"
    path.write_text(json.dumps(given))
    with pytest.raises(Misconfigured, match=named) as wrong:
        callers.Callers(path)
    assert "GRPC_KEYS_FILE" in str(wrong.value) and DESK not in str(wrong.value)


async def test_sentiments_lookups_are_guarded_as_well(keys: Path) -> None:
    nothing: Any = None
    server = RpcServer(
        RpcSettings(keys_file=keys), [services.sentiment.rpc.servicer(nothing, nothing, "", nothing)], status
    )
    await server.start()
    try:
        async with channel(f"127.0.0.1:{server.port}", RpcSettings()) as to:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await sentiment_pb2_grpc.SentimentServiceStub(to).GetMood(sentiment_pb2.GetMoodRequest(), timeout=3)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    finally:
        await server.stop(0)


def test_deploy_files_open_no_port_to_others_without_keys() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    for name, service in compose["services"].items():
        told = service.get("environment", {})
        if not is_loopback(told.get("GRPC_BIND", "127.0.0.1:0")):
            assert told["GRPC_KEYS_FILE"] == "/run/secrets/grpc-callers", name
            assert "grpc-callers" in service["secrets"], name
            assert told["GRPC_KEY"], name
    config = yaml.safe_load((DEPLOY / "kubernetes/base/configmap.yaml").read_text("utf-8"))["data"]
    pod = yaml.safe_load((DEPLOY / "kubernetes/base/pod.yaml").read_text("utf-8"))["spec"]["template"]["spec"]
    assert not is_loopback(config["GRPC_BIND"])
    mounts = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
    assert config["GRPC_KEYS_FILE"] == f"{mounts['callers']}/callers.json"


def test_the_examples_of_callers_are_read_and_the_services_key_is_among_them() -> None:
    known = callers.parse((DEPLOY / "grpc-callers.example.json").read_text("utf-8"))
    assert [c.change for c in known] == [False, True]
    secrets = yaml.safe_load_all((DEPLOY / "kubernetes/secret.example.yaml").read_text("utf-8"))
    grpc_secret = next(s["stringData"] for s in secrets if s["metadata"]["name"] == "touchline-grpc")
    assert callers.parse(grpc_secret["callers.json"])[0].digest == callers.digest(grpc_secret["key"])
