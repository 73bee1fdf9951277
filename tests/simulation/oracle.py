"""What must be true once the world is at rest, worked out from what went in, without a word from the runtime."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from touchline.metrics.v1 import counter_pb2
from touchline.nps.v1 import nps_pb2

from services.runtime.checkpoint import Place
from tests.simulation.bus import Written, partition_of
from tests.simulation.client import UNWELCOME
from tests.simulation.counting import COUNTERS, FACTS, FACTS_OF, LETTERS, SOURCE, Ledger, joined
from tests.simulation.world import World

Origin = tuple[str, int, int]  # topic, partition, offset


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact as it lies on its topic."""

    fact_id: str
    no: int
    why: str


def sort_of(failure: str) -> str:
    """What sort of failure it is: the same words without their numbers and keys."""
    return re.sub(r"[\d.\[\](){}',\"-]+", "", failure)[:24]


def unsettled(world: World) -> str:
    """What there is still to do; empty where the world is at rest."""
    checkpoint, backlog = world.database.behind()
    lag = sum(
        len(log) - checkpoint.get(place, 0) for place, log in world.bus.logs.items() if place.topic in world.inputs
    )
    due = sum(1 for _, _, at, _ in world.database.entities.values() if at is not None)
    if lag or backlog or due:
        return f"lag {lag}, not published {backlog}, due {due}"
    return ""


def judge(world: World) -> list[str]:
    """All that is wrong."""
    found = [unsettled(world)] if unsettled(world) else []
    found += _counters(world)
    found += _letters(world)
    found += _answers(world)
    found += _same_id_same_content(world)
    facts = _facts(world)
    for key in sorted({e.key for e in world.schedule.events}):
        found += _key(world, key, facts.get(key, []))
    return found


def _ledger(world: World, key: str) -> Ledger:
    row = world.database.states_of([key], parts=True).get(key)
    return joined(msgspec.json.decode(row.body, type=Ledger), row.parts) if row else Ledger(key)


def _key(world: World, key: str, facts: list[tuple[Fact, Written]]) -> Iterator[str]:
    state = _ledger(world, key)
    yield from _effects(world, key, state)
    yield from _told(world, key, state, facts)
    if key in world.database.entities and world.database.models.get(key) != state.facts:
        yield f"{key}: the read model says {world.database.models.get(key)}, the state {state.facts}"


def _effects(world: World, key: str, state: Ledger) -> Iterator[str]:
    """Each event once, and a key's events of one topic in their order."""
    kinds = {e.number: e.kind for e in world.schedule.events if e.key == key}
    wanted = {n for n, kind in kinds.items() if kind in FACTS_OF and kind != "noop"}
    applied = set(state.applied)
    if lost := sorted(wanted - applied):
        yield f"{key}: lost {lost}"
    if foreign := sorted(applied - wanted):
        yield f"{key}: took effect and should not have: {foreign}"
    if len(applied) != len(state.applied):
        yield f"{key}: doubled {sorted(n for n in applied if state.applied.count(n) > 1)}"
    topics: dict[int, set[int]] = {}
    for e in world.schedule.events:
        if e.key == key:
            topics.setdefault(e.number, set()).add(e.topic)
    for topic in range(world.schedule.topics):
        # An event that came on both topics has no place in the order of either.
        alone = [n for n in state.applied if topics.get(n) == {topic}]
        sent = _sent(world, topic, key)
        if alone != [n for n in sent if n in set(alone)]:
            yield f"{key}: out of order on topic {topic}: {alone}"


def _sent(world: World, topic: int, key: str) -> list[int]:
    name = world.inputs[topic]
    log = world.bus.logs[Place(name, partition_of(key.encode(), world.schedule.partitions))]
    numbers = [int(dict(w.headers)["ce_id"].decode().rpartition("-")[2]) for w in log if w.key == key.encode()]
    return list(dict.fromkeys(numbers))


def _facts(world: World) -> dict[str, list[tuple[Fact, Written]]]:
    """By key, in the topic's order, repeats and all."""
    found: dict[str, list[tuple[Fact, Written]]] = {}
    for place, log in world.bus.logs.items():
        if place.topic != FACTS:
            continue
        for w in log:
            no, _, why = nps_pb2.NpsChanged.FromString(w.value).survey_id.partition(":")
            fact = Fact(dict(w.headers)["ce_id"].decode(), int(no), why)
            found.setdefault(w.key.decode(), []).append((fact, w))
    return found


def _told(world: World, key: str, state: Ledger, facts: list[tuple[Fact, Written]]) -> Iterator[str]:
    """The facts that follow from the state: each under one id, first said in order, the last word the last."""
    kinds = {e.number: e.kind for e in world.schedule.events if e.key == key}
    expected = [str(n) for n in state.applied for _ in range(FACTS_OF.get(kinds.get(n, ""), 0))]
    refused = {str(n) for n in state.applied if kinds.get(n) == "unwelcome"}
    first = list(dict.fromkeys(fact for fact, _ in facts))
    if len({f.fact_id for f in first}) != len(first):
        yield f"{key}: one id with several contents"
    numbers = [f.no for f in first]
    if len(set(numbers)) != len(numbers):
        yield f"{key}: facts told twice under different ids: {[(f.no, f.why) for f in first]}"
    if numbers != sorted(numbers):
        yield f"{key}: facts out of order: {numbers}"
    by_no = {f.no: f.why for f in first}
    missing = sorted(set(range(1, state.facts + 1)) - set(by_no))
    if len(missing) != len(refused) or state.facts != len(expected) + state.reminded:
        yield f"{key}: of {state.facts} facts {missing} are lost, where {len(refused)} are refused by Kafka"
    whys = [by_no[n] for n in sorted(by_no) if by_no[n] != "tick"]
    if whys != [w for w in expected if w not in refused]:
        yield f"{key}: facts {whys} do not follow from events {list(state.applied)}"
    if sum(1 for why in by_no.values() if why == "tick") != state.reminded:
        yield f"{key}: reminded {state.reminded} times, and told so otherwise"
    if facts and facts[-1][0].no != max(by_no) and not _echo(world, key, facts[-1][1]):
        yield f"{key}: the last word is fact {facts[-1][0].no} of {max(by_no)}, from {facts[-1][1].by}"


def _echo(world: World, key: str, word: Written) -> bool:
    """Whether it was said by a process that had lost the key's place before: what it repeats, nothing can hold back.

    Its transaction stood, the place's next owner has published it already, and only the id tells a reader that it is a repeat.
    """
    partition = partition_of(key.encode(), world.schedule.partitions)
    for place, claims in world.database.claimed.items():
        if place.partition == partition:
            owners = [who for at, who in claims if at <= word.at]
            if owners and owners[-1] != word.by:
                return True
    return False


def _same_id_same_content(world: World) -> Iterator[str]:
    contents: dict[tuple[str, str], Written] = {}
    for place, log in world.bus.logs.items():
        if place.topic in (FACTS, COUNTERS):
            for w in log:
                name = dict(w.headers)["ce_id"].decode()
                before = contents.setdefault((place.topic, name), w)
                same = (w.key, w.value) == (before.key, before.value)
                if not same or (place.topic == FACTS and w.headers != before.headers):
                    yield f"{place.topic}: {name} was published with two contents"


def _counters(world: World) -> Iterator[str]:
    """The cells count each fact once, and a projection of what was published says the same."""
    states = [msgspec.json.decode(row[3], type=Ledger) for row in world.database.entities.values()]
    total = sum(s.facts for s in states)
    kept: dict[str, int] = {}
    for (_, _, _, segment, _), row in world.database.cells.items():
        kept[segment] = kept.get(segment, 0) + row.counts[0]
    if kept.get("{}", 0) != total or sum(kept.values()) != 2 * total:
        yield f"counters: {kept} where there are {total} facts"
    latest: dict[tuple[str, str], tuple[int, int]] = {}
    for place, log in world.bus.logs.items():
        if place.topic == COUNTERS:
            for w in log:
                c = counter_pb2.CounterChanged.FromString(w.value)
                at = (msgspec.json.encode(dict(c.segment)).decode(), c.share)
                latest[at] = max(latest.get(at, (0, 0)), (c.version, c.counts["facts"]))
    told: dict[str, int] = {}
    for (segment, _), (_, count) in latest.items():
        told[segment] = told.get(segment, 0) + count
    if told != kept:
        yield f"counters: published {told}, kept {kept}"


def _letters(world: World) -> Iterator[str]:
    """A letter for each bad event and for no other record, always the same one; a letter of names for each refused fact."""
    needed, refused = _bad(world)
    found: dict[Origin, Written] = {}
    letters = set()
    for place, log in world.bus.logs.items():
        if not place.topic.endswith(".dlq"):
            continue
        for w in log:
            headers = {name: value.decode() for name, value in w.headers}
            if place.topic == f"{FACTS}.dlq":
                letters.add(w.key.decode().removeprefix(UNWELCOME.decode()))
                continue
            origin = (headers["dlq_topic"], int(headers["dlq_partition"]), int(headers["dlq_offset"]))
            before = found.setdefault(origin, w)
            if (before.value, before.headers) != (w.value, w.headers):
                yield f"letters: {origin} has two that differ"
    missing = [sorted(origins) for origins in needed.values() if not origins & set(found)]
    foreign = set(found).difference(*needed.values()) if needed else set(found)
    if missing or foreign:
        yield f"letters: missing {missing}, too many {sorted(foreign)}"
    if letters != refused:
        yield f"letters of refused facts: {sorted(letters)}, wanted {sorted(refused)}"


def _bad(world: World) -> tuple[dict[object, set[Origin]], set[str]]:
    """By bad event where it lies, of which one must have a letter; and the keys of facts that Kafka refuses.

    What cannot even be read has no name to be recognised by: each of its records needs a letter of its own.
    """
    kinds = {(e.key, e.number): e.kind for e in world.schedule.events}
    needed: dict[object, set[Origin]] = {}
    refused = set()
    for place, log in world.bus.logs.items():
        if place.topic not in world.inputs:
            continue
        for offset, w in enumerate(log):
            origin = (place.topic, place.partition, offset)
            key, _, number = dict(w.headers)["ce_id"].decode().rpartition("-")
            kind = kinds[(key, int(number))]
            if kind in LETTERS:
                needed.setdefault((key, number) if kind in ("poison", "unstorable") else origin, set()).add(origin)
            if kind == "unwelcome":
                refused.add(key)
    return needed, refused


def _answers(world: World) -> Iterator[str]:
    wanted = {(SOURCE, f"{e.key}-{e.number}") for e in world.schedule.events if e.kind == "ask"}
    if set(world.database.answers) != wanted:
        yield f"answers: {sorted(set(world.database.answers) ^ wanted)} missing or too many"
