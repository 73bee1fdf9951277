"""The outbox on its way out: what is traced in it, and what becomes of a fact that Kafka will never take."""

import contextlib
import logging
from collections.abc import Sequence

from services.runtime.checkpoint import Unsent
from services.runtime.errors import Permanent
from services.runtime.letters import refused_fact
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing
from services.runtime.telemetry import is_sampled

log = logging.getLogger(__name__)


async def publish_one_by_one(publisher: Publisher, records: Sequence[Outgoing], pipeline: str) -> None:
    """What Kafka will never take must not hold up what it takes: it becomes a letter of its names. The decision stands."""
    for record in records:
        try:
            await publisher.publish([record])
        except Permanent as error:
            log.error(
                "Kafka refuses a fact for good: %s",
                error,
                extra={"fields": {"pipeline": pipeline, "topic": record.topic}},
            )
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
