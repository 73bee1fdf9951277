"""Triage's lookups against peers that answer nonsense: it goes on without them, and says which were missing."""

import asyncio
from datetime import UTC, datetime

import grpc
import grpc.aio
import pytest
from touchline.nps.v1 import nps_pb2
from touchline.sentiment.v1 import sentiment_pb2

from services.router.domain.events import ContactRequested
from services.router.lookups import Lookups


class Peer(grpc.GenericRpcHandler):
    """Answers any call with these bytes, after a while."""

    def __init__(self, answer: bytes, after_s: float = 0.0) -> None:
        self.answer, self.after_s = answer, after_s
        self.asked = 0

    def service(self, details):
        async def answer(request, context):
            self.asked += 1
            await asyncio.sleep(self.after_s)
            return self.answer

        return grpc.unary_unary_rpc_method_handler(answer)


def request(customer: str = "c") -> ContactRequested:
    return ContactRequested(
        event_id="1", source="test", time=datetime.now(UTC), customer_id=customer, contact_id="k", channel="app",
        touchpoint="", topic="", language="zh", tier="", vulnerable=False, wants_human=False,
    )  # fmt: skip


async def known(answer: bytes):
    """What a request carries once a peer that answers so was asked for everything."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Peer(answer),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            [event] = await Lookups(channel, channel, channel, 5.0).enrich([request()])
            return event.known
    finally:
        await server.stop(0)


async def test_an_answer_that_cannot_be_read_is_a_lookup_that_failed():
    found = await known(b"\xff" * 20)
    assert found.missing == ("sentiment", "nps", "escalation")


@pytest.mark.parametrize("mood", [float("nan"), float("inf"), -1e308, 1.0001])
async def test_a_mood_that_cannot_be_is_not_known(mood):
    answer = sentiment_pb2.GetMoodResponse(customers={"c": sentiment_pb2.Mood(mood=mood)})
    assert (await known(answer.SerializeToString())).mood is None


@pytest.mark.parametrize("score", [-1, 11, 2**31 - 1])
async def test_a_score_that_cannot_be_is_not_known(score):
    answer = nps_pb2.GetCustomerNpsResponse(customers={"c": nps_pb2.CustomerNps(score=score)})
    assert (await known(answer.SerializeToString())).nps_score is None


async def test_what_can_be_is_known():
    answer = sentiment_pb2.GetMoodResponse(customers={"c": sentiment_pb2.Mood(mood=-0.75)})
    assert (await known(answer.SerializeToString())).mood == -0.75


async def test_however_many_customers_there_are_a_lookup_ends_by_its_deadline():
    server, peer = grpc.aio.server(), Peer(b"", after_s=0.6)
    server.add_generic_rpc_handlers((peer,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            [*found] = await Lookups(None, channel, None, 1.0).enrich([request(f"c{n}") for n in range(5000)])
    finally:
        await server.stop(0)
    assert found[0].known.missing == ("sentiment", "nps", "escalation")
    assert peer.asked == 2, "five calls of 0.6 s each have a second together"
