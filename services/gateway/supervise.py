"""The supervisor's part: a pool as it stands, and the commands that change it, each audited by the router."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from google.protobuf.json_format import MessageToDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from touchline.router.v1 import router_pb2, router_pb2_grpc

from services.gateway.answers import error, refusal, small_json
from services.runtime.rpc import LookupFailed

WITHIN_S = 6.0
_COMMANDS: dict[str, tuple[str, Callable[..., Any], tuple[str, ...]]] = {
    "mode": ("SetMode", router_pb2.SetModeRequest, ("mode", "by", "reason")),
    "assign": ("Assign", router_pb2.AssignRequest, ("seat_id", "contact_id", "by", "reason")),
    "drain": ("Drain", router_pb2.DrainRequest, ("seat_id", "by", "reason")),
}
"""Path → the router's method, its request, the fields of the body."""


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
        body = await _body(request)
        if isinstance(body, Response):
            return body
        method, make, fields = known
        for name, value in body.items():
            if name not in fields or not isinstance(value, str):
                return error(400, f"{name}: is not known, or no text; known are {', '.join(fields)}")
        command = make(pool=request.path_params["pool"], command_id=uuid4().hex, **body)
        return await _answer(getattr(self._router, method)(command, timeout=WITHIN_S))


async def _body(request: Request) -> dict[str, Any] | Response:
    parts = await small_json(request)
    if isinstance(parts, Response):
        return parts
    try:
        found = json.loads(parts)
    except (ValueError, RecursionError):
        return error(400, "the body is not JSON")
    return found if isinstance(found, dict) else error(400, "the body is not an object")


async def _answer(call: Awaitable[Any]) -> Response:
    try:
        answer = await call
    except LookupFailed as failed:
        refused = refusal(failed)
        return error(503, "the router does not answer", {"retry-after": "2"}) if refused is None else error(*refused)
    body = MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return JSONResponse(body, headers={"cache-control": "no-store"})
