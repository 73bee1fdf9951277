"""A pool for the stand-in, in the router's own messages: it answers a supervisor's commands and keeps them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from google.protobuf.json_format import MessageToDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from touchline.router.v1 import router_pb2

Row = dict[str, Any]


def pool_of(name: str, now: datetime) -> router_pb2.GetPoolResponse:
    """Two promises, one of them overdue; three who wait; four seats, two of them ready."""
    pool = router_pb2.GetPoolResponse(pool=name, offered=1, in_service=3, debts_open=2, predicted_wait_s=260)
    pool.mode.load, pool.mode.enter, pool.mode.leave = 1.5, 3, 0.5
    for customer, kind, due, called in (
        ("shopper-8123", "managed", -12, True),
        ("shopper-4401", "call_back", 25, False),
    ):
        debt = pool.debts.add(contact_id=f"d-{customer[-4:]}", customer_id=customer, kind=kind, called=called)
        debt.overdue = due < 0
        debt.due_at.FromDatetime(now + timedelta(minutes=due))
        debt.queued_at.FromDatetime(now - timedelta(minutes=50))
    for contact, waits, call_back in (("hu-4-unhappy", 1010, False), ("c-7", 340, True), ("c-9", 45, False)):
        one = pool.waiting.add(contact_id=contact, priority=10 + waits / 60, call_back=call_back)
        one.queued_at.FromDatetime(now - timedelta(seconds=waits))
    for seat, state, holds in (
        ("care-a01", "ready", ["c-2"]),
        ("care-a02", "ready", ["c-4", "c-5"]),
        ("care-a03", "paused", []),
        ("care-a04", "draining", ["c-6"]),
    ):
        pool.seats.add(seat_id=f"{name}-{seat[-3:]}", state=state, capacity=2, contacts=holds)
    return pool


class Supervised:
    """Pools by name, as commands have left them.

    allowed: whether the viewer has the right to command. mute: answers that get lost, though the command is done.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.reset()

    def reset(self) -> None:
        """Makes the pools as they are at first."""
        self._pools: dict[str, router_pb2.GetPoolResponse] = {}
        self.allowed = True
        self.silent = False
        self.mute = 0
        self.commands: list[tuple[str, Row]] = []
        self._answers: dict[str, Response] = {}

    def at(self, name: str) -> router_pb2.GetPoolResponse:
        if name not in self._pools:
            self._pools[name] = pool_of(name, self._now)
        return self._pools[name]

    async def pool(self, request: Request) -> Response:
        told = MessageToDict(
            self.at(request.path_params["pool"]),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        return JSONResponse(told)

    async def act(self, request: Request) -> Response:
        """Does it, or refuses it with the words and the status of the gateway."""
        what, said = request.path_params["command"], await request.json()
        if not self.allowed:
            return JSONResponse({"error": "this channel may view but not supervise"}, 403)
        if self.silent:
            return JSONResponse({"error": "the router does not answer"}, 503)
        name = said.pop("command_id")
        if name not in self._answers:  # asked again by the same name, it has the same answer and no further effect
            self.commands.append((what, said))
            reason = self._do(self.at(request.path_params["pool"]), what, said)
            done = JSONResponse({"at": self._now.isoformat()})
            self._answers[name] = JSONResponse({"error": reason}, 409) if reason else done
        if self.mute:
            self.mute -= 1
            return JSONResponse({"error": "it may yet be carried out", "command_id": name}, 504)
        return self._answers[name]

    def _do(self, pool: router_pb2.GetPoolResponse, what: str, said: Row) -> str:
        if what == "mode":
            pool.mode.hand = "" if said["mode"] == "auto" else said["mode"]
            pool.mode.managed = said["mode"] == "managed"
            pool.mode.by, pool.mode.reason = said["by"], said["reason"]
            pool.mode.since.FromDatetime(self._now)
            return ""
        seat = next(s for s in pool.seats if s.seat_id == said["seat_id"])
        if what == "drain":
            seat.state = "draining" if seat.contacts else "signed_out"
            return ""
        found = next((w for w in pool.waiting if w.contact_id == said["contact_id"]), None)
        if len(seat.contacts) >= seat.capacity:
            return f"seat {seat.seat_id} has no room: it holds {', '.join(seat.contacts)}"
        if found is None:
            return f"contact {said['contact_id']} doesn't wait in pool {pool.pool}"
        pool.waiting.remove(found)
        seat.contacts.append(found.contact_id)
        return ""
