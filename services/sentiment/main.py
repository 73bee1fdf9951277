"""The sentiment service: what is said in, scores, running moods, turns of conversations and seats' loads out."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from services.runtime.pipeline import Pipeline
from services.runtime.service import House, Parts, serve
from services.runtime.settings import load as settings_of
from services.runtime.topics import ROUTING_DECIDED, TOUCHPOINT_EVENTS
from services.sentiment import codec, counters, loads, model, rpc, store
from services.sentiment.domain.decide import Scorer, decide
from services.sentiment.domain.events import Event, Fact
from services.sentiment.domain.load import LONGEST_SHIFT
from services.sentiment.domain.mood import CustomerMood
from services.sentiment.settings import SentimentSettings

log = logging.getLogger(__name__)

FORGET_EVERY_S = 3600.0


def pipeline(score: Scorer, name: str) -> Pipeline[CustomerMood, Event, Fact]:
    """Customers' conversations, and who serves them. `name` is the model's."""
    return Pipeline(
        name=store.PIPELINE,
        topics=(TOUCHPOINT_EVENTS, ROUTING_DECIDED),
        state_type=CustomerMood,
        initial=CustomerMood,
        read=codec.read,
        decide=partial(decide, score=score),
        write=codec.Writer(name),
        project=partial(store.project, model=name),
        count=counters.count,
        metric=counters.METRIC,
    )


def _forgetting(house: House, settings: SentimentSettings) -> Callable[[], Coroutine[Any, Any, None]]:
    async def forget() -> None:
        while True:
            now = house.clock()
            try:
                await store.forget(
                    house.pool,
                    now - timedelta(days=settings.keep_days),
                    now - timedelta(days=settings.feedback_days),
                    now - LONGEST_SHIFT,
                )
            except Exception:  # the next hour will do: what is kept a little longer is still within what is stated
                log.exception("what is past keeping could not be dropped")
            await asyncio.sleep(FORGET_EVERY_S)

    return forget


async def build(house: House) -> Parts:
    """The service's parts."""
    settings = settings_of(SentimentSettings)
    loaded, name = model.load(), model.name()
    return Parts(
        pipelines=[pipeline(loaded.score, name), loads.pipeline()],
        servicers=[rpc.servicer(house.pool, loaded, name, house.clock)],
        tasks=[_forgetting(house, settings)],
    )


if __name__ == "__main__":
    serve("sentiment", build, migrations=Path(__file__).parent)
