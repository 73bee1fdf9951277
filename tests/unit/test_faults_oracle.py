"""The oracle of the schedules of faults: it finds nothing in what is right, and each thing that is wrong."""

import asyncio
from dataclasses import dataclass, replace
from random import Random

import pytest
from touchline.metrics.v1 import counter_pb2
from touchline.nps.v1 import nps_pb2

import faults.kinds  # noqa: F401, so that they are registered
from faults.oracle import Found, Sent, judge
from faults.proxy import Proxy
from faults.schedule import KINDS, draw

PIPELINE = "counting.t"


@dataclass(frozen=True)
class Record:
    """A record on a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def fact(offset: int, key: str, seq: str, number: int, fact_id: str = "") -> Record:
    value = nps_pb2.NpsChanged(customer_id=key, survey_id=str(number), segments={"seq": seq}).SerializeToString()
    headers = (("ce_source", f"touchline/{PIPELINE}".encode()), ("ce_id", (fact_id or f"{key}-{seq}").encode()))
    return Record("nps.changed", 0, offset, key.encode(), value, headers)


def counter(version: int, count: int) -> Record:
    value = counter_pb2.CounterChanged(share=f"{PIPELINE}/0", version=version, counts={"messages": count})
    return Record("counters", 0, version, b"", value.SerializeToString(), ())


def letter(place: tuple[str, int, int]) -> Record:
    told = {"dlq_pipeline": PIPELINE, "dlq_reason": "bad", "dlq_topic": place[0], "dlq_partition": str(place[1]),
            "dlq_offset": str(place[2])}  # fmt: skip
    return Record("t.dlq", 0, place[2], b"", b"", tuple((k, v.encode()) for k, v in told.items()))


BAD = ("t", 0, 7)
SENT = [
    *(Sent(("t", 0, n), "abc"[n % 2], f"m{n}", f"m{n}") for n in range(6)),
    Sent(("t", 0, 6), "a", "m0", "m0"),  # again
    Sent(BAD, "a", "m7", "m7", dead=True),
    Sent(("t", 1, 0), "r", "m8", "m8", reminds=True),
]
FACTS = [
    *(fact(n, "abc"[n % 2], f"m{n}", n // 2 + 1) for n in range(6)),
    fact(6, "r", "m8", 1),
    fact(7, "tick", "tick", 1),
]
RIGHT = Found(
    facts=[*FACTS, replace(FACTS[4], offset=8), replace(FACTS[5], offset=9)],  # the last batch, published again
    counters=[counter(1, 3), counter(3, 8), counter(2, 5)],
    letters=[letter(BAD), letter(BAD)],
    rows={"a": (3, 3, 0), "b": (3, 3, 0), "r": (1, 1, 1)},
    behind={"outbox": 0},
)


def test_what_is_right_is_clean():
    assert judge(PIPELINE, SENT, RIGHT) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (replace(RIGHT, facts=[f for f in RIGHT.facts if f.offset not in (2,)]), ["lost: a: no fact of message m2"]),
        (replace(RIGHT, facts=[f for f in RIGHT.facts if f.offset not in (4, 8)]), ["lost: a: no fact of message m4"]),
        (replace(RIGHT, facts=[*FACTS, fact(8, "a", "m4", 4, "another")]), ["doubled: a: 1 facts too many of message m4"]),
        (replace(RIGHT, facts=[*FACTS, fact(8, "z", "m9", 1)]), ["invented: z: 1 facts too many of message m9"]),
        (replace(RIGHT, facts=[*FACTS, fact(8, "a", "m5", 3, "a-m4")]), ["altered: fact a-m4 said m4 of a, then m5 of a"]),
        (
            replace(RIGHT, facts=[fact(0, "a", "m2", 1), fact(1, "a", "m0", 2), *(f for f in FACTS if f.offset not in (0, 2))]),
            ["order: a: message m2 where m0 was next"],
        ),
        (replace(RIGHT, facts=[*FACTS[:2], fact(2, "a", "m2", 3), *FACTS[3:]]), ["numbers: a: facts are numbered 1, 3, 3"]),
        (replace(RIGHT, facts=[*FACTS, replace(FACTS[0], offset=8)]), ["last word: a"]),
        (replace(RIGHT, facts=FACTS[:7]), ["lost: 0 reminders, expected 1"]),
        (replace(RIGHT, facts=[*FACTS, fact(8, "tick", "tick", 1, "again")]), ["doubled: 2 reminders, expected 1"]),
        (replace(RIGHT, counters=RIGHT.counters[:1]), ["counters: add up to 3, expected 8"]),
        (replace(RIGHT, counters=[*RIGHT.counters, counter(4, 9)]), ["counters: add up to 9, expected 8"]),
        (replace(RIGHT, counters=[*RIGHT.counters, counter(3, 9)]), ["altered: counter"]),
        (replace(RIGHT, letters=[]), [f"dead letters: {BAD} is none"]),
        (replace(RIGHT, letters=[letter(BAD), letter(("t", 0, 1))]), ["dead letters: ('t', 0, 1) is one"]),
        (replace(RIGHT, rows={**RIGHT.rows, "a": (4, 3, 0)}), ["doubled: a: Postgres added 4 and holds 3, expected 3"]),
        (replace(RIGHT, rows={**RIGHT.rows, "a": (2, 3, 0)}), ["lost: a: Postgres added 2 and holds 3, expected 3"]),
        (replace(RIGHT, rows={**RIGHT.rows, "r": (1, 1, 2)}), ["reminders: r: Postgres has 2, expected 1"]),
        (replace(RIGHT, behind={"outbox": 2}), ["behind: outbox: 2 left"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(found, words):
    told = judge(PIPELINE, SENT, found)
    for word in words:
        assert any(line.startswith(word) for line in told), told


def test_a_name_under_two_keys_counts_once():
    torn = [Sent(("t", 0, 0), "x", "m1", "m1"), Sent(("t", 1, 0), "y", "m1", "m1")]
    one = Found(facts=[fact(0, "y", "m1", 1)], counters=[counter(1, 1)], rows={"y": (1, 1, 0)})
    assert judge(PIPELINE, torn, one) == []
    both = Found(
        facts=[*one.facts, fact(1, "x", "m1", 1)], counters=[counter(1, 2)], rows={"x": (1, 1, 0), "y": (1, 1, 0)}
    )
    assert any("counted 2 times" in line for line in judge(PIPELINE, torn, both))
    assert any("counted 0 times" in line for line in judge(PIPELINE, torn, Found()))


def test_schedules_are_drawn_from_the_seed():
    again = list(draw(60, 7))
    assert again == list(draw(60, 7)) != list(draw(60, 8))
    assert {s.kind for s in again} == set(KINDS)
    assert {s.kind.split(".")[0] for s in draw(9, 7, "kill")} == {"kill"}
    with pytest.raises(ValueError, match="no such kind"):
        list(draw(1, 1, "nothing"))


async def test_the_proxy_passes_delays_cuts_and_breaks():
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
        writer.close()

    async def through(proxy: Proxy, data: bytes, within_s: float = 5.0) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            writer.write(data)
            writer.write_eof()
            async with asyncio.timeout(within_s):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = Proxy(lambda: asyncio.open_connection("127.0.0.1", port))
    await proxy.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        proxy.cut_answers(Random(1), 1.0)
        writer.write(b"a long answer")
        got = await reader.read()
        assert got != b"a long answer"
        assert b"a long answer".startswith(got)
        assert proxy.cuts == 1
        proxy.calm()
        proxy.away()
        assert await through(proxy, b"x") == b""
        proxy.calm()
        proxy.stall()
        with pytest.raises(TimeoutError):
            await through(proxy, b"x", 0.2)
        proxy.calm()
        proxy.hold_producers()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        fetch, produce = b"\0\0\0\2\0\1", b"\0\0\0\2\0\0"
        writer.write(fetch)
        assert await reader.readexactly(6) == fetch
        writer.write(produce)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(6), 0.2)
        writer.transport.abort()
    finally:
        await proxy.stop()
        server.close()
