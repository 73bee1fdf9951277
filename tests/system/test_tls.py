"""gRPC under TLS, with certificates made for the test: who has no right one gets no answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from touchline.runtime.v1 import status_pb2, status_pb2_grpc

from services.runtime.errors import Misconfigured
from services.runtime.rpc import RpcServer, channel
from services.runtime.settings import RpcSettings
from tests.authority import Authority, needs_openssl

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"), "theirs")


@asynccontextmanager
async def served(settings: RpcSettings) -> AsyncIterator[str]:
    async def status() -> status_pb2.GetStatusResponse:
        return status_pb2.GetStatusResponse(service="probe", healthy=True)

    server = RpcServer(settings, [], status)
    await server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop(0)


async def asked(address: str, settings: RpcSettings | None) -> str:
    """The answering service's name, or the status's."""
    async with channel(address, settings) as to:
        try:
            stub = status_pb2_grpc.StatusServiceStub(to)
            return str((await stub.GetStatus(status_pb2.GetStatusRequest(), timeout=3)).service)
        except grpc.aio.AioRpcError as refused:
            return str(refused.code().name)


async def test_with_a_certificate_calls_are_encrypted_and_the_server_is_checked(
    ours: Authority, theirs: Authority
) -> None:
    cert, key = ours.issue("server")
    async with served(RpcSettings(tls_cert=cert, tls_key=key)) as address:
        answers = await asyncio.gather(
            asked(address, RpcSettings(tls_ca=str(ours.cert))),
            asked(address, RpcSettings(tls_ca=str(theirs.cert))),
            asked(address, None),
        )
    assert answers == ["probe", "UNAVAILABLE", "UNAVAILABLE"]


async def test_with_an_authority_callers_must_show_a_certificate_of_its_own(ours: Authority, theirs: Authority) -> None:
    (cert, key), (caller, caller_key), (stranger, stranger_key) = ours.issue("a"), ours.issue("b"), theirs.issue("c")
    ca = str(ours.cert)
    async with served(RpcSettings(tls_cert=cert, tls_key=key, tls_ca=ca)) as address:
        answers = await asyncio.gather(
            asked(address, RpcSettings(tls_ca=ca, tls_cert=caller, tls_key=caller_key)),
            asked(address, RpcSettings(tls_ca=ca)),
            asked(address, RpcSettings(tls_ca=ca, tls_cert=stranger, tls_key=stranger_key)),
        )
    assert answers == ["probe", "UNAVAILABLE", "UNAVAILABLE"]


async def test_half_a_pair_and_a_missing_file_are_named(ours: Authority) -> None:
    cert, _ = ours.issue("server")

    async def status() -> status_pb2.GetStatusResponse:
        return status_pb2.GetStatusResponse()

    with pytest.raises(Misconfigured, match="GRPC_TLS_KEY"):
        RpcServer(RpcSettings(tls_cert=cert), [], status)
    with pytest.raises(Misconfigured, match="GRPC_TLS_KEY: cannot read"):
        RpcServer(RpcSettings(tls_cert=cert, tls_key="/nowhere/key.pem"), [], status)
