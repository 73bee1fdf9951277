"""Managed mode (托管): at the peak the bot keeps the line, and each contact it keeps is a debt that is paid by a human.

The mode follows the load with hysteresis and a minimum stay, or a supervisor's hand. A debt is called in, oldest first,
when the peak has fallen, and in any case before it is due; a human's accepting pays it. One past due is told.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from services.router.domain.draft import Draft
from services.router.domain.events import ModeRequested
from services.router.domain.facts import (
    ContactClosed,
    DebtCalled,
    DebtFact,
    DebtIncurred,
    DebtOverdue,
    DebtPaid,
    DebtReleased,
    ManagedModeEntered,
    ManagedModeLeft,
    Outcome,
    PoolFact,
)
from services.router.domain.pool import Debt, Mode, Pool, Waiting

D = TypeVar("D", bound=DebtFact)


def fresh(draft: Draft) -> int:
    """How many wait, without the debts that were called in."""
    return len(draft.waiting) + len(draft.parked) - sum(1 for contact_id in draft.called if contact_id in draft.waiting)


def load(draft: Draft) -> float:
    """Who waits, by ready seat."""
    return fresh(draft) / max(1, draft.ready_seats)


# -- the mode -----------------------------------------------------------------------------------------------------


def follow_load(draft: Draft) -> list[PoolFact]:
    """Enter or leave the mode, where the load says so and the mode before has stood long enough."""
    terms, mode = draft.terms.managed, draft.mode
    if mode.hand:
        return []
    if mode.since is not None:
        if draft.now < mode.since + timedelta(seconds=terms.min_stay_s):
            return []
        if not mode.looked:
            draft.mode = replace(mode, looked=True)
    if terms.enter <= 0 and not mode.managed:
        return []
    if not mode.managed and fresh(draft) >= terms.least and load(draft) >= terms.enter:
        return [_switched(draft, managed=True, cause="load")]
    if mode.managed and (terms.enter <= 0 or load(draft) <= terms.leave):
        return [_switched(draft, managed=False, cause="load")]
    return []


def by_hand(draft: Draft, event: ModeRequested) -> str | list[PoolFact]:
    """Do as a supervisor says. Returns the reason where it makes no sense."""
    if event.mode not in ("managed", "human", "auto"):
        return f'mode "{event.mode}" is none of managed, human, auto'
    hand = "" if event.mode == "auto" else event.mode
    managed = draft.mode.managed if event.mode == "auto" else event.mode == "managed"
    if managed == draft.mode.managed:
        draft.mode = replace(draft.mode, hand=hand, by=event.by, reason=event.reason)
        return []
    return [_switched(draft, managed=managed, cause="hand", by=event.by, reason=event.reason, hand=hand)]


def _switched(draft: Draft, *, managed: bool, cause: str, by: str = "", reason: str = "", hand: str = "") -> PoolFact:
    before = draft.mode
    draft.mode = Mode(managed, draft.now, hand, by, reason)
    said: dict[str, Any] = {
        "pool": draft.pool,
        "cause": cause,
        "by": by,
        "reason": reason,
        "waiting": fresh(draft),
        "seats": draft.ready_seats,
        "load": load(draft),
        "at": draft.now,
        "debts": len(draft.held),
        "policy": draft.terms.version,
    }
    if managed:
        return ManagedModeEntered(**said)
    return ManagedModeLeft(**said, entered_at=before.since or draft.now)


def mode_due(pool: Pool) -> datetime | None:
    """When the mode may change again by load, and nobody has looked since; None where that is past or a hand decides."""
    mode = pool.mode
    if mode.hand or mode.since is None or mode.looked:
        return None
    return mode.since + timedelta(seconds=pool.terms.managed.min_stay_s)


# -- debts --------------------------------------------------------------------------------------------------------


def keeps_line(draft: Draft, contact: Waiting) -> bool:
    """Whether the bot keeps the line for a contact that was to go to a human."""
    return draft.mode.managed and not contact.protected


def incur(draft: Draft, contact: Waiting, kind: str) -> DebtIncurred:
    """Write down what is promised. In managed mode the bot keeps the line; a call-back waits in the queue."""
    due_at = draft.now + timedelta(seconds=draft.terms.managed.promise_s)
    debt = Debt(contact, kind, draft.now, due_at, None if kind == "managed" else draft.now)
    draft.put_debt(debt)
    return _told(draft, debt, DebtIncurred, policy=draft.terms.version)


def call_in(draft: Draft) -> list[PoolFact]:
    """Call debts in, oldest first: while the load is low and not too many seats are at debts, and those soon due."""
    facts: list[PoolFact] = []
    terms = draft.terms.managed
    seats = draft.ready_seats
    most = max(1, math.ceil(terms.share * seats)) if seats else 0
    while len(draft.held) and len(draft.called) < most:
        if draft.mode.managed or load(draft) > terms.leave:
            break
        facts.append(_called(draft, draft.held.first[1]))
    return facts


def soon_due(draft: Draft, contact_id: str) -> list[PoolFact]:
    """Call in a debt whose promise is soon due, whatever the load."""
    debt = draft.debts.get(contact_id)
    return [_called(draft, contact_id, urgent=True)] if debt is not None and debt.called_at is None else []


def _called(draft: Draft, contact_id: str, *, urgent: bool = False) -> DebtCalled:
    debt = draft.debts[contact_id]
    debt = replace(debt, called_at=draft.now, contact=replace(debt.contact, promised=True))
    draft.put_debt(debt)
    draft.enqueue(debt.contact)
    return _told(draft, debt, DebtCalled, urgent=urgent)


def paid(draft: Draft, contact_id: str, seat_id: str) -> list[PoolFact]:
    """A human took the contact: its debt, if there is one, is paid."""
    debt = draft.debts.get(contact_id)
    if debt is None:
        return []
    draft.drop_debt(contact_id)
    return [_told(draft, debt, DebtPaid, seat_id=seat_id)]


def overdue(draft: Draft, contact_id: str) -> list[PoolFact]:
    """Tell, once, that a promise was not kept in time."""
    debt = draft.debts.get(contact_id)
    if debt is None or debt.overdue:
        return []
    debt = replace(debt, overdue=True)
    draft.put_debt(debt)
    return [_told(draft, debt, DebtOverdue)]


def released(draft: Draft, contact_id: str) -> list[PoolFact]:
    """The customer needs no human any more. The contact is over, wherever it waited."""
    debt = draft.debts.get(contact_id)
    if debt is None:
        return []
    draft.drop_debt(contact_id)
    if contact_id in draft.waiting:
        draft.dequeue(contact_id)
        draft.left_queue()
    elif contact_id in draft.parked:
        draft.unpark(contact_id)
    by_bot = debt.kind == "managed"
    draft.close(contact_id)
    draft.count("bot" if by_bot else "abandoned")
    closed = ContactClosed(
        contact_id=contact_id,
        customer_id=debt.contact.customer_id,
        pool=draft.pool,
        seat_id="",
        outcome=Outcome.BOT if by_bot else Outcome.ABANDONED,
        waited_ms=max(0, int((draft.now - debt.contact.queued_at).total_seconds() * 1000)),
        closed_at=draft.now,
        touchpoint=debt.contact.touchpoint,
    )
    return [_told(draft, debt, DebtReleased), closed]


def _told(draft: Draft, debt: Debt, kind: type[D], **more: Any) -> D:
    return kind(
        contact_id=debt.contact.contact_id,
        customer_id=debt.contact.customer_id,
        pool=draft.pool,
        kind=debt.kind,
        queued_at=debt.contact.queued_at,
        due_at=debt.due_at,
        at=draft.now,
        touchpoint=debt.contact.touchpoint,
        **more,
    )
