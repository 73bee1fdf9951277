"""The router as a process, on real Kafka and Postgres: seats and customers by events, commands and lookups over gRPC."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import grpc
import pytest
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.router.v1 import router_pb2, router_pb2_grpc
from touchline.seat.v1 import events_pb2 as seat_pb2

from services.router.policyfile import DEFAULT
from services.runtime.records import write
from tests.integration.process import Process

pytestmark = pytest.mark.integration


@pytest.fixture
async def router(stack, tmp_path):
    """A router whose pool `care` gives a seat 2 s for an offer."""
    policy = tmp_path / "policy.toml"
    policy.write_text(DEFAULT.read_text().replace("offer_timeout_s = 15", "offer_timeout_s = 2"))
    async with Process(stack, "router", ROUTER_POLICY=str(policy)) as made:
        yield made


@pytest.fixture
async def stub(router):
    async with grpc.aio.insecure_channel(router.address) as channel:
        yield router_pb2_grpc.RouterServiceStub(channel)


def event(message, subject: str):
    return write(message, event_id=uuid4().hex, source="router-test", subject=subject, time=datetime.now(UTC))


async def state(stub, contact_id: str, wanted: int):
    """The contact, once it is where it is wanted."""
    async with asyncio.timeout(20):
        while True:
            try:
                found = await stub.GetContact(router_pb2.GetContactRequest(contact_id=contact_id))
                if found.state == wanted:
                    return found
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.NOT_FOUND
            await asyncio.sleep(0.05)


async def refused(call) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code().name, str(error.value.details())


async def test_a_contact_from_the_bot_to_a_seat_and_out(router, stub, publisher):
    run = uuid4().hex[:6]
    customer, contact, first, second = f"c-{run}", f"k-{run}", f"s1-{run}", f"s2-{run}"
    request = contact_pb2.ContactRequested(contact_id=contact, channel="app", touchpoint="delivery", language="zh")
    said = [("customer", 1, "我的包裹呢？"), ("bot", 2, "请稍等。"), ("customer", 1, "转人工！")]
    await publisher.publish(
        [
            event(request, customer),
            *(event(contact_pb2.MessageReceived(contact_id=contact, speaker=s, text=t), customer) for _, s, t in said),
        ]
    )
    assert (await state(stub, contact, router_pb2.CONTACT_STATE_BOT)).pool == "bot"
    handover = contact_pb2.HandoverRequested(contact_id=contact, reason="customer_asked")
    await publisher.publish([event(handover, customer)])
    await state(stub, contact, router_pb2.CONTACT_STATE_QUEUED)
    await publisher.publish([event(seat_pb2.SeatSignedIn(pool="service", seat_id=first, languages=["zh"]), first)])
    offered = await state(stub, contact, router_pb2.CONTACT_STATE_OFFERED)
    assert offered.seat_id == first
    assert [(t.speaker, t.text) for t in offered.conversation] == [(who, text) for who, _, text in said]

    def names(seat: str, token: int, command: str = "") -> dict[str, object]:
        return {
            "pool": "service",
            "seat_id": seat,
            "contact_id": contact,
            "token": token,
            "command_id": command or uuid4().hex,
        }

    code, why = await refused(stub.Accept(router_pb2.AcceptRequest(**names(first, offered.token + 5)), timeout=10))
    assert code == "FAILED_PRECONDITION"
    assert "stale" in why
    assert (await refused(stub.Accept(router_pb2.AcceptRequest(**names("", 1)), timeout=10)))[0] == "INVALID_ARGUMENT"
    await publisher.publish([event(seat_pb2.SeatSignedIn(pool="service", seat_id=second, languages=["zh"]), second)])
    await stub.Decline(router_pb2.DeclineRequest(**names(first, offered.token)), timeout=10)
    again = await state(stub, contact, router_pb2.CONTACT_STATE_OFFERED)
    assert (again.seat_id, again.queued_at) == (second, offered.queued_at)
    assert again.token > offered.token
    command = router_pb2.AcceptRequest(**names(second, again.token, "once"))
    accepted = await stub.Accept(command, timeout=10)
    assert await stub.Accept(command, timeout=10) == accepted, "the same command again has one effect"
    serving = await state(stub, contact, router_pb2.CONTACT_STATE_IN_SERVICE)
    pool = await stub.GetPool(router_pb2.GetPoolRequest(pool="service"))
    assert [list(s.contacts) for s in pool.seats if s.seat_id == second] == [[contact]]
    assert (pool.in_service, pool.offered, len(pool.waiting)) == (1, 0, 0)
    await stub.Finish(router_pb2.FinishRequest(**names(second, serving.token)), timeout=10)
    done = await state(stub, contact, router_pb2.CONTACT_STATE_SERVED_BY_HUMAN)
    assert done.ended_at.ToMilliseconds() >= done.accepted_at.ToMilliseconds() >= done.queued_at.ToMilliseconds()
    code, why = await refused(stub.Finish(router_pb2.FinishRequest(**names(second, serving.token)), timeout=10))
    assert code == "FAILED_PRECONDITION"
    assert "doesn't serve" in why
    told = (await stub.Explain(router_pb2.ExplainRequest(contact_id=contact))).decisions
    kinds = ["triaged", "triaged", "told", "offered", "returned", "offered", "accepted", "closed"]
    assert [d.kind for d in told if d.kind != "shorter"] == kinds
    assert "查不到情绪、NPS、升级风险" in told[0].zh
    assert "decided without mood" in told[0].en
    assert f"{first} 本轮已拒接" in told[5].zh
    assert (await refused(stub.GetContact(router_pb2.GetContactRequest(contact_id="nobody"))))[0] == "NOT_FOUND"
    assert (await refused(stub.Explain(router_pb2.ExplainRequest(contact_id="nobody"))))[0] == "NOT_FOUND"
    assert (await refused(stub.GetPool(router_pb2.GetPoolRequest(pool="nowhere"))))[0] == "NOT_FOUND"


async def test_offers_run_out_and_nobody_is_lost_through_a_sigkill(router, stub, publisher):
    run = uuid4().hex[:6]
    seat, contacts = f"s-{run}", [f"k{i}-{run}" for i in range(40)]
    vip = contact_pb2.Customer(tier="vip")
    requests = [
        event(contact_pb2.ContactRequested(contact_id=k, channel="app", customer=vip), f"c-{k}") for k in contacts
    ]
    await publisher.publish([event(seat_pb2.SeatSignedIn(pool="care", seat_id=seat), seat), *requests[:20]])
    router.kill()
    await publisher.publish(requests[20:])
    router.start()
    await router.settled()
    async with asyncio.timeout(30):  # three offers are missed, then the seat is paused
        while True:
            pool = await stub.GetPool(router_pb2.GetPoolRequest(pool="care"))
            if [s.state for s in pool.seats if s.seat_id == seat] == ["paused"] and len(pool.waiting) == 40:
                break
            await asyncio.sleep(0.2)
    waiting = [w.contact_id for w in pool.waiting]
    assert sorted(waiting) == sorted(contacts)
    assert [w.priority for w in pool.waiting] == sorted((w.priority for w in pool.waiting), reverse=True)
    left = [event(contact_pb2.ContactAbandoned(contact_id=k), f"c-{k}") for k in contacts]
    await publisher.publish(left * 2)
    await router.settled()
    for k in contacts:
        await state(stub, k, router_pb2.CONTACT_STATE_ABANDONED)
    pool = await stub.GetPool(router_pb2.GetPoolRequest(pool="care"))
    assert (len(pool.waiting), pool.offered, pool.in_service) == (0, 0, 0)
