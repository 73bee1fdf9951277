"""How an event becomes evidence: any order of arrival leaves the same, and the same event twice is one."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from services.escalation.domain.events import (
    Affected,
    Bought,
    ContactOver,
    ContactRequested,
    CustomerSaid,
    DeliveryFailed,
    Event,
    Handed,
    MessageScored,
    Replied,
    TicketMoved,
    Turned,
)
from services.escalation.domain.state import (
    LONG,
    MAX_KEPT,
    WINDOW,
    Contact,
    Customer,
    Failure,
    Hand,
    Hit,
    Order,
    Said,
    Ticket,
    Turn,
    Visit,
    changed,
)
from services.escalation.domain.words import announced

E = TypeVar("E", Contact, Said, Ticket, Failure, Turn, Hand, Visit, Order, Hit)
LATE: Final = 10.0
"""Minutes of waiting from which a customer was kept waiting too long."""


def learn(state: Customer, event: Event, now: datetime) -> Customer:
    """The state with the event among its evidence. A time ahead of the service clock `now` counts as now."""
    at = min(event.time, now)
    match event:
        case ContactRequested():
            contact = _contact(state, event.contact_id, at)
            contact = changed(
                contact, touchpoint=event.touchpoint or contact.touchpoint, asked_at=_latest(contact.asked_at, at)
            )
            return _with_contact(state, contact, event.name, now)
        case CustomerSaid():
            words = announced(event.text)
            said = _said(state, event.name, event.contact_id, event.touchpoint, at)
            said = changed(
                said, at=at, touchpoint=event.touchpoint or said.touchpoint, words=words.weight, kinds=len(words.kinds)
            )
            contact = _contact(state, event.contact_id, at, event.touchpoint)
            contact = changed(contact, asked_at=_latest(contact.asked_at, at))
            return _with_contact(state, contact, event.name, now, said)
        case MessageScored():
            said = _said(state, event.message, event.contact_id, event.touchpoint, min(event.said_at, now))
            return _with_said(state, changed(said, polarity=event.polarity, complaint=event.complaint))
        case Replied():
            contact = _contact(state, event.contact_id, at)
            return _with_contact(state, changed(contact, replied_at=_latest(contact.replied_at, at)), event.name, now)
        case ContactOver():
            contact = _contact(state, event.contact_id, at)
            abandoned = contact.abandoned or event.abandoned
            over = changed(contact, over_at=_latest(contact.over_at, at), abandoned=abandoned)
            return _with_contact(state, over, event.name, now)
        case TicketMoved():
            ticket = _find(state.tickets, lambda t: t.ticket_id == event.ticket_id) or Ticket(event.ticket_id, at)
            return changed(
                state, tickets=_put(state.tickets, _moved(ticket, event, at), lambda t: t.ticket_id == event.ticket_id)
            )
        case DeliveryFailed():
            failure = Failure(event.order_id, event.failure, at, event.delay_minutes)
            return changed(
                state,
                failures=_put(
                    state.failures, failure, lambda f: (f.order_id, f.failure) == (event.order_id, event.failure)
                ),
            )
        case Turned() | Handed() | Bought() | Affected():
            return _history(state, event, at, now)
    return state


def _history(state: Customer, event: Turned | Handed | Bought | Affected, at: datetime, now: datetime) -> Customer:
    match event:
        case Turned():
            turn = Turn(event.turning, event.contact_id, event.soured, min(event.turned_at, now))
            return changed(state, turns=_put(state.turns, turn, lambda t: t.turning == event.turning))
        case Handed():
            taken = event.how == "taken"
            name = f"{event.contact_id} {event.how} {event.to}"
            hand = Hand(name, event.contact_id, event.to if taken else "", taken and event.waited_minutes >= LATE, at)
            return changed(state, hands=_put(state.hands, hand, lambda h: h.name == name))
        case Bought():
            order = Order(event.order_id, event.cents, at, event.causes)
            return changed(state, orders=_put(state.orders, order, lambda o: o.order_id == event.order_id))
        case Affected():
            return changed(state, hits=_put(state.hits, Hit(event.cause, at), lambda h: h.cause == event.cause))


def prune(state: Customer, now: datetime) -> Customer:
    """Drops what is older than the window, by event time. An open ticket stays as long as it moved within it."""
    start = state.moment(now) - WINDOW
    if (
        all(len(kept) <= MAX_KEPT and all(x.at >= start for x in kept) for kept in state.evidence)
        and not any(r < start for t in state.tickets for r in t.reopened)
        and len(state.orders) <= MAX_KEPT
    ):
        return state
    tickets = tuple(
        changed(t, reopened=tuple(r for r in t.reopened if r >= start)) for t in _young(state.tickets, start)
    )
    contacts = _young(state.contacts, start)
    visits = state.visits
    for contact in state.contacts:
        if contact not in contacts:
            known = _find(visits, lambda v, name=contact.contact_id: v.contact_id == name)  # type: ignore[misc]
            begun = min(contact.at, known.at) if known else contact.at
            visits = _put(visits, Visit(contact.contact_id, begun), lambda v, n=contact.contact_id: v.contact_id == n)  # type: ignore[misc]
    return changed(
        state,
        contacts=contacts,
        said=_young(state.said, start),
        tickets=tickets,
        failures=_young(state.failures, start),
        turns=_young(state.turns, start),
        hands=_young(state.hands, start),
        hits=_young(state.hits, start),
        visits=_young(visits, start + WINDOW - LONG),
        orders=_young(state.orders, start + WINDOW - LONG),
    )


def _young(kept: tuple[E, ...], start: datetime) -> tuple[E, ...]:
    return tuple(sorted((x for x in kept if x.at >= start), key=lambda x: x.at)[-MAX_KEPT:])


def _find(kept: tuple[E, ...], same: Callable[[E], bool]) -> E | None:
    return next((x for x in kept if same(x)), None)


def _put(kept: tuple[E, ...], new: E, same: Callable[[E], bool]) -> tuple[E, ...]:
    return tuple(x for x in kept if not same(x)) + (new,)  # noqa: RUF005 - mypy can't follow a star of E here


def _contact(state: Customer, contact_id: str, at: datetime, touchpoint: str = "") -> Contact:
    """The contact as it is known; one that shows itself before its request is known from then on, and begins with the
    first that is heard of it."""
    known = _find(state.contacts, lambda c: c.contact_id == contact_id)
    if known is None:
        return Contact(contact_id, touchpoint, at)
    return changed(known, at=min(known.at, at), touchpoint=known.touchpoint or touchpoint)


def _with_contact(state: Customer, contact: Contact, name: str, now: datetime, said: Said | None = None) -> Customer:
    """The state with the contact (and the message) as it is after the event of that name: whoever begins to wait does so
    from now on."""
    if not contact.unanswered:
        contact = changed(contact, waiting_since=None, waits_for="")
    elif contact.waiting_since is None:
        contact = changed(contact, waiting_since=now, waits_for=name)
    contacts = _put(state.contacts, contact, lambda c: c.contact_id == contact.contact_id)
    if said is None:
        return changed(state, contacts=contacts)
    return changed(state, contacts=contacts, said=_put(state.said, said, lambda s: s.message == said.message))


def _with_said(state: Customer, said: Said) -> Customer:
    return changed(state, said=_put(state.said, said, lambda s: s.message == said.message))


def _said(state: Customer, message: str, contact_id: str, touchpoint: str, at: datetime) -> Said:
    return _find(state.said, lambda s: s.message == message) or Said(message, contact_id, touchpoint, at)


def _latest(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else max(known, at)


def _moved(ticket: Ticket, event: TicketMoved, at: datetime) -> Ticket:
    ticket = changed(ticket, at=max(ticket.at, at))
    match event.status:
        case "opened":
            return changed(ticket, opened=True)
        case "reopened":
            return changed(ticket, reopened=tuple(sorted({*ticket.reopened, at})))
        case "resolved":
            return changed(ticket, resolved_at=_latest(ticket.resolved_at, at))
    return ticket
