"""The Store's contract, kept by Postgres and by the simulation's memory alike."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.runtime.checkpoint import Cell, Claim, Commit, Place, Unsent
from services.runtime.errors import Conflict, Fenced, Permanent
from services.runtime.pipeline import Answer
from services.runtime.records import Outgoing

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
HERE, THERE = Place("events", 0), Place("events", 1)


def moving(place: Place, claim: Claim, to: int, **changes: Any) -> Commit:
    commit = Commit({place: (claim, to)}, NOW)
    for name, value in changes.items():
        setattr(commit, name, value)
    return commit


def record(text: str) -> Outgoing:
    return Outgoing(
        "facts", text.encode(), b"value of \xff " + text.encode(), (("ce_id", text.encode()), ("empty", b""))
    )


def cell(count: int, *, metric: str = "m", publish: bool = True, partition: int = 0) -> Cell:
    return Cell(metric, "ALL", NOW, "{}", partition, publish, (count, 0), "")


async def test_a_place_begins_where_it_is_told_and_keeps_its_offset(keeper):
    store = keeper.store()
    first = await store.claim({HERE: 5, THERE: 0})
    assert first == {HERE: Claim(5, first[HERE].epoch), THERE: Claim(0, first[THERE].epoch)}
    await store.commit(moving(HERE, first[HERE], 8))
    again = await store.claim({HERE: 0})
    assert again[HERE].next_offset == 8
    assert again[HERE].epoch > first[HERE].epoch
    assert await store.behind() == ({HERE: 8, THERE: 0}, 0)


async def test_who_is_fenced_leaves_nothing_behind(keeper):
    old, new = keeper.store(), keeper.store()
    lost = (await old.claim({HERE: 0}))[HERE]
    await new.claim({HERE: 0})
    name = uuid4()

    async def project(db):
        await keeper.put(db, "fenced", "written")

    commit = moving(
        HERE,
        lost,
        1,
        seen=[name],
        states={"k": (0, 1, NOW, b"{}")},
        cells=[cell(1)],
        outbox={0: [record("a")]},
        project=project,
    )
    with pytest.raises(Fenced):
        await old.commit(commit)
    assert await new.seen([name]) == set()
    assert await new.load(["k"]) == {}
    assert await new.unsent([0]) == []
    assert await new.dirty([0], 10) == []
    assert await keeper.model("fenced") is None
    assert await new.behind() == ({HERE: 0}, 0)


async def test_an_offset_that_moved_meanwhile_or_would_go_back_is_refused(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 3}))[HERE]
    await store.commit(moving(HERE, claim, 5))
    with pytest.raises(Fenced):
        await store.commit(moving(HERE, claim, 6))
    with pytest.raises(Fenced):
        await store.commit(moving(HERE, Claim(5, claim.epoch), 4))
    with pytest.raises(Fenced):
        await store.commit(moving(THERE, claim, 6))
    await store.commit(moving(HERE, Claim(5, claim.epoch), 5))
    assert (await store.behind())[0] == {HERE: 5}


async def test_one_lost_place_is_enough_to_refuse_all(keeper):
    store = keeper.store()
    held = await store.claim({HERE: 0, THERE: 0})
    await keeper.store().claim({THERE: 0})
    with pytest.raises(Fenced):
        await store.commit(Commit({p: (c, 1) for p, c in held.items()}, NOW))
    assert (await store.behind())[0] == {HERE: 0, THERE: 0}


async def test_of_two_at_once_one_stands(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    both = [keeper.store().commit(moving(HERE, claim, 1, outbox={0: [record(t)]})) for t in ("a", "b")]
    found = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(x).__name__ for x in found) == ["Fenced", "list"]
    assert len(await store.unsent([0])) == 1


async def test_what_is_held_can_be_taken_anew_but_not_what_is_lost(keeper):
    store = keeper.store()
    held = await store.claim({HERE: 0, THERE: 0})
    await store.commit(moving(HERE, held[HERE], 4))
    anew = await store.reclaim(held)
    assert anew[HERE].next_offset == 4
    assert all(anew[p].epoch > held[p].epoch for p in held)
    with pytest.raises(Fenced):  # what was under way before
        await store.commit(moving(THERE, held[THERE], 1))
    await keeper.store().claim({THERE: 0})
    before = await store.behind()
    with pytest.raises(Fenced):
        await store.reclaim(anew)
    assert await store.behind() == before


async def test_an_event_takes_effect_once(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    a, b = uuid4(), uuid4()
    await store.commit(moving(HERE, claim, 1, seen=[a]))
    assert await store.seen([a, b]) == {a}
    with pytest.raises(Conflict):
        await store.commit(moving(HERE, Claim(1, claim.epoch), 2, seen=[b, a], states={"k": (0, 1, None, b"{}")}))
    assert await store.seen([a, b]) == {a}
    assert await store.load(["k"]) == {}
    with pytest.raises(Conflict):
        await store.commit(moving(HERE, Claim(1, claim.epoch), 2, seen=[b, b]))
    await store.commit(moving(HERE, Claim(1, claim.epoch), 2, seen=[b]))


async def test_names_are_forgotten_by_age(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    names = [uuid4() for _ in range(3)]
    await store.commit(moving(HERE, claim, 1, seen=names))
    assert await store.forget(NOW - timedelta(seconds=1)) == 0
    assert await store.seen(names) == set(names)
    assert await store.forget(NOW + timedelta(seconds=1)) == 3
    assert await store.seen(names) == set()


async def test_answers_are_forgotten_by_the_clock_of_the_service(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    yes = Answer("e1", f"test/{claim.epoch}/{id(store)}", True)
    await store.commit(moving(HERE, claim, 1, answers=[yes]))
    await store.forget(NOW - timedelta(seconds=1))
    assert await keeper.answered(yes) is True
    assert await store.forget(NOW + timedelta(seconds=1)) >= 1
    assert await keeper.answered(yes) is None


async def test_states_are_kept_and_found_when_due(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    states = {
        "late": (0, 1, NOW + timedelta(hours=1), b'{"n": 1}'),
        "second": (0, 1, NOW - timedelta(minutes=1), '{"text": "早上好"}'.encode()),
        "first": (0, 1, NOW - timedelta(minutes=2), b'{"n": 3}'),
        "never": (0, 1, None, b'{"n": 4}'),
        "elsewhere": (1, 1, NOW - timedelta(minutes=3), b'{"n": 5}'),
    }
    await store.commit(moving(HERE, claim, 1, states=states))
    assert await store.due([0], NOW, 10) == ["first", "second"]
    assert await store.due([0, 1], NOW, 1) == ["elsewhere"]
    found = await store.load(["first", "nobody", "second"])
    assert {k: (s.partition, s.version) for k, s in found.items()} == {"first": (0, 1), "second": (0, 1)}
    assert "早上好" in found["second"].body.decode()
    await store.commit(moving(HERE, Claim(1, claim.epoch), 2, states={"first": (0, 2, None, b'{"n": 6}')}))
    assert await store.due([0], NOW, 10) == ["second"]
    assert (await store.load(["first"]))["first"].version == 2


async def test_a_state_in_parts_keeps_what_a_batch_did_not_change(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    first = {"k": {"a/1": b'{"n": 1}', "a/2": b"2", "b/x/y": '"早上好"'.encode()}, "other": {"a/1": b"7"}}
    states = dict.fromkeys(first, (0, 1, None, b'{"head": 1}'))
    await store.commit(moving(HERE, claim, 1, states=states, parts=first))
    found = await store.load(["k", "nobody"], parts=True)
    assert {name: json.loads(body) for name, body in found["k"].parts.items()} == {
        "a/1": {"n": 1}, "a/2": 2, "b/x/y": "早上好",
    }  # fmt: skip
    assert list(found) == ["k"] and json.loads(found["k"].body) == {"head": 1}
    assert (await store.load(["k"]))["k"].parts == {}
    then = moving(
        HERE, Claim(1, claim.epoch), 2,
        states={"k": (0, 2, None, b'{"head": 2}')},
        parts={"k": {"a/1": None, "a/2": b"[3]", "c": b"4", "never there": None}},
    )  # fmt: skip
    await store.commit(then)
    found = await store.load(["k", "other"], parts=True)
    assert {name: json.loads(body) for name, body in found["k"].parts.items()} == {
        "a/2": [3],
        "b/x/y": "早上好",
        "c": 4,
    }
    assert found["k"].version == 2 and found["other"].parts == {"a/1": b"7"}


async def test_parts_stand_and_fall_with_their_batch(keeper):
    store = keeper.store()
    lost = (await store.claim({HERE: 0}))[HERE]
    claim = (await store.claim({HERE: 0}))[HERE]
    states = {"k": (0, 1, None, b"{}")}
    with pytest.raises(Fenced):
        await store.commit(moving(HERE, lost, 1, states=states, parts={"k": {"a": b"1"}}))
    with pytest.raises(Permanent):
        await store.commit(moving(HERE, claim, 1, states=states, parts={"k": {"a": b"1", "b": b'"\\u0000"'}}))
    assert await store.load(["k"], parts=True) == {}
    await store.commit(moving(HERE, claim, 1, states=states, parts={"k": {"a": b"1"}}))
    assert (await store.load(["k"], parts=True))["k"].parts == {"a": b"1"}


async def test_what_cannot_be_stored_is_refused_for_good_and_whole(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    name = uuid4()
    states = {"good": (0, 1, None, b'{"n": 1}'), "bad": (0, 1, None, b'{"text": "nul \\u0000"}')}
    with pytest.raises(Permanent):
        await store.commit(moving(HERE, claim, 1, states=states, seen=[name], outbox={0: [record("a")]}))
    assert await store.load(["good", "bad"]) == {}
    assert await store.seen([name]) == set()
    assert await store.unsent([0]) == []
    await store.commit(moving(HERE, claim, 1))


async def test_the_outbox_keeps_its_order_until_it_is_done(keeper):
    store = keeper.store()
    held = await store.claim({HERE: 0, THERE: 0})
    records = [[record(f"{n}.{i}") for i in range(3)] for n in range(4)]
    first = await store.commit(moving(HERE, held[HERE], 1, outbox={1: records[1], 0: records[0]}))
    second = await store.commit(moving(HERE, Claim(1, held[HERE].epoch), 2, outbox={0: records[2]}))
    assert len(first) == 2 and len(second) == 1
    rows = {1: first[0], 0: first[1]}
    assert await store.unsent([0]) == [Unsent(rows[0], tuple(records[0])), Unsent(second[0], tuple(records[2]))]
    assert {u.row for u in await store.unsent([0, 1])} == {*first, *second}
    assert (await store.behind())[1] == 9
    third = await store.commit(moving(HERE, Claim(2, held[HERE].epoch), 3, outbox={0: records[3]}, done=[rows[0]]))
    assert [u.row for u in await store.unsent([0])] == [second[0], third[0]]
    assert await store.unsent([7]) == []


async def test_counters_add_up_and_are_dirty_until_their_version_is_sent(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    cells = [cell(2), cell(7, metric="private", publish=False), cell(3, partition=1)]
    await store.commit(moving(HERE, claim, 1, cells=cells))
    (one,) = await store.dirty([0], 10)
    assert (one.metric, one.counts, one.version) == ("m", (2, 0), 1)
    await store.commit(moving(HERE, Claim(1, claim.epoch), 2, cells=[cell(-1)]))
    assert (await store.behind())[1] == 2
    # What was sent meanwhile was an older version: it is still to be told.
    await store.commit(moving(HERE, Claim(2, claim.epoch), 2, sent=[one]))
    (two,) = await store.dirty([0], 10)
    assert (two.counts, two.version) == ((1, 0), 2)
    await store.commit(moving(HERE, Claim(2, claim.epoch), 2, sent=[two]))
    await store.commit(moving(HERE, Claim(2, claim.epoch), 2, sent=[one]))  # an old word does not undo a newer
    assert await store.dirty([0], 10) == []
    assert len(await store.dirty([0, 1], 1)) == 1


async def test_a_projection_stands_with_its_batch(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    key = uuid4().hex

    async def project(db):
        await keeper.put(db, key, "written")

    await store.commit(moving(HERE, claim, 1, project=project))
    assert await keeper.model(key) == "written"


async def test_the_first_answer_to_a_command_stands(keeper):
    store = keeper.store()
    claim = (await store.claim({HERE: 0}))[HERE]
    yes, no = (Answer("e1", f"test/{claim.epoch}/{id(store)}", ok) for ok in (True, False))
    await store.commit(moving(HERE, claim, 1, answers=[yes]))
    await store.commit(moving(HERE, Claim(1, claim.epoch), 2, answers=[no]))
    assert await keeper.answered(no) is True
