"""Steps 2 and 3 of the checkpoint: one bad event harms no other, facts keep their ids and their order, counts add up."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from types import SimpleNamespace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from touchline.metrics.v1 import counter_pb2
from touchline.nps.v1 import nps_pb2

from services.runtime.batch import LARGEST_FACT, Decider, States
from services.runtime.checkpoint import Claim, Commit, Dirty, Place, Saved
from services.runtime.clock import wall_clock
from services.runtime.counters import Tally, counter_record, segment_text, totals
from services.runtime.errors import Permanent
from services.runtime.letters import original
from services.runtime.pipeline import Answer, Delta, Metric, Publish
from services.runtime.records import Record, read
from services.runtime.relay import Relay
from services.runtime.runner import Runner
from services.runtime.settings import BatchSettings
from services.runtime.tracing import BatchTrace
from tests.integration.counting import POISON, Count, message, pipeline

NOW = datetime(2026, 6, 9, 12, 0, tzinfo=UTC)
COUNTING = pipeline("counting", "touchpoint.events")


def polled(*said: tuple[str, str], partition: int = 0) -> list[Record]:
    """Messages as (customer, text), polled in this order."""
    return [
        Record(out.topic, partition, n, out.key, out.value, out.headers)
        for n, (customer, text) in enumerate(said)
        for out in [message(customer, text, n)]
    ]


def decided(records, which=COUNTING, states=None):
    """The batch's decisions, and the cache that it was decided on."""
    states = states or States(which, 100)
    decider = Decider(which, states)
    made = decider.begin()
    reads = decider.decode(records, wall_clock(), made)
    states.fill(states.missing(r.incoming.key for r in reads), {})
    decider.decide(reads, NOW, made, BatchTrace(which.name, len(records)))
    return made, states


def ids(made) -> list[str]:
    return [
        dict(r.headers)["ce_id"].decode() for out in made.outbox.values() for r in out if not r.topic.endswith(".dlq")
    ]


def named(made) -> list[tuple[bytes, bytes]]:
    """CloudEvents names of the facts: source and id."""
    headers = [dict(r.headers) for out in made.outbox.values() for r in out]
    return [(h["ce_source"], h["ce_id"]) for h in headers]


def dead(made) -> list[tuple[str, str]]:
    found = [(r, dict(r.headers)) for out in made.outbox.values() for r in out if r.topic.endswith(".dlq")]
    return [(h["ce_id"].decode(), h["dlq_reason"].decode()) for _, h in found]


# --- one bad event ---------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["a", "b", POISON, "forbidden"]), max_size=12))
def test_what_cannot_be_decided_is_a_dead_letter_alone(texts) -> None:
    records = polled(*(("hu", text) for text in texts))
    made, _ = decided(records)
    good = [n for n, text in enumerate(texts) if text in ("a", "b")]
    reasons = {POISON: "could not be decided: ValueError", "forbidden": "is forbidden"}
    wanted = Counter((f"hu-{n}", reasons[t]) for n, t in enumerate(texts) if t in reasons)
    assert Counter(dead(made)) == wanted and made.letters == len(texts) - len(good)
    assert made.handled == len(good) == len(ids(made))
    assert made.seen == [read(records[n], wall_clock()).name for n in good]
    if good:
        assert made.entries["hu"].state == Count(len(good), None, texts[good[-1]])
        assert made.entries["hu"].version == 1
    else:
        assert made.entries == {}


def test_a_dead_letter_holds_the_record_as_it_came() -> None:
    [record] = polled(("hu", POISON))
    [letter] = decided([record])[0].outbox[0]
    back = original(Record(letter.topic, 0, 0, letter.key, letter.value, letter.headers))
    assert (back.topic, back.key, back.value) == (record.topic, record.key, record.value)
    assert back.headers[: len(record.headers)] == record.headers  # how often it was sent again comes after


def test_a_fact_that_cannot_be_written_leaves_the_state_as_it_was() -> None:
    def write(fact):
        if fact[0] == "b":
            raise KeyError(fact[0])
        yield from COUNTING.write(fact)

    made, states = decided(polled(("hu", "a"), ("hu", "b"), ("hu", "c")), replace(COUNTING, write=write))
    assert made.entries["hu"].state.messages == 2
    assert dead(made) == [("hu-1", "could not be decided: KeyError")]
    # The cache learns of it only once the transaction stands.
    assert states.get("hu").state == Count()


def test_a_fact_that_is_too_large_refuses_the_batch_for_it_to_be_halved() -> None:
    def write(_):
        yield Publish(nps_pb2.NpsChanged(customer_id="x" * LARGEST_FACT), "hu", NOW)

    with pytest.raises(Permanent, match="at most 900000 fit"):
        decided(polled(("hu", "a")), replace(COUNTING, write=write))


async def test_an_event_that_was_seen_is_not_decided_again() -> None:
    records = polled(("hu", "a"), ("hu", "b"))
    before, twice, fresh = records[0], records[1], polled(("li", "c"))[0]
    known = {read(before, wall_clock()).name}

    class Seen:
        """A store that remembers events, and nothing else."""

        async def seen(self, names: list[UUID]) -> set[UUID]:
            return known & set(names)

    runner = Runner(COUNTING, SimpleNamespace(), Seen(), SimpleNamespace(), wall_clock, BatchSettings())
    runner._one_by_one = 1  # after a failure, when memory may not know
    decider = Decider(COUNTING, States(COUNTING, 10))
    made = decider.begin()
    reads = decider.decode([before, twice, twice, fresh, before], wall_clock(), made)
    assert [r.record for r in await runner._fresh(reads, made)] == [twice, fresh]
    assert made.duplicates == 3


@pytest.mark.parametrize(("size", "overlapped"), [(1, False), (3, False), (4, True), (200, True)])
async def test_only_a_batch_worth_a_transaction_of_its_own_is_overlapped(size: int, overlapped: bool) -> None:
    """A 64th of the 200 that one may hold: below it, whoever polls next finds what came meanwhile."""
    settings = BatchSettings(max_records=200)
    runner = Runner(COUNTING, SimpleNamespace(), SimpleNamespace(), SimpleNamespace(), wall_clock, settings)
    place = Place("touchpoint.events", 0)
    runner._owned[place] = runner._ahead[place] = Claim(0, 1)
    arrived = asyncio.Event()

    async def load(keys, *, parts):
        return {}

    async def commit(made):
        await arrived.wait()
        return [1] * len(made.outbox)

    async def publish(records):
        pass

    runner._store.load, runner._store.commit = load, commit
    runner._relay = Relay("counting", SimpleNamespace(publish=publish), runner._patience)
    runner._next_telling = float("inf")
    async with asyncio.TaskGroup() as tasks:
        handling = tasks.create_task(runner._handle(polled(*(("hu", "a") for _ in range(size)))))
        done, _ = await asyncio.wait([handling], timeout=0.2)
        arrived.set()
        assert bool(done) == overlapped
    await runner._flights.settle()


# --- facts -----------------------------------------------------------------------------------------------------------

SAID = st.lists(st.tuples(st.sampled_from(["hu", "li", "wu"]), st.sampled_from(["a", "b"])), max_size=15)


async def _project(db, changes) -> None:
    """Only a pipeline with a read model is told of changes."""


def _thrice(fact):
    for n in range(3):
        yield Publish(nps_pb2.NpsChanged(customer_id=fact[0], survey_id=f"{fact[1]}.{n}"), fact[0], NOW)
        yield Answer("e", "s", True)


@given(SAID)
def test_facts_have_ids_that_follow_from_their_cause(said) -> None:
    thrice = replace(COUNTING, write=_thrice)
    records = polled(*said)
    made, _ = decided(records, thrice)
    assert len(ids(made)) == len(set(ids(made))) == 3 * len(said)
    assert len(made.answers) == 3 * len(said)
    # Whatever batch an event comes in, its facts have the same ids; another pipeline's have others.
    alone = [i for record in records for i in ids(decided([record], thrice)[0])]
    assert alone == ids(made)
    other, _ = decided(records, replace(thrice, name="other"))
    assert not set(named(made)) & set(named(other))


@given(SAID)
def test_facts_of_a_key_are_in_the_order_of_their_events(said) -> None:
    made, _ = decided(polled(*said), replace(COUNTING, project=_project))
    told: dict[str, list[tuple[str, int]]] = {}
    for change in made.changes():
        told[change.key] = list(change.facts)
    for key in {customer for customer, _ in said}:
        texts = [text for customer, text in said if customer == key]
        assert told[key] == [(text, n) for n, text in enumerate(texts, 1)]
    published = [nps_pb2.NpsChanged.FromString(r.value) for r in made.outbox.get(0, [])]
    assert [p.customer_id for p in published] == [text for _, text in said]


def test_a_fact_names_its_cause() -> None:
    [record] = polled(("hu", "a"))
    headers = dict(decided([record])[0].outbox[0][0].headers)
    assert (headers["ce_causesource"], headers["ce_causeid"]) == (b"test", b"hu-0")
    assert headers["ce_source"] == b"touchline/counting"


def test_a_tick_has_an_id_of_its_own_each_time() -> None:
    found = []
    for version in (1, 2):
        states = States(COUNTING, 10)
        body = b'{"messages":4,"due_at":"2026-06-09T11:59:00Z","last":"x"}'
        states.fill(["hu"], {"hu": Saved(3, version, body)})
        for _ in range(2):  # decided again after a failed transaction: the same id
            made = Decider(COUNTING, states).begin()
            Decider(COUNTING, states).tick(["hu"], NOW, made)
            assert made.entries["hu"].state == Count(4, None, "x") and made.entries["hu"].version == version + 1
            assert list(made.outbox) == [3]
            found += ids(made)
    assert found[0] == found[1] != found[2] == found[3]


def test_the_cache_is_bounded_and_drops_who_was_asked_for_longest_ago() -> None:
    made, states = decided(polled(("a", "x"), ("b", "x"), ("c", "x")), states=States(COUNTING, 2))
    states.keep(made, Commit({}, NOW))
    assert states.missing(["a", "b", "c"]) == ["a"]
    states.clear()
    assert states.missing(["b"]) == ["b"]


# --- counters --------------------------------------------------------------------------------------------------------

METRIC = Metric("nps", ("promoters", "detractors"))
DELTAS = st.builds(
    Delta,
    metric=st.just("nps"),
    segment=st.permutations([("store", "1"), ("region", "north")]).map(tuple)
    | st.sampled_from([(), (("store", "1"),)]),
    window=st.sampled_from(["ALL", "PT1M"]),
    start=st.sampled_from([NOW, NOW.astimezone(timezone(timedelta(hours=8))), NOW - timedelta(days=1)]),
    counts=st.dictionaries(st.sampled_from(METRIC.fields), st.integers(-5, 5)),
)


def _place(delta: Delta, partition: int):
    return delta.window, delta.start, tuple(sorted(delta.segment)), partition


@given(st.lists(st.tuples(DELTAS, st.integers(0, 2)), max_size=30))
def test_a_batch_writes_each_cell_once_with_the_sum_of_its_changes(added) -> None:
    tally = Tally(METRIC)
    wanted: dict[object, Counter[str]] = {}
    for delta, partition in added:
        tally.add(delta, partition, "")
        wanted.setdefault(_place(delta, partition), Counter()).update(delta.counts)
    cells = tally.cells()
    found = {(c.window, c.start, c.segment, c.partition): c.counts for c in cells}
    assert len(found) == len(cells)
    assert found == {
        (window, start, segment_text(segment), partition): tuple(counts[f] for f in METRIC.fields)
        for (window, start, segment, partition), counts in wanted.items()
        if any(counts.values())
    }
    order = [(c.metric, c.window, c.start, c.segment, c.partition) for c in cells]
    assert all(a < b for a, b in pairwise(order))


@given(st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=4).flatmap(lambda d: st.permutations(list(d.items()))))  # fmt: skip
def test_a_segment_has_one_text(segment) -> None:
    assert segment_text(segment) == segment_text(reversed(segment))


def test_a_field_that_the_metric_does_not_have_is_a_bug() -> None:
    with pytest.raises(KeyError):
        Tally(METRIC).add(Delta("nps", (), "ALL", NOW, {"promotors": 1}), 0, "")


def test_the_last_trace_of_a_cell_is_kept() -> None:
    tally = Tally(METRIC)
    for trace in ("", "first", "last", ""):
        tally.add(Delta("nps", (), "ALL", NOW, {"promoters": 1}), 0, trace)
    assert [c.traceparent for c in tally.cells()] == ["last"]


def test_what_is_counted_in_several_windows_and_segments_is_told_once() -> None:
    tally = Tally(METRIC)
    for window in ("ALL", "P1D"):
        for segment in ((), (("store", "1"),)):
            tally.add(Delta("nps", segment, window, NOW, {"promoters": 2}), 0, "")
    assert totals(tally.cells(), METRIC) == {"promoters": 2}


def test_a_counter_says_its_cell_share_and_version() -> None:
    cell = Dirty("nps", "P1D", NOW, '{"store":"1号店"}', 3, 7, (4, 5), "")
    out = counter_record("nps", METRIC, cell, NOW)
    counter = counter_pb2.CounterChanged.FromString(out.value)
    assert (counter.share, counter.version, dict(counter.segment)) == ("nps/3", 7, {"store": "1号店"})
    assert dict(counter.counts) == {"promoters": 4, "detractors": 5}
    assert out.topic == "counters"
    other = counter_record("nps", METRIC, replace(cell, partition=2), NOW)
    assert other.key == out.key and dict(other.headers)["ce_id"] != dict(out.headers)["ce_id"]
