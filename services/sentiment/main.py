"""The sentiment service: what customers say in, scores and running moods out."""

from functools import partial
from pathlib import Path

from services.runtime.pipeline import Pipeline
from services.runtime.service import House, Parts, serve
from services.runtime.topics import TOUCHPOINT_EVENTS
from services.sentiment import codec, counters, model, rpc, store
from services.sentiment.domain.decide import CustomerMessage, MessageScored, decide
from services.sentiment.domain.mood import CustomerMood


async def build(house: House) -> Parts:
    """The service's parts."""
    loaded, name = model.load(), model.name()
    pipeline: Pipeline[CustomerMood, CustomerMessage, MessageScored] = Pipeline(
        name="sentiment",
        topics=(TOUCHPOINT_EVENTS,),
        state_type=CustomerMood,
        initial=CustomerMood,
        read=codec.read,
        decide=partial(decide, score=loaded.score),
        write=codec.Writer(name),
        project=store.project,
        count=counters.count,
        metric=counters.METRIC,
    )
    return Parts(pipelines=[pipeline], servicers=[rpc.servicer(house.pool, loaded, name)])


if __name__ == "__main__":
    serve("sentiment", build, migrations=Path(__file__).parent)
