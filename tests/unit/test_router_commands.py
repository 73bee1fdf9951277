"""A wrong command to the router is refused as wrong, with the field as the caller wrote it, before anybody is asked."""

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from touchline.router.v1 import router_pb2 as pb

from services.router import store
from services.router.domain.pool import Pool
from services.router.rpc import RouterAnswers
from services.runtime.clock import wall_clock
from services.runtime.pipeline import Answer
from services.runtime.rpc import RpcError

AT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


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


class Decided:
    """What takes commands: each is done."""

    async def send(self, command: Any, **told: Any) -> Answer:
        return Answer(event_id="", source="", ok=True, body={"at": AT.isoformat()})


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("SetMode", pb.SetModeRequest(pool="nope", by="w", mode="managed")),
        ("Assign", pb.AssignRequest(pool="nope", by="w", seat_id="s", contact_id="c")),
        ("Drain", pb.DrainRequest(pool="nope", by="w", seat_id="s")),
    ],
)
async def test_a_command_to_a_pool_that_is_in_no_policy_is_refused(
    method: str, request_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands: dict[str, Pool] = {}

    async def pool_state(reader: Any, pipeline: str, name: str) -> Pool | None:
        return stands.get(name)

    monkeypatch.setattr(store, "pool_state", pool_state)
    anything: Any = Decided()
    answers = RouterAnswers(anything, "assignment", anything, wall_clock, 1.0, known_pools=lambda: ("service", "care"))
    with pytest.raises(RpcError) as refused:
        await getattr(answers, method)(request_, None)
    says = "pool: is not in the policy, which has care, service"
    assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, says)
    stands["nope"] = Pool("nope")
    assert await getattr(answers, method)(request_, None), "one that the policy had before can still be seen to"
