"""The pipeline of the simulation: small, and such that whatever is lost, doubled or out of order shows in its state or its facts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec
from touchline.contact.v1 import events_pb2 as contact
from touchline.nps.v1 import nps_pb2

from services.runtime.errors import Unreadable
from services.runtime.pipeline import Answer, Change, Delta, InParts, Metric, Pipeline, Publish
from services.runtime.records import Incoming, Outgoing, write
from tests.simulation.client import UNWELCOME

BEGIN = datetime(2026, 5, 4, 9, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
METRIC = Metric("counting", ("facts",))
NAME = "counting"
SOURCE = "simulation"
FACTS = "nps.changed"
COUNTERS = "counters"

# What becomes of an event, by its kind: its facts, or a dead letter, or nothing.
FACTS_OF = {"plain": 1, "twice": 2, "silent": 0, "remind": 1, "ask": 1, "unwelcome": 1, "noop": 0}
LETTERS = ("garbled", "forbidden", "poison", "unstorable")
KINDS = (*FACTS_OF, *LETTERS, "ignored")


@dataclass(frozen=True, slots=True)
class Ledger:
    """One key's state: the numbers of the events that took effect, in their order, and how many facts there were."""

    key: str
    applied: tuple[int, ...] = ()
    facts: int = 0
    reminded: int = 0
    due_at: datetime | None = None
    ill: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """An event in the pipeline's words."""

    kind: str
    number: int
    event_id: str


@dataclass(frozen=True, slots=True)
class Told:
    """A fact: the key's `no`-th, and why (the event's number, or "tick")."""

    key: str
    no: int
    why: str
    kind: str
    at: datetime
    asked: str = ""


def _read(incoming: Incoming) -> Heard | None:
    if not isinstance(incoming.message, contact.MessageReceived):
        return None
    kind, _, number = incoming.message.text.partition(":")
    if kind == "forbidden":
        raise Unreadable("data.text", "is forbidden")
    return Heard(kind, int(number), incoming.event_id)


def _decide(state: Ledger, event: Heard, now: datetime) -> tuple[Ledger, Sequence[Told]]:
    if event.kind == "poison":
        raise ValueError(event.kind)
    if event.kind == "noop":
        return state, ()
    count = FACTS_OF.get(event.kind, 1)
    asked = event.event_id if event.kind == "ask" else ""
    told = [Told(state.key, state.facts + n, str(event.number), event.kind, now, asked) for n in range(1, count + 1)]
    after = replace(
        state,
        applied=(*state.applied, event.number),
        facts=state.facts + count,
        due_at=now + timedelta(milliseconds=300) if event.kind == "remind" else state.due_at,
        # It stays, so that a later event of the same batch does not make it storable after all.
        ill=state.ill + ("nul \0 in text" if event.kind == "unstorable" else ""),
    )
    return after, told


def _tick(state: Ledger, now: datetime) -> tuple[Ledger, Sequence[Told]]:
    after = replace(state, facts=state.facts + 1, reminded=state.reminded + 1, due_at=None)
    return after, (Told(state.key, after.facts, "tick", "tick", now),)


def _write(fact: Told) -> Iterable[Publish | Answer]:
    key = UNWELCOME.decode() + fact.key if fact.kind == "unwelcome" else fact.key
    yield Publish(nps_pb2.NpsChanged(customer_id=key, survey_id=f"{fact.no}:{fact.why}"), key, fact.at)
    if fact.asked:
        yield Answer(fact.asked, SOURCE, True)


def _count(fact: Told) -> Iterable[Delta]:
    yield Delta(METRIC.name, (), "ALL", EPOCH, {"facts": 1})
    yield Delta(METRIC.name, (("kind", fact.kind),), "ALL", EPOCH, {"facts": 1})


async def _project(db: object, changes: Sequence[Change[Ledger, Told]]) -> None:
    for change in changes:
        await db.put(change.key, change.state.facts)  # type: ignore[attr-defined]


def _changed(before: Ledger | None, after: Ledger) -> dict[str, bytes | None]:
    """A part for each event that took effect, which comes and stays, and one for the time that is due, which goes as well."""
    had = len(before.applied) if before is not None else 0
    parts: dict[str, bytes | None] = {f"{i:09}": b"%d" % n for i, n in enumerate(after.applied) if i >= had}
    if before is None or after.due_at != before.due_at:
        parts["due"] = msgspec.json.encode(after.due_at) if after.due_at is not None else None
    return parts


def joined(head: Ledger, parts: Mapping[str, bytes]) -> Ledger:
    """A ledger as it was before it was kept in parts."""
    due = msgspec.json.decode(parts["due"], type=datetime) if "due" in parts else None
    return replace(head, applied=tuple(int(parts[name]) for name in sorted(parts) if name != "due"), due_at=due)


IN_PARTS = InParts[Ledger](lambda state: replace(state, applied=(), due_at=None), _changed, joined)


def pipeline(topics: tuple[str, ...]) -> Pipeline[Ledger, Heard, Told]:
    """Counts what is said, on one topic or on two that share their keys' states; its states are kept in parts."""
    return Pipeline(
        name=NAME,
        topics=topics,
        state_type=Ledger,
        initial=Ledger,
        read=_read,
        decide=_decide,
        write=_write,
        tick=_tick,
        due=lambda s: s.due_at,
        project=_project,
        count=_count,
        metric=METRIC,
        parts=IN_PARTS,
    )


def message(topic: str, key: str, kind: str, number: int) -> Outgoing:
    """An event as a channel would send it. `number` names it: the same number is the same event."""
    text = f"{kind}:{number}"
    data: contact.MessageReceived | nps_pb2.NpsChanged
    if kind == "ignored":
        data = nps_pb2.NpsChanged(customer_id=key, survey_id=text)
    else:
        data = contact.MessageReceived(contact_id="c", speaker=contact.SPEAKER_CUSTOMER, text=text)
    record = write(data, event_id=f"{key}-{number}", source=SOURCE, subject=key, time=BEGIN, key=key)
    value = b"\xff\xff\xff" if kind == "garbled" else record.value
    return Outgoing(topic, record.key, value, record.headers)
