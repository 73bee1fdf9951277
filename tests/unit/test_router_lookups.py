"""Triage's lookups against peers that answer nonsense: it goes on without them, and says which were missing."""

from datetime import UTC, datetime

import grpc
import grpc.aio
import pytest
from touchline.nps.v1 import nps_pb2
from touchline.sentiment.v1 import sentiment_pb2

from services.router.domain.events import ContactRequested
from services.router.lookups import Lookups


class Peer(grpc.GenericRpcHandler):
    """Answers any call with these bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def service(self, details):
        async def answer(request, context):
            return self.answer

        return grpc.unary_unary_rpc_method_handler(answer)


def request() -> ContactRequested:
    return ContactRequested(
        event_id="1", source="test", time=datetime.now(UTC), customer_id="c", contact_id="k", channel="app",
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
