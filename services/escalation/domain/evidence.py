"""How an event becomes evidence: any order of arrival leaves the same of what is kept, and the same event twice is one.

Of what is told more than once (an order, its delay, a wave) the later event time holds. Two things go by arrival all the same:
since when somebody waits, which is the service clock's, and what a contact is about, which weighs nothing.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

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
    unanswered,
)
from services.escalation.domain.words import announced

E = TypeVar("E", Contact, Said, Ticket, Failure, Turn, Hand, Visit, Order, Hit)
R = TypeVar("R", Failure, Hand, Order, Hit)
LATE: Final = 10.0
"""Minutes of waiting from which a customer was kept waiting too long."""


def learn(state: Customer, event: Event, now: datetime, **also: Any) -> Customer:
    """The state with the event among its evidence. A time ahead of the service clock `now` counts as now.

    also: fields of the state that the event changes besides, so that it is made anew once.
    """
    at = min(event.time, now)
    match event:
        case ContactRequested():
            contacts = _contacts(state, event.contact_id, at, event.name, now, asked=True, touchpoint=event.touchpoint)
            return changed(state, contacts=contacts, **also)
        case CustomerSaid():
            words = announced(event.text)
            said = _said(state, event.name, event.contact_id, event.touchpoint, at)
            put = changed(
                said, at=at, touchpoint=event.touchpoint or said.touchpoint, words=words.weight, kinds=len(words.kinds)
            )
            contacts = _contacts(state, event.contact_id, at, event.name, now, asked=True, meant=event.touchpoint)
            return changed(state, contacts=contacts, said=_put(state.said, said, put), **also)
        case MessageScored():
            said = _said(state, event.message, event.contact_id, event.touchpoint, min(event.said_at, now))
            put = changed(said, polarity=event.polarity, complaint=event.complaint)
            return changed(state, said=_put(state.said, said, put), **also)
        case Replied():
            contacts = _contacts(state, event.contact_id, at, event.name, now, replied=True)
            return changed(state, contacts=contacts, **also)
        case ContactOver():
            contacts = _contacts(state, event.contact_id, at, event.name, now, over=True, abandoned=event.abandoned)
            return changed(state, contacts=contacts, **also)
        case TicketMoved():
            ticket = _find(state.tickets, lambda t: t.ticket_id == event.ticket_id)
            moved = _moved(ticket or Ticket(event.ticket_id, at), event, at)
            return changed(state, tickets=_put(state.tickets, ticket, moved), **also)
        case DeliveryFailed():
            name = (event.order_id, event.failure)
            known = _find(state.failures, lambda f: (f.order_id, f.failure) == name)
            failure = _later(known, Failure(event.order_id, event.failure, at, event.delay_minutes))
            return changed(state, failures=_put(state.failures, known, failure), **also)
        case Turned() | Handed() | Bought() | Affected():
            return changed(state, **_history(state, event, at, now), **also)
    return changed(state, **also) if also else state


def _history(
    state: Customer, event: Turned | Handed | Bought | Affected, at: datetime, now: datetime
) -> dict[str, Any]:
    """What changes of the state."""
    match event:
        case Turned():
            turned = _find(state.turns, lambda t: t.turning == event.turning)
            turn = Turn(event.turning, event.contact_id, event.soured, min(event.turned_at, now))
            return {"turns": _put(state.turns, turned, turn)}
        case Handed():
            taken = event.how == "taken"
            name = f"{event.contact_id} {event.how} {event.to}"
            handed = _find(state.hands, lambda h: h.name == name)
            hand = Hand(name, event.contact_id, event.to if taken else "", taken and event.waited_minutes >= LATE, at)
            return {"hands": _put(state.hands, handed, _later(handed, hand))}
        case Bought():
            bought = _find(state.orders, lambda o: o.order_id == event.order_id)
            order = _later(bought, Order(event.order_id, event.cents, at, event.causes))
            return {"orders": _put(state.orders, bought, order)}
        case Affected():
            hit = _find(state.hits, lambda h: h.cause == event.cause)
            return {"hits": _put(state.hits, hit, _later(hit, Hit(event.cause, at)))}


def prune(state: Customer, now: datetime) -> Customer:
    """Drops what is older than the window, by event time. An open ticket stays as long as it moved within it."""
    start = state.moment(now) - WINDOW
    if not _overgrown(state, start):
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
            visits = _put(visits, known, Visit(contact.contact_id, begun))
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


def _overgrown(state: Customer, start: datetime) -> bool:
    """Whether anything is older than that, or there is too much of it. Asked at every event, so in plain loops."""
    for kept in state.evidence:
        if kept:
            if len(kept) > MAX_KEPT:
                return True
            for x in kept:
                if x.at < start:
                    return True
    for t in state.tickets:
        for r in t.reopened:
            if r < start:
                return True
    return len(state.orders) > MAX_KEPT


def _young(kept: tuple[E, ...], start: datetime) -> tuple[E, ...]:
    return tuple(sorted((x for x in kept if x.at >= start), key=lambda x: x.at)[-MAX_KEPT:])


def _find(kept: tuple[E, ...], same: Callable[[E], bool]) -> E | None:
    return next((x for x in kept if same(x)), None) if kept else None


def _put(kept: tuple[E, ...], known: E | None, new: E) -> tuple[E, ...]:
    """With the new one last, in place of the one that was known of it, if there was one."""
    return tuple([x for x in kept if x is not known]) + (new,)  # noqa: RUF005 - mypy can't follow a star of E here


def _later(known: R | None, new: R) -> R:
    """Of two that tell of the same the one of the later event time; of the same moment the worse one, whichever came first."""
    return new if known is None or _weight(new) >= _weight(known) else known


def _weight(told: Failure | Hand | Order | Hit) -> tuple[datetime, int]:
    match told:
        case Failure():
            return told.at, told.delay_minutes
        case Hand():
            return told.at, told.late
        case Order():
            return told.at, told.cents
    return told.at, 0


def _contacts(
    state: Customer,
    contact_id: str,
    at: datetime,
    name: str,
    now: datetime,
    *,
    asked: bool = False,
    replied: bool = False,
    over: bool = False,
    abandoned: bool = False,
    touchpoint: str = "",
    meant: str = "",
) -> tuple[Contact, ...]:
    """The contacts with one of them as it is after the event of that name: whoever begins to wait does so from now on.

    A contact that shows itself before its request is known from then on, and begins with the first that is heard of it.
    touchpoint: what the contact is about; meant: the same, where nothing better is known.
    """
    known = None
    for c in state.contacts:
        if c.contact_id == contact_id:
            known = c
            break
    before = known or Contact(contact_id, "", at)
    asked_at = _latest(before.asked_at, at) if asked else before.asked_at
    replied_at = _latest(before.replied_at, at) if replied else before.replied_at
    over_at = _latest(before.over_at, at) if over else before.over_at
    since, waits_for = before.waiting_since, before.waits_for
    if not unanswered(asked_at, replied_at, over_at):
        since, waits_for = None, ""
    elif since is None:
        since, waits_for = now, name
    after = changed(
        before,
        at=min(before.at, at),
        touchpoint=touchpoint or before.touchpoint or meant,
        asked_at=asked_at,
        replied_at=replied_at,
        over_at=over_at,
        abandoned=before.abandoned or abandoned,
        waiting_since=since,
        waits_for=waits_for,
    )
    return _put(state.contacts, known, after)


def _said(state: Customer, message: str, contact_id: str, touchpoint: str, at: datetime) -> Said:
    for s in state.said:
        if s.message == message:
            return s
    return Said(message, contact_id, touchpoint, at)


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
