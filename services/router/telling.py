"""What callers are told of a pool and of a contact's outlook, from what the pool's owner committed."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from touchline.router.v1 import router_pb2

from services.router import store
from services.router.domain.debts import load
from services.router.domain.draft import Draft, live
from services.router.domain.forecast import foretell, pace_s
from services.router.domain.pool import (
    Debt,
    Pool,
    Waiting,
    effective_priority,
    place_of,
    standing,
)
from services.runtime.records import timestamp

DEBTS_LISTED = 500
RECENT_S = 1.0
"""A customer who asks how long it will be is answered from a state no older."""


class Pools:
    """States of pools, read at most once a second: a big one is some megabytes, and many customers ask."""

    def __init__(self, db: Any, pipeline: str) -> None:
        """Take the database's pool and the assignment pipeline's name."""
        self._db = db
        self._pipeline = pipeline
        self._known: dict[str, tuple[float, Pool | None]] = {}

    async def recent(self, name: str) -> Pool | None:
        """A pool as it was committed a second ago at most; None where nothing has happened in it."""
        at, known = self._known.get(name, (-RECENT_S, None))
        if time.monotonic() - at < RECENT_S:
            return known
        found = await store.pool_state(self._db, self._pipeline, name)
        made = live(found) if found is not None else None
        self._known[name] = (time.monotonic(), made)
        return made


def outlook(found: router_pb2.GetContactResponse, state: Pool) -> None:
    """Put in what a contact that waits has before it. state: as decisions work on it."""
    debt = state.debts.get(found.contact_id)
    if debt is not None:
        found.promised_by.CopyFrom(timestamp(debt.due_at))
    contact = state.waiting.get(found.contact_id)
    if contact is None:
        return
    found.position = sum(line.rank(contact.place) for line in state.index.lines.values()) + 1
    wait_s, high_s = foretell(state, found.position)
    if wait_s >= 0:
        found.predicted_wait_s, found.predicted_high_s = wait_s, high_s


def pool(state: Pool, now: datetime) -> router_pb2.GetPoolResponse:
    """One pool."""
    waits = [(w, False) for w in state.waiting.values()] + [(p.contact, True) for p in state.parked.values()]
    waits.sort(key=lambda item: place_of(state.terms, item[0].priority, item[0].queued_at, item[0].contact_id))
    debts = sorted(state.debts.values(), key=lambda debt: (debt.due_at, debt.contact.contact_id))
    found = router_pb2.GetPoolResponse(
        pool=state.pool,
        seats=[_seat(s) for s in sorted(state.seats.values(), key=lambda s: s.seat_id)],
        waiting=[_waiting(state, w, parked, now) for w, parked in waits],
        offered=len(state.offers),
        in_service=len(state.serving),
        mode=_mode(Draft(state, now)),
        debts=[_debt(debt, now) for debt in debts[:DEBTS_LISTED]],
        debts_open=len(debts),
        debts_held=sum(debt.called_at is None for debt in debts),
        contacts=standing(state),
    )
    pace = pace_s(state)
    if pace >= 0:
        found.pace_s = pace
    wait_s, _ = foretell(state, len(state.waiting) + 1)
    if wait_s >= 0:
        found.predicted_wait_s = wait_s
    return found


def _seat(seat: Any) -> router_pb2.Seat:
    told = router_pb2.Seat(
        seat_id=seat.seat_id,
        state=seat.state.value,
        capacity=seat.capacity,
        contacts=seat.holds,
        skills=seat.skills,
        used=seat.used,
    )
    if seat.wrap_until is not None:
        told.wrap_until.CopyFrom(timestamp(seat.wrap_until))
    return told


def _waiting(state: Pool, contact: Waiting, parked: bool, now: datetime) -> router_pb2.Waiting:
    return router_pb2.Waiting(
        contact_id=contact.contact_id,
        priority=effective_priority(state.terms, contact, now),
        queued_at=timestamp(contact.queued_at),
        call_back=contact.call_back,
        parked=parked,
    )


def _debt(debt: Debt, now: datetime) -> router_pb2.Debt:
    return router_pb2.Debt(
        contact_id=debt.contact.contact_id,
        customer_id=debt.contact.customer_id,
        kind=debt.kind,
        queued_at=timestamp(debt.contact.queued_at),
        due_at=timestamp(debt.due_at),
        called=debt.called_at is not None,
        overdue=debt.due_at <= now,
    )


def _mode(draft: Draft) -> router_pb2.Mode:
    mode, terms = draft.mode, draft.terms.managed
    told = router_pb2.Mode(
        managed=mode.managed,
        hand=mode.hand,
        by=mode.by,
        reason=mode.reason,
        load=load(draft),
        enter=terms.enter,
        leave=terms.leave,
    )
    if mode.since is not None:
        told.since.CopyFrom(timestamp(mode.since))
    return told
