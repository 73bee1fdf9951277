"""The contract of Source and Publisher, kept by Kafka's clients and by the simulation's memory alike."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from services.runtime.checkpoint import Place
from services.runtime.errors import Permanent, Transient
from services.runtime.records import Outgoing
from tests.members import given

pytestmark = pytest.mark.timeout(240)

KEYS = [f"k{n}".encode() for n in range(9)]


async def nothing() -> None:
    """What a member without work does before it gives up its places."""


@asynccontextmanager
async def publishing(broker):
    publisher = broker.publisher()
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


@asynccontextmanager
async def member(broker, revoked=nothing):
    source = broker.source()
    await source.start(revoked)
    try:
        yield source
    finally:
        await source.stop()


def records(topic: str, count: int, first: int = 0) -> list[Outgoing]:
    return [
        Outgoing(topic, KEYS[n % len(KEYS)], f"v{n}".encode(), (("ce_id", str(n).encode()), ("empty", b"")))
        for n in range(first, first + count)
    ]


async def read(source, count: int) -> list:
    found: list = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += await source.poll(7, 200)
    return found


async def test_what_is_published_is_read_in_order_as_it_was(broker):
    sent = records(broker.topic, 60)
    async with publishing(broker) as publisher, member(broker) as source:
        await publisher.publish(sent[:5])
        await publisher.publish(sent[5:])
        for place in await given(source, 3):
            source.seek(place, 0)
        found = await read(source, 60)
    assert len(found) == 60
    for key in KEYS:
        assert [r.value for r in found if r.key == key] == [r.value for r in sent if r.key == key]
        assert len({r.partition for r in found if r.key == key}) == 1
    for partition in range(3):
        offsets = [r.offset for r in found if r.partition == partition]
        assert offsets == list(range(len(offsets)))
    assert {tuple(r.headers) for r in found} == {tuple(r.headers) for r in sent}
    assert {r.topic for r in found} == {broker.topic}


async def test_nothing_is_read_before_it_is_sought_and_a_place_is_read_from_there(broker):
    async with publishing(broker) as publisher, member(broker) as source:
        await publisher.publish(records(broker.topic, 30))
        places = await given(source, 3)
        assert places == {Place(broker.topic, n) for n in range(3)}
        assert source.assigned() is None
        assert await source.poll(100, 300) == []
        bounds = await source.bounds(places)
        assert all(first == 0 for first, _ in bounds.values())
        assert sum(end for _, end in bounds.values()) == 30
        assert await source.ends() == {place: end for place, (_, end) in bounds.items()}
        place = max(places, key=lambda p: bounds[p][1])
        end = bounds[place][1]
        source.seek(place, end - 2)
        assert [(r.partition, r.offset) for r in await read(source, 2)] == [
            (place.partition, end - 2),
            (place.partition, end - 1),
        ]
        source.seek(place, 0)
        again = await read(source, end)
        assert [r.offset for r in again] == list(range(end))
        # The group's tools are told, which moves nothing.
        await source.commit({place: 1})
        assert await source.poll(100, 300) == []


async def test_a_poll_is_bounded_and_ends_when_nothing_comes(broker):
    async with publishing(broker) as publisher, member(broker) as source:
        await publisher.publish(records(broker.topic, 30))
        for place in await given(source, 3):
            source.seek(place, 0)
        found = []
        async with asyncio.timeout(30):
            while len(found) < 30:
                polled = await source.poll(4, 500)
                assert len(polled) <= 4
                found += polled
        began = asyncio.get_running_loop().time()
        assert await source.poll(4, 200) == []
        assert asyncio.get_running_loop().time() - began < 5


async def test_members_share_and_a_place_is_given_up_before_it_is_given_away(broker):
    told: list[str] = []

    async def slowly() -> None:
        told.append("first gives up")
        await asyncio.sleep(0.5)
        told.append("first has given up")

    async def until_given(source, name: str) -> set[Place]:
        places = await given(source, 1)
        told.append(f"{name} is given")
        return places

    async with member(broker, slowly) as first:
        for place in await given(first, 3):
            first.seek(place, 0)
        async with member(broker) as second:
            one, two = await asyncio.gather(until_given(first, "first"), until_given(second, "second"))
            assert one | two == {Place(broker.topic, n) for n in range(3)}
            assert not one & two
            assert told[:2] == ["first gives up", "first has given up"]
        # Who leaves in good order leaves its places to the others.
        assert await given(first, 3) == {Place(broker.topic, n) for n in range(3)}


async def test_a_place_that_was_given_up_is_not_read_on(broker):
    async with publishing(broker) as publisher, member(broker) as first:
        for place in await given(first, 3):
            first.seek(place, 0)
        async with member(broker) as second:
            one, two = await asyncio.gather(given(first, 1), given(second, 1))
            await publisher.publish(records(broker.topic, 30))
            assert await first.poll(100, 300) == []
            for place in one:
                first.seek(place, 0)
            for place in two:
                second.seek(place, 0)
                first.seek(place, 0)  # not its own: without effect
            bounds = await second.bounds(one | two)
            mine = await read(first, sum(bounds[p][1] for p in one))
            assert {Place(r.topic, r.partition) for r in mine} <= one
            assert await first.poll(100, 300) == []


async def test_what_the_broker_never_takes_is_refused_for_good(broker):
    async with publishing(broker) as publisher:
        with pytest.raises(Permanent):
            await publisher.publish([Outgoing(broker.topic, b"k", b"x" * 9_000_000, ())])
        await publisher.publish(records(broker.topic, 1))


async def test_who_is_not_connected_says_so(broker):
    with pytest.raises(Transient):
        await broker.publisher().publish(records(broker.topic, 1))
    async with publishing(broker) as publisher:
        await publisher.publish([])
