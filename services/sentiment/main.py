"""The sentiment service: what is said in, scores, running moods, turns of conversations and seats' loads out."""

import os

# Before numpy reads it: a second thread for the network's small products doubles their processor time, and shortens nothing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from services.runtime.beside import HOUR_S, again
from services.runtime.pipeline import Pipeline
from services.runtime.service import House, Parts, serve
from services.runtime.settings import load as settings_of
from services.runtime.topics import ROUTING_DECIDED, TOUCHPOINT_EVENTS
from services.sentiment import codec, counters, loads, model, rpc, store
from services.sentiment.domain.decide import decide
from services.sentiment.domain.events import Event, Fact
from services.sentiment.domain.load import LONGEST_SHIFT
from services.sentiment.domain.mood import CustomerMood
from services.sentiment.domain.remarks import CommentReader
from services.sentiment.model import familiarity, targets
from services.sentiment.reading import Reading
from services.sentiment.settings import SentimentSettings
from services.sentiment.watch import Watch


def pipeline(reading: Reading, name: str) -> Pipeline[CustomerMood, Event, Fact]:
    """Customers' conversations, and who serves them. `name` is the model's."""
    return Pipeline(
        name=store.PIPELINE,
        topics=(TOUCHPOINT_EVENTS, ROUTING_DECIDED),
        state_type=CustomerMood,
        initial=CustomerMood,
        read=codec.read,
        enrich=reading,
        decide=partial(decide, score=reading.model.score, comment=reading.comments.one if reading.comments else None),
        write=codec.Writer(name),
        project=partial(store.project, model=name),
        count=counters.count,
        metric=counters.METRIC,
        unhurried=True,
    )


def _hourly(house: House, settings: SentimentSettings, watch: Watch, name: str) -> Callable[[], Awaitable[None]]:
    """What is past keeping is dropped, and the model's confidence held against what people said since."""

    async def look() -> None:
        now = house.clock()
        await store.forget(
            house.pool,
            now - timedelta(days=settings.keep_days),
            now - timedelta(days=settings.feedback_days),
            now - LONGEST_SHIFT,
        )
        watch.judge(await store.judgements(house.pool, name))

    return look


async def build(house: House) -> Parts:
    """The service's parts."""
    settings = settings_of(SentimentSettings)
    loaded, name = model.load(), model.name()
    watch = Watch(familiarity.load(), house.clock)
    return Parts(
        pipelines=[pipeline(Reading(loaded, watch, CommentReader(loaded, targets.load())), name), loads.pipeline()],
        servicers=[rpc.servicer(house.pool, loaded, name, house.clock, house.reader)],
        tasks=[
            again(_hourly(house, settings, watch, name), HOUR_S, "what is past keeping could not be dropped"),
        ],
    )


if __name__ == "__main__":
    serve("sentiment", build, migrations=Path(__file__).parent)
