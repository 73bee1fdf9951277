"""What happens to a team's follow-ups, and what is decided of it, in the words of the domain."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.escalation.domain.causes import Reported
from services.escalation.domain.credit import Decision
from services.escalation.domain.events import Reason
from services.escalation.domain.outreach import Kind, Why
from services.escalation.domain.team import Arm

Result = Literal["done", "failed", "overtaken", "displaced"]
"""done, failed: somebody saw to it. overtaken: what happened since made it needless. displaced: a graver case took its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChanged:
    """A customer's case as it stands, from the customer's owner. `ended` says why it is over; empty while it goes on."""

    team: str
    case_id: str
    customer_id: str
    group: str
    contact_id: str
    touchpoint: str
    risk: float
    reasons: tuple[Reason, ...]
    at: datetime
    cause: str
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Escalated:
    """Fact: the customer asks for the complaint desk, with that contact or ticket; `at` is an event time."""

    customer_id: str
    about: str
    at: datetime
    risk_before: float


@dataclass(frozen=True, slots=True)
class RefundDecided:
    """Fact: a parcel is on its way, and its refund starts or does not, with every check. `at` is an event time."""

    customer_id: str
    order_id: str
    parcel: str
    decision: Decision
    group: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RefundSettled:
    """Fact: the parcel was opened: what had been paid out for it, and what of that is lost, in hundredths."""

    customer_id: str
    order_id: str
    paid_cents: int
    lost_cents: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Purchased:
    """Fact, for the store only: an order, and what it shares with others."""

    customer_id: str
    order_id: str
    causes: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class OutreachStarted:
    """Fact: the customer is told of a wave before they call; `withheld` says why not, where not. `at` is the service clock's."""

    customer_id: str
    cause: str
    wave: int
    kind: Kind
    withheld: Why
    at: datetime


CaseFact = CaseChanged | Escalated | RefundDecided | RefundSettled | Purchased | Reported | OutreachStarted


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Somebody asks something of a follow-up, and is answered. source and event_id name the command's event."""

    source: str
    event_id: str
    follow_up_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequested(Command):
    """`owner` starts the follow-up."""

    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequested(Command):
    """The follow-up is over: `outcome` says what came of it. owner: who did it; empty for whoever has claimed it."""

    outcome: str
    owner: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequested(Command):
    """`owner` gives back what they have started."""

    owner: str


TeamEvent = CaseChanged | ClaimRequested | ReleaseRequested | CloseRequested


@dataclass(frozen=True, slots=True)
class ComplaintFlagged:
    """Fact: this complaint is likely to escalate, and among the gravest that the team can see to; due_at by the service clock.

    flagged_at: the time of the event that raised it, or the service clock's where room came by itself.
    threshold: the risk from which the team flagged at that moment. cause: the event behind it, source and id joined by a blank.
    arm: of the trial that tells what following up is worth; nobody is to see who is held out.
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
    team: str
    case_id: str
    group: str
    threshold: float
    arm: Arm = ""


@dataclass(frozen=True, slots=True)
class FollowUpClaimed:
    """Fact: `owner` has started it; nothing displaces it any more. Times from here on are the service clock's."""

    follow_up_id: str
    customer_id: str
    team: str
    owner: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class FollowUpReleased:
    """Fact: `owner` gives it back; it is as if nobody had started it."""

    follow_up_id: str
    customer_id: str
    team: str
    owner: str
    released_at: datetime


@dataclass(frozen=True, slots=True)
class FollowUpReminded:
    """Fact: it falls due soon; `owner` is empty where nobody has started it."""

    follow_up_id: str
    customer_id: str
    team: str
    owner: str
    due_at: datetime
    reminded_at: datetime


@dataclass(frozen=True, slots=True)
class FollowUpOverdue:
    """Fact: the follow-up was open when it fell due. Said once."""

    follow_up_id: str
    customer_id: str
    touchpoint: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class FollowUpOverflowed:
    """Fact: long overdue, it goes to the team's supervisor."""

    follow_up_id: str
    customer_id: str
    team: str
    supervisor: str
    overflowed_at: datetime


@dataclass(frozen=True, slots=True)
class FollowUpClosed:
    """Fact: the follow-up is over. displaced_by: the follow-up that took its place, where one did."""

    follow_up_id: str
    customer_id: str
    touchpoint: str
    outcome: str
    closed_at: datetime
    result: Result
    team: str
    case_id: str
    owner: str = ""
    displaced_by: str = ""


@dataclass(frozen=True, slots=True)
class ThresholdMoved:
    """Fact, for the record of the budget only: what it takes to be flagged, and how much of the shift's budget is left."""

    team: str
    at: datetime
    threshold: float
    capacity: int
    started: int
    open: int
    waiting: int


Refused = Literal["", "missing", "closed", "claimed"]


@dataclass(frozen=True, slots=True)
class CommandAnswered:
    """Fact: what became of a command. `code` is empty where it was carried out."""

    source: str
    event_id: str
    code: Refused
    at: datetime


TeamFact = (
    ComplaintFlagged
    | FollowUpClaimed
    | FollowUpReleased
    | FollowUpReminded
    | FollowUpOverdue
    | FollowUpOverflowed
    | FollowUpClosed
    | ThresholdMoved
    | CommandAnswered
)
