"""What the router decides. Times are aware, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.router.domain.copying import quick

BOT = "bot"
"""The name of the bot's pool."""


class Outcome(StrEnum):
    """How a contact ended."""

    BOT = "bot"
    HUMAN = "human"
    ABANDONED = "abandoned"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What triage knew; the policy over these gives the same decision again."""

    channel: str
    touchpoint: str = ""
    topic: str = ""
    language: str = ""
    tier: str = ""
    vulnerable: bool = False
    wants_human: bool = False
    mood: float | None = None
    nps_score: int | None = None
    risk: float | None = None
    minute_of_day: int = 0
    """Local time of the request, in minutes from midnight."""
    missing: tuple[str, ...] = ()
    handover: str = ""
    """Why the bot handed over; empty where it did not."""
    reopens: str = ""
    """The contact that this one goes on with."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactTriaged:
    """Triage decided where a contact goes."""

    contact_id: str
    customer_id: str
    pool: str
    priority: int
    skills: Mapping[str, int]
    rule: str
    policy: str
    inputs: Inputs
    requested_at: datetime
    decided_at: datetime
    protected: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactQueued:
    """A contact waits for a seat of the pool; goes to the pool's owner."""

    pool: str
    contact_id: str
    customer_id: str
    priority: int
    skills: Mapping[str, int]
    language: str
    requested_at: datetime
    queued_at: datetime
    channel: str
    touchpoint: str
    protected: bool = False
    call_back: bool = False
    from_pool: str = ""
    """The pool from which it came over; empty where triage sent it."""
    not_seat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWithdrawn:
    """A contact needs no seat any more; goes to the pool's owner."""

    pool: str
    contact_id: str
    customer_id: str
    abandoned: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLine:
    """What became of a contact's line; goes to the pool's owner."""

    pool: str
    contact_id: str
    customer_id: str
    what: str
    """"call_back", "no_call_back", "cut_off" or "connected"."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPassed:
    """In a contact with a human, the other side is to speak now; goes to the pool's owner."""

    pool: str
    contact_id: str
    customer_id: str
    waits_for_customer: bool
    at: datetime


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One seat that was considered, and why not, where it could not take the contact."""

    seat_id: str
    eligible: bool
    why_not: str
    idle_s: float
    score: float = 0.0
    """What spoke for it, in seconds of idleness; the highest was chosen."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOffered:
    """A contact was offered to a seat, which has until expires_at to answer."""

    contact_id: str
    customer_id: str
    pool: str
    seat_id: str
    token: int
    queued_at: datetime
    offered_at: datetime
    expires_at: datetime
    candidates: tuple[Candidate, ...]
    waiting: tuple[str, ...]
    touchpoint: str = ""
    others: Mapping[str, int] = field(default_factory=dict)
    """Seats that could not take it and are not among the candidates: why not → how many."""
    ring: int = 0
    """How often its requirements had been relaxed."""
    call_back: bool = False
    """The customer is not on the line: the seat calls."""
    forced_by: str = ""
    """The supervisor who assigned it by hand."""
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReturned:
    """An offer came back; the contact waits on at its original place."""

    contact_id: str
    customer_id: str
    pool: str
    seat_id: str
    token: int
    reason: str
    """"declined", "timeout", "signed_out" or "disconnected"."""
    returned_at: datetime


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAccepted:
    """A seat accepted the contact."""

    contact_id: str
    customer_id: str
    pool: str
    seat_id: str
    token: int
    waited_ms: int
    accepted_at: datetime
    touchpoint: str = ""
    predicted_ms: int = -1
    """The wait that was foretold when it began; −1 where none was."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactClosed:
    """A contact is over."""

    contact_id: str
    customer_id: str
    pool: str
    seat_id: str
    outcome: Outcome
    waited_ms: int
    """How long it waited for a human; 0 for the bot's."""
    closed_at: datetime
    touchpoint: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class WaitPredicted:
    """What a customer who begins to wait is told."""

    contact_id: str
    customer_id: str
    pool: str
    position: int
    """1 for who is next."""
    wait_s: float
    """Until a seat takes the contact; −1 where nothing is known to foretell it by."""
    high_s: float
    """Nine in ten wait no longer; −1 likewise."""
    at: datetime
    seats: Mapping[str, int] = field(default_factory=dict)
    """How the pool's seats stood to it: "busy", "paused", "skill:refund", … → how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactMoved:
    """A contact waits elsewhere now; its clock goes on."""

    contact_id: str
    customer_id: str
    pool: str
    """Where it was."""
    to_pool: str
    seat_id: str
    """The seat that had it; empty where it waited."""
    token: int
    cause: str
    """"transfer", "overflow" or "disconnected"."""
    reason: str
    queued_at: datetime
    moved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtFact:
    """What every fact of a debt says: who was promised a human, and by when."""

    contact_id: str
    customer_id: str
    pool: str
    kind: str
    """"managed": the bot keeps the line; "call_back": the customer wished it."""
    queued_at: datetime
    due_at: datetime
    at: datetime
    touchpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtIncurred(DebtFact):
    """A human was promised."""

    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtCalled(DebtFact):
    """The promise's turn has come: the contact waits for a seat, at its original place."""

    urgent: bool = False
    """It was called before the peak fell, because it is soon due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtPaid(DebtFact):
    """A human has the contact now."""

    seat_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtReleased(DebtFact):
    """The customer needs no human any more, and said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtOverdue(DebtFact):
    """The promise was not kept in time; it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeFact:
    """What every fact of a pool's mode says."""

    pool: str
    cause: str
    """"load" or "hand"."""
    by: str
    reason: str
    waiting: int
    """Who waited, without debts that were called in."""
    seats: int
    """Ready seats."""
    load: float
    at: datetime
    debts: int
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedModeEntered(ModeFact):
    """From now on the bot keeps the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedModeLeft(ModeFact):
    """Contacts go to humans again, and debts are paid."""

    entered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorActed:
    """What a supervisor asked for, and what became of it."""

    pool: str
    what: str
    """"mode:managed", "mode:human", "mode:auto", "assign" or "drain"."""
    by: str
    reason: str
    seat_id: str
    contact_id: str
    ok: bool
    refused: str
    at: datetime


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the pool's owner decided of a seat's command."""

    event_source: str
    event_id: str
    ok: bool
    reason: str
    """Why not, where ok is false."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnKept:
    """Something was said in a contact: kept for the human who takes over, published nowhere."""

    contact_id: str
    speaker: str
    text: str
    said_at: datetime
    event_id: str
    source: str


TriageFact = TurnKept | ContactTriaged | ContactQueued | ContactWithdrawn | ContactClosed | ContactLine | TurnPassed
PoolFact = (
    ContactOffered | OfferReturned | ContactAccepted | ContactClosed | Answer
    | WaitPredicted | ContactMoved | ContactQueued | ContactWithdrawn | ContactLine | TurnPassed
    | DebtIncurred | DebtCalled | DebtPaid | DebtReleased | DebtOverdue
    | ManagedModeEntered | ManagedModeLeft | SupervisorActed
)  # fmt: skip
