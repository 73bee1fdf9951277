"""The escalation service's gRPC calls."""

import json
from datetime import timedelta
from math import inf
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc

from services.escalation import causes_store, store
from services.escalation.codec import check, reason
from services.escalation.domain.credit import CreditPolicy, credit
from services.escalation.domain.fairness import figures
from services.escalation.domain.opening import opening
from services.escalation.domain.uplift import ArmCount, uplift
from services.runtime.clock import Clock
from services.runtime.commands import CommandBus, Unanswered
from services.runtime.records import timestamp
from services.runtime.rpc import Servicer, check_batch, invalid, not_found, refused

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
LONGEST_OUTCOME = 200
LONGEST_OWNER = 64
LONGEST_ID = 200


class EscalationAnswers(escalation_pb2_grpc.EscalationServiceServicer):
    """Answers from what is committed; what is asked of a follow-up is decided by its team's owner."""

    def __init__(
        self, pool: Any, pipeline: str, commands: CommandBus, clock: Clock, policy: CreditPolicy, reader: Any = None
    ) -> None:
        """Take the database's pool, the name of the customers' pipeline, the policy of quick refunds, and what looks up by key (else the pool)."""
        self._pool = pool
        self._reader = reader or pool
        self._pipeline = pipeline
        self._policy = policy
        self._commands = commands
        self._clock = clock

    async def GetRisk(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.GetRiskRequest, context: Any
    ) -> escalation_pb2.GetRiskResponse:
        """Risks of up to 1,000 customers."""
        check_batch("customer_ids", request.customer_ids)
        response = escalation_pb2.GetRiskResponse()
        # Filled in place: a message made for each customer and put in takes more than twice as long.
        for customer_id, r in (await store.risks(self._reader, request.customer_ids)).items():
            told = response.customers[customer_id]
            told.risk, told.flagged = r.risk, r.flagged
            for x in r.reasons:
                told.reasons.add(code=x.code, weight=x.weight, value=x.value)
        return response

    async def ListFollowUps(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.ListFollowUpsRequest, context: Any
    ) -> escalation_pb2.ListFollowUpsResponse:
        """Follow-ups, those due first come first."""
        found = await store.follow_ups(
            self._pool,
            closed=request.include_closed,
            customer_id=request.customer_id,
            team=request.team,
            limit=_limit(request.limit),
        )
        return escalation_pb2.ListFollowUpsResponse(follow_ups=[_follow_up(f) for f in found])

    async def ClaimFollowUp(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.ClaimFollowUpRequest, context: Any
    ) -> escalation_pb2.ClaimFollowUpResponse:
        """Has the team's owner give a follow-up to somebody, and answers with it as it stands then."""
        owner = _text("owner", request.owner, LONGEST_OWNER)
        known = await self._known(request.follow_up_id, request.command_id)
        command = escalation_pb2.FollowUpClaimRequested(follow_up_id=known.follow_up_id, owner=owner, team=known.team)
        return escalation_pb2.ClaimFollowUpResponse(follow_up=await self._send(command, known, request.command_id))

    async def ReleaseFollowUp(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.ReleaseFollowUpRequest, context: Any
    ) -> escalation_pb2.ReleaseFollowUpResponse:
        """Has the team's owner take back a follow-up from whoever started it, and answers with it as it stands then."""
        owner = _text("owner", request.owner, LONGEST_OWNER)
        known = await self._known(request.follow_up_id, request.command_id)
        command = escalation_pb2.FollowUpReleaseRequested(follow_up_id=known.follow_up_id, owner=owner, team=known.team)
        return escalation_pb2.ReleaseFollowUpResponse(follow_up=await self._send(command, known, request.command_id))

    async def CloseFollowUp(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.CloseFollowUpRequest, context: Any
    ) -> escalation_pb2.CloseFollowUpResponse:
        """Has the team's owner close a follow-up, and answers with it as it stands then."""
        outcome = _text("outcome", request.outcome, LONGEST_OUTCOME)
        owner = _text("owner", request.owner, LONGEST_OWNER) if request.owner else ""
        known = await self._known(request.follow_up_id, request.command_id)
        command = escalation_pb2.FollowUpCloseRequested(
            follow_up_id=known.follow_up_id, outcome=outcome, team=known.team, owner=owner, failed=request.failed
        )
        return escalation_pb2.CloseFollowUpResponse(follow_up=await self._send(command, known, request.command_id))

    async def GetBudget(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.GetBudgetRequest, context: Any
    ) -> escalation_pb2.GetBudgetResponse:
        """Teams' budgets, and what it has taken to be flagged."""
        found = await store.budgets(self._pool, request.team, _limit(request.limit))
        teams: dict[str, escalation_pb2.Budget] = {}
        for moved in found:
            of = teams.setdefault(moved.team, escalation_pb2.Budget(team=moved.team, capacity=moved.capacity))
            of.thresholds.append(
                escalation_pb2.Threshold(
                    at=timestamp(moved.at),
                    threshold=moved.threshold,
                    started=moved.started,
                    open=moved.open,
                    waiting=moved.waiting,
                )
            )
        return escalation_pb2.GetBudgetResponse(teams=teams.values())

    async def GetUplift(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.GetUpliftRequest, context: Any
    ) -> escalation_pb2.GetUpliftResponse:
        """What following up is worth, from the trial."""
        horizon = timedelta(hours=_whole("horizon_hours", request.horizon_hours, 168, 720))
        days = timedelta(days=_whole("days", request.days, 90, 3650))
        cost = request.cost or 1.0
        if not 0 < cost < inf:
            raise invalid(f"cost: is {request.cost:g}; must be a number above 0")
        until = self._clock() - horizon
        found = await store.arms(self._pool, request.team, until - days, until, horizon)
        treated, held_out = (found.get(arm, ArmCount(0, 0)) for arm in ("treated", "held_out"))
        u = uplift(treated, held_out, cost)
        return escalation_pb2.GetUpliftResponse(
            treated=escalation_pb2.ArmCount(cases=treated.cases, escalated=treated.escalated),
            held_out=escalation_pb2.ArmCount(cases=held_out.cases, escalated=held_out.escalated),
            difference=u.difference,
            low=u.low,
            high=u.high,
            known=u.known,
            avoided=u.avoided,
            avoided_low=u.avoided_low,
            avoided_high=u.avoided_high,
            cost_per_avoided=u.cost_per_avoided if u.cost_per_avoided < inf else None,
            cost_low=u.cost_low if u.cost_low < inf else None,
            cost_high=u.cost_high if u.cost_high < inf else None,
        )

    async def ListCauses(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.ListCausesRequest, context: Any
    ) -> escalation_pb2.ListCausesResponse:
        """Waves, the latest first."""
        found = await causes_store.waves(self._pool, _limit(request.limit))
        return escalation_pb2.ListCausesResponse(
            waves=[
                escalation_pb2.CauseWave(
                    cause=w.cause,
                    wave=w.wave,
                    customers=w.customers,
                    expected=w.expected,
                    since=timestamp(w.since),
                    heated_at=timestamp(w.heated_at),
                    affected=w.affected,
                    reached=w.reached,
                )
                for w in found
            ]
        )

    async def GetCredit(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.GetCreditRequest, context: Any
    ) -> escalation_pb2.GetCreditResponse:
        """Credits of up to 1,000 customers, by the service's clock."""
        check_batch("customer_ids", request.customer_ids)
        accounts = await store.accounts(self._pool, self._pipeline, request.customer_ids)
        now = self._clock()
        found = {name: credit(a, now, self._policy) for name, a in accounts.items() if a.since is not None}
        return escalation_pb2.GetCreditResponse(
            customers={
                name: escalation_pb2.Credit(
                    limit_cents=c.limit_cents,
                    used_cents=c.used_cents,
                    left_cents=c.left_cents,
                    eligible=c.eligible,
                    checks=[check(x) for x in c.checks],
                )
                for name, c in found.items()
            }
        )

    async def GetRefundFigures(  # noqa: N802 (gRPC's name)
        self, request: escalation_pb2.GetRefundFiguresRequest, context: Any
    ) -> escalation_pb2.GetRefundFiguresResponse:
        """Quick refunds by customer group."""
        days = timedelta(days=_whole("days", request.days, 90, 3650))
        found = figures(await store.refund_counts(self._pool, self._clock() - days))
        return escalation_pb2.GetRefundFiguresResponse(
            groups={
                group: escalation_pb2.RefundFigure(
                    decided=f.decided,
                    started=f.started,
                    share=f.share,
                    low=f.low,
                    high=f.high,
                    ratio=f.ratio,
                    apart=f.apart,
                    paid_cents=f.paid_cents,
                    lost_cents=f.lost_cents,
                )
                for group, f in found.items()
            }
        )

    async def _known(self, follow_up_id: str, command_id: str) -> store.FollowUpRow:
        known = await store.follow_up(self._pool, follow_up_id)
        if known is None:
            raise not_found("follow_up_id: there is no such follow-up")
        # A call that is repeated may be what has closed it: its answer is known to the team's owner.
        if known.closed_at is not None and not (command_id and known.team):
            raise refused("FAILED_PRECONDITION", "follow_up_id: the follow-up is closed already")
        return known

    async def _send(self, command: Message, known: store.FollowUpRow, command_id: str) -> escalation_pb2.FollowUp:
        if len(command_id) > LONGEST_ID or not command_id.isprintable():
            raise invalid(f"command_id: must be at most {LONGEST_ID} printable characters")
        # The id names the whole call, so that another command under the same command_id isn't given its answer.
        said = [str(value) for field, value in command.ListFields() if field.name != "outcome"]
        name = (type(command).__name__, *said, command_id or str(uuid4()))
        try:
            answer = await self._commands.send(
                command,
                command_id=json.dumps(name, ensure_ascii=False),
                subject=known.customer_id,
                now=self._clock(),
            )
        except Unanswered as error:
            raise refused("DEADLINE_EXCEEDED", str(error)) from None
        if not answer.ok:
            raise refused(answer.code, f"follow_up_id: {answer.reason}")
        return _follow_up(await store.follow_up(self._pool, known.follow_up_id) or known)


def _limit(limit: int) -> int:
    if not 0 <= limit <= LARGEST_LIMIT:
        raise invalid(f"limit: is {limit}; between 0 (for {DEFAULT_LIMIT}) and {LARGEST_LIMIT} is possible")
    return limit or DEFAULT_LIMIT


def _whole(name: str, given: int, usual: int, most: int) -> int:
    if not 0 <= given <= most:
        raise invalid(f"{name}: is {given}; between 0 (for {usual}) and {most} is possible")
    return given or usual


def _text(name: str, given: str, longest: int) -> str:
    text = given.strip()
    if not text:
        raise invalid(f"{name}: is missing")
    if len(text) > longest:
        raise invalid(f"{name}: is longer than {longest} characters")
    return text


def servicer(
    pool: Any, pipeline: str, commands: CommandBus, clock: Clock, policy: CreditPolicy, reader: Any = None
) -> Servicer:
    """What the runtime's server is given."""
    answers = EscalationAnswers(pool, pipeline, commands, clock, policy, reader)
    register = escalation_pb2_grpc.add_EscalationServiceServicer_to_server
    changing = ("ClaimFollowUp", "ReleaseFollowUp", "CloseFollowUp")
    return Servicer(register, answers, "touchline.escalation.v1.EscalationService", changing=changing)


_RESULTS = {
    "done": escalation_pb2.RESULT_DONE,
    "failed": escalation_pb2.RESULT_FAILED,
    "overtaken": escalation_pb2.RESULT_OVERTAKEN,
    "displaced": escalation_pb2.RESULT_DISPLACED,
}


def _follow_up(f: store.FollowUpRow) -> escalation_pb2.FollowUp:
    zh, en = opening(f.reasons)
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
        team=f.team,
        owner=f.owner,
        claimed_at=timestamp(f.claimed_at) if f.claimed_at else None,
        result=_RESULTS.get(f.result, escalation_pb2.RESULT_UNSPECIFIED),
        opening_zh=zh,
        opening_en=en,
        supervisor=f.supervisor,
        threshold=f.threshold,
        group=f.customer_group,
        arm=f.arm,
    )
