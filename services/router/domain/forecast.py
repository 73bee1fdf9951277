"""What a customer who begins to wait is told: the position in the queue, and how long it will be.

The wait is foretold by the pace at which the queue gave contacts to seats, or lost them, of late: so many ahead, at so
many a second. What nine in ten don't exceed is learned from how the last ones came out.
"""

from __future__ import annotations

import math

from services.router.domain.copying import changed
from services.router.domain.draft import Draft
from services.router.domain.facts import WaitPredicted
from services.router.domain.matching import standing_to
from services.router.domain.pool import READY, Pool, Waiting

LEAST_EXITS = 3.0
"""Contacts that must have left the queue of late before it says anything of the next."""
STEP = 0.05
TAIL = 0.1


def pace_s(pool: Pool | Draft) -> float:
    """Return the seconds between two who leave the queue; −1 where too little is known."""
    pace = pool.pace
    return pace.busy_s / pace.exits if pace.exits >= LEAST_EXITS and pace.busy_s > 0 else -1.0


def foretell(pool: Pool | Draft, position: int) -> tuple[float, float]:
    """Return how long somebody at a position (1 is next) will wait, and what nine in ten don't exceed; −1 where unknown.

    While no seat is ready, the pace of before says nothing of the wait.
    """
    one = pace_s(pool) if _staffed(pool) else -1.0
    return (position * one, position * one * pool.pace.high) if one >= 0 else (-1.0, -1.0)


def _staffed(pool: Pool | Draft) -> bool:
    return pool.ready_seats > 0 if isinstance(pool, Draft) else any(s.state is READY for s in pool.seats.values())


def predicted(draft: Draft, contact: Waiting) -> WaitPredicted:
    """Foretell the wait of a contact that has just begun to, and remember what was said."""
    position = draft.ahead_of(contact.place) + 1
    wait_s, high_s = foretell(draft, position)
    if wait_s >= 0:
        draft.waiting = draft.waiting.put(contact.contact_id, changed(contact, predicted_s=wait_s))
    return WaitPredicted(
        contact_id=contact.contact_id,
        customer_id=contact.customer_id,
        pool=draft.pool,
        position=position,
        wait_s=wait_s,
        high_s=high_s,
        at=draft.now,
        seats=standing_to(draft, contact),
    )


def learned(draft: Draft, contact: Waiting) -> None:
    """Learn from a wait that is over: the ratio that a tenth of them exceed moves a little (a stochastic quantile)."""
    if contact.predicted_s <= 0:
        return
    actual = (draft.now - (contact.arrived_at or contact.queued_at)).total_seconds()
    missed = actual > contact.predicted_s * draft.pace.high
    high = draft.pace.high * math.exp(STEP * ((1.0 if missed else 0.0) - TAIL))
    draft.pace = changed(draft.pace, high=min(20.0, max(1.0, high)))
