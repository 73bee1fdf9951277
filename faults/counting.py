"""The pipeline that most schedules harm: it counts a customer's messages, and publishes each with its number.

`python -m faults.counting NAME TOPIC` is its process, a service like any other. What a message's text says:
`<seq>` counts; `<seq> remind` counts, and brings a second fact by time alone; `<seq> poison` cannot be decided,
`<seq> forbidden` cannot be read, `<seq> unstorable` cannot be stored: these three are dead letters.

FAULTS_STOP_AT=<n> stops the process (SIGSTOP) within its n-th decision, before anything of the batch stands;
FAULTS_STOP_IN=<n> within its n-th transaction; FAULTS_STOP_STEP=<step>:<n> when it reaches a step the n-th time.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from touchline.contact.v1 import events_pb2 as contact
from touchline.nps.v1 import nps_pb2

from services.runtime import faults
from services.runtime.errors import Unreadable
from services.runtime.pipeline import Answer, Change, Db, Delta, Metric, Pipeline, Publish
from services.runtime.records import Incoming
from services.runtime.service import House, Parts, serve

METRIC = Metric("counting", ("messages",))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REMIND_AFTER = timedelta(milliseconds=300)
TICK = "tick"
TABLE = """CREATE TABLE IF NOT EXISTS faults_count (
    pipeline text, key text, added bigint NOT NULL CHECK (added >= 0), stated bigint NOT NULL, reminded bigint NOT NULL,
    PRIMARY KEY (pipeline, key))"""

Event = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages a customer has sent, how often that was recalled, and when to do so again."""

    messages: int = 0
    reminded: int = 0
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """A message was counted: its `seq`, and its number among the customer's."""

    customer: str
    seq: str
    number: int


class _StopAt:
    """Stops the process the n-th time it is reached."""

    def __init__(self, name: str) -> None:
        self._left = int(os.environ.get(name, "0"))

    def reach(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGSTOP)


_deciding = _StopAt("FAULTS_STOP_AT")
_storing = _StopAt("FAULTS_STOP_IN")


def _read(incoming: Incoming) -> Event | None:
    if not isinstance(incoming.message, contact.MessageReceived):
        return None
    if incoming.message.text.endswith(" forbidden"):
        raise Unreadable("data.text", "is forbidden")
    return incoming.key, incoming.message.text


def _decide(state: Count, event: Event, now: datetime) -> tuple[Count, Sequence[Counted]]:
    customer, text = event
    seq, _, what = text.partition(" ")
    if what == "poison":
        raise ValueError("poison")
    _deciding.reach()
    after = replace(state, messages=state.messages + 1, due_at=now + REMIND_AFTER if what == "remind" else state.due_at)
    return after, (Counted(customer, text if what == "unstorable" else seq, after.messages),)


def _tick(state: Count, now: datetime) -> tuple[Count, Sequence[Counted]]:
    after = replace(state, due_at=None, reminded=state.reminded + 1)
    return after, (Counted("", TICK, after.reminded),)


def _write(fact: Counted) -> Iterable[Publish | Answer]:
    told = nps_pb2.NpsChanged(
        customer_id=fact.customer, survey_id=str(fact.number), segments={"seq": fact.seq}, answered_at=None
    )
    yield Publish(told, fact.customer or TICK, EPOCH)


def _count(fact: Counted) -> Iterable[Delta]:
    yield Delta("counting", (), "ALL", EPOCH, {"messages": 1})


def _project(name: str) -> Callable[[Db, Sequence[Change[Count, Counted]]], Awaitable[None]]:
    async def project(db: Db, changes: Sequence[Change[Count, Counted]]) -> None:
        counted = [[f for f in c.facts if f.seq != TICK] for c in changes]
        bad = [any(f.seq.endswith("unstorable") for f in facts) for facts in counted]
        await db.execute(
            """INSERT INTO faults_count AS c (pipeline, key, added, stated, reminded)
               SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
               ON CONFLICT (pipeline, key) DO UPDATE SET
                   added = c.added + excluded.added, stated = excluded.stated, reminded = c.reminded + excluded.reminded""",
            name,
            [c.key for c in changes],
            [-1 if b else len(facts) for facts, b in zip(counted, bad, strict=True)],
            [c.state.messages for c in changes],
            [len(c.facts) - len(facts) for c, facts in zip(changes, counted, strict=True)],
        )
        _storing.reach()

    return project


def pipeline(name: str, topic: str) -> Pipeline[Count, Event, Counted]:
    """The pipeline over a topic of its own."""
    return Pipeline(
        name=name,
        topics=(topic,),
        state_type=Count,
        initial=lambda _: Count(),
        read=_read,
        decide=_decide,
        write=_write,
        tick=_tick,
        due=lambda s: s.due_at,
        project=_project(name),
        count=_count,
        metric=METRIC,
    )


async def build(_: House) -> Parts:
    """The pipeline alone."""
    name, topic = sys.argv[1:]
    return Parts(pipelines=[pipeline(name, topic)])


def _stop_at_steps() -> None:
    """The named places of the checkpoint, at which a process can die, also become places at which it can stand still."""
    wanted, _, count = os.environ.get("FAULTS_STOP_STEP", "").partition(":")
    left, reach = int(count or 1), faults.reach

    def also_stop(place: str) -> None:
        nonlocal left
        reach(place)
        if place == wanted:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGSTOP)

    faults.reach = also_stop


if __name__ == "__main__":
    _stop_at_steps()
    serve("counting", build)
