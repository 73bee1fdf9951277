"""The NPS service's SQL: the standing answers and who was asked, which `feed.py` reads, and customers' last answers."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.nps.domain.masking import mask
from services.nps.domain.remarks import marks
from services.nps.domain.survey import (
    AskedCounted,
    CommentKept,
    CustomerSurveys,
    Fact,
    RemarkCounted,
    SurveyCounted,
    last_answer,
)
from services.runtime.pipeline import Change, Db
from services.runtime.retention import drop


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
    await _keep_remarks(db, [f for f in facts if isinstance(f, RemarkCounted)])
    await _keep_comments(db, [f for f in facts if isinstance(f, CommentKept)])


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


async def _keep_remarks(db: Db, facts: Sequence[RemarkCounted]) -> None:
    """What comments say: of a survey's facts in the batch, the last one tells."""
    last = {(f.customer_id, f.survey_id): f for f in facts}
    if not last:
        return
    rows = [
        (f, f.stands, mark, value)
        for _, f in sorted(last.items())
        if f.stands is not None and f.remark is not None
        for mark, value in marks(f.remark)
    ]
    await db.execute(
        """DELETE FROM remark r USING unnest($1::text[], $2::text[]) AS n(customer_id, survey_id)
           WHERE r.customer_id = n.customer_id AND r.survey_id = n.survey_id AND NOT EXISTS (
               SELECT FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS k(customer_id, survey_id, mark, value)
               WHERE (k.customer_id, k.survey_id, k.mark, k.value) = (r.customer_id, r.survey_id, r.mark, r.value))""",
        [customer for customer, _ in last],
        [survey for _, survey in last],
        [f.customer_id for f, *_ in rows],
        [f.survey_id for f, *_ in rows],
        [mark for *_, mark, _ in rows],
        [value for *_, value in rows],
    )
    # A row's words travel as JSON: arrays of arrays must all be of one length.
    await db.execute(
        """INSERT INTO remark (customer_id, survey_id, mark, value, score, answered_at, segments, language, words)
           SELECT c, s, m, v, score, at, segments, language, ARRAY(SELECT jsonb_array_elements_text(words))
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::text[]::jsonb[],
                       $8::text[], $9::text[]::jsonb[]) AS n(c, s, m, v, score, at, segments, language, words)
           ON CONFLICT (customer_id, survey_id, mark, value) DO UPDATE SET
               score = excluded.score, answered_at = excluded.answered_at, segments = excluded.segments,
               language = excluded.language, words = excluded.words""",
        [f.customer_id for f, *_ in rows],
        [f.survey_id for f, *_ in rows],
        [mark for *_, mark, _ in rows],
        [value for *_, value in rows],
        [stands.score for _, stands, *_ in rows],
        [stands.answered_at for _, stands, *_ in rows],
        [json.dumps(dict(stands.segments), ensure_ascii=False) for _, stands, *_ in rows],
        [f.remark.language if f.remark else "" for f, *_ in rows],
        [json.dumps(_words(f, value), ensure_ascii=False) for f, _, _, value in rows],
    )


def _words(fact: RemarkCounted, stage: str) -> list[str]:
    return [w for n in (fact.remark.named if fact.remark else ()) if n.stage == stage for w in n.words]


async def _keep_comments(db: Db, facts: Sequence[CommentKept]) -> None:
    """Standing answers' comments, masked before they are written."""
    last = {(f.customer_id, f.survey_id): f for f in facts}
    gone = [key for key, f in last.items() if not f.text]
    kept = [f for _, f in sorted(last.items()) if f.text]
    if gone:
        await db.execute(
            """DELETE FROM answer_comment a USING unnest($1::text[], $2::text[]) AS n(customer_id, survey_id)
               WHERE a.customer_id = n.customer_id AND a.survey_id = n.survey_id""",
            [customer for customer, _ in gone],
            [survey for _, survey in gone],
        )
    if kept:
        await db.execute(
            """INSERT INTO answer_comment (customer_id, survey_id, answered_at, text)
               SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
               ON CONFLICT (customer_id, survey_id) DO UPDATE SET answered_at = excluded.answered_at, text = excluded.text""",
            [f.customer_id for f in kept],
            [f.survey_id for f in kept],
            [f.answered_at for f in kept],
            [_masked(f.text) for f in kept],
        )


def _masked(text: str) -> str:
    return mask(text.replace("\x00", ""), "zh" if any("\u3400" <= c <= "\u9fff" for c in text) else "en")


async def forget_comments(pool: Any, before: datetime) -> None:
    """Drops the comments of answers older than that."""
    await drop(pool, "answer_comment", "answered_at < $1", before)


async def last_answers(pool: Any, customer_ids: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """Score and time of the last standing answer, of the customers who gave one."""
    rows = await pool.fetch(
        "SELECT customer_id, score, answered_at FROM customer_nps WHERE customer_id = ANY($1)", list(customer_ids)
    )
    return {r[0]: (r[1], r[2]) for r in rows}
