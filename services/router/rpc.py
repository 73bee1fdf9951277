"""The router's gRPC calls: lookups from what is committed, seats' commands by way of their pool's owner."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message
from touchline.router.v1 import events_pb2 as wire
from touchline.router.v1 import router_pb2, router_pb2_grpc
from touchline.seat.v1 import events_pb2 as seat

from services.router import store, telling
from services.router.domain.debts import MODES
from services.router.domain.explain import explain_all
from services.router.domain.facts import BOT
from services.runtime.clock import Clock
from services.runtime.commands import CommandBus, Unanswered
from services.runtime.errors import Unreadable
from services.runtime.records import parse_time, timestamp
from services.runtime.rpc import Servicer, invalid, not_found, refused
from services.runtime.validate import check, refusal

_STATES = {
    "bot": router_pb2.CONTACT_STATE_BOT,
    "queued": router_pb2.CONTACT_STATE_QUEUED,
    "offered": router_pb2.CONTACT_STATE_OFFERED,
    "in_service": router_pb2.CONTACT_STATE_IN_SERVICE,
    "served_by_bot": router_pb2.CONTACT_STATE_SERVED_BY_BOT,
    "served_by_human": router_pb2.CONTACT_STATE_SERVED_BY_HUMAN,
    "abandoned": router_pb2.CONTACT_STATE_ABANDONED,
    "promised": router_pb2.CONTACT_STATE_PROMISED,
}


LONGEST_COMMAND_ID = 200
_NOT_THE_CALL = frozenset(("reason",))
CHANGING = ("Accept", "Decline", "Finish", "Transfer", "SetMode", "Assign", "Drain")


class RouterAnswers(router_pb2_grpc.RouterServiceServicer):
    """Answers from what is committed; a command is decided by its pool's owner."""

    def __init__(
        self,
        pool: Any,
        pipeline: str,
        commands: CommandBus,
        clock: Clock,
        command_s: float,
        reader: Any = None,
        known_pools: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Take the database's pool, the assignment pipeline's name, how long a command waits, in seconds, and what looks up by key (else the pool).

        known_pools: what tells the pools of the policy in force; none where that is not known.
        """
        self._pool, self._reader = pool, reader or pool
        self._known_pools = known_pools
        self._pipeline = pipeline
        self._commands = commands
        self._clock = clock
        self._command_s = command_s
        self._pools = telling.Pools(pool, pipeline)

    async def GetContact(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.GetContactRequest, context: Any
    ) -> router_pb2.GetContactResponse:
        """One contact as it stands, with what was said."""
        row = await store.contact(self._reader, _wanted("contact_id", request.contact_id))
        if row is None:
            raise not_found("contact_id: there is no such contact")
        turns = await store.conversation(self._reader, row.contact_id)
        found = router_pb2.GetContactResponse(
            contact_id=row.contact_id,
            customer_id=row.customer_id,
            state=_STATES[row.state],
            pool=row.pool,
            seat_id=row.seat_id or "",
            token=row.token or 0,
            conversation=[
                router_pb2.ConversationTurn(speaker=t.speaker, text=t.text, said_at=timestamp(t.said_at)) for t in turns
            ],
        )
        for name in ("requested_at", "queued_at", "accepted_at", "ended_at"):
            if (at := getattr(row, name)) is not None:
                getattr(found, name).CopyFrom(timestamp(at))
        if row.state in ("queued", "promised", "offered") and row.pool != BOT:
            state = await self._pools.recent(row.pool)
            if state is not None:
                telling.outlook(found, state)
        return found

    async def GetPool(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.GetPoolRequest, context: Any
    ) -> router_pb2.GetPoolResponse:
        """One pool as its owner last committed it."""
        state = await store.pool_state(self._reader, self._pipeline, _wanted("pool", request.pool))
        if state is None:
            raise not_found("pool: nothing has happened in such a pool")
        return telling.pool(state, self._clock())

    async def Explain(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.ExplainRequest, context: Any
    ) -> router_pb2.ExplainResponse:
        """Why a contact was routed as it was."""
        made = await store.decisions(self._reader, _wanted("contact_id", request.contact_id))
        if not made:
            raise not_found("contact_id: no decision about such a contact is known (they are kept for a limited time)")
        return router_pb2.ExplainResponse(
            contact_id=request.contact_id,
            decisions=[
                router_pb2.Decision(decided_at=timestamp(said.decided_at), kind=said.kind, zh=said.zh, en=said.en)
                for said in explain_all(made)
            ],
        )

    async def Accept(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.AcceptRequest, context: Any
    ) -> router_pb2.AcceptResponse:
        """A seat accepts an offer."""
        command = seat.OfferAccepted(
            pool=request.pool, seat_id=request.seat_id, contact_id=request.contact_id, token=request.token
        )
        return router_pb2.AcceptResponse(accepted_at=timestamp(await self._send(command, request)))

    async def Decline(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.DeclineRequest, context: Any
    ) -> router_pb2.DeclineResponse:
        """A seat declines an offer."""
        command = seat.OfferDeclined(
            pool=request.pool,
            seat_id=request.seat_id,
            contact_id=request.contact_id,
            token=request.token,
            reason=request.reason,
        )
        return router_pb2.DeclineResponse(declined_at=timestamp(await self._send(command, request)))

    async def Finish(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.FinishRequest, context: Any
    ) -> router_pb2.FinishResponse:
        """A seat has finished a contact."""
        command = seat.ServiceFinished(
            pool=request.pool, seat_id=request.seat_id, contact_id=request.contact_id, token=request.token
        )
        return router_pb2.FinishResponse(finished_at=timestamp(await self._send(command, request)))

    async def Transfer(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.TransferRequest, context: Any
    ) -> router_pb2.TransferResponse:
        """A seat gives a contact on."""
        command = seat.ServiceTransferred(
            pool=request.pool,
            seat_id=request.seat_id,
            contact_id=request.contact_id,
            token=request.token,
            to_pool=request.to_pool,
            reason=request.reason,
        )
        return router_pb2.TransferResponse(transferred_at=timestamp(await self._send(command, request)))

    async def SetMode(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.SetModeRequest, context: Any
    ) -> router_pb2.SetModeResponse:
        """A supervisor switches a pool's mode."""
        if request.mode and request.mode not in MODES:
            raise invalid(f"mode: is none of {', '.join(MODES)}")
        command = wire.ModeRequested(pool=request.pool, by=request.by, reason=request.reason, mode=request.mode)
        return router_pb2.SetModeResponse(set_at=timestamp(await self._send(command, request)))

    async def Assign(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.AssignRequest, context: Any
    ) -> router_pb2.AssignResponse:
        """A supervisor has a contact offered to a seat."""
        command = wire.AssignmentRequested(
            pool=request.pool,
            by=request.by,
            reason=request.reason,
            seat_id=request.seat_id,
            contact_id=request.contact_id,
        )
        return router_pb2.AssignResponse(assigned_at=timestamp(await self._send(command, request)))

    async def Drain(  # noqa: N802 (gRPC's name)
        self, request: router_pb2.DrainRequest, context: Any
    ) -> router_pb2.DrainResponse:
        """A supervisor gives a seat no more contacts."""
        command = wire.DrainRequested(pool=request.pool, by=request.by, reason=request.reason, seat_id=request.seat_id)
        return router_pb2.DrainResponse(drained_at=timestamp(await self._send(command, request)))

    async def _known(self, name: str) -> None:
        """Refuse a pool that is in no policy. One that the policy had before is let be: its debts and mode must be seen to."""
        pools = self._known_pools()
        if pools and name not in pools and await store.pool_state(self._reader, self._pipeline, name) is None:
            raise invalid(f"pool: is not in the policy, which has {', '.join(sorted(pools))}")

    async def _send(self, command: Message, request: Any) -> datetime:
        """Have the pool's owner decide, and return when it did."""
        try:
            check(command)
        except Unreadable as error:
            raise invalid(refusal(command, error)) from None
        if len(request.command_id) > LONGEST_COMMAND_ID or not request.command_id.isprintable():
            raise invalid(f"command_id: must be at most {LONGEST_COMMAND_ID} printable characters")
        await self._known(request.pool)
        # The id names the whole call, so that another command under the same command_id isn't given its answer.
        said = [str(value) for field, value in command.ListFields() if field.name not in _NOT_THE_CALL]
        try:
            answer = await self._commands.send(
                command,
                command_id=json.dumps(
                    (type(command).__name__, *said, request.command_id or str(uuid4())), ensure_ascii=False
                ),
                subject=getattr(request, "seat_id", "") or request.pool,
                now=self._clock(),
                deadline_s=self._command_s,
            )
        except Unanswered as error:
            raise refused("DEADLINE_EXCEEDED", str(error)) from None
        if not answer.ok:
            raise refused(answer.code, answer.reason)
        return parse_time(answer.body["at"])


def _wanted(field: str, value: str) -> str:
    if not value:
        raise invalid(f"{field}: is missing")
    return value


def servicer(
    pool: Any,
    pipeline: str,
    commands: CommandBus,
    clock: Clock,
    command_s: float,
    reader: Any = None,
    known_pools: Callable[[], Collection[str]] = tuple,
) -> Servicer:
    """What the runtime's server is given. As `RouterAnswers`."""
    answers = RouterAnswers(pool, pipeline, commands, clock, command_s, reader, known_pools)
    register = router_pb2_grpc.add_RouterServiceServicer_to_server
    return Servicer(register, answers, "touchline.router.v1.RouterService", changing=CHANGING)
