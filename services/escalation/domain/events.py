"""What happens, and what is decided, in the words of the domain. `source` and `event_id` name an event; times are UTC."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What all events have in common. `time` is the event's own, which may be wrong."""

    source: str
    event_id: str
    customer_id: str
    time: datetime

    @property
    def name(self) -> str:
        """Source and id joined by a blank."""
        return f"{self.source} {self.event_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRequested(Happened):
    """The customer asks for service. What the channel knows of the customer is empty where it does not."""

    contact_id: str
    touchpoint: str
    channel: str = ""
    language: str = ""
    tier: str = ""
    vulnerable: bool = False
    topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSaid(Happened):
    """The customer says something. The text is looked at and not kept."""

    contact_id: str
    touchpoint: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied(Happened):
    """A seat or the bot answers in a contact."""

    contact_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOver(Happened):
    """The contact ended; `abandoned` where the customer gave up before anyone served it."""

    contact_id: str
    abandoned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageScored(Happened):
    """A message's mood, −1 to 1, and how likely it complains of a fault, 0 to 1.

    `message` names the message (source and id joined by a blank), said at `said_at`.
    """

    message: str
    contact_id: str
    touchpoint: str
    said_at: datetime
    polarity: float
    complaint: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketMoved(Happened):
    """A ticket was opened, reopened or resolved, or something else came of it ("other")."""

    ticket_id: str
    status: Literal["opened", "reopened", "resolved", "other"]
    topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailed(Happened):
    """An order's delivery is late (by `delay_minutes`), its goods are spoilt, or the money is wanted back."""

    order_id: str
    failure: Literal["delayed", "spoilt", "refund"]
    delay_minutes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned(Happened):
    """A conversation turned for the worse (`soured`) or the better, with the message `turning`, said at `turned_at`."""

    contact_id: str
    turning: str
    soured: bool
    turned_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed(Happened):
    """A contact was given to a seat (`how` "taken", by seat `to`, after `waited_minutes`), or came back from one ("returned")."""

    contact_id: str
    how: Literal["taken", "returned"]
    to: str
    waited_minutes: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought(Happened):
    """The customer buys something, for so many hundredths of the currency. causes: what it shares with other orders, by which
    a wave of complaints may hit it: "product:", "store:", "batch:" or "route:", and the name."""

    order_id: str
    cents: int
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected(Happened):
    """A wave may hit one of the customer's orders."""

    cause: str
    wave: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptedOut(Happened):
    """The customer wants no proactive messages and calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnSent(Happened):
    """Goods of an order go back in that parcel; the customer asks for so much, or for all that was paid where it is 0."""

    order_id: str
    parcel: str
    cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnChecked(Happened):
    """The parcel was opened: its goods are worth so much, in hundredths of the currency."""

    order_id: str
    worth_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpBegun(Happened):
    """The team's owner says that the case is a follow-up; `seen` unless it is held out."""

    case_id: str
    seen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpOver(Happened):
    """The team's owner says that a follow-up of the case is over; `case_over` where the case is, too."""

    case_id: str
    case_over: bool


Event = (
    ContactRequested
    | CustomerSaid
    | Replied
    | ContactOver
    | MessageScored
    | TicketMoved
    | DeliveryFailed
    | Turned
    | Handed
    | Bought
    | ReturnSent
    | ReturnChecked
    | Affected
    | OptedOut
    | FollowUpBegun
    | FollowUpOver
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for a risk: how much it adds (0 to 1), and the figure behind it, whose unit follows from the code.

    mood_low: the recent mood, −1 to 1. mood_falling: by how much it fell, 0 to 2. repeat_contact: contacts in 72 h.
    reopened_ticket: reopenings in 72 h. waiting: minutes. abandoned_contact: contacts in 72 h.
    delivery_failed: failures in 72 h. complaint_words: kinds of words in the gravest message.
    repeat_today: contacts in 24 h. long_history: contacts in 30 days. turned_sour: conversations that soured in 72 h and have
    not brightened since. reassigned: times that a contact changed hands in 72 h. broken_promise: waits of ten minutes or more
    and deliveries late by an hour or more, in 72 h. silence: hours since anything was done for an open ticket.
    complains: how likely the clearest complaint of a fault is one, 0 to 1.
    hot_cause: waves of complaints that may hit the customer's orders, in 72 h.
    value: what the customer spent in 30 days, in hundreds of the currency.
    """

    code: str
    weight: float
    value: float
