"""What the router decides. Times are aware, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

BOT = "bot"
"""The name of the bot's pool."""


class Outcome(StrEnum):
    """How a contact ended."""

    BOT = "bot"
    HUMAN = "human"
    ABANDONED = "abandoned"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactWithdrawn:
    """A contact needs no seat any more; goes to the pool's owner."""

    pool: str
    contact_id: str
    customer_id: str
    abandoned: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One seat that was considered, and why not, where it could not take the contact."""

    seat_id: str
    eligible: bool
    why_not: str
    idle_s: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReturned:
    """An offer came back; the contact waits on at its original place."""

    contact_id: str
    customer_id: str
    pool: str
    seat_id: str
    token: int
    reason: str
    """"declined", "timeout" or "signed_out"."""
    returned_at: datetime


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


TriageFact = TurnKept | ContactTriaged | ContactQueued | ContactWithdrawn | ContactClosed
PoolFact = ContactOffered | OfferReturned | ContactAccepted | ContactClosed | Answer
