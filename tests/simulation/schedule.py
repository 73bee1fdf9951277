"""A schedule: what arrives, who runs, and what goes wrong, all drawn from one seed, all of it plain data that can be shrunk."""

from dataclasses import dataclass
from random import Random

# Virtual seconds: when the last event arrives at the latest, when faults end, and how long it may then take to come to rest.
LAST_EVENT = 10.0
HEALED = 13.0
AT_REST = 100.0


@dataclass(frozen=True, slots=True)
class Event:
    """An input record. The same number is the same event, sent again."""

    at: float
    topic: int
    key: str
    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Start:
    """A process that begins at a time, with a name that survives its restarts."""

    at: float
    name: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    what: crash, pause, cut_bus, cut_db, leave: of `process`, `steps` of its steps after `at`; `lasts` seconds (a crash: until
    its restart). bus_away, db_away: for everybody. clock: jumps by `lasts` seconds.
    call: the `nth` call of a `kind` meets with `outcome`.
    """

    what: str
    at: float = 0.0
    process: str = ""
    steps: int = 0
    lasts: float = 0.0
    kind: str = ""
    nth: int = 0
    outcome: str = ""

    def __str__(self) -> str:
        if self.what == "call":
            return f"call {self.kind} no. {self.nth}: {self.outcome} ({self.lasts:.2f} s)"
        return f"{self.what} {self.process} at {self.at:.2f} s + {self.steps} steps, for {self.lasts:.2f} s"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One run of the world."""

    seed: int
    partitions: int
    topics: int
    static: bool
    max_records: int
    poll_ms: int
    flush_cells: int
    cached_keys: int
    drain_s: float
    starts: tuple[Start, ...]
    events: tuple[Event, ...]
    faults: tuple[Fault, ...]
    salt: int = 0


STORE_CALLS = ("commit", "commit", "commit", "claim", "reclaim", "unsent", "load", "seen", "due", "dirty")
BUS_CALLS = ("publish", "publish", "publish", "bounds", "poll", "offsets")
STORE_OUTCOMES = ("before", "after", "slow", "late", "freeze", "freeze", "crash_before", "crash_after")
PUBLISH_OUTCOMES = (
    "before",
    "after",
    "partial",
    "slow",
    "late",
    "ghost",
    "crash_before",
    "crash_after",
    "crash_partial",
)
# How many calls of a kind a run makes, roughly, so that most faults hit one.
USUAL = {
    "commit": 40,
    "publish": 40,
    "poll": 40,
    "seen": 30,
    "load": 30,
    "claim": 4,
    "reclaim": 2,
    "unsent": 4,
    "bounds": 4,
}


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = Random(f"touchline/{seed}")
    keys = [f"k{n}" for n in range(rng.randint(2, 6))]
    topics = rng.choice((1, 1, 2))
    names = ["a", "b", "c"][: rng.choice((1, 2, 2, 3, 3))]
    starts = [Start(0.0 if n == 0 else rng.choice((0.0, rng.uniform(0, LAST_EVENT))), p) for n, p in enumerate(names)]
    return Schedule(
        seed=seed,
        partitions=rng.randint(1, 4),
        topics=topics,
        static=rng.random() < 0.3,
        max_records=rng.choice((1, 3, 5, 10, 100)),
        poll_ms=rng.choice((100, 250)),
        flush_cells=rng.choice((1, 3, 400)),
        cached_keys=rng.choice((1, 2, 1000)),
        drain_s=rng.choice((0.2, 1.0, 2.0)),
        starts=tuple(starts),
        events=tuple(_events(rng, keys, topics)),
        faults=tuple(
            sorted((_fault(rng, names) for _ in range(rng.randint(1, 7))), key=lambda f: (f.at, f.kind, f.nth))
        ),
    )


def _events(rng: Random, keys: list[str], topics: int) -> list[Event]:
    wanted = rng.randint(20, 55)
    ill = rng.random() < 0.5
    bursts = [rng.uniform(0, LAST_EVENT) for _ in range(rng.randint(1, 6))]
    times = sorted(
        rng.uniform(0, LAST_EVENT) if rng.random() < 0.5 else min(LAST_EVENT, rng.choice(bursts) + rng.random() * 0.05)
        for _ in range(wanted)
    )
    made: list[Event] = []
    for number, at in enumerate(times):
        if made and rng.random() < 0.12:
            again = rng.choice(made[-12:])
            topic = rng.randrange(topics) if again.kind in ("plain", "twice") else again.topic
            made.append(Event(at, topic, again.key, again.kind, again.number))
            continue
        made.append(Event(at, rng.randrange(topics), rng.choice(keys), _kind(rng, ill), number))
    return made


def _kind(rng: Random, ill: bool) -> str:
    if ill and rng.random() < 0.12:
        return rng.choice(("garbled", "forbidden", "poison", "unstorable", "unstorable", "unwelcome", "ignored"))
    return rng.choice(("plain",) * 10 + ("twice", "silent", "remind", "remind", "ask", "noop"))


def _fault(rng: Random, names: list[str]) -> Fault:
    at, process = rng.uniform(0.2, LAST_EVENT + 1), rng.choice(names)
    steps = int(rng.random() ** 2 * 60)
    roll = rng.random()
    if roll < 0.22:
        return Fault("crash", at, process, steps, rng.choice((0.1, 0.5, 2.0, 5.0)))
    if roll < 0.36:
        return Fault("pause", at, process, steps, rng.choice((0.3, 2.0, 4.0, 6.0)))
    if roll < 0.42:
        return Fault("cut_bus", at, process, steps, rng.choice((0.3, 2.0, 4.0, 6.0)))
    if roll < 0.47:
        return Fault("cut_db", at, process, steps, rng.choice((0.3, 2.0, 5.0)))
    if roll < 0.52:
        return Fault("leave", at, process, steps, rng.choice((0.1, 1.0, 4.0)))
    if roll < 0.56:
        return Fault("bus_away", at, lasts=rng.choice((0.3, 1.5, 4.0)))
    if roll < 0.60:
        return Fault("db_away", at, lasts=rng.choice((0.3, 1.5, 4.0)))
    if roll < 0.64:
        return Fault("clock", at, lasts=rng.choice((-86400.0, -60.0, -0.5, 0.5, 60.0, 86400.0)))
    bus = rng.random() < 0.4
    kind = rng.choice(BUS_CALLS if bus else STORE_CALLS)
    outcomes = PUBLISH_OUTCOMES if kind == "publish" else STORE_OUTCOMES
    if kind == "commit":
        outcomes = (*STORE_OUTCOMES, "ghost", "ghost")
    return Fault(
        "call",
        lasts=rng.choice((0.05, 0.5, 1.5, 4.0)),
        kind=kind,
        nth=rng.randint(1, USUAL.get(kind, 10)),
        outcome=rng.choice(outcomes),
    )
