"""What happens to contacts and seats, as the router's domain sees it. Times are aware, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.router.domain.copying import quick


@quick
@dataclass(frozen=True, slots=True)
class Known:
    """What the lookups told of a customer; None where nothing is known or the lookup failed."""

    mood: float | None = None
    """−1 to 1."""
    nps_score: int | None = None
    """The customer's last answer, 0 to 10."""
    risk: float | None = None
    """0 to 1."""
    missing: tuple[str, ...] = ()
    """The lookups that failed: "sentiment", "nps", "escalation"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Every event: source and event_id name it, time is when it happened."""

    event_id: str
    source: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerEvent(Event):
    """An event of one contact of one customer."""

    customer_id: str
    contact_id: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRequested(CustomerEvent):
    """A customer asks for service."""

    channel: str
    touchpoint: str = ""
    topic: str = ""
    language: str = ""
    tier: str = ""
    vulnerable: bool = False
    wants_human: bool = False
    reopens: str = ""
    """The contact that this one goes on with; empty for none."""
    known: Known = Known()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverRequested(CustomerEvent):
    """The bot hands over, or the customer asks it to."""

    reason: str
    known: Known = Known()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEnded(CustomerEvent):
    """The contact is over, whoever served it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAbandoned(CustomerEvent):
    """The customer left before anyone served the contact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackRequested(CustomerEvent):
    """The customer would rather be called back than wait on the line."""

    known: Known = Known()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackCancelled(CustomerEvent):
    """The customer needs no call any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEvent(CustomerEvent):
    """The customer's line broke, or is there again."""

    connected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(CustomerEvent):
    """Somebody says something; it changes no route."""

    speaker: str
    """"customer", "bot" or "seat"."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolEvent(Event):
    """An event of one pool."""

    pool: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactQueued(PoolEvent):
    """Triage put a contact into the pool's queue."""

    contact_id: str
    customer_id: str
    priority: int = 0
    skills: Mapping[str, int] = field(default_factory=dict)
    """Skills that the seat must have: skill → least level."""
    language: str = ""
    """The language that the seat must speak; empty for any."""
    queued_at: datetime
    touchpoint: str = ""
    channel: str = ""
    protected: bool = False
    """In managed mode as well it waits for a human."""
    call_back: bool = False
    """The customer is called back when the turn has come."""
    from_pool: str = ""
    """The pool from which it came over; empty where triage sent it."""
    not_seat: str = ""
    """The seat that gave it on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWithdrawn(PoolEvent):
    """The contact needs no seat any more."""

    contact_id: str
    customer_id: str
    abandoned: bool
    """True where the customer left; false where the contact was ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLine(PoolEvent):
    """What became of a contact's line: a call back is wanted or not any more, it broke or is there again."""

    contact_id: str
    customer_id: str
    what: str
    """"call_back", "no_call_back", "cut_off" or "connected"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPassed(PoolEvent):
    """In a contact that a seat serves, the other side is to speak now."""

    contact_id: str
    customer_id: str = ""
    waits_for_customer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AngerAbsorbed(PoolEvent):
    """A seat absorbed a customer's anger."""

    seat_id: str
    weight: float
    """1 for a message that is surely and strongly angry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorEvent(PoolEvent):
    """A supervisor's command; each is answered and written down."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeRequested(SupervisorEvent):
    """A supervisor switches managed mode."""

    mode: str
    """"managed", "human", or "auto" to leave it to the load again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentRequested(SupervisorEvent):
    """A supervisor has a contact offered to a seat, whatever its place and skills."""

    seat_id: str
    contact_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainRequested(SupervisorEvent):
    """A supervisor lets a seat finish what it has, and no more."""

    seat_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatEvent(PoolEvent):
    """A seat's command; each is answered."""

    seat_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatSignedIn(SeatEvent):
    """A seat comes on shift, or says anew what it can do."""

    skills: Mapping[str, int] = field(default_factory=dict)
    capacity: int = 0
    """Contacts at once; 0 for the pool's default."""
    languages: tuple[str, ...] = ()
    """The languages it speaks; none for any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatPaused(SeatEvent):
    """A seat takes no new contacts for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatResumed(SeatEvent):
    """A paused seat takes contacts again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatSignedOut(SeatEvent):
    """A seat goes off shift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferEvent(SeatEvent):
    """A seat speaks of one offer, named by its fencing token."""

    contact_id: str
    token: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAccepted(OfferEvent):
    """A seat takes the contact it was offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDeclined(OfferEvent):
    """A seat refuses the contact it was offered."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFinished(OfferEvent):
    """A seat has finished a contact; the token is that of the offer it accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTransferred(OfferEvent):
    """A seat gives a contact on, with the reason; its clock is kept."""

    to_pool: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatDisconnected(SeatEvent):
    """A seat's desktop can't be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatReconnected(SeatEvent):
    """A seat's desktop is there again."""
