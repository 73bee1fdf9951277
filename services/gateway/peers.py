"""What the gateway asks of the other services: how they are, which seats a pool has, and why a contact was routed as it was."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from touchline.router.v1 import router_pb2, router_pb2_grpc

from services.gateway.answers import refusal
from services.gateway.live.rows import iso
from services.runtime.admin import ServiceStatus, probe
from services.runtime.clock import Clock
from services.runtime.rpc import LookupFailed
from services.runtime.settings import RpcSettings

EXPLAIN_WITHIN_S = 2.0
PROBE_WITHIN_S = 0.9
SEATS_WITHIN_S = 2.0


class Watch:
    """The services' status, as the dashboard shows it."""

    def __init__(self, peers: Mapping[str, str], clock: Clock, traces_url: str, rpc: RpcSettings | None = None) -> None:
        self._peers = dict(peers)
        self._clock = clock
        self._traces_url = traces_url or None
        self._rpc = rpc
        # Whether the gateway itself can take events; set by the process once it is connected.
        self.well: Callable[[], bool] = lambda: False

    async def status(self) -> dict[str, Any]:
        """Asks all of them at once; who does not answer in time is not healthy."""
        answers = await asyncio.gather(
            *(probe(a, PROBE_WITHIN_S, self._rpc) for a in self._peers.values()), return_exceptions=True
        )
        services: dict[str, dict[str, Any]] = {"gateway": {"healthy": self.well(), "lag": 0, "backlog": 0}}
        for name, answer in zip(self._peers, answers, strict=True):
            if isinstance(answer, ServiceStatus):
                services[name] = {"healthy": answer.healthy, "lag": answer.lag, "backlog": answer.backlog}
            else:
                services[name] = {"healthy": False, "lag": None, "backlog": 0}
        now = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"now": now, "services": services, "traces_url": self._traces_url}


class Seats:
    """Asks the router which seats a pool has: what it refused, drained or paused by itself no seat's event tells."""

    def __init__(self, channel: Any) -> None:
        self._router = router_pb2_grpc.RouterServiceStub(channel)

    async def count(self, pool: str) -> tuple[int, int] | None:
        """How many of the pool's seats are ready, and how many there are; None where the router does not tell."""
        try:
            answer = await self._router.GetPool(router_pb2.GetPoolRequest(pool=pool), timeout=SEATS_WITHIN_S)
        except LookupFailed as failed:
            refused = refusal(failed)
            return (0, 0) if refused is not None and refused[0] == 404 else None
        states = [seat.state for seat in answer.seats if seat.state != "signed_out"]
        return states.count("ready"), len(states)


class Explains:
    """Asks the router why."""

    def __init__(self, channel: Any) -> None:
        self._router = router_pb2_grpc.RouterServiceStub(channel)

    async def explain(self, contact_id: str) -> dict[str, Any] | None:
        """The decisions about a contact, oldest first; None where the router knows none. Raises LookupFailed where it refuses or does not answer."""
        try:
            answer = await self._router.Explain(
                router_pb2.ExplainRequest(contact_id=contact_id), timeout=EXPLAIN_WITHIN_S
            )
        except LookupFailed as failed:
            refused = refusal(failed)
            if refused is not None and refused[0] == 404:
                return None
            raise
        decisions = [{"at": iso(d.decided_at), "kind": d.kind, "zh": d.zh, "en": d.en} for d in answer.decisions]
        return {"contact_id": contact_id, "decisions": decisions}
