"""The seats' desktops: they read what the router offers, and answer by gRPC."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from google.protobuf.message import DecodeError
from touchline.router.v1 import events_pb2, router_pb2, router_pb2_grpc

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


class Desk:
    """Calls the router for the seats, until it answers one way or the other."""

    def __init__(self, router: str, journal: Journal, clock: Clock) -> None:
        self._channel = channel(router)
        self._router = router_pb2_grpc.RouterServiceStub(self._channel)
        self._journal = journal
        self._clock = clock

    async def call(self, command: Command) -> None:
        """Carries out one command and writes down the answer."""
        request = {k: v for k, v in asdict(command).items() if k not in ("method", "reason")}
        if command.reason:
            request["reason"] = command.reason
        began, refusal = self._clock(), await self._ask(command.method, request)
        self._journal.call(began, command.method, request, refusal=refusal)

    async def _ask(self, method: str, request: dict[str, Any]) -> dict[str, str] | None:
        message = getattr(router_pb2, f"{method}Request")(**request)
        code, reason = "", ""
        for attempt in range(TRIES):
            try:
                await getattr(self._router, method)(message, timeout=DEADLINE_S)
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
        """Lets go of the channel."""
        await self._channel.close()
