"""How much the gateway works on at once: never more than it is told, less while answers are late, all of it again later."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from services.gateway import app, openapi
from services.gateway.admission import Admission
from services.gateway.cloudevents import BATCH
from services.gateway.door import Door
from services.gateway.ingest import Ingest
from services.gateway.keys import KeyRing
from services.gateway.live.hub import Hub
from services.gateway.live.view import LiveView
from services.gateway.peers import Watch
from services.gateway.reading import Reading
from services.gateway.settings import GatewaySettings
from services.runtime.clock import wall_clock
from services.runtime.records import Outgoing

KEY = "k" * 24


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


STEPS = st.lists(st.tuples(st.sampled_from(["begin", "end", "wait"]), st.floats(0, 3)), max_size=200)


@given(most=st.integers(1, 50), steps=STEPS)
def test_no_more_than_told_and_always_some(most: int, steps: list[tuple[str, float]]) -> None:
    time = Time()
    door = Admission(most, 1 << 20, 0.5, time)
    under_way: list[float] = []
    for what, length in steps:
        if what == "begin":
            began = door.begin()
            assert (began is None) == (len(under_way) >= int(door.limit))
            under_way += [began] if began is not None else []
        elif what == "end" and under_way:
            door.end(under_way.pop(0))
        else:
            time.now += length
        assert door.working == len(under_way) <= most
        assert min(2, most) <= door.limit <= most
    for began in under_way:
        door.end(began)
    assert door.begin() is not None


@given(sizes=st.lists(st.integers(0, 3000), max_size=60), most=st.integers(1, 5000))
def test_no_more_bytes_than_told_but_for_one_body(sizes: list[int], most: int) -> None:
    door = Admission(1, most, 0.5, Time())
    held: list[int] = []
    for size in sizes:
        if door.hold(size):
            held.append(size)
        elif held:
            door.release(held.pop(0))
        assert door.held == sum(held)
        assert door.held <= most or len([h for h in held if h]) == 1
    for size in held:
        door.release(size)
    assert door.held == 0 and door.hold(most)


def test_under_twice_its_capacity_what_is_let_in_is_answered_in_time() -> None:
    """A server that finishes 100 requests a second, asked 200 times a second: the wait is the queue's, so it must stay short."""
    time = Time()
    door, queue, waits = Admission(64, 1 << 20, 0.2, time), [], []
    shed = 0
    for tick in range(20_000):
        time.now = tick * 0.005
        began = door.begin()
        shed += began is None
        queue += [began] if began is not None else []
        if tick % 2 and queue:
            first = queue.pop(0)
            if tick > 10_000:
                waits.append(time.now - first)
            door.end(first)
    assert 9_000 < shed < 11_000
    # Without the breathing bound each would wait for 64 others: 0.64 s.
    assert sorted(waits)[int(len(waits) * 0.99)] < 0.3


class SlowKafka:
    """Acknowledges when it is told to."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.waiting = 0
        self.most = 0
        self.published: list[Outgoing] = []

    async def publish(self, records: Sequence[Outgoing]) -> None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.gate.wait()
        self.waiting -= 1
        self.published.extend(records)


def built(folder: Path, kafka: SlowKafka, most_requests: int = 1000, **changes: Any) -> httpx.AsyncClient:
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"channels": [{"name": "app", "key": KEY}]}))
    settings = GatewaySettings(gateway_keys_file=keys, **changes)
    watch = Watch({}, wall_clock, "")
    door = Door(KeyRing(keys, lambda: 0.0), kafka, wall_clock, settings)
    reading = Reading(Hub(LiveView(), watch.status), None, door, settings)
    application = app.build(Ingest(door, settings), reading, watch, most_requests)
    told = {"authorization": f"Bearer {KEY}", "content-type": BATCH}
    return httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://127.0.0.1", headers=told)


async def crowd(client: httpx.AsyncClient, kafka: SlowKafka, requests: int) -> list[httpx.Response]:
    """So many requests at once; Kafka acknowledges once all of them are waiting, or answered."""
    batches = [json.dumps([{**openapi.EXAMPLE, "id": f"{n}-{i}"} for i in range(3)]) for n in range(requests)]
    asked = [asyncio.create_task(client.post("/v1/events", content=batch)) for batch in batches]
    for _ in range(200):
        await asyncio.sleep(0)
    kafka.gate.set()
    return list(await asyncio.gather(*asked))


def check_shed(answers: list[httpx.Response], kafka: SlowKafka, taken: int) -> None:
    good = [a for a in answers if a.status_code == 202]
    shed = [a for a in answers if a.status_code == 503]
    assert (len(good), len(shed)) == (taken, len(answers) - taken)
    for answer in shed:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["accepted"] == 0 and answer.json()["rejected"][0]["field"] == "request"
    # What was answered with success is on Kafka, and nothing else is.
    assert len(kafka.published) == 3 * taken == sum(a.json()["accepted"] for a in answers)


async def test_what_is_beyond_the_bound_is_told_to_come_back_and_nothing_of_it_is_published(tmp_path: Path) -> None:
    kafka = SlowKafka()
    async with built(tmp_path, kafka, gateway_max_in_flight=5) as client:
        check_shed(await crowd(client, kafka, 40), kafka, 5)
        assert kafka.most == 5
        assert (await client.post("/v1/events", content=json.dumps([openapi.EXAMPLE]))).status_code == 202


async def test_bodies_are_turned_away_unread_when_too_many_bytes_are_held(tmp_path: Path) -> None:
    kafka = SlowKafka()
    size = len(json.dumps([{**openapi.EXAMPLE, "id": "0-0"}] * 3))
    async with built(tmp_path, kafka, gateway_max_in_flight_bytes=3 * size + 10) as client:
        check_shed(await crowd(client, kafka, 10), kafka, 3)


async def test_the_outermost_bound_holds_for_all_requests_but_health(tmp_path: Path) -> None:
    kafka = SlowKafka()
    async with built(tmp_path, kafka, most_requests=4) as client:
        asked = asyncio.create_task(crowd(client, kafka, 20))
        for _ in range(50):
            await asyncio.sleep(0)
        assert (await client.get("/healthz")).json() == {"healthy": False}
        check_shed(await asked, kafka, 4)
