"""Managed mode (托管): at the peak the bot keeps the line, and each contact it keeps is a debt that is paid by a human.

The mode follows the load with hysteresis and a minimum stay, or a supervisor's hand. A debt is called in, oldest first:
at the peak to a seat for which nobody waits, after it while few wait, and in any case before it is due. A human's
accepting pays it. One past due is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from services.router.domain.copying import changed
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
from services.router.domain.persistent import Ordered
from services.router.domain.pool import Debt, Mode, Pool, Waiting
from services.router.domain.room import has_room, most_room

D = TypeVar("D", bound=DebtFact)

MODES = ("managed", "human", "auto")
"""What a supervisor may ask for."""


def fresh(draft: Draft) -> int:
    """How many wait, without the debts that were called in."""
    return len(draft.waiting) + len(draft.parked) - sum(1 for contact_id in draft.called if contact_id in draft.waiting)


def load(draft: Draft) -> float:
    """Who waits, by ready seat; while the bot keeps the line, those for whom it does wait too.

    So the mode isn't left because the bot took everybody off the line, but when the seats are near to having served all
    who came: one who comes then would have waited `leave` services. A rush enters once and leaves once.
    """
    return (fresh(draft) + (draft.owed if draft.mode.managed else 0)) / max(1, draft.ready_seats)


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
            draft.mode = changed(mode, looked=True)
    if terms.enter <= 0 and not mode.managed:
        return []
    if not mode.managed and fresh(draft) >= terms.least and load(draft) >= terms.enter:
        return [_switched(draft, managed=True, cause="load")]
    if mode.managed and (terms.enter <= 0 or load(draft) <= terms.leave):
        return [_switched(draft, managed=False, cause="load")]
    return []


def by_hand(draft: Draft, event: ModeRequested) -> str | list[PoolFact]:
    """Do as a supervisor says. Returns the reason where it makes no sense."""
    if event.mode not in MODES:
        return f'mode "{event.mode}" is none of {", ".join(MODES)}'
    hand = "" if event.mode == "auto" else event.mode
    if (
        hand == "managed"
    ):  # from now on only their promise calls debts in: those that were looked at are looked at again
        for debt in [d for d in draft.debts.values() if d.looked and d.called_at is None]:
            draft.put_debt(changed(debt, looked=False))
    managed = draft.mode.managed if event.mode == "auto" else event.mode == "managed"
    if managed == draft.mode.managed:
        draft.mode = changed(draft.mode, hand=hand, by=event.by, reason=event.reason)
        return []
    return [_switched(draft, managed=managed, cause="hand", by=event.by, reason=event.reason, hand=hand)]


def _switched(draft: Draft, *, managed: bool, cause: str, by: str = "", reason: str = "", hand: str = "") -> PoolFact:
    before, measured = draft.mode, load(draft)
    draft.mode = Mode(managed, draft.now, hand, by, reason)
    said: dict[str, Any] = {
        "pool": draft.pool,
        "cause": cause,
        "by": by,
        "reason": reason,
        "waiting": fresh(draft),
        "seats": draft.ready_seats,
        "load": measured,
        "at": draft.now,
        "debts": draft.owed,
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
    """Where humans take the line: call debts in, oldest first, while few wait and not too many seats are at debts."""
    facts: list[PoolFact] = []
    if draft.mode.managed or not draft.held:
        return facts
    seats = draft.ready_seats
    most = max(1, math.ceil(draft.terms.managed.share * seats)) if seats else 0
    while draft.held:
        oldest = _oldest(draft.held.values())
        few = len(draft.called) < most and fresh(draft) <= draft.terms.managed.leave * seats
        if not few and draft.now < _call_at(draft, draft.debts[oldest]):
            break
        facts.append(call(draft, oldest))
    return facts


def call_to_idle(draft: Draft) -> list[PoolFact]:
    """While the bot keeps the line by load: call the oldest debt to a seat for which nobody waits.

    So no seat is idle at the peak while somebody is owed a human, and a debt takes no seat from a protected contact. It
    may go to a seat at once: the caller offers. A supervisor who holds the line by hand holds the debts as well.
    """
    if not (draft.mode.managed and draft.held and draft.free) or draft.mode.hand:
        return []
    most = most_room(draft)
    lines = [line for key, line in draft.held.items() if has_room(most, key)]
    return [call(draft, _oldest(lines))] if lines else []


def _call_at(draft: Draft, debt: Debt) -> datetime:
    """When a debt is called in at the latest."""
    return debt.due_at - timedelta(seconds=draft.terms.managed.call_before_s)


def _oldest(lines: Iterable[Ordered[tuple[int, str]]]) -> str:
    return min(line.first for line in lines)[1]


def soon_due(draft: Draft, contact_id: str) -> list[PoolFact]:
    """Call in a debt whose promise is soon due, whatever the load.

    While the bot keeps the line by load every idle seat goes to the oldest debt as it is, so there is no more to do, and
    protected contacts keep their turn.
    """
    debt = draft.debts.get(contact_id)
    if debt is None or debt.called_at is not None:
        return []
    if draft.mode.managed and not draft.mode.hand and draft.ready:
        draft.put_debt(changed(debt, looked=True))  # what is stored doesn't look at it again
        return []
    return [call(draft, contact_id)]


def call(draft: Draft, contact_id: str, *, urgent: bool = False) -> DebtCalled:
    """Let a debt's contact wait for a seat, at the place that its whole wait gives it."""
    debt = draft.debts[contact_id]
    soon = _call_at(draft, debt) <= draft.now
    debt = changed(debt, called_at=draft.now, contact=changed(debt.contact, promised=True))
    draft.put_debt(debt)
    draft.enqueue(debt.contact)
    return _told(draft, debt, DebtCalled, urgent=urgent or soon)


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
    debt = changed(debt, overdue=True)
    draft.put_debt(debt)
    return [_told(draft, debt, DebtOverdue)]


def released(draft: Draft, contact_id: str) -> list[PoolFact]:
    """The customer needs no human any more: the contact is over. The caller has taken it out of where it waited."""
    debt = draft.debts.get(contact_id)
    if debt is None:
        return []
    draft.drop_debt(contact_id)
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
