"""The runtime as it is, in a world where everything goes wrong: 2,000 schedules, and the same seed is the same run."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.mutations import BEGINS_AT, CAUGHT_SOON, MUTATIONS
from tests.simulation.run import run
from tests.simulation.schedule import draw
from tests.simulation.shrink import shrink

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES = 2000
FIRST = 1
JOBS = 2
CAUGHT_WITHIN = 1000


def _simulation(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(900)
def test_two_thousand_schedules_are_clean():
    """A process of its own, so that it has both cores. What it prints names the seed and how to replay it."""
    done = _simulation("--schedules", str(SCHEDULES), "--seed", str(FIRST), "--jobs", str(JOBS))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("seed", [7, 11, 42])
def test_a_seed_is_replayed_step_by_step(seed):
    first = run(draw(seed))
    again = run(draw(seed))
    assert first.trace == again.trace
    assert first.fingerprint() == again.fingerprint()
    # In another process, whose strings hash otherwise, too.
    for hashes in ("1", "2"):
        told = _simulation("--replay", str(seed), PYTHONHASHSEED=hashes).stdout
        assert f"trace {first.fingerprint()}" in told
    assert run(draw(seed + 1)).fingerprint() != first.fingerprint()


@pytest.mark.parametrize("name", CAUGHT_SOON)
def test_a_checkpoint_with_a_part_left_out_is_caught(name, capsys):
    parts = MUTATIONS[name].parts
    first = BEGINS_AT.get(name, FIRST)
    for seed in range(first, first + CAUGHT_WITHIN):
        failures = run(draw(seed), parts).failures
        if failures:
            with capsys.disabled():
                print(f"\n{name}: caught by schedule {seed - first + 1} of {CAUGHT_WITHIN}: {failures[0][:90]}")
            return
    pytest.fail(f"{MUTATIONS[name].meaning}: nobody noticed within {CAUGHT_WITHIN} schedules")


def test_what_fails_shrinks():
    parts = MUTATIONS["duplicates-not-checked"].parts
    seed = next(n for n in range(FIRST, FIRST + CAUGHT_WITHIN) if run(draw(n), parts).failures)
    small = shrink(draw(seed), lambda s: bool(run(s, parts).failures), tries=400)
    assert run(small, parts).failures
    # A duplicate needs two events, and nothing else that goes wrong.
    assert len(small.events) <= 3
    assert not small.faults
    assert not run(replace(small)).failures
