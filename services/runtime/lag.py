"""How far a pipeline is behind: asked of the broker and the database, for the whole group."""

import asyncio

from opentelemetry.metrics import CallbackOptions, Observation

from services.runtime.checkpoint import Store
from services.runtime.source import Source


class Lag:
    """One pipeline's; what was asked last is what its gauges show, or nothing."""

    def __init__(self, pipeline: str, source: Source, store: Store) -> None:
        self._source = source
        self._store = store
        self._label = {"pipeline": pipeline}
        self._last: tuple[int, int] | None = None

    async def ask(self) -> tuple[int, int]:
        """(records not yet consumed, what is decided and not yet published). Raises Transient."""
        ends, (places, backlog) = await asyncio.gather(self._source.ends(), self._store.behind())
        unclaimed = await self._source.bounds(set(ends) - set(places))
        lag = sum(max(0, end - (places[p] if p in places else unclaimed[p][0])) for p, end in ends.items())
        self._last = (lag, backlog)
        return self._last

    def unknown(self) -> None:
        """Shows nothing until it is known again: an old figure would go on saying that all is well."""
        self._last = None

    def observe_lag(self, _: CallbackOptions) -> list[Observation]:
        return [Observation(self._last[0], self._label)] if self._last is not None else []

    def observe_backlog(self, _: CallbackOptions) -> list[Observation]:
        return [Observation(self._last[1], self._label)] if self._last is not None else []
