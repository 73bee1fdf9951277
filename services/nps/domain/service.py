"""A customer's contacts and tickets, as service is judged by them, and the survey that may follow. Pure.

A contact is judged once: when the customer comes back about the same within a week, or when the week is over. What is known
by then counts: later corrections of an answer change the NPS, not the judgement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from services.nps.domain import matters
from services.nps.domain.asking import Plan, Waiting, chance, may_send, not_quiet, plan_ask
from services.nps.domain.matters import Matter, MatterJudged
from services.nps.domain.survey import Segments

BACK_WITHIN: Final = timedelta(days=7)
"""A customer who comes back about the same touchpoint within this has called back; the usual span in service centres."""
MOST: Final = 50
"""Contacts, and tickets, kept per customer; those that came first are let go unjudged."""
COMPLAINTS: Final = frozenset({"complaint", "complaints", "投诉"})
"""Topics of a contact or ticket that make it a complaint."""
SATISFIED: Final = 4
"""Of 1 to 5: from here on a customer is satisfied."""


@dataclass(frozen=True, slots=True)
class Began:
    """A contact began. volume: contacts of its store in `asking.VOLUME_DAYS`, or None where that could not be looked up. stage: the
    taxonomy's, where the channel named one."""

    time: datetime
    contact_id: str
    channel: str
    language: str
    topic: str
    segments: Segments
    volume: int | None = None
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Replied:
    """The bot or a seat said something."""

    time: datetime
    contact_id: str


@dataclass(frozen=True, slots=True)
class Over:
    """A contact is over. abandoned: before anyone served it."""

    time: datetime
    contact_id: str
    abandoned: bool


@dataclass(frozen=True, slots=True)
class TicketMoved:
    """A ticket was opened, brought back or resolved. contact_id and topic: of its opening."""

    time: datetime
    ticket_id: str
    status: str
    contact_id: str = ""
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A survey was answered, or corrected or withdrawn (`given` is false then, and only survey_id and score are told)."""

    time: datetime
    survey_id: str
    score: int | None
    contact_id: str = ""
    satisfaction: int | None = None
    given: bool = True


@dataclass(frozen=True, slots=True)
class Spoke:
    """The customer said what it is about: stages of the taxonomy, the likeliest first."""

    time: datetime
    contact_id: str
    stages: tuple[str, ...]


Event = Began | Replied | Over | TicketMoved | Answered | Spoke


@dataclass(frozen=True, slots=True)
class Counted:
    """Fact: counts that a segment gains (or loses) in the windows of a moment."""

    segments: Segments
    at: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Request:
    """Fact: a survey is to be sent."""

    customer_id: str
    survey_id: str
    waiting: Waiting
    at: datetime


Fact = Counted | Request | MatterJudged


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact that isn't judged yet."""

    began: datetime
    channel: str
    language: str
    complaint: bool
    segments: Segments
    chance: float
    replied: bool = False
    over: datetime | None = None
    abandoned: bool = False
    sign: bool = False
    survey_id: str = ""
    score: int | None = None
    rated: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket. resolved: when, by the event's time; None while it is open."""

    opened: datetime
    contact_id: str
    complaint: bool
    segments: Segments
    resolved: datetime | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """State per customer. asked_at: when a survey was last sent, by us or whomever. matters: contacts by what they are about.
    early: tickets whose resolution was heard of before their opening, and when that was."""

    customer_id: str
    contacts: Mapping[str, Contact] = field(default_factory=dict)
    tickets: Mapping[str, Ticket] = field(default_factory=dict)
    asked_at: datetime | None = None
    waiting: Waiting | None = None
    matters: Mapping[str, Matter] = field(default_factory=dict)
    early: Mapping[str, datetime] = field(default_factory=dict)


def decide(state: Service, event: Event, now: datetime, plan: Plan, zone: tzinfo) -> tuple[Service, tuple[Fact, ...]]:
    """The state after the event, and what it counts."""
    match event:
        case Began():
            known, judged = matters.begin(
                state.customer_id, state.matters, event.contact_id, event.time, event.segments, event.stage
            )
            after, facts = _began(state, event, plan)
            return replace(after, matters=known), (*facts, *judged)
        case Spoke():
            known, judged = matters.about(state.customer_id, state.matters, event.contact_id, event.time, event.stages)
            return replace(state, matters=known), judged
        case Replied():
            return _replied(state, event)
        case Over():
            return _over(state, event, now, plan, zone)
        case TicketMoved():
            return _ticket(state, event, now)
        case Answered():
            return _answered(state, event, now)


def due(state: Service) -> datetime | None:
    """When time alone brings something: a survey, or the end of a contact's week."""
    moments = [c.over + BACK_WITHIN for c in state.contacts.values() if c.over is not None]
    if state.waiting is not None:
        moments.append(state.waiting.due)
    return min(moments, default=None)


def tick(state: Service, now: datetime, plan: Plan, zone: tzinfo) -> tuple[Service, tuple[Fact, ...]]:
    """Sends the survey that is due, and judges the contacts whose week is over."""
    facts: list[Fact] = []
    for contact_id, c in list(state.contacts.items()):
        if c.over is not None and c.over + BACK_WITHIN <= now:
            facts.append(_judged(state, contact_id, c, back=False))
            state = replace(state, contacts={k: v for k, v in state.contacts.items() if k != contact_id})
    waiting = state.waiting
    if waiting is not None and waiting.due <= now:
        state = replace(state, waiting=None)
        if may_send(plan, zone, waiting, state.asked_at, now):
            survey_id = f"nps-{waiting.contact_id}"
            facts += [
                Request(state.customer_id, survey_id, waiting, now),
                Counted(waiting.segments, waiting.ended_at, {"asked": 1}),
            ]
            state = _with_contact(replace(state, asked_at=now), waiting.contact_id, survey_id=survey_id)
        else:
            later = not_quiet(plan, now, zone)
            if later > now and later <= waiting.ended_at + timedelta(hours=plan.within_hours):
                state = replace(state, waiting=replace(waiting, due=later))
    return state, tuple(facts)


def _began(state: Service, event: Began, plan: Plan) -> tuple[Service, tuple[Fact, ...]]:
    if event.contact_id in state.contacts:
        return state, ()
    facts: list[Fact] = []
    about = dict(event.segments).get("touchpoint", "")
    kept = dict(state.contacts)
    for contact_id, c in state.contacts.items():
        # Late events may tell of a contact before the one that it seems to follow.
        same = about and dict(c.segments).get("touchpoint", "") == about  # of what nobody named it can't be told
        if c.over is not None and same and c.over <= event.time <= c.over + BACK_WITHIN:
            facts.append(_judged(state, contact_id, c, back=True))
            del kept[contact_id]
    while len(kept) >= MOST:
        del kept[next(iter(kept))]
    kept[event.contact_id] = Contact(
        event.time, event.channel, event.language, event.topic.lower() in COMPLAINTS, event.segments,
        chance(plan, event.volume),
    )  # fmt: skip
    facts.append(Counted(event.segments, event.time, {"contacts": 1}))
    return replace(state, contacts=kept), tuple(facts)


def _replied(state: Service, event: Replied) -> tuple[Service, tuple[Fact, ...]]:
    c = state.contacts.get(event.contact_id)
    if c is None or c.replied or event.time < c.began:
        return state, ()
    took = (event.time - c.began).total_seconds()
    counts = {"responded": 1, "response_ms": round(1000 * took), "response_s2": round(took**2)}
    return _with_contact(state, event.contact_id, replied=True), (Counted(c.segments, c.began, counts),)


def _over(state: Service, event: Over, now: datetime, plan: Plan, zone: tzinfo) -> tuple[Service, tuple[Fact, ...]]:
    c = state.contacts.get(event.contact_id)
    if c is None or c.over is not None:
        return state, ()
    state = _with_contact(
        state, event.contact_id, over=event.time, abandoned=event.abandoned, sign=c.sign or event.abandoned
    )
    counts = {"ended": 1, "abandoned": 1} if event.abandoned else {"ended": 1}
    if not event.abandoned and state.waiting is None:
        made = Waiting(event.contact_id, c.channel, c.language, c.segments, event.time, event.time, c.chance)
        state = replace(state, waiting=plan_ask(plan, zone, made, state.asked_at, now))
    return state, (Counted(c.segments, event.time, counts),)


def _ticket(state: Service, event: TicketMoved, now: datetime) -> tuple[Service, tuple[Fact, ...]]:
    known = state.tickets.get(event.ticket_id)
    at = min(
        event.time, now
    )  # nothing is resolved tomorrow: one clock that is a year ahead would outweigh a thousand tickets
    if event.status == "opened":
        if known is not None:
            return state, ()
        c = state.contacts.get(event.contact_id)
        complaint = event.topic.lower() in COMPLAINTS or (c is not None and c.complaint)
        made = Ticket(event.time, event.contact_id, complaint, c.segments if c else ())
        tickets = dict(state.tickets)
        while len(tickets) >= MOST:
            del tickets[next(iter(tickets))]
        tickets[event.ticket_id] = made
        counted = Counted(made.segments, made.opened, {"opened": 1, "complaints": 1} if complaint else {"opened": 1})
        resolved = state.early.get(event.ticket_id)
        early = {ticket: when for ticket, when in state.early.items() if ticket != event.ticket_id}
        state = replace(state, tickets=tickets, early=early)
        if resolved is None:
            return state, (counted,)
        state, further = _ticket(state, replace(event, status="resolved", time=resolved), max(now, resolved))
        return state, (counted, *further)
    if known is None:
        return _unheard_of(state, event, at), ()
    if (event.status == "resolved") == (known.resolved is not None):
        return state, ()
    amount, end = (1, at) if event.status == "resolved" else (-1, known.resolved or at)
    took = max((end - known.opened).total_seconds(), 0.0)
    counts = {
        "resolved": amount,
        "resolution_s": amount * round(took),
        "resolution_min2": amount * round((took / 60) ** 2),
    }
    if known.complaint:
        counts["complaints_resolved"] = amount
    moved = replace(known, resolved=at if amount > 0 else None)
    state = replace(state, tickets={**state.tickets, event.ticket_id: moved})
    if amount < 0 and known.contact_id in state.contacts:
        state = _with_contact(state, known.contact_id, sign=True)
    return state, (Counted(known.segments, known.opened, counts),)


def _unheard_of(state: Service, event: TicketMoved, at: datetime) -> Service:
    """Keeps the resolution of a ticket whose opening comes late, or forgets it where the ticket has come back."""
    early = {ticket: when for ticket, when in state.early.items() if ticket != event.ticket_id}
    if event.status == "resolved":
        while len(early) >= MOST:
            del early[next(iter(early))]
        early[event.ticket_id] = at
    return state if early == state.early else replace(state, early=early)


def _answered(state: Service, event: Answered, now: datetime) -> tuple[Service, tuple[Fact, ...]]:
    at = min(event.time, now)  # a clock that is ahead says nothing of when the customer may be asked again
    if event.given and (state.asked_at is None or at > state.asked_at):
        # Whoever asked: the customer has been asked.
        state = replace(state, asked_at=at)
    contact_id = next((k for k, c in state.contacts.items() if c.survey_id == event.survey_id), event.contact_id)
    c = state.contacts.get(contact_id)
    if c is None:
        return state, ()
    state = _with_contact(state, contact_id, survey_id=event.survey_id, score=event.score)
    if event.satisfaction is None or c.rated:
        return state, ()
    counts = {"rated": 1, "satisfied": int(event.satisfaction >= SATISFIED)}
    return _with_contact(state, contact_id, rated=True), (Counted(c.segments, c.began, counts),)


def _judged(state: Service, contact_id: str, c: Contact, *, back: bool) -> Counted:
    """What a contact counts once it is judged: by the moment at which it was over."""
    unsolved = any(t.contact_id == contact_id and t.resolved is None for t in state.tickets.values())
    unhappy = c.sign or (c.score is not None and c.score <= 6)
    counts = {
        "judged": 1,
        "called_back": int(back),
        "first_contact": int(not back and not c.abandoned and not unsolved),
        "churn_signs": int(unhappy),
    }
    return Counted(c.segments, c.over or c.began, counts)


def _with_contact(state: Service, contact_id: str, **changed: object) -> Service:
    c = state.contacts.get(contact_id)
    if c is None:
        return state
    return replace(state, contacts={**state.contacts, contact_id: replace(c, **changed)})  # type: ignore[arg-type]
