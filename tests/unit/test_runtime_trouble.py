"""What one key, one blink or a stream of no concern may not do to the rest of a pipeline."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from services.runtime.checkpoint import Claim, Commit, Place, Saved
from services.runtime.clock import wall_clock
from services.runtime.errors import Permanent, Transient
from services.runtime.records import Record
from services.runtime.runner import Runner
from services.runtime.settings import BatchSettings
from tests.integration.counting import Count, pipeline
from tests.unit.test_runtime_decisions import COUNTING, dead, decided, polled

TOPIC = Place("touchpoint.events", 0)
QUICK = BatchSettings(tick_every=timedelta(milliseconds=20), poll_ms=5)


class Quiet:
    """A topic to which nothing comes, or the same records again and again under new offsets."""

    def __init__(self, *records: Record, first: int = 0) -> None:
        self._new: set[Place] | None = {TOPIC}
        self._records, self._first, self._next = records, first, first

    async def start(self, revoked: object) -> None: ...

    async def stop(self) -> None: ...

    def assigned(self) -> set[Place] | None:
        new, self._new = self._new, None
        return new

    async def bounds(self, places: set[Place]) -> dict[Place, tuple[int, int]]:
        return dict.fromkeys(places, (self._first, self._next))

    async def ends(self) -> dict[Place, int]:
        return {TOPIC: self._next}

    def seek(self, place: Place, offset: int) -> None: ...

    async def poll(self, limit: int, timeout_ms: int) -> list[Record]:
        await asyncio.sleep(0.005)
        found = [msgspec.structs.replace(r, offset=self._next + n) for n, r in enumerate(self._records)]
        self._next += len(found)
        return found

    async def commit(self, offsets: object) -> None: ...


class Strict:
    """A store with keys that are due, which never takes what is decided of `bad`, and blinks once where it is told to."""

    def __init__(self, *keys: str, blinks: bool = False) -> None:
        due = datetime.now(UTC) - timedelta(minutes=1)
        self.rows = {k: (0, 1, due, msgspec.json.encode(Count(1, due))) for k in keys}
        self.refused = self.epoch = self.asked = self.offset = 0
        self.blinks = blinks

    async def claim(self, begin: dict[Place, int]) -> dict[Place, Claim]:
        self.epoch += 1
        return {p: Claim(self.offset, self.epoch) for p in begin}

    async def reclaim(self, held: dict[Place, Claim]) -> dict[Place, Claim]:
        self.epoch += 1
        return {p: Claim(c.next_offset, self.epoch) for p, c in held.items()}

    async def unsent(self, partitions: object) -> list[object]:
        return []

    async def load(self, keys: Sequence[str], *, parts: bool = False) -> dict[str, Saved]:
        return {k: Saved(self.rows[k][0], self.rows[k][1], self.rows[k][3]) for k in keys if k in self.rows}

    async def due(self, partitions: object, now: datetime, limit: int) -> list[str]:
        self.asked += 1
        if self.blinks and self.asked == 5:
            raise Transient("Postgres is away")
        return sorted(k for k, r in self.rows.items() if r[2] and r[2] <= now)[:limit]

    async def seen(self, names: object) -> set[object]:
        return set()

    async def dirty(self, partitions: object, limit: int) -> list[object]:
        return []

    async def forget(self, before: datetime) -> int:
        return 0

    async def commit(self, commit: Commit) -> list[int]:
        if "bad" in commit.states and commit.states["bad"][3] != self.rows["bad"][3]:
            self.refused += 1
            raise Permanent("cannot be stored: UniqueViolationError")
        self.rows.update(commit.states)  # type: ignore[arg-type]
        self.offset = commit.moves[TOPIC][1]
        return list(range(len(commit.outbox)))


class Sent:
    """A publisher that always succeeds."""

    async def publish(self, records: object) -> None: ...


def runner(source: Quiet, store: Strict) -> Runner:
    return Runner(pipeline("counting", TOPIC.topic), source, store, Sent(), wall_clock, QUICK)  # type: ignore[arg-type]


async def lives(made: Runner, seconds: float) -> str:
    """Runs it for a while; what it waits for in the end."""
    running = asyncio.create_task(made.run())
    await asyncio.sleep(seconds)
    trouble = made.trouble
    made.stop()
    await running
    return trouble


async def test_a_key_whose_tick_is_refused_is_put_off_and_holds_up_no_other() -> None:
    store = Strict("bad", "good", "well")
    assert await lives(runner(Quiet(), store), 1.0) == ""
    assert store.rows["good"][2] is None and store.rows["well"][2] is None
    assert store.rows["bad"][2] > datetime.now(UTC) + timedelta(seconds=30)
    assert store.refused < 6


async def test_a_spare_is_well_once_the_group_knows_it_and_not_before() -> None:
    spare, outside = Quiet(), Quiet()
    spare._new, outside._new = set(), None
    assert await lives(runner(spare, Strict()), 0.2) == ""
    assert await lives(runner(outside, Strict()), 0.2) == "starting"


async def test_a_quiet_pipeline_is_well_again_once_the_database_is_back() -> None:
    store = Strict(blinks=True)
    assert await lives(runner(Quiet(), store), 1.5) == ""
    assert store.asked > 5


async def test_batches_that_are_passed_over_count_as_brought_to_their_end() -> None:
    ended = [
        msgspec.structs.replace(
            r,
            headers=tuple(
                (n, v) if n != "ce_type" else (n, b"touchline.contact.ContactEnded.v1") for n, v in r.headers
            ),
            value=b"\n\x01k",
        )
        for r in polled(("hu", "a"), ("liu", "b"))
    ]
    made = runner(Quiet(*ended), Strict())
    took: list[float] = []
    made._gauges.took = took.append  # type: ignore[method-assign]
    await lives(made, 0.3)
    assert took and all(0 <= t < 1 for t in took)


async def test_what_the_broker_no_longer_keeps_is_told_once_though_nothing_comes_after_it() -> None:
    store, told = Strict(), []
    for _ in range(2):
        made = runner(Quiet(first=7), store)
        made._gauges.lost = lambda place, events: told.append((place, events))  # type: ignore[method-assign]
        await lives(made, 0.3)
    assert told == [(TOPIC, 7)] and store.offset == 7


def test_a_fact_that_cannot_be_counted_is_a_dead_letter() -> None:
    def count(fact: object) -> list[object]:
        raise KeyError(fact)

    made, _ = decided(polled(("hu", "a")), replace(COUNTING, count=count))
    assert dead(made) and not made.entries
