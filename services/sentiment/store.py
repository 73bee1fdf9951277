"""The sentiment service's SQL: running moods, written with the batch that moved them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.runtime.pipeline import Change, Db
from services.sentiment.domain.decide import MessageScored
from services.sentiment.domain.mood import CustomerMood


@dataclass(frozen=True, slots=True)
class MoodRow:
    """A running mood of a customer or a contact; `kind` says which."""

    kind: str
    id: str
    mood: float
    trend: float
    messages: int
    last_at: datetime


async def project(db: Db, changes: Sequence[Change[CustomerMood, MessageScored]]) -> None:
    """Writes the moods of the customers and contacts that said something."""
    rows = sorted({(r.kind, r.id): r for c in changes for r in _rows(c)}.values(), key=lambda r: (r.kind, r.id))
    if not rows:
        return
    await db.execute(
        """INSERT INTO mood (kind, id, mood, trend, messages, last_at)
           SELECT * FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::int[], $6::timestamptz[])
           ON CONFLICT (kind, id) DO UPDATE SET
               mood = excluded.mood, trend = excluded.trend, messages = excluded.messages, last_at = excluded.last_at""",
        [r.kind for r in rows],
        [r.id for r in rows],
        [r.mood for r in rows],
        [r.trend for r in rows],
        [r.messages for r in rows],
        [r.last_at for r in rows],
    )


async def moods(pool: Any, kind: str, ids: Sequence[str]) -> list[MoodRow]:
    """The moods of those that have said something."""
    rows = await pool.fetch(
        "SELECT kind, id, mood, trend, messages, last_at FROM mood WHERE kind = $1 AND id = ANY($2)", kind, ids
    )
    return [MoodRow(*r) for r in rows]


def _rows(change: Change[CustomerMood, MessageScored]) -> list[MoodRow]:
    state = change.state
    if state.updated is None:
        return []
    spoke = {fact.contact_id for fact in change.facts}
    found = [MoodRow("customer", change.key, state.value, state.trend, state.count, state.updated)]
    for contact in state.contacts:
        if contact.contact_id in spoke:
            mood = contact.mood
            found.append(MoodRow("contact", contact.contact_id, mood.value, state.trend, mood.count, mood.updated))
    return found
