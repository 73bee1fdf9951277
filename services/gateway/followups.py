"""Follow-ups for the dashboard: the list, what it takes to be flagged, causes of many, and starting and ending one.

The gateway decides nothing of it: it asks the escalation service, and tells its answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc

from services.gateway.answers import Command, command, error, failure
from services.gateway.live.rows import iso
from services.runtime.rpc import LookupFailed

LISTED, LATEST, WAVES = 200, 20, 5
# A batch or a route is what a product or a store suffers from: the same wave shows in all of them.
_ROOTS = {"batch": 0, "route": 1, "product": 2, "store": 3}
WITHIN_S = 2.0
DECIDED_WITHIN_S = 8.0

_RESULTS = {
    escalation_pb2.RESULT_DONE: "done",
    escalation_pb2.RESULT_FAILED: "failed",
    escalation_pb2.RESULT_OVERTAKEN: "overtaken",
    escalation_pb2.RESULT_DISPLACED: "displaced",
}


class Desk:
    """Asks the escalation service."""

    def __init__(self, channel: Any) -> None:
        self._service = escalation_pb2_grpc.EscalationServiceStub(channel)

    async def listed(self) -> list[dict[str, Any]]:
        """Open follow-ups, those due first first. Raises LookupFailed."""
        answer = await self._service.ListFollowUps(escalation_pb2.ListFollowUpsRequest(limit=LISTED), timeout=WITHIN_S)
        return [row(f) for f in answer.follow_ups]

    async def budgets(self) -> list[dict[str, Any]]:
        """What teams can still follow up in this shift, and what it takes to be flagged. Raises LookupFailed."""
        answer = await self._service.GetBudget(escalation_pb2.GetBudgetRequest(limit=1), timeout=WITHIN_S)
        return [_budget(b) for b in answer.teams]

    async def waves(self) -> list[dict[str, Any]]:
        """Causes that many customers have met with: what may be at the root first, of each kind the latest. Raises LookupFailed."""
        answer = await self._service.ListCauses(escalation_pb2.ListCausesRequest(limit=LATEST), timeout=WITHIN_S)
        found = [_wave(w) for w in answer.waves]
        return sorted(found, key=lambda w: _ROOTS.get(w["kind"], len(_ROOTS)))[:WAVES]

    async def claim(self, follow_up_id: str, owner: str, command_id: str) -> dict[str, Any]:
        """Starts one. Raises LookupFailed."""
        request = escalation_pb2.ClaimFollowUpRequest(follow_up_id=follow_up_id, owner=owner, command_id=command_id)
        return row((await self._service.ClaimFollowUp(request, timeout=DECIDED_WITHIN_S)).follow_up)

    async def release(self, follow_up_id: str, owner: str, command_id: str) -> dict[str, Any]:
        """Gives one back. Raises LookupFailed."""
        request = escalation_pb2.ReleaseFollowUpRequest(follow_up_id=follow_up_id, owner=owner, command_id=command_id)
        return row((await self._service.ReleaseFollowUp(request, timeout=DECIDED_WITHIN_S)).follow_up)

    async def close(self, follow_up_id: str, owner: str, outcome: str, failed: bool, command_id: str) -> dict[str, Any]:
        """Ends one. Raises LookupFailed."""
        request = escalation_pb2.CloseFollowUpRequest(
            follow_up_id=follow_up_id, owner=owner, outcome=outcome, failed=failed, command_id=command_id
        )
        return row((await self._service.CloseFollowUp(request, timeout=DECIDED_WITHIN_S)).follow_up)


class _Said(Command):
    owner: str
    outcome: str = ""


class FollowUps:
    """The HTTP side. Who may read may list; who may act may start and end (`Reading.guarded`)."""

    def __init__(self, desk: Desk | None) -> None:
        self._desk = desk

    async def listed(self, _: Request) -> Response:
        async def ask(desk: Desk) -> dict[str, Any]:
            listed, budgets, waves = await asyncio.gather(desk.listed(), desk.budgets(), desk.waves())
            return {"follow_ups": listed, "budgets": budgets, "waves": waves}

        return await self._answer(ask)

    async def claim(self, request: Request) -> Response:
        return await self._act(request, lambda desk, name, said: desk.claim(name, said.owner, said.command_id))

    async def release(self, request: Request) -> Response:
        return await self._act(request, lambda desk, name, said: desk.release(name, said.owner, said.command_id))

    async def done(self, request: Request) -> Response:
        return await self._act(
            request,
            lambda desk, name, said: desk.close(name, said.owner, said.outcome or "contacted", False, said.command_id),
        )

    async def failed(self, request: Request) -> Response:
        return await self._act(
            request,
            lambda desk, name, said: desk.close(name, said.owner, said.outcome or "not_reached", True, said.command_id),
        )

    async def _act(self, request: Request, act: Callable[[Desk, str, _Said], Awaitable[dict[str, Any]]]) -> Response:
        said = await command(request, _Said)
        if isinstance(said, Response):
            return said
        name = request.path_params["follow_up_id"]
        return await self._answer(lambda desk: act(desk, name, said), said.command_id)

    async def _answer(self, ask: Callable[[Desk], Awaitable[dict[str, Any]]], command_id: str = "") -> Response:
        if self._desk is None:
            return error(503, "ESCALATION_ADDR is not set")
        try:
            return JSONResponse(await ask(self._desk), headers={"cache-control": "no-store"})
        except LookupFailed as failed:
            return failure(failed, "the escalation service", command_id)


def row(f: escalation_pb2.FollowUp) -> dict[str, Any]:
    """A follow-up as the dashboard and the command line tell it; what it has not is null."""
    return {
        "follow_up_id": f.follow_up_id,
        "customer_id": f.customer_id,
        "contact_id": f.contact_id or None,
        "touchpoint": f.touchpoint,
        "team": f.team,
        "risk": f.risk,
        "reasons": [{"code": r.code, "weight": r.weight, "value": r.value} for r in f.reasons],
        "flagged_at": iso(f.flagged_at),
        "due_at": iso(f.due_at),
        "owner": f.owner or None,
        "claimed_at": iso(f.claimed_at) if f.HasField("claimed_at") else None,
        "closed_at": iso(f.closed_at) if f.HasField("closed_at") else None,
        "result": _RESULTS.get(f.result),
        "outcome": f.outcome or None,
        "overdue": f.overdue,
        "supervisor": f.supervisor or None,
        "opening_zh": f.opening_zh,
        "opening_en": f.opening_en,
    }


def _budget(b: escalation_pb2.Budget) -> dict[str, Any]:
    now = b.thresholds[0] if b.thresholds else escalation_pb2.Threshold()
    return {
        "team": b.team,
        "capacity": b.capacity,
        "started": now.started,
        "open": now.open,
        "waiting": now.waiting,
        "threshold": now.threshold,
        "since": now.at.ToDatetime(tzinfo=UTC).isoformat() if b.thresholds else None,
    }


def _wave(w: escalation_pb2.CauseWave) -> dict[str, Any]:
    kind, _, name = w.cause.partition(":")
    return {
        "kind": kind,
        "name": name,
        "wave": w.wave,
        "customers": w.customers,
        "since": iso(w.since),
        "heated_at": iso(w.heated_at),
        "affected": w.affected,
        "reached": w.reached,
    }
