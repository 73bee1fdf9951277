"""The NPS service: the running Net Promoter Score, what changed, how service does, who is asked, and what is done about it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from services.nps import codec, contacts, counters, deeds, owning, rpc, store
from services.nps.domain.survey import CustomerSurveys, Event, Fact, decide
from services.nps.feed import Feed
from services.nps.report.live import Broadcasts
from services.nps.settings import NpsSettings
from services.nps.watching import Watching
from services.runtime.pipeline import Pipeline
from services.runtime.service import House, Parts, serve
from services.runtime.settings import load as settings_of
from services.runtime.topics import SENTIMENT_REMARKED, SURVEY_REQUESTED, TOUCHPOINT_EVENTS

log = logging.getLogger(__name__)

PIPELINE: Pipeline[CustomerSurveys, Event, Fact] = Pipeline(
    name="nps",
    topics=(TOUCHPOINT_EVENTS, SURVEY_REQUESTED, SENTIMENT_REMARKED),
    state_type=CustomerSurveys,
    initial=CustomerSurveys,
    read=codec.read,
    decide=decide,
    write=codec.write,
    project=store.project,
    count=counters.count,
    metric=counters.METRIC,
    unhurried=True,
)


def _forgetting(house: House, settings: NpsSettings) -> Callable[[], Coroutine[Any, Any, None]]:
    """Comments that are past keeping are dropped."""

    async def forget() -> None:
        while True:
            try:
                await store.forget_comments(house.pool, house.clock() - timedelta(days=settings.comment_days))
            except Exception as error:  # the next hour will do
                log.warning("comments past keeping could not be dropped: %s", type(error).__name__)
            await asyncio.sleep(3600)

    return forget


async def build(house: House) -> Parts:
    """The service's parts."""
    settings = settings_of(NpsSettings)
    feed, volumes = Feed(house.pool, house.reader), contacts.Volumes(house.pool, house.clock, settings.zoned())
    watching = Watching(house.pool, feed, house.publisher, house.clock, settings.watched(), settings.zoned())
    broadcasts = Broadcasts(house.pool, house.clock, settings.zoned())
    return Parts(
        pipelines=[
            PIPELINE,
            contacts.pipeline(settings.plan(), settings.zoned(), volumes),
            deeds.PIPELINE,
            owning.PIPELINE,
        ],
        servicers=[
            rpc.servicer(
                house.pool,
                feed,
                watching,
                house.commands(),
                house.clock,
                broadcasts,
                settings.zoned(),
                house.reader,
            )
        ],
        tasks=[feed.run, partial(watching.run, settings.watch_every_s), _forgetting(house, settings)],
    )


if __name__ == "__main__":
    serve("nps", build, migrations=Path(__file__).parent)
