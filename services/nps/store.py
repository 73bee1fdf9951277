"""The NPS service's SQL: figures from the counters, an hour's from the answers, customers' last answers from a table of their own."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from services.nps.counters import METRIC
from services.nps.domain.figures import Figure, figure
from services.nps.domain.survey import CustomerSurveys, SurveyCounted, last_answer
from services.runtime.pipeline import Change, Db

Figures = tuple[Figure, dict[str, dict[str, Figure]]]


async def project(db: Db, changes: Sequence[Change[CustomerSurveys, SurveyCounted]]) -> None:
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
    await _keep_answers(db, [fact for change in changes for fact in change.facts])


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


async def hour(pool: Any, start: datetime, dimensions: Collection[str]) -> Figures:
    """The figures of one hour, counted from its answers; otherwise as `figures`."""
    rows = await pool.fetch(
        """SELECT dimension, value, count(*) FILTER (WHERE score >= 9), count(*) FILTER (WHERE score BETWEEN 7 AND 8),
                  count(*) FILTER (WHERE score <= 6)
           FROM answer, LATERAL (SELECT '' AS dimension, '' AS value UNION ALL SELECT * FROM jsonb_each_text(segments)) AS s
           WHERE answered_at >= $1 AND answered_at < $1 + interval '1 hour' GROUP BY dimension, value""",
        start,
    )
    all_, by = figure(0, 0, 0), dict[str, dict[str, Figure]]()
    for dimension, value, *counts in rows:
        if not dimension:
            all_ = figure(*counts)
        elif not dimensions or dimension in dimensions:
            by.setdefault(dimension, {})[value] = figure(*counts)
    return all_, by


async def figures(
    pool: Any, pipeline: str, window: str, starts: Sequence[datetime], dimensions: Collection[str]
) -> Figures:
    """The figure of all answers in these windows, and by dimension and value; segments without an answer are left out.

    One statement, so that all figures are of one moment. No dimensions: all that are known.
    """
    rows = await pool.fetch(
        """SELECT segment, sum(counts[1])::bigint, sum(counts[2])::bigint, sum(counts[3])::bigint
           FROM runtime.counter_cell
           WHERE pipeline = $1 AND metric = $2 AND win = $3 AND start = ANY($4) GROUP BY segment""",
        pipeline,
        METRIC.name,
        window,
        list(starts),
    )
    all_, by = figure(0, 0, 0), dict[str, dict[str, Figure]]()
    for segment, *counts in rows:
        found = figure(*counts)
        places = json.loads(segment)
        if not places:
            all_ = found
        for dimension, value in places.items():
            if found.n and (not dimensions or dimension in dimensions):
                by.setdefault(dimension, {})[value] = found
    return all_, by


async def last_answers(pool: Any, customer_ids: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """Score and time of the last standing answer, of the customers who gave one."""
    rows = await pool.fetch(
        "SELECT customer_id, score, answered_at FROM customer_nps WHERE customer_id = ANY($1)", list(customer_ids)
    )
    return {r[0]: (r[1], r[2]) for r in rows}
