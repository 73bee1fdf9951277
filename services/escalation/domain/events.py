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
    """The customer asks for service."""

    contact_id: str
    touchpoint: str


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
    """A message's mood, −1 to 1. `message` names the message (source and id joined by a blank), said at `said_at`."""

    message: str
    contact_id: str
    touchpoint: str
    said_at: datetime
    polarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketMoved(Happened):
    """A ticket was opened, reopened or resolved, or something else came of it ("other")."""

    ticket_id: str
    status: Literal["opened", "reopened", "resolved", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailed(Happened):
    """An order's delivery is late (by `delay_minutes`), its goods are spoilt, or the money is wanted back."""

    order_id: str
    failure: Literal["delayed", "spoilt", "refund"]
    delay_minutes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequested(Happened):
    """Somebody asks to close a follow-up: a command, which is answered."""

    follow_up_id: str
    outcome: str


Event = (
    ContactRequested
    | CustomerSaid
    | Replied
    | ContactOver
    | MessageScored
    | TicketMoved
    | DeliveryFailed
    | CloseRequested
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for a risk: how much it adds (0 to 1), and the figure behind it, whose unit follows from the code.

    mood_low: the recent mood, −1 to 1. mood_falling: by how much it fell, 0 to 2. repeat_contact: contacts in 72 h.
    reopened_ticket: reopenings in 72 h. waiting: minutes. abandoned_contact: contacts in 72 h.
    delivery_failed: failures in 72 h. complaint_words: kinds of words in the gravest message.
    """

    code: str
    weight: float
    value: float


@dataclass(frozen=True, slots=True)
class ComplaintFlagged:
    """Fact: this complaint is likely to escalate; somebody should follow up by `due_at` (service clock).

    flagged_at: the time of the event that raised it. cause: that event's source and id joined by a blank.
    """

    follow_up_id: str
    customer_id: str
    contact_id: str
    touchpoint: str
    risk: float
    reasons: tuple[Reason, ...]
    flagged_at: datetime
    due_at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class FollowUpClosed:
    """Fact: the follow-up is over. `closed_at` is the service clock's."""

    follow_up_id: str
    customer_id: str
    touchpoint: str
    outcome: str
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class FollowUpOverdue:
    """Fact: the follow-up was open when it fell due. Said once."""

    follow_up_id: str
    customer_id: str
    touchpoint: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class CloseAnswered:
    """Fact: what became of a CloseRequested. `code` is empty where it was carried out, else "missing" or "closed"."""

    source: str
    event_id: str
    follow_up_id: str
    code: Literal["", "missing", "closed"]
    at: datetime


Fact = ComplaintFlagged | FollowUpClosed | FollowUpOverdue | CloseAnswered
