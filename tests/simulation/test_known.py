"""Schedules that once failed, as small as they could be made: what they showed must not come back."""

from dataclasses import replace

import pytest

from tests.simulation.run import HEALED, run
from tests.simulation.schedule import Event, Fault, Schedule, Start

CALM = Schedule(
    seed=1,
    partitions=3,
    topics=1,
    static=False,
    max_records=5,
    poll_ms=250,
    flush_cells=400,
    cached_keys=1000,
    drain_s=0.2,
    starts=(Start(0.0, "a"),),
    events=(),
    faults=(),
)

# A drain that takes too long drops what is under way; what was decided behind it may not be published without it.
DROPPED_DRAIN = replace(
    CALM,
    starts=(Start(0.0, "a"), Start(3.87, "b")),
    events=tuple(Event(at, 0, "k1", "plain", n) for n, at in enumerate((0.0513, 0.5306, 0.5405, 0.5474))),
    faults=(Fault("call", kind="publish", nth=2, outcome="late", lasts=4.0),),
)

# A tick's transaction stands though its answer is lost: what it decided is neither lost nor decided again.
LOST_ANSWER = replace(
    CALM,
    events=(Event(0.5, 0, "k1", "remind", 1), Event(6.0, 0, "k1", "plain", 2)),
    faults=tuple(Fault("call", kind="commit", nth=n, outcome="after") for n in (2, 3, 4)),
)

# The same, where the transaction ends long after its client was told that the connection is gone.
GHOST = replace(
    LOST_ANSWER,
    faults=tuple(Fault("call", kind="commit", nth=n, outcome="ghost", lasts=0.5) for n in (2, 4)),
)

# A process that dies a moment after the world has healed, of what was drawn before, is started again like any other.
DEAD_AS_IT_HEALS = replace(
    CALM,
    events=(Event(HEALED - 0.002, 0, "k1", "plain", 1),),
    faults=tuple(Fault("call", kind=kind, nth=1, outcome="crash_after", lasts=0.05) for kind in ("load", "commit")),
)


@pytest.mark.parametrize(
    "schedule",
    [DROPPED_DRAIN, LOST_ANSWER, GHOST, DEAD_AS_IT_HEALS],
    ids=["dropped-drain", "lost-answer", "ghost", "dead-as-it-heals"],
)
def test_it_stays_mended(schedule):
    for salt in range(40):
        assert run(replace(schedule, salt=salt)).failures == [], f"salt {salt}"


# Events that concern nobody come one by one, as fast as they are read: they need no transaction of their own.
UNCONCERNED = replace(
    CALM,
    events=tuple(Event(1.0 + 0.02 * n, 0, f"k{n % 3}", "plain" if n == 120 else "ignored", n) for n in range(240)),
)


def test_what_concerns_nobody_is_passed_over_and_goes_with_the_next_transaction():
    outcome = run(UNCONCERNED)
    assert outcome.failures == []  # among them: that all offsets stand at the end
    commits = [what for _, _, what in outcome.trace if what.startswith("commit ")]
    assert 2 <= len(commits) <= 20, commits
