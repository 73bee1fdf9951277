"""The NPS service: survey events in, changes of the running Net Promoter Score out."""

from pathlib import Path

from services.nps import codec, counters, rpc, store
from services.nps.domain.survey import CustomerSurveys, Event, SurveyCounted, decide
from services.runtime.pipeline import Pipeline
from services.runtime.service import House, Parts, serve
from services.runtime.topics import TOUCHPOINT_EVENTS

PIPELINE: Pipeline[CustomerSurveys, Event, SurveyCounted] = Pipeline(
    name="nps",
    topics=(TOUCHPOINT_EVENTS,),
    state_type=CustomerSurveys,
    initial=CustomerSurveys,
    read=codec.read,
    decide=decide,
    write=codec.write,
    project=store.project,
    count=counters.count,
    metric=counters.METRIC,
)


async def build(house: House) -> Parts:
    """The service's parts."""
    return Parts(pipelines=[PIPELINE], servicers=[rpc.servicer(house.pool, PIPELINE.name)])


if __name__ == "__main__":
    serve("nps", build, migrations=Path(__file__).parent)
