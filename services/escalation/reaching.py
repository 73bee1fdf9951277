"""Tells the owners of customers whom a wave may hit, a few at a time.

An event that is sent twice has the same name, and counts once; whoever was told is in the table only when their owner has decided, so that a
crash loses nobody.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from touchline.escalation.v1 import escalation_pb2

from services.escalation import causes_store
from services.runtime.records import write
from services.runtime.service import House

log = logging.getLogger(__name__)

SOURCE = "touchline/escalation/outreach"
FRESH = timedelta(hours=12)
"""How long after a wave has begun customers are still told of it."""


def reaching(house: House, a_second: int) -> Callable[[], Coroutine[Any, Any, None]]:
    """The task: at most `a_second` customers a second, so that answers can be borne and channels are not flooded."""

    async def reach() -> None:
        while True:
            await asyncio.sleep(1.0)
            try:
                await tell(house, a_second)
            except Exception as error:  # the next second will do
                log.warning("outreach waits: %s", type(error).__name__)

    return reach


async def tell(house: House, limit: int) -> int:
    """Sends to so many at most; gives how many there were."""
    now = house.clock()
    found = await causes_store.to_tell(house.pool, now - FRESH, limit)
    records = [
        write(
            escalation_pb2.CustomerAffected(customer_id=customer, cause=cause, wave=wave),
            # The id stands in spans, so it names nobody.
            event_id=str(uuid5(NAMESPACE_URL, f"{SOURCE}|{cause}|{wave}|{customer}")),
            source=SOURCE,
            subject=customer,
            time=now,
        )
        for cause, wave, customer in found
    ]
    if records:
        await house.publisher.publish(records)
    return len(records)
