"""A seat's day over gRPC: sign in, an offer, a stale token, accept, look, finish, and why it all was so."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import pytest
from touchline.router.v1 import events_pb2, router_pb2, router_pb2_grpc

from tests.live import Live, accepted, calls, event, history, until

pytestmark = pytest.mark.integration
POOL = "english"  # where nobody else of these tests works
TOPIC = "advice"


async def offer_of(live: Live, contact: str, after: int = 0) -> events_pb2.ContactOffered | None:
    """The contact's last offer, if its token is beyond `after`."""
    found = [
        one.message
        for one in await history(live, "routing.decided")
        if isinstance(one.message, events_pb2.ContactOffered) and one.message.contact_id == contact
    ]
    last = max(found, key=lambda offer: offer.token, default=None)
    return last if last and last.token > after else None


async def test_a_contact_from_its_offer_to_its_end(live_stack: Live) -> None:
    seats = [f"seat-{uuid4().hex[:8]}" for _ in range(2)]
    customer, contact = f"bob-{uuid4().hex[:8]}", f"contact-{uuid4().hex[:8]}"

    def sign_in(seat: str) -> None:
        skilled = {"pool": POOL, "seatId": seat, "skills": {TOPIC: 4}, "languages": ["en"], "capacity": 1}
        accepted(live_stack, event(live_stack, "seat.SeatSignedIn", seat, skilled))

    requested = {"contactId": contact, "channel": "web", "touchpoint": "pre_sales", "topic": TOPIC}
    said = {"contactId": contact, "speaker": "SPEAKER_CUSTOMER", "text": "Which fridge is the quietest one?"}
    sign_in(seats[0])
    try:
        accepted(
            live_stack,
            event(
                live_stack, "contact.ContactRequested", customer, {**requested, "language": "en", "wantsHuman": True}
            ),
            event(live_stack, "contact.MessageReceived", customer, said),
        )
        first = await until("an offer", lambda: offer_of(live_stack, contact))
        assert (first.pool, first.seat_id) == (POOL, seats[0])
        async with calls(live_stack, "router") as channel:
            router = router_pb2_grpc.RouterServiceStub(channel)
            mine = {"pool": POOL, "seat_id": first.seat_id, "contact_id": contact, "token": first.token}
            await router.Decline(router_pb2.DeclineRequest(**mine, command_id=uuid4().hex, reason="busy"), timeout=5)
            sign_in(seats[1])
            second = await until("an offer anew", lambda: offer_of(live_stack, contact, first.token))
            # It waits at its original place: nobody counts its wait from the decline.
            assert second.queued_at == first.queued_at
            await _served(router, first.token, second, customer)
    finally:
        out = [event(live_stack, "seat.SeatSignedOut", seat, {"pool": POOL, "seatId": seat}) for seat in seats]
        accepted(live_stack, *out)


async def _served(router: Any, before: int, offered: events_pb2.ContactOffered, customer: str) -> None:
    """Takes the offer and finishes it, as a seat's desktop does; `before` is the token of the offer before."""
    mine = {"pool": POOL, "seat_id": offered.seat_id, "contact_id": offered.contact_id}
    with pytest.raises(grpc.aio.AioRpcError) as stale:
        await router.Accept(router_pb2.AcceptRequest(**mine, token=before, command_id=uuid4().hex), timeout=5)
    assert stale.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert f"token {before} is stale" in (stale.value.details() or "")
    command = router_pb2.AcceptRequest(**mine, token=offered.token, command_id=uuid4().hex)
    answer = await router.Accept(command, timeout=5)
    # The same command again, as after a lost answer: the same answer.
    assert await router.Accept(command, timeout=5) == answer

    async def seen(state: int) -> Any:
        found = await router.GetContact(router_pb2.GetContactRequest(contact_id=offered.contact_id), timeout=5)
        return found if found.state == state else None

    serving = await until("in service", lambda: seen(router_pb2.CONTACT_STATE_IN_SERVICE))
    assert (serving.customer_id, serving.pool, serving.seat_id) == (customer, POOL, offered.seat_id)
    assert [(turn.speaker, turn.text) for turn in serving.conversation] == [
        ("customer", "Which fridge is the quietest one?")
    ]
    pool = await router.GetPool(router_pb2.GetPoolRequest(pool=POOL), timeout=5)
    (seat,) = [one for one in pool.seats if one.seat_id == offered.seat_id]
    assert list(seat.contacts) == [offered.contact_id]

    await router.Finish(router_pb2.FinishRequest(**mine, token=offered.token, command_id=uuid4().hex), timeout=5)
    ended = await until("served by a human", lambda: seen(router_pb2.CONTACT_STATE_SERVED_BY_HUMAN))
    assert ended.ended_at.ToDatetime() >= ended.accepted_at.ToDatetime() >= ended.requested_at.ToDatetime()
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await router.Accept(router_pb2.AcceptRequest(**mine, token=offered.token, command_id=uuid4().hex), timeout=5)
    assert late.value.code() is grpc.StatusCode.FAILED_PRECONDITION

    explained = await router.Explain(router_pb2.ExplainRequest(contact_id=offered.contact_id), timeout=5)
    assert len(explained.decisions) >= 4
    for decision in explained.decisions:
        assert any("一" <= letter <= "鿿" for letter in decision.zh), decision.zh
        assert decision.en.isascii() or "english" in decision.en, decision.en
    first = explained.decisions[0]
    assert "english" in first.zh and "english" in first.en


async def test_who_asks_for_what_is_not_there_is_told_so(live_stack: Live) -> None:
    async with calls(live_stack, "router") as channel:
        router = router_pb2_grpc.RouterServiceStub(channel)
        answers = await asyncio.gather(
            router.GetContact(router_pb2.GetContactRequest(contact_id="nobody"), timeout=5),
            router.Explain(router_pb2.ExplainRequest(contact_id="nobody"), timeout=5),
            return_exceptions=True,
        )
    assert [error.code() for error in answers] == [grpc.StatusCode.NOT_FOUND] * 2
