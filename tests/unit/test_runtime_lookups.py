"""Step 3 of the checkpoint: what is looked up elsewhere, beside the states."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from services.runtime.batch import Decider, States
from services.runtime.checkpoint import Claim, Place, Saved
from services.runtime.clock import wall_clock
from services.runtime.patience import GivenUp
from services.runtime.runner import Runner
from services.runtime.settings import BatchSettings
from services.runtime.tracing import BatchTrace
from tests.unit.test_runtime_decisions import COUNTING, polled


async def test_states_are_loaded_while_lookups_run_and_given_up_with_their_places() -> None:
    asked, loaded = asyncio.Event(), asyncio.Event()

    async def enrich(events):
        asked.set()
        await asyncio.wait_for(loaded.wait(), 5)
        return [f"known {e}" for e in events]

    class Waits:
        """A store that answers once the lookups are under way: one after the other, neither would end."""

        async def load(self, keys: list[str], *, parts: bool) -> dict[str, Saved]:
            await asyncio.wait_for(asked.wait(), 5)
            loaded.set()
            return {}

    looking = replace(COUNTING, enrich=enrich)
    runner = Runner(looking, SimpleNamespace(), Waits(), SimpleNamespace(), wall_clock, BatchSettings())
    runner._owned[Place("touchpoint.events", 0)] = Claim(0, 1)
    decider = Decider(looking, States(looking, 10))
    reads = decider.decode(polled(("hu", "a"), ("li", "b")), wall_clock(), decider.begin())
    found = await runner._known(reads, BatchTrace("counting", 2))
    assert [r.event for r in found] == [f"known {r.event}" for r in reads]
    assert runner._states.missing(["hu", "li", "wu"]) == ["wu"]
    runner._owned.clear()
    with pytest.raises(GivenUp):
        await runner._known(reads, BatchTrace("counting", 2))
