"""The sentiment service as a process, on real Kafka and Postgres: conversations, shifts, seats' load, corrections."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import grpc
import pytest
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.router.v1 import events_pb2 as router_pb2
from touchline.seat.v1 import events_pb2 as seat_pb2
from touchline.sentiment.v1 import sentiment_pb2, sentiment_pb2_grpc

from services.runtime.records import write
from services.runtime.settings import KafkaSettings
from services.runtime.tail import read_all
from services.sentiment import store
from tests.integration.process import Process

pytestmark = pytest.mark.integration

PLEASED = "非常好，我很满意，谢谢你们！"
FURIOUS = "太差劲了，垃圾服务，骗子，我要投诉你们！"
CUSTOMER, BOT, SEAT = contact_pb2.SPEAKER_CUSTOMER, contact_pb2.SPEAKER_BOT, contact_pb2.SPEAKER_SEAT


@pytest.fixture
async def service(stack):
    async with Process(stack, "sentiment", calm=2) as made:
        yield made


@pytest.fixture
async def stub(service):
    async with grpc.aio.insecure_channel(service.address) as channel:
        yield sentiment_pb2_grpc.SentimentServiceStub(channel)


def said(run: str, number: int, speaker: int, text: str, at: datetime, contact: str = ""):
    seat = f"s-{run}" if speaker == SEAT else ""
    message = contact_pb2.MessageReceived(
        contact_id=contact or f"k-{run}", speaker=speaker, text=text, channel="app", touchpoint="delivery", seat_id=seat
    )
    return write(message, event_id=f"{run}-{number}", source="sentiment-test", subject=f"hu-{run}", time=at)


def other(message, run: str, name: str, at: datetime):
    return write(message, event_id=f"{run}-{name}", source="sentiment-test", subject=f"hu-{run}", time=at)


async def facts(stack, topic: str, kind, run: str) -> list:
    """The distinct facts of that kind about the run's customer, in order."""
    found = {}
    for record in await read_all(KafkaSettings(bootstrap=stack.bootstrap), topic):
        headers = dict(record.headers)
        if headers["ce_type"] == f"touchline.sentiment.{kind.DESCRIPTOR.name}.v1".encode():
            message = kind.FromString(record.value)
            if message.customer_id == f"hu-{run}":
                found[headers["ce_source"], headers["ce_id"]] = message
    return list(found.values())


async def seat_bears_it(stack, stub, run: str, since: datetime) -> None:
    pool, seat = f"care-{run}", f"s-{run}"
    borne = await facts(stack, "pool.events", sentiment_pb2.AngerAbsorbed, run)
    assert [(a.message_id, a.pool, a.seat_id) for a in borne] == [(f"{run}-{n}", pool, seat) for n in (4, 5, 6)]
    asked_load = sentiment_pb2.GetSeatLoadRequest(pool=pool)
    load = (await stub.GetSeatLoad(asked_load, timeout=10)).seats[seat]
    assert load.messages == 3
    assert load.absorbed == pytest.approx(sum(a.anger for a in borne))
    assert 0 < load.load < load.absorbed, "ten minutes have passed since"
    assert load.since.ToDatetime(tzinfo=UTC) == since


async def test_a_conversation_turns_once_and_its_seat_bears_it_through_a_sigkill(stack, service, stub, publisher):
    run = uuid4().hex[:6]
    start = datetime.now(UTC) - timedelta(minutes=10)

    def at(second: int) -> datetime:
        return start + timedelta(seconds=second)

    pool, seat, contact = f"care-{run}", f"s-{run}", f"k-{run}"
    names = {"contact_id": contact, "customer_id": f"hu-{run}", "pool": pool, "seat_id": seat}
    before = [
        other(seat_pb2.SeatSignedIn(pool=pool, seat_id=seat), run, "on", at(-60)),
        said(run, 0, BOT, "您好，请问有什么可以帮您？", at(0)),
        said(run, 1, CUSTOMER, PLEASED, at(10)),
        other(router_pb2.ContactAccepted(**names), run, "taken", at(20)),
        said(run, 2, CUSTOMER, PLEASED, at(30)),
        said(run, 3, SEAT, "这个我们管不了。", at(40)),
        said(run, 4, CUSTOMER, FURIOUS, at(50)),
    ]
    after = [said(run, 5, CUSTOMER, FURIOUS, at(60)), said(run, 6, CUSTOMER, FURIOUS, at(70))]
    await publisher.publish(before)
    await service.settled()
    asked = sentiment_pb2.GetConversationRequest(contact_ids=[contact, f"nobody-{run}"])
    calm = (await stub.GetConversation(asked, timeout=10)).contacts[contact]
    assert calm.turns == 0, "one odd message turns nothing"

    await publisher.publish(after)
    service.kill()
    await publisher.publish([*before, *after])  # everything once more
    service.start()
    await service.settled()

    found = (await stub.GetConversation(asked, timeout=10)).contacts
    assert set(found) == {contact}
    conversation = found[contact]
    assert (conversation.customer_id, conversation.turns) == (f"hu-{run}", 1)
    assert [(p.message_id, p.speaker) for p in conversation.points] == [
        (f"{run}-{n}", who) for n, who in enumerate((BOT, CUSTOMER, CUSTOMER, SEAT, CUSTOMER, CUSTOMER, CUSTOMER))
    ]
    assert [(m.speaker, m.messages) for m in conversation.speakers] == [(CUSTOMER, 5), (BOT, 1), (SEAT, 1)]
    assert conversation.speakers[0].mood < -0.3
    assert conversation.speakers[0].trend < 0
    turn = conversation.last_turn
    assert turn.direction == sentiment_pb2.DIRECTION_SOURED
    assert (turn.turning.message_id, turn.confirmed_by) == (f"{run}-4", f"{run}-5")
    assert [p.message_id for p in turn.before] == [f"{run}-{n}" for n in (1, 2, 3)]

    (shift,) = await facts(stack, "sentiment.shifted", sentiment_pb2.ConversationShifted, run)
    assert (shift.contact_id, shift.pool, shift.seat_id, shift.turn) == (contact, pool, seat, turn)
    scores = await facts(stack, "sentiment.scored", sentiment_pb2.MessageScored, run)
    assert [s.message_id for s in scores] == [f"{run}-{n}" for n in (1, 2, 4, 5, 6)], "customers' messages alone"
    mood = await stub.GetMood(
        sentiment_pb2.GetMoodRequest(customer_ids=[f"hu-{run}"], contact_ids=[contact]), timeout=10
    )
    assert mood.customers[f"hu-{run}"].messages == mood.contacts[contact].messages == 5
    assert mood.customers[f"hu-{run}"].mood == pytest.approx(scores[-1].customer_mood)

    await seat_bears_it(stack, stub, run, at(-60))
    # The customer comes again, twice: the conversation leaves the state, and is known all the same.
    more = [said(run, n, CUSTOMER, PLEASED, at(3600 + n), contact=f"k{n}-{run}") for n in (7, 8)]
    await publisher.publish([*more, *more])
    await service.settled()
    assert (await stub.GetConversation(asked, timeout=10)).contacts[contact] == conversation
    newer = sentiment_pb2.GetConversationRequest(contact_ids=[f"k8-{run}"])
    assert (await stub.GetConversation(newer, timeout=10)).contacts[f"k8-{run}"].brought_along < 0

    await publisher.publish([other(seat_pb2.SeatSignedOut(pool=pool, seat_id=seat), run, "off", at(120))])
    await service.settled()
    asked_load = sentiment_pb2.GetSeatLoadRequest(seat_ids=[seat])
    assert not (await stub.GetSeatLoad(asked_load, timeout=10)).seats


async def test_corrections_are_kept_exported_and_dropped_in_time(service, stub, publisher):
    run = uuid4().hex[:6]
    now = datetime.now(UTC)

    def corrected(number: int, label: int, name: str, **more):
        message = sentiment_pb2.SentimentCorrected(
            message_id=f"{run}-{number}",
            message_source="sentiment-test",
            text=f"还可以吧 {run}",
            label=label,
            seat_id="s1",
            **more,
        )
        return other(message, run, name, now)

    await publisher.publish(
        [
            said(run, 0, CUSTOMER, PLEASED, now),
            corrected(0, sentiment_pb2.LABEL_NEGATIVE, "first"),
            corrected(1, sentiment_pb2.LABEL_NEUTRAL, "second", emotion=sentiment_pb2.EMOTION_SAD, complaint=True),
        ]
    )
    await service.settled()
    await publisher.publish([corrected(0, sentiment_pb2.LABEL_POSITIVE, "third")])  # the same seat thinks again
    await service.settled()
    argv = [sys.executable, "-m", "services.cli.main", "sentiment", "feedback", "export", "--address", service.address]
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    mine = [line for line in map(json.loads, done.stdout.splitlines()) if run in line["text"]]
    assert [(line["label"], line.get("emotion"), line.get("complaint")) for line in mine] == [
        ("neutral", "sad", True),
        ("positive", None, None),
    ]
    assert sum(mine[0]["said"]["probability"].values()) == pytest.approx(1, abs=1e-5)
    assert mine[0]["number"] < mine[1]["number"]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.ExportCorrections(sentiment_pb2.ExportCorrectionsRequest(limit=5000), timeout=10)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    async with asyncpg.create_pool(service.dsn, min_size=1, max_size=1) as pool:
        long_ago = now - timedelta(days=400)
        await store.forget(pool, long_ago, long_ago, long_ago)
        assert (await store.corrections(pool, mine[0]["number"] - 1, 10))[0].text == f"还可以吧 {run}"
        assert await store.moods(pool, [f"hu-{run}"], [])
        soon = now + timedelta(days=1)
        assert await store.forget(pool, soon, soon, soon) >= 3
        assert not await store.corrections(pool, 0, 10)
        assert not await store.moods(pool, [f"hu-{run}"], [])
