"""What the service hears, and what it has decided."""

from dataclasses import dataclass
from datetime import datetime

from services.sentiment.domain.conversation import Speaker, Talk, Turn
from services.sentiment.domain.remarks import Remark
from services.sentiment.domain.score import Evidence, Label, Score
from services.sentiment.domain.text import Language


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody said something in a contact. `source` and `event_id` name the event; `time` is the event's own, with a zone."""

    event_id: str
    source: str
    customer_id: str
    contact_id: str
    touchpoint: str
    channel: str
    language: Language | None
    text: str
    time: datetime
    speaker: Speaker = "customer"
    seat_id: str = ""


@dataclass(frozen=True, slots=True)
class SeatTook:
    """A seat of a pool serves the contact from `time` on."""

    customer_id: str
    contact_id: str
    pool: str
    seat_id: str
    time: datetime


@dataclass(frozen=True, slots=True)
class SeatLeft:
    """The contact is over: the seat serves it no more."""

    customer_id: str
    contact_id: str
    seat_id: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Corrected:
    """Somebody who knows better tells how a message is to be read. None, or "" for the emotion: nothing is said of that."""

    source: str
    message_id: str
    customer_id: str
    contact_id: str
    seat_id: str
    language: Language | None
    text: str
    label: Label
    emotion: str
    complaint: bool | None
    time: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """A text with what the model makes of it: batches are read at once, before they are decided.

    evidence: where it shows; empty where nobody asked. unseen: the share of its n-grams that no training text had, 0 … 1; None
    where it is too short to tell.
    """

    event: Said | Corrected
    score: Score
    evidence: tuple[Evidence, ...] = ()
    unseen: float | None = None


@dataclass(frozen=True, slots=True)
class Commented:
    """A customer answered a survey with a comment. `source` and `event_id` name the answer; remark: where its batch was read at once."""

    source: str
    event_id: str
    customer_id: str
    survey_id: str
    text: str
    time: datetime
    remark: Remark | None = None


Event = Said | SeatTook | SeatLeft | Corrected | Read | Commented


@dataclass(frozen=True, slots=True)
class MessageScored:
    """Fact: a customer's message was scored. Moods and trend are as they stand after this message."""

    source: str
    event_id: str
    contact_id: str
    customer_id: str
    touchpoint: str
    channel: str
    score: Score
    evidence: tuple[Evidence, ...]
    """The few strongest pieces."""
    unseen: float | None
    """The share of its n-grams that no training text had, 0 … 1; None where it is too short to tell."""
    contact_mood: float
    customer_mood: float
    trend: float
    """Half the distance of the recent mood from the lasting one, -1 (souring) … 1 (brightening)."""
    time: datetime


@dataclass(frozen=True, slots=True)
class ConversationShifted:
    """Fact: the customer's mood in a contact turned. `pool` and `seat_id` are empty where no seat served it."""

    customer_id: str
    contact_id: str
    turn: Turn
    touchpoint: str
    channel: str
    pool: str
    seat_id: str
    time: datetime


@dataclass(frozen=True, slots=True)
class AngerAbsorbed:
    """Fact, and the load's event: a seat bore a customer's anger; `anger` is 0 … 1, `time` when it was said."""

    pool: str
    seat_id: str
    contact_id: str
    customer_id: str
    source: str
    message_id: str
    time: datetime
    anger: float


@dataclass(frozen=True, slots=True)
class FeedbackGiven:
    """Fact: a correction, beside what the model says of the same text."""

    correction: Corrected
    score: Score


@dataclass(frozen=True, slots=True)
class TalkPast:
    """Fact: a conversation leaves its customer's state, for newer ones have come."""

    customer_id: str
    talk: Talk


@dataclass(frozen=True, slots=True)
class CommentRead:
    """Fact: a survey's comment was read."""

    comment: Commented
    remark: Remark


Fact = MessageScored | ConversationShifted | AngerAbsorbed | FeedbackGiven | TalkPast | CommentRead
