"""One schedule of each main kind of fault; `make faults` runs as many as one likes, of all kinds."""

import tempfile
from pathlib import Path

import pytest

import faults.kinds  # noqa: F401, so that they are registered
from faults.__main__ import one
from faults.bed import Bed
from faults.schedule import Schedule

pytestmark = [pytest.mark.integration, pytest.mark.timeout(290)]

KINDS = (
    "kill.transacted",
    "service.router",
    "service.escalation.budget",
    "rebalance",
    "zombie.deciding",
    "broker.killed",
    "postgres.killed",
    "cut.postgres",
    "input.poison",
)


@pytest.fixture(scope="module")
async def bed():
    with tempfile.TemporaryDirectory(prefix="touchline-", ignore_cleanup_errors=True) as folder:
        async with Bed(Path(folder)) as made:
            yield made


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_lost_or_doubled(bed, kind):
    verdict = await one(bed, Schedule(20261118, kind))
    assert verdict.clean, "\n".join([*verdict.story, *verdict.wrong, verdict.schedule.replay])
