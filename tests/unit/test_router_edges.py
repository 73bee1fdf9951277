"""The router's edges: what the wire says is what the domain hears, and back; counters; lookups that fail."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf.message import Message
from touchline.contact.v1 import events_pb2 as contact
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.order.v1 import events_pb2 as order
from touchline.router.v1 import events_pb2 as wire
from touchline.seat.v1 import events_pb2 as seat
from touchline.sentiment.v1 import sentiment_pb2, sentiment_pb2_grpc

from services.router import codec, counters
from services.router.domain import assignment, events, facts, triage
from services.router.domain.events import Known
from services.router.domain.pool import Pool
from services.router.domain.triage import Customer
from services.router.lookups import Lookups
from services.router.policyfile import DEFAULT, load
from services.router.store import _KINDS
from services.runtime.errors import Unreadable
from services.runtime.pipeline import Answer, Publish
from services.runtime.records import Incoming

T0 = datetime(2026, 3, 2, 2, 0, 0, 123456, tzinfo=UTC)
POLICY = load(DEFAULT)


def incoming(message: Message, key: str = "c1", event_id: str = "e1") -> Incoming:
    return Incoming(event_id, "app", message.DESCRIPTOR.full_name, key, key, T0, message, "")


def test_a_request_is_read_whole() -> None:
    message = contact.ContactRequested(
        contact_id="k1", channel="app", touchpoint="delivery", topic="refund", language="zh-CN",
        customer=contact.Customer(tier="VIP", vulnerable=True), wants_human=True,
    )  # fmt: skip
    assert codec.to_triage(incoming(message)) == events.ContactRequested(
        event_id="e1", source="app", time=T0, customer_id="c1", contact_id="k1", channel="app", touchpoint="delivery",
        topic="refund", language="zh", tier="vip", vulnerable=True, wants_human=True,
    )  # fmt: skip


def test_what_is_no_concern_of_ours_is_passed_over() -> None:
    assert codec.to_triage(incoming(order.OrderPlaced(order_id="o"))) is None
    assert codec.to_assignment(incoming(order.OrderPlaced(order_id="o"))) is None


@pytest.mark.parametrize(
    ("read", "message", "field"),
    [
        (codec.to_triage, contact.ContactRequested(channel="app"), "data.contactId"),
        (codec.to_triage, contact.ContactEnded(), "data.contactId"),
        (codec.to_assignment, seat.SeatSignedIn(pool="care"), "data.seatId"),
        (codec.to_assignment, seat.OfferAccepted(pool="care", seat_id="s", contact_id="k"), "data.token"),
        (codec.to_assignment, seat.SeatPaused(pool="other", seat_id="s"), "key"),
    ],
)
def test_a_broken_event_is_refused_by_its_field(read: Any, message: Message, field: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(incoming(message, "care"))
    assert refused.value.field == field


def journey() -> tuple[list[Any], list[facts.Answer]]:
    """One contact from its request to its end, each fact carried over the wire to the next stage."""
    customer, pool = Customer("c1"), Pool("care")
    made: list[Any] = []
    answers: list[facts.Answer] = []

    def assign(message: Message, event_id: str) -> None:
        nonlocal pool
        event = codec.to_assignment(incoming(message, "care", event_id))
        assert event is not None
        pool, new = assignment.decide(pool, event, T0, POLICY.terms("care"))
        made.extend(new)

    request = contact.ContactRequested(contact_id="k1", channel="app", touchpoint="delivery", customer={"tier": "vip"})
    event = codec.to_triage(incoming(request))
    assert isinstance(event, events.ContactRequested)
    customer, new = triage.decide(customer, event, T0, POLICY)
    made.extend(new)
    for fact in new:
        (out,) = codec.from_fact(fact)
        assert isinstance(out, Publish) and out.subject == "c1"
        if isinstance(out.message, wire.ContactQueued):
            assign(out.message, "q")
    assign(seat.SeatSignedIn(pool="care", seat_id="s1", languages=["zh"]), "in")
    assign(seat.OfferDeclined(pool="care", seat_id="s1", contact_id="k1", token=1), "no")
    assign(seat.OfferAccepted(pool="care", seat_id="s1", contact_id="k1", token=2), "yes")
    assign(seat.ServiceFinished(pool="care", seat_id="s1", contact_id="k1", token=2), "done")
    answers = [fact for fact in made if isinstance(fact, facts.Answer)]
    return made, answers


def test_whose_turn_it_is_is_read_whole() -> None:
    message = wire.TurnPassed(pool="care", contact_id="k1", customer_id="c1", waits_for_customer=True)
    assert codec.to_assignment(incoming(message, key="care")) == events.TurnPassed(
        event_id="e1", source="app", time=T0, pool="care", contact_id="k1", customer_id="c1", waits_for_customer=True
    )


def test_a_journey_over_the_wire() -> None:
    made, answers = journey()
    assert [type(f).__name__ for f in made if not isinstance(f, facts.Answer)] == [
        "ContactTriaged", "ContactQueued", "WaitPredicted", "ContactOffered", "OfferReturned", "ContactOffered", "ContactAccepted",
        "ContactClosed",
    ]  # fmt: skip
    assert [(a.event_id, a.ok) for a in answers] == [("in", True), ("no", True), ("yes", True), ("done", True)]
    (answer,) = codec.from_fact(answers[0])
    assert isinstance(answer, Answer) and answer.body == {"at": T0.isoformat()}
    offered = next(f for f in made if isinstance(f, facts.ContactOffered))
    (published,) = codec.from_fact(offered)
    assert isinstance(published, Publish)
    message = published.message
    assert isinstance(message, wire.ContactOffered)
    assert codec.moment(message.queued_at) == T0
    assert [(c.seat_id, c.eligible) for c in message.candidates] == [("s1", True)] and message.token == 1


def test_facts_survive_the_decision_table() -> None:
    made, _ = journey()
    for fact in made:
        kind = _KINDS.get(type(fact).__name__)
        if kind is not None:
            assert msgspec.json.decode(msgspec.json.encode(fact), type=kind) == fact


def test_an_absent_figure_stays_absent_on_the_wire() -> None:
    made, _ = journey()
    (out,) = codec.from_fact(made[0])
    assert isinstance(out, Publish) and isinstance(out.message, wire.ContactTriaged)
    assert not out.message.inputs.HasField("mood") and out.message.rule == "vip"


def test_counters_of_a_journey() -> None:
    made, _ = journey()
    cells: dict[tuple[tuple[str, str], ...], Counter[str]] = {}
    for fact in made:
        for delta in counters.count(fact):
            assert delta.window == "PT1M" and delta.start == datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
            assert set(delta.counts) <= set(counters.ROUTING.fields)
            cells.setdefault(delta.segment, Counter()).update(delta.counts)
    once = {"triaged_human": 1, "queued": 1, "offered": 2, "accepted": 1, "closed_human": 1}
    assert cells[()] == {**once, "returned": 1} == cells[(("pool", "care"),)]
    assert cells[(("touchpoint", "delivery"),)] == once


class Moods(sentiment_pb2_grpc.SentimentServiceServicer):
    async def GetMood(self, request: Any, context: Any) -> Any:  # noqa: N802
        mood = sentiment_pb2.Mood(mood=-0.5)
        return sentiment_pb2.GetMoodResponse(
            customers=dict.fromkeys(request.customer_ids, mood),
            contacts={"k2": sentiment_pb2.Mood(mood=0.25)} if "k2" in request.contact_ids else {},
        )


class SlowRisks(escalation_pb2_grpc.EscalationServiceServicer):
    async def GetRisk(self, request: Any, context: Any) -> Any:  # noqa: N802
        await asyncio.sleep(5)
        return escalation_pb2.GetRiskResponse()


async def test_a_lookup_that_fails_is_named_and_the_others_count() -> None:
    server = grpc.aio.server()
    sentiment_pb2_grpc.add_SentimentServiceServicer_to_server(Moods(), server)
    escalation_pb2_grpc.add_EscalationServiceServicer_to_server(SlowRisks(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    nobody = grpc.aio.insecure_channel("127.0.0.1:1")
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
            lookups = Lookups(channel, nobody, channel, deadline_s=0.3)
            head = {"event_id": "e", "source": "app", "time": T0}
            asked = [
                events.ContactRequested(**head, customer_id=f"c{i}", contact_id=f"k{i}", channel="app")
                for i in range(1200)
            ]
            ended = events.ContactEnded(**head, customer_id="c0", contact_id="k0")
            began = asyncio.get_running_loop().time()
            found = await lookups.enrich([*asked, ended])
            assert asyncio.get_running_loop().time() - began < 2
    finally:
        await nobody.close()
        await server.stop(0)
    assert len(found) == 1201 and found[-1] == ended
    first, other, last = found[0], found[2], found[1199]
    assert isinstance(first, events.ContactRequested) and isinstance(other, events.ContactRequested)
    assert isinstance(last, events.ContactRequested)
    assert first.known == Known(mood=-0.5, missing=("nps", "escalation")) == last.known
    assert other.known.mood == 0.25, "the contact's own mood goes before the customer's"
