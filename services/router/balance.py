"""The live audit: every contact that came to a pool is in exactly one place, looked at again and again.

Two accounts are held against each other: what each pool's owner counted and holds, and what the read model says of each
contact. What one of the two has and the other hasn't is under way between triage and the pool, or lost: it
counts as lost once it is seen twice in a row.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.router import store
from services.router.domain.forecast import foretell
from services.router.domain.pool import Pool, imbalance, standing
from services.runtime import signals
from services.runtime.beside import again
from services.runtime.clock import Clock
from services.runtime.telemetry import meters

log = logging.getLogger(__name__)

Place = tuple[str, str, str]
"""Pool, contact, state."""


def places(pool: Pool) -> Iterator[Place]:
    """Where the pool has each of its contacts, in the read model's words."""
    for state, held in (
        ("queued", pool.waiting),
        ("queued", pool.parked),
        ("offered", pool.offers),
        ("in_service", pool.serving),
        ("promised", {key: debt for key, debt in pool.debts.items() if debt.called_at is None}),
    ):
        yield from ((pool.pool, contact_id, state) for contact_id in held)


class Balance:
    """What was seen last, for the gauges."""

    def __init__(self, clock: Clock, names: Callable[[], Iterable[str]] = tuple) -> None:
        """Nothing is seen yet. names: pools that are told of although nothing has happened in them."""
        self._clock = clock
        self._names = names
        self._apart: frozenset[Place] = frozenset()
        self._pools: tuple[Pool, ...] = ()
        self.lost: dict[str, int] = {}
        """Pool → contacts that are not where they should be."""

    def look(self, pools: Sequence[Pool], rows: Iterable[Place]) -> None:
        """Hold the two accounts against each other."""
        apart = frozenset(rows) ^ frozenset(place for pool in pools for place in places(pool))
        stay = apart & self._apart
        lost = {pool.pool: abs(imbalance(pool)) for pool in pools}
        for contact_id in {place[1] for place in stay}:
            name = min(place[0] for place in stay if place[1] == contact_id)
            lost[name] = lost.get(name, 0) + 1
        for name, n in lost.items():
            if n and n != self.lost.get(name, 0):
                some = sorted(place[1:] for place in stay if place[0] == name)[:5]
                log.error("contacts of a pool don't add up", extra={"fields": {"pool": name, "n": n, "some": some}})
        self._apart, self._pools, self.lost = apart, tuple(pools), lost

    def contacts(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """Each pool's contacts by place."""
        for pool in self._pools:
            for place, n in standing(pool).items():
                yield n, {"pool": pool.pool, "place": place}

    def imbalances(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """Each pool's contacts that are not where they should be."""
        quiet = dict.fromkeys(self._names(), 0)
        return ((n, {"pool": name}) for name, n in {**quiet, **self.lost}.items())

    def overdue(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """Each pool's promises that are past due now."""
        now = self._clock()
        found = dict.fromkeys(self._names(), 0)
        for pool in self._pools:
            found[pool.pool] = sum(debt.due_at <= now for debt in pool.debts.values())
        return ((n, {"pool": name}) for name, n in found.items())

    def managed(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """Whether the bot keeps the line."""
        return ((float(pool.mode.managed), {"pool": pool.pool}) for pool in self._pools)

    def waits(self) -> Iterator[tuple[float, Mapping[str, str]]]:
        """What somebody who comes now is told, where anything is known."""
        for pool in self._pools:
            wait_s, _ = foretell(pool, len(pool.waiting) + 1)
            if wait_s >= 0:
                yield wait_s, {"pool": pool.pool}


def watching(
    db: Any, pipeline: str, clock: Clock, every_s: float, names: Callable[[], Iterable[str]]
) -> Callable[[], Coroutine[Any, Any, None]]:
    """The task that looks, and the gauges that tell."""
    balance = Balance(clock, names)
    made = meters()
    for signal, read in (
        (signals.POOL_CONTACTS, balance.contacts),
        (signals.IMBALANCE, balance.imbalances),
        (signals.DEBTS_OVERDUE, balance.overdue),
        (signals.MANAGED, balance.managed),
        (signals.WAIT_PREDICTED, balance.waits),
    ):
        made.watch(signal, read)

    async def look() -> None:
        balance.look(*await store.accounts(db, pipeline))

    return again(look, every_s, "the pools could not be looked at")
