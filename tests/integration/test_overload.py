"""The gateway's own process on real Kafka, asked for more than it lets in: it sheds, and loses nothing that it took.

Counts only: how long anything takes on a busy machine is for `make overload` to say.
"""

import asyncio
from pathlib import Path

import pytest

from bench.overload import Connection, Tally, batches, closed, gateway, missing
from deploy.embedded.stack import Stack

pytestmark = pytest.mark.integration
BATCH, CONNECTIONS, ROUNDS = 20, 40, 5


async def test_under_overload_it_sheds_and_loses_nothing_that_it_took(stack: Stack, tmp_path: Path) -> None:
    async with gateway(stack, tmp_path, GATEWAY_MAX_IN_FLIGHT="3") as port:
        tally, made = Tally(BATCH), batches("burst", BATCH)

        async def work() -> None:
            connection = Connection(port)
            for _ in range(ROUNDS):
                ids, body = next(made)
                status, head, answer = await connection.post(body)
                tally.told(status, head, answer, ids, 0.0)
            connection.close()

        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        assert sum(tally.statuses.values()) == CONNECTIONS * ROUNDS and set(tally.statuses) <= {202, 503}
        assert tally.shed > 0 and tally.no_retry_after == 0
        assert "the gateway is busy; send all of it again" in tally.reasons
        assert len(tally.accepted) == BATCH * tally.statuses[202] > 0
        # What was shed leaves nothing behind: one after the other, all are taken.
        calm = await closed(port, BATCH, 1, 1.0, "calm")
        assert set(calm.statuses) == {202}, calm.reasons
        assert await missing(stack.bootstrap, tally.accepted | calm.accepted) == set()


async def test_the_driver_notices_what_is_missing(stack: Stack) -> None:
    assert await missing(stack.bootstrap, {"never-sent"}) == {"never-sent"}
