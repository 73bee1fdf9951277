"""Tells the owners of customers whom a wave may hit, a few at a time.

An event that is sent twice has the same name, and counts once; whoever was told is in the table only when their owner has decided, so that a
crash loses nobody.
"""

from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

from touchline.escalation.v1 import escalation_pb2

from services.escalation import causes_store
from services.runtime.records import write
from services.runtime.service import House

SOURCE = "touchline/escalation/outreach"
FRESH = timedelta(hours=12)
"""How long after a wave has begun customers are still told of it."""


async def tell(house: House, limit: int) -> int:
    """Sends to so many at most, so that answers can be borne and channels are not flooded; gives how many there were."""
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
