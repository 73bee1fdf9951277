"""The sentiment service's SQL: running moods, written with the batch that moved them; conversations, from the customers' states."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from services.runtime.pipeline import Change, Db
from services.runtime.retention import drop
from services.sentiment.domain.conversation import Talk
from services.sentiment.domain.events import Fact, FeedbackGiven, MessageScored, TalkPast
from services.sentiment.domain.mood import CustomerMood
from services.sentiment.domain.score import LABELS
from services.sentiment.domain.shift import Calibration, judged

PIPELINE: Final = "sentiment"
"""The customers' pipeline, under whose name their states stand."""
_STATE: Final = msgspec.json.Decoder(CustomerMood)
_TALK: Final = msgspec.json.Decoder(Talk)


@dataclass(frozen=True, slots=True)
class MoodRow:
    """A running mood of a customer or a contact; `kind` says which."""

    kind: str
    id: str
    mood: float
    trend: float
    messages: int
    last_at: datetime
    customer_id: str = ""


async def project(db: Db, changes: Sequence[Change[CustomerMood, Fact]], model: str) -> None:
    """Writes the moods of the customers and contacts that said something, and the corrections. `model` names the one that scored."""
    rows = sorted({(r.kind, r.id): r for c in changes for r in _rows(c)}.values(), key=lambda r: (r.kind, r.id))
    if rows:
        await db.execute(
            """INSERT INTO mood (kind, id, mood, trend, messages, last_at, customer_id)
               SELECT * FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::int[], $6::timestamptz[], $7::text[])
               ON CONFLICT (kind, id) DO UPDATE SET
                   mood = excluded.mood, trend = excluded.trend, messages = excluded.messages, last_at = excluded.last_at,
                   customer_id = excluded.customer_id""",
            [r.kind for r in rows],
            [r.id for r in rows],
            [r.mood for r in rows],
            [r.trend for r in rows],
            [r.messages for r in rows],
            [r.last_at for r in rows],
            [r.customer_id for r in rows],
        )
    given = [fact for c in changes for fact in c.facts if isinstance(fact, FeedbackGiven)]
    if given:
        await _keep_feedback(db, given, model)
    past = [fact for c in changes for fact in c.facts if isinstance(fact, TalkPast)]
    if past:
        await _keep_past(db, past)


async def _keep_past(db: Db, past: Sequence[TalkPast]) -> None:
    """What comes late for a conversation that has left begins it anew: the one with more messages stands."""
    fullest: dict[str, TalkPast] = {}
    for fact in past:
        known = fullest.get(fact.talk.contact_id)
        if known is None or sum(fact.talk.said) >= sum(known.talk.said):
            fullest[fact.talk.contact_id] = fact
    facts = [fullest[contact_id] for contact_id in sorted(fullest)]
    await db.execute(
        """INSERT INTO conversation AS c (contact_id, customer_id, at, messages, body)
           SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::int[], $5::text[]::jsonb[])
           ON CONFLICT (contact_id) DO UPDATE SET
               customer_id = excluded.customer_id, at = excluded.at, messages = excluded.messages, body = excluded.body
           WHERE excluded.messages >= c.messages""",
        [f.talk.contact_id for f in facts],
        [f.customer_id for f in facts],
        [f.talk.at for f in facts],
        [sum(f.talk.said) for f in facts],
        [msgspec.json.encode(f.talk).decode() for f in facts],
    )


async def _keep_feedback(db: Db, given: Sequence[FeedbackGiven], model: str) -> None:
    """Of one seat's corrections of a message the last one stands; it gets a new number, so that who reads on sees it."""
    newest = {(f.correction.source, f.correction.message_id, f.correction.seat_id): f for f in given}
    facts = [newest[key] for key in sorted(newest)]
    await db.execute(
        """INSERT INTO feedback (message_source, message_id, seat_id, corrected_at, text, language, label, emotion, complaint,
                                 model, model_label, negative, neutral, positive)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
                                $8::text[], $9::boolean[], $10::text[], $11::text[], $12::float8[], $13::float8[], $14::float8[])
           ON CONFLICT (message_source, message_id, seat_id) DO UPDATE SET
               number = DEFAULT, corrected_at = excluded.corrected_at, text = excluded.text, language = excluded.language,
               label = excluded.label, emotion = excluded.emotion, complaint = excluded.complaint, model = excluded.model,
               model_label = excluded.model_label, negative = excluded.negative, neutral = excluded.neutral,
               positive = excluded.positive""",
        [f.correction.source for f in facts],
        [f.correction.message_id for f in facts],
        [f.correction.seat_id for f in facts],
        [f.correction.time for f in facts],
        [f.correction.text for f in facts],
        [f.score.language for f in facts],
        [f.correction.label for f in facts],
        [f.correction.emotion or None for f in facts],
        [f.correction.complaint for f in facts],
        [model] * len(facts),
        [f.score.label for f in facts],
        [f.score.negative for f in facts],
        [f.score.neutral for f in facts],
        [f.score.positive for f in facts],
    )


async def moods(pool: Any, customers: Sequence[str], contacts: Sequence[str]) -> list[MoodRow]:
    """The moods of those customers and contacts that have said something."""
    rows = await pool.fetch(
        """SELECT kind, id, mood, trend, messages, last_at FROM mood
           WHERE kind = 'customer' AND id = ANY($1) OR kind = 'contact' AND id = ANY($2)""",
        customers,
        contacts,
    )
    return [MoodRow(*r) for r in rows]


async def conversations(pool: Any, contact_ids: Sequence[str]) -> dict[str, tuple[str, Talk]]:
    """By contact, its customer and its conversation, for those that are known still."""
    past = await pool.fetch(
        "SELECT contact_id, customer_id, body::text FROM conversation WHERE contact_id = ANY($1)", contact_ids
    )
    found = {contact_id: (customer_id, _TALK.decode(body)) for contact_id, customer_id, body in past}
    states = await pool.fetch(
        """SELECT m.id, e.key, e.body::text FROM mood m JOIN runtime.entity e ON e.pipeline = $1 AND e.key = m.customer_id
           WHERE m.kind = 'contact' AND m.id = ANY($2)""",
        PIPELINE,
        contact_ids,
    )
    for contact_id, customer_id, body in states:
        talk = _STATE.decode(body).talk(contact_id)
        if talk is not None and (contact_id not in found or sum(talk.said) >= sum(found[contact_id][1].said)):
            found[contact_id] = (customer_id, talk)
    return found


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """A correction as it is kept. None: nothing was said of that."""

    number: int
    text: str
    language: str
    label: str
    emotion: str | None
    complaint: bool | None
    corrected_at: datetime
    model: str
    model_label: str
    negative: float
    neutral: float
    positive: float


async def corrections(pool: Any, after: int, limit: int) -> list[FeedbackRow]:
    """Corrections by rising number."""
    rows = await pool.fetch(
        """SELECT number, text, language, label, emotion, complaint, corrected_at, model, model_label, negative, neutral, positive
           FROM feedback WHERE number > $1 ORDER BY number LIMIT $2""",
        after,
        limit,
    )
    return [FeedbackRow(*r) for r in rows]


async def judgements(pool: Any, model: str) -> Calibration:
    """How often this model's likeliest label was right where people said so: the last 10,000 times."""
    rows = await pool.fetch(
        """SELECT label, negative, neutral, positive FROM feedback WHERE model = $1 AND label <> 'unsure'
           ORDER BY number DESC LIMIT 10000""",
        model,
    )
    found = Calibration()
    for label, *probabilities in rows:
        confidence = max(probabilities)
        found += judged(min(max(confidence, 0.0), 1.0), LABELS[probabilities.index(confidence)] == label)
    return found


async def forget(pool: Any, moods_before: datetime, feedback_before: datetime, loads_before: datetime) -> int:
    """Drops moods, corrections and loads of which nothing was heard since. Returns how many."""
    return (
        await drop(pool, "mood", "last_at < $1", moods_before)
        + await drop(pool, "conversation", "at < $1", moods_before)
        + await drop(pool, "feedback", "corrected_at < $1", feedback_before)
        + await drop(pool, "seat_load", "heard < $1", loads_before)
    )


def _rows(change: Change[CustomerMood, Fact]) -> list[MoodRow]:
    state = change.state
    spoke = {fact.contact_id for fact in change.facts if isinstance(fact, MessageScored)}
    if state.updated is None or not spoke:
        return []
    found = [MoodRow("customer", change.key, state.value, state.trend, state.count, state.updated, change.key)]
    for contact in state.contacts:
        if contact.contact_id in spoke:
            mood = contact.mood
            row = MoodRow("contact", contact.contact_id, mood.value, state.trend, mood.count, mood.updated, change.key)
            found.append(row)
    return found
