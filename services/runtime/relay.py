"""The outbox on its way out: in order, until Kafka has acknowledged it; and what becomes of a fact that it will never take."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from functools import partial

from services.runtime import signals
from services.runtime.checkpoint import Unsent
from services.runtime.errors import Misconfigured, Permanent
from services.runtime.letters import about, refused_fact
from services.runtime.patience import Patience
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing
from services.runtime.telemetry import is_sampled, meters

log = logging.getLogger(__name__)

# An acknowledgement takes milliseconds; after this something is wrong, and whoever looks at the service should see it.
_LATE_S = 5.0


class Relay:
    """Publishes one pipeline's outbox, and knows which of its rows are acknowledged and can go with the next transaction."""

    def __init__(self, pipeline: str, publisher: Publisher, patience: Patience) -> None:
        self._pipeline = pipeline
        self._publisher = publisher
        self._patience = patience
        self._facts = meters().counter(signals.FACTS)
        self.acknowledged: list[int] = []

    async def publish(self, unsent: Sequence[Unsent]) -> None:
        """Publishes rows in their order. Raises Transient where Kafka is away."""
        records: list[Outgoing] = [r for u in unsent for r in u.records]
        if records:
            try:
                await self._acknowledged_by_all(records)
            except Misconfigured:
                raise  # it says nothing of any record
            except Permanent:
                await publish_one_by_one(self._publisher, records, self._pipeline)
            self._facts.add(len(records), {"pipeline": self._pipeline})
        self.acknowledged.extend(u.row for u in unsent)

    async def _acknowledged_by_all(self, records: Sequence[Outgoing]) -> None:
        # The client keeps trying for as long as no broker answers: once handed over, records are waited for, not sent again.
        sending = asyncio.create_task(self._publisher.publish(records))
        try:
            while not (await asyncio.wait((sending,), timeout=_LATE_S))[0]:
                self._patience.late("Kafka has not yet acknowledged what was published")
            sending.result()
        finally:
            sending.cancel()

    async def until_published(self, unsent: Sequence[Unsent]) -> None:
        """The transaction stands, so that nothing may overtake it on its way out: only publishing is tried again."""
        await self._patience.until(partial(self.publish, unsent))


async def publish_one_by_one(publisher: Publisher, records: Sequence[Outgoing], pipeline: str) -> None:
    """What Kafka will never take must not hold up what it takes: it becomes a letter of its names. The decision stands."""
    for record in records:
        try:
            await publisher.publish([record])
        except Permanent as error:
            told = {"pipeline": pipeline, "topic": record.topic}
            with about(record.headers):
                log.error("Kafka refuses a fact for good: %s", error, extra={"fields": told})
            meters().counter(signals.EVENTS).add(1, {"pipeline": pipeline, "outcome": "refused_fact"})
            try:
                await publisher.publish([refused_fact(record, error, pipeline, whole=True)])
            except Permanent:
                with contextlib.suppress(Permanent):
                    await publisher.publish([refused_fact(record, error, pipeline)])


def traced(unsent: Sequence[Unsent]) -> list[tuple[str, str]]:
    """Topic and trace context of the records that carry one."""
    return [
        (record.topic, value.decode())
        for u in unsent
        for record in u.records
        for name, value in record.headers
        if name == "traceparent" and is_sampled(value.decode(errors="replace"))
    ]
