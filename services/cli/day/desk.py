"""The desktops of seats and of those who follow up: they read what the services say, and answer by gRPC."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import DecodeError
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.router.v1 import events_pb2, router_pb2, router_pb2_grpc

from services.cli.day.crew import Errand, Notice
from services.cli.day.journal import Journal
from services.cli.day.world import Command, Fact
from services.runtime.clock import Clock
from services.runtime.records import Record
from services.runtime.rpc import LookupFailed, channel

DEADLINE_S = 5.0
TRIES = 40
# The command may or may not have been carried out: its id makes asking again safe.
_AGAIN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED")

_OUTCOMES = {
    events_pb2.OUTCOME_BOT: "bot",
    events_pb2.OUTCOME_HUMAN: "human",
    events_pb2.OUTCOME_ABANDONED: "abandoned",
}


def _triaged(value: bytes) -> Fact:
    m = events_pb2.ContactTriaged.FromString(value)
    return Fact("triaged", m.contact_id, m.pool)


def _offered(value: bytes) -> Fact:
    m = events_pb2.ContactOffered.FromString(value)
    return Fact("offered", m.contact_id, m.pool, m.seat_id, m.token)


def _returned(value: bytes) -> Fact:
    m = events_pb2.OfferReturned.FromString(value)
    return Fact("returned", m.contact_id, m.pool, m.seat_id, m.token, m.reason)


def _accepted(value: bytes) -> Fact:
    m = events_pb2.ContactAccepted.FromString(value)
    return Fact("accepted", m.contact_id, m.pool, m.seat_id, m.token)


def _closed(value: bytes) -> Fact:
    m = events_pb2.ContactClosed.FromString(value)
    return Fact("closed", m.contact_id, m.pool, m.seat_id, outcome=_OUTCOMES.get(m.outcome, ""))


_READ: dict[bytes, Callable[[bytes], Fact]] = {
    b"touchline.router.ContactTriaged.v1": _triaged,
    b"touchline.router.ContactOffered.v1": _offered,
    b"touchline.router.OfferReturned.v1": _returned,
    b"touchline.router.ContactAccepted.v1": _accepted,
    b"touchline.router.ContactClosed.v1": _closed,
}


def fact_of(record: Record) -> Fact | None:
    """What a record of routing.decided says; None where people don't care, or can't read it."""
    read = _READ.get(dict(record.headers).get("ce_type", b""))
    try:
        return read(record.value or b"") if read is not None else None
    except DecodeError:
        return None


def notice_of(record: Record, midnight: datetime) -> Notice | None:
    """What a record of escalation.flagged says to those who follow up; None where they see nothing, or can't read it."""
    kind, value = dict(record.headers).get("ce_type", b""), record.value or b""
    try:
        match kind:
            case b"touchline.escalation.ComplaintFlagged.v1":
                flag = escalation_pb2.ComplaintFlagged.FromString(value)
                if flag.arm == "held_out":
                    return None  # as with any desk: nobody is to see it
                due = (flag.due_at.ToDatetime(tzinfo=UTC) - midnight).total_seconds()
                return Notice("flagged", flag.follow_up_id, flag.customer_id, due)
            case b"touchline.escalation.FollowUpReminded.v1":
                return Notice("reminded", escalation_pb2.FollowUpReminded.FromString(value).follow_up_id)
            case b"touchline.escalation.FollowUpOverflowed.v1":
                late = escalation_pb2.FollowUpOverflowed.FromString(value)
                return Notice("overflowed", late.follow_up_id, owner=late.supervisor)
            case b"touchline.escalation.FollowUpClosed.v1":
                return Notice("closed", escalation_pb2.FollowUpClosed.FromString(value).follow_up_id)
    except DecodeError:
        pass
    return None


def told_of(record: Record) -> str | None:
    """The customer who is told of trouble before asking, by a record of outreach.events; None where nobody is."""
    if dict(record.headers).get("ce_type", b"") != b"touchline.escalation.OutreachStarted.v1":
        return None
    try:
        started = escalation_pb2.OutreachStarted.FromString(record.value or b"")
    except DecodeError:
        return None
    return None if started.withheld else started.customer_id


class Desk:
    """Calls the services for people, until they answer one way or the other."""

    def __init__(self, router: str, escalation: str, journal: Journal, clock: Clock) -> None:
        self._channels = channel(router), channel(escalation)
        self._router = router_pb2_grpc.RouterServiceStub(self._channels[0])
        self._escalation = escalation_pb2_grpc.EscalationServiceStub(self._channels[1])
        self._journal = journal
        self._clock = clock

    async def call(self, command: Command) -> None:
        """Carries out a seat's command and writes down the answer."""
        request = {k: v for k, v in asdict(command).items() if k not in ("method", "reason")}
        if command.reason:
            request["reason"] = command.reason
        message = getattr(router_pb2, f"{command.method}Request")(**request)
        began, refusal = self._clock(), await self._ask(getattr(self._router, command.method), message)
        self._journal.call(began, command.method, request, refusal=refusal)

    async def run(self, errand: Errand) -> bool:
        """Carries out an errand of who follows up, writes down the answer, and gives whether it was yes."""
        request = {k: v for k, v in asdict(errand).items() if k != "method" and v}
        message = getattr(escalation_pb2, f"{errand.method}Request")(**request)
        began, refusal = self._clock(), await self._ask(getattr(self._escalation, errand.method), message)
        self._journal.call(began, errand.method, request, refusal=refusal, what="errands")
        return refusal is None

    async def _ask(self, method: Callable[..., Awaitable[Any]], message: Any) -> dict[str, str] | None:
        code, reason = "", ""
        for attempt in range(TRIES):
            try:
                await method(message, timeout=DEADLINE_S)
            except LookupFailed as error:
                status = getattr(error, "code", None)
                code = status().name if callable(status) else type(error).__name__
                details = getattr(error, "details", None)
                reason = str(details() if callable(details) else error)
                if code not in _AGAIN:
                    break
                await asyncio.sleep(min(2.0, 0.1 * 2**attempt))
            else:
                return None
        return {"code": code, "reason": reason}

    async def close(self) -> None:
        """Lets go of the channels."""
        for one in self._channels:
            await one.close()
