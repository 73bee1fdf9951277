"""What is kept of one customer: evidence of the last 72 hours, no text, and the follow-up."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, make_dataclass
from datetime import datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeVar

from services.escalation.domain.credit import Account
from services.escalation.domain.events import Reason
from services.escalation.domain.outreach import Reach

WINDOW: Final = timedelta(hours=72)
"""How long evidence counts, by event time."""
LONG: Final = timedelta(days=30)
"""How long contacts and orders count as history."""
MAX_KEPT: Final = 64
"""The most of each kind of evidence that is kept; the oldest by event time go first."""


T = TypeVar("T")


@cache
def _shape(kind: type[Any]) -> tuple[Callable[..., Any], Callable[[Any], tuple[Any, ...]]]:
    """A twin of a frozen dataclass that is not frozen, and what reads all fields of either."""
    names = [f.name for f in fields(kind)]
    return make_dataclass(kind.__name__, names, slots=True), attrgetter(*names)


def changed(known: T, **changes: Any) -> T:
    """`dataclasses.replace` at a fifth of its cost, for frozen dataclasses with slots and more than one field: it is called
    for every event, and a frozen one's own maker sets each field by a call. Its twin is filled instead, and then becomes one."""
    kind: Any = type(known)
    twin, values_of = _shape(kind)
    made = twin(*values_of(known))
    for name, value in changes.items():
        setattr(made, name, value)
    made.__class__ = kind
    return made  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact, begun at `at`.

    asked_at, replied_at, over_at: event times of the last word of the customer, of the last answer, and of the end.
    waiting_since: the service clock's time since which the customer waits for an answer, None where not.
    waits_for: the event that asked for it.
    """

    contact_id: str
    touchpoint: str
    at: datetime
    asked_at: datetime | None = None
    replied_at: datetime | None = None
    over_at: datetime | None = None
    abandoned: bool = False
    waiting_since: datetime | None = None
    waits_for: str = ""


def unanswered(asked_at: datetime | None, replied_at: datetime | None, over_at: datetime | None) -> bool:
    """Whether the customer had the last word of a contact that goes on."""
    if over_at is not None or asked_at is None:
        return False
    return replied_at is None or replied_at < asked_at


@dataclass(frozen=True, slots=True)
class Said:
    """A customer's message: what its words announce, and its polarity once the score is in. Either may come first."""

    message: str
    contact_id: str
    touchpoint: str
    at: datetime
    polarity: float | None = None
    words: float = 0.0
    kinds: int = 0
    complaint: float = 0.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket: when it last was opened, reopened and resolved, by event time."""

    ticket_id: str
    at: datetime
    opened: bool = False
    reopened: tuple[datetime, ...] = ()
    resolved_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Opened or reopened after it was last resolved."""
        if self.resolved_at is None:
            return self.opened or bool(self.reopened)
        return any(t > self.resolved_at for t in self.reopened)


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that failed, or a refund that was asked for."""

    order_id: str
    failure: str
    at: datetime
    delay_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """A conversation that turned, with the message `turning`."""

    turning: str
    contact_id: str
    soured: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Hand:
    """A contact that was given to somebody, or came back; `late` where the customer had waited too long by then."""

    name: str
    contact_id: str
    seat: str
    late: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """A contact that is too old to be evidence, and still history."""

    contact_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase, in hundredths of the currency."""

    order_id: str
    cents: int
    at: datetime
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A wave that may hit one of the customer's orders."""

    cause: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OpenCase:
    """The case that competes for its team's follow-ups, since `raised_at` (event time).

    highest: the highest risk it had. told, contact_id, touchpoint: as the team was told last. seen: whether it is a follow-up that
    people see; taken as given in states of before it was kept.
    """

    case_id: str
    team: str
    group: str
    raised_at: datetime
    highest: float
    told: float
    contact_id: str
    touchpoint: str
    cause: str
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Closed:
    """A case that is over: when by the service clock, the highest risk it had, and its team."""

    case_id: str
    at: datetime
    risk: float
    team: str = ""


@dataclass(frozen=True, slots=True)
class Traits:
    """What channels last said of the customer, by event time (`at`); empty where they did not."""

    tier: str = ""
    language: str = ""
    channel: str = ""
    vulnerable: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """State per customer.

    latest: the latest event time seen, cut at the service clock, so that a clock that runs ahead can't push the
    window past what others report. seen_at: the service clock when it was seen; between events the window moves on
    with the service clock.
    risk, reasons: as they stood after the last event or tick. cases: how many were raised so far; ended: the last of them
    that are over.
    """

    customer_id: str
    latest: datetime | None = None
    seen_at: datetime | None = None
    contacts: tuple[Contact, ...] = ()
    said: tuple[Said, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    failures: tuple[Failure, ...] = ()
    turns: tuple[Turn, ...] = ()
    hands: tuple[Hand, ...] = ()
    hits: tuple[Hit, ...] = ()
    visits: tuple[Visit, ...] = ()
    orders: tuple[Order, ...] = ()
    case: OpenCase | None = None
    ended: tuple[Closed, ...] = ()
    risk: float = 0.0
    reasons: tuple[Reason, ...] = ()
    cases: int = 0
    traits: Traits = Traits()
    account: Account = field(default_factory=Account)
    reach: Reach = field(default_factory=Reach)

    @property
    def evidence(self) -> tuple[tuple[Contact | Said | Ticket | Failure | Turn | Hand | Hit, ...], ...]:
        """What is kept for 72 hours, by kind; each knows `at`, the event time by which it grows old."""
        return self.contacts, self.said, self.tickets, self.failures, self.turns, self.hands, self.hits

    def moment(self, now: datetime) -> datetime:
        """The customer's present in event time: the latest event, and what the service clock has added since."""
        if self.latest is None or self.seen_at is None:
            return now
        return self.latest + (now - self.seen_at) if now > self.seen_at else self.latest
