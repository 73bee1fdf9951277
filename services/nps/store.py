"""The NPS service's SQL: the standing answers and who was asked, which `feed.py` reads, and customers' last answers."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.nps.domain.survey import AskedCounted, CustomerSurveys, Fact, SurveyCounted, last_answer
from services.runtime.pipeline import Change, Db


async def project(db: Db, changes: Sequence[Change[CustomerSurveys, Fact]]) -> None:
    """Writes the customers' last standing answers, in the batch's transaction."""
    found = {c.key: last_answer(c.state) for c in changes if c.facts}
    gone = [key for key, last in found.items() if last is None]
    standing = [(key, last) for key, last in sorted(found.items()) if last is not None]
    if gone:
        await db.execute("DELETE FROM customer_nps WHERE customer_id = ANY($1)", gone)
    if standing:
        await db.execute(
            """INSERT INTO customer_nps (customer_id, score, answered_at)
               SELECT * FROM unnest($1::text[], $2::int[], $3::timestamptz[])
               ON CONFLICT (customer_id) DO UPDATE SET score = excluded.score, answered_at = excluded.answered_at""",
            [key for key, _ in standing],
            [last.score for _, last in standing],
            [last.answered_at for _, last in standing],
        )
    facts = [fact for change in changes for fact in change.facts]
    await _keep_answers(db, [f for f in facts if isinstance(f, SurveyCounted)])
    await _keep_requests(db, [f for f in facts if isinstance(f, AskedCounted)])


async def _keep_answers(db: Db, facts: Sequence[SurveyCounted]) -> None:
    """Brings the standing answers up to date: of a survey's facts in the batch, the last one tells."""
    last = {(f.customer_id, f.survey_id): f for f in facts}
    gone = [key for key, f in last.items() if f.after is None]
    kept = [f for _, f in sorted(last.items()) if f.after is not None]
    if gone:
        await db.execute(
            """DELETE FROM answer a USING unnest($1::text[], $2::text[]) AS n(customer_id, survey_id)
               WHERE a.customer_id = n.customer_id AND a.survey_id = n.survey_id""",
            [customer for customer, _ in gone],
            [survey for _, survey in gone],
        )
    if kept:
        await db.execute(
            """INSERT INTO answer (customer_id, survey_id, score, answered_at, segments)
               SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[], $5::text[]::jsonb[])
               ON CONFLICT (customer_id, survey_id) DO UPDATE SET
                   score = excluded.score, answered_at = excluded.answered_at, segments = excluded.segments""",
            [f.customer_id for f in kept],
            [f.survey_id for f in kept],
            [f.after for f in kept],
            [f.answered_at for f in kept],
            [json.dumps(dict(f.segments), ensure_ascii=False) for f in kept],
        )


async def _keep_requests(db: Db, facts: Sequence[AskedCounted]) -> None:
    """Who was asked, and whether they answered: of a survey's facts in the batch, the last one tells."""
    last = {(f.customer_id, f.survey_id): f for f in facts}
    if last:
        kept = [f for _, f in sorted(last.items())]
        await db.execute(
            """INSERT INTO survey_request (customer_id, survey_id, asked_at, segments, answered)
               SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]::jsonb[], $5::bool[])
               ON CONFLICT (customer_id, survey_id) DO UPDATE SET
                   asked_at = excluded.asked_at, segments = excluded.segments, answered = excluded.answered""",
            [f.customer_id for f in kept],
            [f.survey_id for f in kept],
            [f.asked_at for f in kept],
            [json.dumps(dict(f.segments), ensure_ascii=False) for f in kept],
            [f.answered for f in kept],
        )


async def last_answers(pool: Any, customer_ids: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """Score and time of the last standing answer, of the customers who gave one."""
    rows = await pool.fetch(
        "SELECT customer_id, score, answered_at FROM customer_nps WHERE customer_id = ANY($1)", list(customer_ids)
    )
    return {r[0]: (r[1], r[2]) for r in rows}
