"""The escalation service's gRPC calls."""

from typing import Any
from uuid import uuid4

from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc

from services.escalation import store
from services.escalation.codec import reason
from services.runtime.clock import Clock
from services.runtime.commands import CommandBus
from services.runtime.records import timestamp
from services.runtime.rpc import Servicer, check_batch, invalid, not_found, refused

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
LONGEST_OUTCOME = 200


class EscalationAnswers(escalation_pb2_grpc.EscalationServiceServicer):
    """Answers from what is committed; closing goes to the customer's owner."""

    def __init__(self, pool: Any, commands: CommandBus, clock: Clock) -> None:
        self._pool = pool
        self._commands = commands
        self._clock = clock

    async def GetRisk(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.GetRiskRequest, context: Any
    ) -> escalation_pb2.GetRiskResponse:
        """Risks of up to 1,000 customers."""
        check_batch("customer_ids", request.customer_ids)
        found = await store.risks(self._pool, request.customer_ids)
        return escalation_pb2.GetRiskResponse(
            customers={
                customer_id: escalation_pb2.Risk(
                    risk=r.risk, reasons=[reason(x.code, x.weight, x.value) for x in r.reasons], flagged=r.flagged
                )
                for customer_id, r in found.items()
            }
        )

    async def ListFollowUps(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.ListFollowUpsRequest, context: Any
    ) -> escalation_pb2.ListFollowUpsResponse:
        """Follow-ups, those due first come first."""
        if not 0 <= request.limit <= LARGEST_LIMIT:
            raise invalid(f"limit: is {request.limit}; between 0 (for {DEFAULT_LIMIT}) and {LARGEST_LIMIT} is possible")
        found = await store.follow_ups(
            self._pool,
            closed=request.include_closed,
            customer_id=request.customer_id,
            limit=request.limit or DEFAULT_LIMIT,
        )
        return escalation_pb2.ListFollowUpsResponse(follow_ups=[_follow_up(f) for f in found])

    async def CloseFollowUp(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.CloseFollowUpRequest, context: Any
    ) -> escalation_pb2.CloseFollowUpResponse:
        """Has the customer's owner close a follow-up, and answers with it as it stands then."""
        outcome = request.outcome.strip()
        if not outcome:
            raise invalid("outcome: is missing")
        if len(outcome) > LONGEST_OUTCOME:
            raise invalid(f"outcome: is longer than {LONGEST_OUTCOME} characters")
        known = await store.follow_up(self._pool, request.follow_up_id)
        if known is None:
            raise not_found("follow_up_id: there is no such follow-up")
        answer = await self._commands.send(
            escalation_pb2.FollowUpCloseRequested(follow_up_id=known.follow_up_id, outcome=outcome),
            command_id=str(uuid4()),
            subject=known.customer_id,
            now=self._clock(),
        )
        if not answer.ok:
            raise refused(answer.code, f"follow_up_id: {answer.reason}")
        closed = await store.follow_up(self._pool, known.follow_up_id)
        return escalation_pb2.CloseFollowUpResponse(follow_up=_follow_up(closed or known))


def servicer(pool: Any, commands: CommandBus, clock: Clock) -> Servicer:
    """What the runtime's server is given."""
    answers = EscalationAnswers(pool, commands, clock)
    register = escalation_pb2_grpc.add_EscalationServiceServicer_to_server
    return Servicer(register, answers, "touchline.escalation.v1.EscalationService", changing=("CloseFollowUp",))


def _follow_up(f: store.FollowUpRow) -> escalation_pb2.FollowUp:
    return escalation_pb2.FollowUp(
        follow_up_id=f.follow_up_id,
        customer_id=f.customer_id,
        contact_id=f.contact_id,
        risk=f.risk,
        reasons=[reason(r.code, r.weight, r.value) for r in f.reasons],
        flagged_at=timestamp(f.flagged_at),
        due_at=timestamp(f.due_at),
        closed_at=timestamp(f.closed_at) if f.closed_at else None,
        outcome=f.outcome,
        overdue=f.overdue,
        touchpoint=f.touchpoint,
    )
