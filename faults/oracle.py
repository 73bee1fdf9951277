"""What must have come of the messages that were sent to the counting pipeline: recomputed from them alone, and compared.

Pure, and without any code of the runtime's: it sees what was sent and where it lay, and what was found afterwards.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from touchline.metrics.v1 import counter_pb2
from touchline.nps.v1 import nps_pb2

from services.cli.audit.wire import Record

Place = tuple[str, int, int]
SHOWN = 6
TICK = "tick"


@dataclass(frozen=True, slots=True)
class Sent:
    """A record that was sent and acknowledged. `name`: source and id, empty where it has none.

    `dead`: it can only be a dead letter. `reminds`: it brings a second fact. `passed`: it concerns nobody.
    """

    place: Place
    key: str
    name: str
    seq: str
    dead: bool = False
    reminds: bool = False
    passed: bool = False


@dataclass
class Found:
    """What there is afterwards.

    facts, counters, letters: every record on those topics since the beginning, others' among them.
    rows: key → (added one by one, as the state says, reminded). behind: what Postgres says is not done, by name.
    """

    facts: Sequence[Record] = ()
    counters: Sequence[Record] = ()
    letters: Sequence[Record] = ()
    rows: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    behind: Mapping[str, int] = field(default_factory=dict)


def expected(sent: Iterable[Sent]) -> tuple[dict[str, list[str]], Counter[str], set[Place]]:
    """(key → seqs in order, key → reminders, places of dead letters); a name counts where it lay first.

    Sent records of one name must share their key: which of two keys takes a name is for `judge` to allow.
    """
    order: dict[str, list[str]] = defaultdict(list)
    reminders: Counter[str] = Counter()
    dead: set[Place] = set()
    seen: set[str] = set()
    for s in sorted(sent, key=lambda s: s.place):
        if s.dead:
            dead.add(s.place)
        elif not s.passed and s.name not in seen:
            seen.add(s.name)
            order[s.key].append(s.seq)
            reminders[s.key] += s.reminds
    return order, reminders, dead


def judge(pipeline: str, sent: Sequence[Sent], found: Found, *, last_word: bool = True) -> list[str]:
    """Everything that is wrong, in words. `last_word`: also whether the last record of each key says the last fact."""
    keys_of: dict[str, set[str]] = defaultdict(set)
    for s in sent:
        if not (s.dead or s.passed):
            keys_of[s.name].add(s.key)
    torn = {name for name, keys in keys_of.items() if len(keys) > 1}
    shared = {key for name in torn for key in keys_of[name]}
    order, reminders, dead = expected(s for s in sent if s.key not in shared)
    wrong = _Wrong()
    published = _facts(pipeline, found.facts, wrong)
    _compare_facts(order, reminders, published, shared, wrong)
    _compare_shared(torn, [s for s in sent if s.key in shared], published, wrong)
    if last_word:
        _last_words(pipeline, found.facts, published, wrong)
    _compare_rows(order, reminders, published, shared, found.rows, wrong)
    everything = sum(len(facts) for facts in published.values())
    _compare_counters(pipeline, everything, found.counters, wrong)
    _compare_letters(pipeline, dead, found.letters, wrong)
    for what, left in found.behind.items():
        if left:
            wrong.add("behind", f"{what}: {left} left")
    return wrong.told()


@dataclass(frozen=True, slots=True)
class Fact:
    """A distinct fact at its first place."""

    fact_id: str
    key: str
    seq: str
    number: int


class _Wrong:
    """Findings by sort; the first of each are told in words, the others counted."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = defaultdict(list)

    def add(self, sort: str, what: str) -> None:
        self._found[sort].append(what)

    def told(self) -> list[str]:
        lines = []
        for sort, found in self._found.items():
            lines += [f"{sort}: {what}" for what in found[:SHOWN]]
            if len(found) > SHOWN:
                lines.append(f"{sort}: and {len(found) - SHOWN} more")
        return lines


def _ours(pipeline: str, records: Iterable[Record]) -> Iterable[tuple[Record, dict[str, bytes]]]:
    source = f"touchline/{pipeline}".encode()
    for record in records:
        headers = dict(record.headers)
        if headers.get("ce_source") == source:
            yield record, headers


def _facts(pipeline: str, records: Iterable[Record], wrong: _Wrong) -> dict[str, list[Fact]]:
    """Distinct facts by key, in the order of their first places; the same id must say the same each time."""
    known: dict[str, Fact] = {}
    by_key: dict[str, list[Fact]] = defaultdict(list)
    for record, headers in _ours(pipeline, records):
        fact_id = headers.get("ce_id", b"").decode()
        try:
            told = nps_pb2.NpsChanged.FromString(record.value or b"")
            fact = Fact(fact_id, (record.key or b"").decode(), told.segments["seq"], int(told.survey_id))
        except (DecodeError, ValueError) as error:
            wrong.add("unreadable fact", f"{record.topic}/{record.partition}/{record.offset}: {type(error).__name__}")
            continue
        first = known.setdefault(fact_id, fact)
        if first is fact:
            by_key[fact.key].append(fact)
        elif first != fact:
            wrong.add("altered", f"fact {fact_id} said {first.seq} of {first.key}, then {fact.seq} of {fact.key}")
    return by_key


def _compare_facts(
    order: Mapping[str, list[str]],
    reminders: Mapping[str, int],
    published: Mapping[str, list[Fact]],
    shared: set[str],
    wrong: _Wrong,
) -> None:
    for key in sorted({*order, *published} - shared - {TICK}):
        want = order.get(key, [])
        have = [f.seq for f in published.get(key, ())]
        left = Counter(want)
        left.subtract(have)
        for seq, n in left.items():
            if n > 0:
                wrong.add("lost", f"{key}: no fact of message {seq}")
            elif n < 0:
                word = "doubled" if seq in want else "invented"
                wrong.add(word, f"{key}: {-n} facts too many of message {seq}")
        if not any(left.values()) and have != want:
            at = next(n for n, (a, b) in enumerate(zip(want, have, strict=True)) if a != b)
            wrong.add("order", f"{key}: message {have[at]} where {want[at]} was next")
        numbers = [f.number for f in published.get(key, ())]
        if numbers != list(range(1, len(numbers) + 1)):
            wrong.add("numbers", f"{key}: facts are numbered {_short(numbers)}")
    ticks = len(published.get(TICK, ()))
    if ticks != sum(reminders.values()):
        wrong.add("lost" if ticks < sum(reminders.values()) else "doubled",
                  f"{ticks} reminders, expected {sum(reminders.values())}")  # fmt: skip


def _compare_shared(torn: set[str], sent: Sequence[Sent], published: Mapping[str, list[Fact]], wrong: _Wrong) -> None:
    """A name that was sent under two keys takes effect once, under one of them; keys that share names hold nothing else."""
    told = Counter(f.seq for key in {s.key for s in sent} for f in published.get(key, ()))
    for seq in sorted({s.seq for s in sent if not (s.dead or s.passed)}):
        if told[seq] != 1:
            wrong.add(
                "lost" if told[seq] < 1 else "doubled", f"message {seq}, sent under two keys, counted {told[seq]} times"
            )


def _last_words(pipeline: str, records: Iterable[Record], published: Mapping[str, list[Fact]], wrong: _Wrong) -> None:
    """Who keeps the last record of each key is right as well: facts that are published again end where they must."""
    last: dict[str, str] = {}
    for record, headers in _ours(pipeline, records):
        last[(record.key or b"").decode()] = headers.get("ce_id", b"").decode()
    for key, facts in published.items():
        if key != TICK and last.get(key) != facts[-1].fact_id:
            wrong.add("last word", f"{key}: the last record says an earlier fact than number {facts[-1].number}")


def _compare_rows(
    order: Mapping[str, list[str]],
    reminders: Mapping[str, int],
    published: Mapping[str, list[Fact]],
    shared: set[str],
    rows: Mapping[str, tuple[int, int, int]],
    wrong: _Wrong,
) -> None:
    for key in sorted({*order, *rows, *shared}):
        added, stated, reminded = rows.get(key, (0, 0, 0))
        want = len(published.get(key, ())) if key in shared else len(order.get(key, ()))
        if (added, stated) != (want, want):
            sort = "lost" if min(added, stated) < want else "doubled"
            wrong.add(sort, f"{key}: Postgres added {added} and holds {stated}, expected {want}")
        if key not in shared and reminded != reminders.get(key, 0):
            wrong.add("reminders", f"{key}: Postgres has {reminded}, expected {reminders.get(key, 0)}")


def _compare_counters(pipeline: str, want: int, records: Iterable[Record], wrong: _Wrong) -> None:
    latest: dict[str, tuple[int, int]] = {}
    said: dict[tuple[str, int], int] = {}
    for record in records:
        counter = counter_pb2.CounterChanged.FromString(record.value or b"")
        if not counter.share.startswith(f"{pipeline}/"):
            continue
        count = counter.counts["messages"]
        if said.setdefault((counter.share, counter.version), count) != count:
            wrong.add("altered", f"counter {counter.share} version {counter.version} says two things")
        latest[counter.share] = max(latest.get(counter.share, (0, 0)), (counter.version, count))
    total = sum(count for _, count in latest.values())
    if total != want:
        wrong.add("counters", f"add up to {total}, expected {want}")


def _compare_letters(pipeline: str, dead: set[Place], records: Iterable[Record], wrong: _Wrong) -> None:
    told: set[Place] = set()
    for record in records:
        headers = {name: value.decode(errors="replace") for name, value in record.headers}
        if headers.get("dlq_pipeline") != pipeline:
            continue
        if not headers.get("dlq_reason"):
            wrong.add("dead letters", f"{record.topic}/{record.partition}/{record.offset} has no reason")
        told.add((headers["dlq_topic"], int(headers["dlq_partition"]), int(headers["dlq_offset"])))
    for place in sorted(dead - told):
        wrong.add("dead letters", f"{place} is none")
    for place in sorted(told - dead):
        wrong.add("dead letters", f"{place} is one, but can be read")


def _short(numbers: Sequence[int]) -> str:
    text = ", ".join(map(str, numbers))
    return text if len(text) < 120 else f"{text[:60]} … {text[-50:]}"
