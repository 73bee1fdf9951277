"""The supervisor's part: a pool as it stands, and the commands that change it, each audited by the router."""

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.json_format import MessageToDict
from msgspec.structs import asdict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from touchline.router.v1 import router_pb2, router_pb2_grpc

from services.gateway.answers import Command, command, error, failure
from services.runtime.rpc import LookupFailed

WITHIN_S = 6.0


class _Mode(Command):
    mode: str = ""
    by: str = ""
    reason: str = ""


class _Assign(Command):
    seat_id: str = ""
    contact_id: str = ""
    by: str = ""
    reason: str = ""


class _Drain(Command):
    seat_id: str = ""
    by: str = ""
    reason: str = ""


_COMMANDS: dict[str, tuple[str, Callable[..., Any], type[Command]]] = {
    "mode": ("SetMode", router_pb2.SetModeRequest, _Mode),
    "assign": ("Assign", router_pb2.AssignRequest, _Assign),
    "drain": ("Drain", router_pb2.DrainRequest, _Drain),
}
"""Path → the router's method, its request, the body. What is missing the router names."""


class Supervise:
    """Asks the router, and tells what it answers."""

    def __init__(self, channel: Any) -> None:
        """Take a gRPC channel to the router; None where its address is not set."""
        self._router = router_pb2_grpc.RouterServiceStub(channel) if channel is not None else None

    async def pool(self, request: Request) -> Response:
        """One pool: mode, seats, who waits, debts."""
        if self._router is None:
            return error(503, "ROUTER_ADDR is not set")
        asked = router_pb2.GetPoolRequest(pool=request.path_params["pool"])
        return await _answer(self._router.GetPool(asked, timeout=WITHIN_S))

    async def act(self, request: Request) -> Response:
        """A command: POST a JSON object with its fields. A page from elsewhere can't: it may not send JSON unasked."""
        if self._router is None:
            return error(503, "ROUTER_ADDR is not set")
        known = _COMMANDS.get(request.path_params["command"])
        if known is None:
            return error(404, f"the commands are {', '.join(sorted(_COMMANDS))}")
        method, make, kind = known
        said = await command(request, kind)
        if isinstance(said, Response):
            return said
        asked = make(pool=request.path_params["pool"], **asdict(said))
        return await _answer(getattr(self._router, method)(asked, timeout=WITHIN_S), said.command_id)


async def _answer(call: Awaitable[Any], command_id: str = "") -> Response:
    try:
        answer = await call
    except LookupFailed as failed:
        return failure(failed, "the router", command_id)
    body = MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return JSONResponse(body, headers={"cache-control": "no-store"})
