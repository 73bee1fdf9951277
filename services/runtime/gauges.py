"""What a pipeline's work is measured by: events and what became of them, batches, counts, rebalances."""

import logging
from collections.abc import Sequence
from typing import Any

from services.runtime import signals
from services.runtime.batch import Decisions
from services.runtime.checkpoint import Cell, Place
from services.runtime.counters import totals
from services.runtime.pipeline import Pipeline
from services.runtime.telemetry import meters

log = logging.getLogger(__name__)


class Gauges:
    """One pipeline's."""

    def __init__(self, pipeline: Pipeline[Any, Any, Any]) -> None:
        self._metric = pipeline.metric
        self.label = {"pipeline": pipeline.name}
        made = meters()
        self._events = made.counter(signals.EVENTS)
        self._counts = made.up_down(signals.COUNTS)
        self._seconds = made.histogram(signals.BATCH_SECONDS)
        self._rebalances = made.counter(signals.REBALANCES)

    def assigned(self) -> None:
        """Places were taken over."""
        self._rebalances.add(1, self.label)

    def lost(self, place: Place, events: int) -> None:
        """The broker no longer keeps events that were never read."""
        told = {"topic": place.topic, "partition": place.partition, "events": events}
        log.error("the broker no longer keeps events that we have not read", extra={"fields": told})
        self._events.add(events, {**self.label, "outcome": "lost"})

    def handled(self, made: Decisions[Any, Any]) -> None:
        """What became of a batch's events."""
        for outcome, count in made.outcomes():
            self._events.add(count, {**self.label, "outcome": outcome})

    def took(self, seconds: float) -> None:
        """A batch was under way for so long."""
        self._seconds.record(seconds, self.label)

    def counted(self, cells: Sequence[Cell]) -> None:
        """Counter cells that stand."""
        if self._metric is not None:
            for field, count in totals(cells, self._metric).items():
                self._counts.add(count, {"metric": self._metric.name, "field": field})
