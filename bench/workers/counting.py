"""Our runtime, counting: the whole checkpoint as the services have it, around the smallest decision there is."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from touchline.nps.v1 import nps_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2

from services.runtime.pipeline import Pipeline, Publish
from services.runtime.records import Incoming
from services.runtime.service import House, Parts, serve

PIPELINE = "bench.counting"


@dataclass(frozen=True, slots=True)
class Count:
    """How many events a customer has had."""

    events: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """Fact: a customer's count so far."""

    customer: str
    events: int
    time: datetime


def _read(incoming: Incoming) -> tuple[str, datetime] | None:
    return (incoming.key, incoming.time) if isinstance(incoming.message, survey_pb2.SurveyAnswered) else None


def _decide(state: Count, event: tuple[str, datetime], now: datetime) -> tuple[Count, Sequence[Counted]]:
    after = Count(state.events + 1)
    return after, (Counted(event[0], after.events, event[1]),)


def _write(fact: Counted) -> Iterable[Publish]:
    # The catalogue has no event for a bare count; this one carries a customer and a number, and is keyed by customer.
    yield Publish(nps_pb2.NpsChanged(customer_id=fact.customer, after=fact.events), fact.customer, fact.time)


def pipeline(source: str) -> Pipeline[Count, tuple[str, datetime], Counted]:
    """Counts the survey answers on `source`."""
    return Pipeline(PIPELINE, (source,), Count, lambda _: Count(), _read, _decide, _write)


if __name__ == "__main__":

    async def build(_: House) -> Parts:
        return Parts(pipelines=[pipeline(sys.argv[1])])

    serve("bench", build)
