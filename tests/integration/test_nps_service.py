"""The NPS service live: any segments and window, who is asked, changes, KPIs and actions, on real Kafka and Postgres."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from jsonschema import Draft202012Validator
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.survey.v1 import events_pb2 as survey_pb2

from services.nps.domain.figures import group
from services.runtime.records import write
from services.runtime.settings import KafkaSettings
from services.runtime.tail import tail
from tests.integration.process import Process

pytestmark = pytest.mark.integration
SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
FAR = datetime(2000, 1, 1, tzinfo=UTC)


class World(NamedTuple):
    """What was sent: this run's tag, the moment it was made, the events and the answers that stand."""

    tag: str
    now: datetime
    events: list[Any]
    truth: list[tuple[datetime, dict[str, str], int]]

    @property
    def region(self) -> str:
        return f"r-{self.tag}"

    @property
    def customer(self) -> str:
        return f"{self.tag}-new"

    def event(self, message: Any, customer: str, name: str, at: datetime) -> Any:
        return write(message, event_id=f"{self.tag}-{name}", source="survey-test", subject=customer, time=at)


def moment(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def world() -> World:
    """40 days of answers about two stages, one of which breaks 12 days ago; and a contact an hour ago."""
    w = World(uuid4().hex[:6], datetime.now(UTC), [], [])
    tag, now = w.tag, w.now
    for n in range(1600):
        at = now - timedelta(days=40) + timedelta(minutes=36 * n)
        stage, broken = ("time", "refund")[n % 2], at > now - timedelta(days=12)
        score = 2 if broken and stage == "time" and n % 10 < 8 else (10, 9, 8, 10, 3)[n % 5]
        segments = {"region": w.region, "store": f"s-{tag}{n % 7}", "touchpoint": f"{stage}-{tag}"}
        answer = survey_pb2.SurveyAnswered(survey_id=f"{tag}-{n}", score=score, segments=segments)
        w.events.append(w.event(answer, f"{tag}-c{n % 300}", f"a{n}", at))
        w.truth.append((at, segments, score))
    asked = contact_pb2.ContactRequested(contact_id=f"k-{tag}", channel="app", touchpoint=f"contact-{tag}")
    asked.customer.store, asked.customer.region, asked.customer.tier = f"s-{tag}new", w.region, "vip"
    said = contact_pb2.MessageReceived(contact_id=f"k-{tag}", speaker=contact_pb2.SPEAKER_SEAT, text="您好")
    over = contact_pb2.ContactEnded(contact_id=f"k-{tag}")
    hour = now - timedelta(hours=1)
    for name, message, seconds in (("q", asked, 0), ("m", said, 30), ("e", over, 540)):
        w.events.append(w.event(message, w.customer, name, hour + timedelta(seconds=seconds)))
    # Its answer names the contact alone: the segments are those of the contact.
    answered = {"region": w.region, "store": f"s-{tag}new", "touchpoint": f"contact-{tag}", "channel": "app", "group": "vip"}  # fmt: skip
    w.truth.append((now, answered, 9))
    return w


async def first(stack, topic: str, key: str) -> Any:
    """The first record from now on with that key."""
    async for records in tail(KafkaSettings(bootstrap=stack.bootstrap), [topic]):
        for record in records:
            if record.key == key.encode():
                return record
    raise AssertionError("unreachable")


async def refused(call, request, code: str = "INVALID_ARGUMENT") -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call(request, timeout=15)
    assert error.value.code().name == code, request


async def test_the_nps_service_answers_its_questions_live(stack, publisher) -> None:
    w = world()
    async with Process(
        stack, "nps", NPS_QUIET_FROM="0", NPS_QUIET_UNTIL="0", NPS_WATCH_EVERY_S="0.5", NPS_ZONE="UTC"
    ) as service:
        shifted = asyncio.ensure_future(first(stack, "nps.shifted", f"touchpoint=time-{w.tag}"))
        requested = asyncio.ensure_future(first(stack, "survey.requested", w.customer))
        start = "|ALL|1970-01-01T00:00:00Z"
        rows = {
            "nps_changes": asyncio.ensure_future(first(stack, "metrics.nps_changes", f'{{"touchpoint":"time-{w.tag}"}}{start}')),
            "nps_actions": asyncio.ensure_future(first(stack, "metrics.nps_actions", f'{{"action":"old-{w.tag}"}}{start}')),
        }  # fmt: skip
        await asyncio.sleep(1)
        await publisher.publish(w.events)
        await service.settled()
        request = nps_pb2.SurveyRequested.FromString((await asyncio.wait_for(requested, 60)).value)
        assert (request.contact_id, request.channel, request.chance) == (f"k-{w.tag}", "app", 1.0)
        reply = survey_pb2.SurveyAnswered(
            survey_id=request.survey_id, score=9, satisfaction=5, contact_id=request.contact_id
        )
        await publisher.publish([w.event(reply, w.customer, "reply", w.now)])
        await service.settled()
        async with grpc.aio.insecure_channel(service.address) as channel:
            stub = nps_pb2_grpc.NpsServiceStub(channel)
            await check_windows(stub, w)
            await check_changes(stub, w, await asyncio.wait_for(shifted, 60))
            await check_kpis(stub, w)
            await check_actions(stub, w, publisher, service)
        for metric, row in rows.items():
            schema = json.loads((SCHEMAS / f"metrics.{metric}.json").read_text("utf-8"))
            Draft202012Validator(schema).validate(json.loads((await asyncio.wait_for(row, 60)).value))


async def check_windows(stub, w: World) -> None:
    region, store = w.region, f"s-{w.tag}"

    async def check(wanted: dict[str, str], start: datetime, end: datetime, **window) -> nps_pb2.GetNpsResponse:
        found = await stub.GetNps(nps_pb2.GetNpsRequest(where=wanted, at=moment(w.now), **window), timeout=10)
        inside = [s for at, where, s in w.truth if start <= at < end and wanted.items() <= where.items()]
        counts = Counter(group(s) for s in inside)
        assert (found.all.promoters, found.all.passives, found.all.detractors) == (
            counts["promoters"],
            counts["passives"],
            counts["detractors"],
        )
        return found

    tomorrow = w.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    await check({"region": region}, FAR, tomorrow)
    await check({"region": region, "touchpoint": f"time-{w.tag}", "store": f"{store}3"}, FAR, tomorrow)
    for days in (1, 7, 30):
        window = {"window": nps_pb2.WINDOW_ROLLING, "days": days}
        await check({"region": region, "touchpoint": f"refund-{w.tag}"}, tomorrow - timedelta(days=days), tomorrow, **window)  # fmt: skip
    month = w.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    await check({"store": f"{store}3"}, month, tomorrow, window=nps_pb2.WINDOW_MONTH)
    mine = await check({"store": f"{store}new", "group": "vip"}, FAR, tomorrow)
    assert (mine.all.asked.asked, mine.all.asked.answered) == (1, 1)
    assert mine.all.enough == nps_pb2.ENOUGH_FEW
    assert "答卷太少（1 份）" in mine.all.zh
    assert "too few answers (1)" in mine.all.en
    by = await stub.GetNps(nps_pb2.GetNpsRequest(where={"region": region}, dimensions=["store"], limit=3), timeout=10)
    stores = by.by["store"].values
    assert len(stores) == 3
    assert all(f.HasField("shrunk") and f.zh and f.n > 200 for f in stores.values())
    for wrong in (
        {"window": nps_pb2.WINDOW_ROLLING, "at": moment(w.now)},
        {"window": nps_pb2.WINDOW_MONTH},
        {"limit": -1},
        {"limit": 201},
        {"after": "s", "dimensions": ["store", "region"]},
        {"after": "s", "dimensions": ["store"], "limit": 3},
        {"where": {"region": ""}},
        {"window": 17, "at": moment(w.now)},
    ):
        await refused(stub.GetNps, nps_pb2.GetNpsRequest(**wrong))


async def check_changes(stub, w: World, record: Any) -> None:
    now, tag, region = w.now, w.tag, w.region
    told = nps_pb2.NpsShifted.FromString(record.value).change
    changes = await stub.GetChanges(nps_pb2.GetChangesRequest(where={"touchpoint": f"time-{tag}"}), timeout=20)
    (change,) = changes.changes
    assert change.told_at == told.told_at
    assert change.high < 0
    assert change.earliest.ToDatetime(UTC) <= now - timedelta(days=11)
    assert change.latest.ToDatetime(UTC) >= now - timedelta(days=13)
    assert changes.en.startswith("changed since ")
    assert "自" in changes.zh
    assert change.split.segments[0].segment == f"region={region}"
    still = await stub.GetChanges(nps_pb2.GetChangesRequest(where={"touchpoint": f"refund-{tag}"}), timeout=20)
    assert (list(still.changes), still.en) == ([], "nothing changed that could be told from chance")
    narrow = {"store": f"s-{tag}3", "touchpoint": f"time-{tag}"}
    one = await stub.GetChanges(nps_pb2.GetChangesRequest(where=narrow), timeout=20)
    assert 100 < one.answers < 120
    assert [c.high < 0 for c in one.changes] in ([], [True])


async def check_kpis(stub, w: World) -> None:
    now, store = w.now, f"s-{w.tag}"
    kpis = await stub.GetKpis(nps_pb2.GetKpisRequest(where={"store": f"{store}new"}), timeout=10)
    found = {k.name: k for k in kpis.all.kpis}
    assert found["first_response"].value == 30
    assert (found["satisfaction"].value, found["recommendation"].value) == (100, 100)
    assert not found["callback"].HasField("value")
    day = nps_pb2.GetKpisRequest(dimension="store", window=nps_pb2.WINDOW_ROLLING, days=2, at=moment(now))
    assert set((await stub.GetKpis(day, timeout=10)).by) >= {f"{store}new"}


async def check_actions(stub, w: World, publisher, service) -> None:
    now, tag, region = w.now, w.tag, w.region
    promise = nps_pb2.PromiseActionRequest(
        action_id=f"van-{tag}", owner="Mr Wu", promise="a second van", segments={"region": region, "touchpoint": f"time-{tag}"}
    )  # fmt: skip
    made = (await stub.PromiseAction(promise, timeout=15)).action
    assert (made.owner, made.verdict, made.en) == (
        "Mr Wu",
        nps_pb2.VERDICT_NOT_DONE,
        "not done yet: nothing to judge",
    )
    ended = await stub.EndAction(nps_pb2.EndActionRequest(action_id=f"van-{tag}", outcome="it runs"), timeout=15)
    assert ended.action.HasField("done_at")
    assert ended.action.verdict == nps_pb2.VERDICT_NOT_YET_KNOWN
    # What was promised 30 days ago and done 12 days ago made it worse.
    past = nps_pb2.ActionPromised(action_id=f"old-{tag}", owner="Ms Li", promise="one van less", segments=promise.segments)  # fmt: skip
    await publisher.publish([
        w.event(past, f"old-{tag}", "p", now - timedelta(days=12)),
        w.event(nps_pb2.ActionDone(action_id=f"old-{tag}"), f"old-{tag}", "d", now - timedelta(days=11)),
    ])  # fmt: skip
    await service.settled()
    listed = await stub.ListActions(nps_pb2.ListActionsRequest(), timeout=10)
    found_actions = {a.action_id: a for a in listed.actions}
    old = found_actions[f"old-{tag}"]
    assert (old.verdict, old.effect.high < 0) == (nps_pb2.VERDICT_DID_NOT, True)
    assert old.en.startswith("it did not work: −")
    assert f"van-{tag}" in found_actions
    for call, wrong, code in (
        (stub.PromiseAction, nps_pb2.PromiseActionRequest(promise="x"), "INVALID_ARGUMENT"),
        (stub.EndAction, nps_pb2.EndActionRequest(action_id="none"), "NOT_FOUND"),
        (stub.ListActions, nps_pb2.ListActionsRequest(limit=2000), "INVALID_ARGUMENT"),
    ):
        await refused(call, wrong, code)
