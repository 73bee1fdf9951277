"""A wrong command to the router is refused as wrong, with the field as the caller wrote it, before anybody is asked."""

from typing import Any

import grpc
import pytest
from touchline.router.v1 import router_pb2 as pb

from services.router.rpc import RouterAnswers
from services.runtime.clock import wall_clock
from services.runtime.rpc import RpcError


@pytest.mark.parametrize(
    ("method", "request_", "says"),
    [
        ("Drain", pb.DrainRequest(pool="p", by="w"), "seat_id: is missing"),
        ("Assign", pb.AssignRequest(pool="p", by="w", seat_id="s"), "contact_id: is missing"),
        ("Accept", pb.AcceptRequest(pool="p", seat_id="s", contact_id="c"), "token: is less than 1"),
        ("SetMode", pb.SetModeRequest(pool="p", by="w"), "mode: is missing"),
        ("SetMode", pb.SetModeRequest(pool="p", by="w", mode="x"), "mode: is none of managed, human, auto"),
    ],
)
async def test_the_field_is_named_as_the_caller_wrote_it(method: str, request_: Any, says: str) -> None:
    nobody: Any = None
    answers = RouterAnswers(nobody, "assignment", nobody, wall_clock, 1.0)
    with pytest.raises(RpcError) as refused:
        await getattr(answers, method)(request_, None)
    assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, says)
