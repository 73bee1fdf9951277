"""The services that the router asks: away, slow, failing, or answering nonsense. It decides without them, and says so."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import grpc.aio
from google.protobuf.message import Message
from touchline.escalation.v1 import escalation_pb2
from touchline.nps.v1 import nps_pb2
from touchline.sentiment.v1 import sentiment_pb2

from faults.bed import Bed
from faults.contacts import Router
from faults.schedule import kind

PEERS = ("SENTIMENT_ADDR", "NPS_ADDR", "ESCALATION_ADDR")
MODES = ("right", "slow", "failing", "nonsense", "absurd", "hanging")


class Peer(grpc.GenericRpcHandler):
    """Answers every lookup in the way that its mode says."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.mode = "right"
        self.asked = 0

    def service(self, details: Any) -> Any:
        """The handler of any method; raw bytes both ways."""
        method = details.method.rpartition("/")[2]

        async def answer(request: bytes, context: Any) -> bytes:
            return await self._answer(method, request, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    async def _answer(self, method: str, request: bytes, context: Any) -> bytes:
        self.asked += 1
        rng = self.rng
        if self.mode == "slow":
            await asyncio.sleep(rng.uniform(0.05, 0.4))
        elif self.mode == "hanging":
            await asyncio.sleep(20)
        elif self.mode == "failing":
            await context.abort(rng.choice((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)), "as asked for")
        elif self.mode == "nonsense":
            return rng.choice((b"\xff" * 20, b"", rng.randbytes(200)))
        absurd = self.mode == "absurd"
        return _ANSWERS[method](request, rng, absurd).SerializeToString()


def _mood(request: bytes, rng: Random, absurd: bool) -> Message:
    asked = sentiment_pb2.GetMoodRequest.FromString(request)

    def mood() -> sentiment_pb2.Mood:
        return sentiment_pb2.Mood(
            mood=rng.choice((float("nan"), 1e308, float("-inf"))) if absurd else rng.uniform(-1, 1)
        )

    return sentiment_pb2.GetMoodResponse(customers={c: mood() for c in asked.customer_ids if rng.random() < 0.7})


def _score(request: bytes, rng: Random, absurd: bool) -> Message:
    asked = nps_pb2.GetCustomerNpsRequest.FromString(request)
    return nps_pb2.GetCustomerNpsResponse(customers={
        c: nps_pb2.CustomerNps(score=rng.choice((-(2**31), 2**31 - 1)) if absurd else rng.randrange(11))
        for c in asked.customer_ids if rng.random() < 0.7
    })  # fmt: skip


def _risk(request: bytes, rng: Random, absurd: bool) -> Message:
    asked = escalation_pb2.GetRiskRequest.FromString(request)
    return escalation_pb2.GetRiskResponse(customers={
        c: escalation_pb2.Risk(risk=rng.choice((float("nan"), -1e308, float("inf"))) if absurd else rng.random())
        for c in asked.customer_ids if rng.random() < 0.7
    })  # fmt: skip


_ANSWERS: dict[str, Callable[[bytes, Random, bool], Message]] = {
    "GetMood": _mood, "GetCustomerNps": _score, "GetRisk": _risk,
}  # fmt: skip


async def _peers(rng: Random, run: Callable[[list[Peer], dict[str, Any]], Awaitable[list[str]]]) -> list[str]:
    """Three peers, of which some are not there at all."""
    servers, peers = [], []
    addresses: dict[str, Any] = {}
    try:
        for name in PEERS:
            server, peer = grpc.aio.server(), Peer(Random(rng.random()))
            server.add_generic_rpc_handlers((peer,))
            port = server.add_insecure_port("127.0.0.1:0")
            if rng.random() < 0.8:
                await server.start()
                servers.append(server)
                peers.append(peer)
            addresses[name] = f"127.0.0.1:{port}"
        return await run(peers, addresses)
    finally:
        await asyncio.gather(*(server.stop(0) for server in servers))


@kind("lookups", weight=8)
async def lookups(bed: Bed, rng: Random) -> list[str]:
    """Each lookup of the router is right, slow, failing, hanging, nonsense or away, and changes between these."""

    async def run(peers: list[Peer], addresses: dict[str, Any]) -> list[str]:
        router = await Router.on(bed, rng)
        router.start(**addresses)
        await router.service.send(router.seats())
        for part in range(3):
            for peer in peers:
                peer.mode = rng.choice(MODES)
            bed.tell(f"lookups are {[p.mode for p in peers]}")
            await router.service.send(router.requests(12, part * 12))
            await router.service.settled()
        wrong = await router.judged()
        if peers and not any(p.asked for p in peers):
            wrong.append("nobody was ever asked: the schedule did no harm")
        return wrong

    return await _peers(rng, run)
