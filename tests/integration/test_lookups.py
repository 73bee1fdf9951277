"""Lookups on real Postgres: what is committed is seen at once, by whoever asks, whatever becomes of a connection."""

import asyncio
import random
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from services.escalation import store
from services.nps.domain.span import ALL_TIME
from services.nps.feed import Feed
from services.runtime.migrate import migrate
from services.runtime.reader import Reader

pytestmark = pytest.mark.integration
SERVICES = Path(__file__).resolve().parents[2] / "services"
PUT = """INSERT INTO answer (customer_id, survey_id, score, answered_at, segments) VALUES ($1, $1, $2, now(), '{"store": "s"}')
         ON CONFLICT (customer_id, survey_id) DO UPDATE SET score = excluded.score"""


@pytest.fixture
async def dsn(stack):
    name = f"lookups_{uuid4().hex[:6]}"
    await stack.postgres.create_databases([name])
    await migrate(stack.postgres.dsn(name), SERVICES / "nps")
    return stack.postgres.dsn(name)


@pytest.fixture
async def reader(dsn):
    made = Reader(dsn)
    yield made
    await made.close()


def counts(feed: Feed) -> list[int]:
    return feed.answers.counts(ALL_TIME.first, ALL_TIME.last, {"store": "s"})


async def test_whoever_asks_after_a_commit_sees_it(dsn, reader) -> None:
    async with asyncpg.create_pool(dsn, min_size=3, max_size=3) as pool:
        feed = Feed(pool, reader)
        running = asyncio.create_task(feed.run())
        await feed.ready()
        draw, scores = random.Random(1), {}
        # A transaction that stays open holds the horizon back; others ask all the while.
        slow = await pool.acquire()
        began = slow.transaction()
        await began.start()
        await slow.execute(PUT, "slow", 10)
        asking = asyncio.create_task(_ask(feed))
        for n in range(300):
            name = f"c{draw.randrange(40)}"
            if draw.random() < 0.2:
                await pool.execute("DELETE FROM answer WHERE customer_id = $1", name)
                scores.pop(name, None)
            else:
                scores[name] = draw.randrange(11)
                await pool.execute(PUT, name, scores[name])
            if n == 200:
                await began.commit()
                scores["slow"] = 10
            await feed.refresh()
            promoters = sum(s >= 9 for s in scores.values())
            assert counts(feed)[0] == promoters and sum(counts(feed)) == len(scores), n
        await pool.release(slow)
        asking.cancel()
        running.cancel()


async def _ask(feed: Feed) -> None:
    while True:
        await asyncio.gather(*(feed.refresh() for _ in range(5)))


async def test_a_change_is_found_by_its_index_however_large_the_table(dsn, reader) -> None:
    async with asyncpg.create_pool(dsn, min_size=1) as pool:
        await pool.execute(
            """INSERT INTO answer (customer_id, survey_id, score, answered_at, segments)
               SELECT n::text, n::text, 9, now(), '{}' FROM generate_series(1, 5000) AS n"""
        )
        feed = Feed(pool, reader)
        running = asyncio.create_task(feed.run())
        await feed.ready()
        for _ in range(5):
            await feed.refresh()
        running.cancel()
        read = await _read_whole(pool, reader)
        for _ in range(50):
            await feed.refresh()
        assert await _read_whole(pool, reader) == read


async def _read_whole(pool: asyncpg.Pool, reader: Reader) -> int:
    """How often the answers were read as a whole so far."""
    for connection in (pool, reader):
        await connection.fetch("SELECT pg_stat_force_next_flush()")
    return await pool.fetchval("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'answer'")


async def test_a_risk_does_not_tell_who_is_held_out_and_is_found_by_its_index(stack) -> None:
    name = f"lookups_{uuid4().hex[:6]}"
    await stack.postgres.create_databases([name])
    await migrate(stack.postgres.dsn(name), SERVICES / "escalation")
    reader = Reader(stack.postgres.dsn(name))
    async with asyncpg.create_pool(stack.postgres.dsn(name), min_size=1, max_size=1) as pool:
        await pool.execute(
            """INSERT INTO customer_risk SELECT n::text, 0.7, '[]', true FROM generate_series(1, 5000) AS n;
               INSERT INTO follow_up (follow_up_id, customer_id, contact_id, touchpoint, risk, reasons, flagged_at, due_at, arm)
               SELECT n::text, n::text, '', '', 0.7, '[]', now(), now(), CASE n % 2 WHEN 0 THEN 'held_out' ELSE 'treated' END
               FROM generate_series(1, 5000) AS n; ANALYZE customer_risk, follow_up"""
        )
        found = await store.risks(reader, ["1", "2", "none"])
        assert {k: r.flagged for k, r in found.items()} == {"1": True, "2": False}
        scans = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname IN ('follow_up', 'customer_risk')"
        read = []
        for _ in range(2):
            await store.risks(reader, [str(n) for n in range(40)])
            for connection in (pool, reader):
                await connection.fetch("SELECT pg_stat_force_next_flush()")
            read.append(await pool.fetchval(scans))
        assert read[0] == read[1]
    await reader.close()


async def test_a_lost_connection_and_a_lookup_called_off_leave_no_trace(dsn) -> None:
    reader = Reader(dsn, most=2)
    async with asyncpg.create_pool(dsn, min_size=1) as pool:
        me = await reader.fetchval("SELECT pg_backend_pid()")
        await pool.fetchval("SELECT pg_terminate_backend($1)", me)
        await asyncio.sleep(0.2)
        other = await reader.fetchval("SELECT pg_backend_pid()")
        assert other != me
        # Called off in the middle: the connection serves again, and the turn is given back.
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await reader.fetch("SELECT pg_sleep(5)")
        found = await asyncio.gather(*(reader.fetchval("SELECT $1::int", n) for n in range(40)))
        assert found == list(range(40))
        backends = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert await pool.fetchval(backends) <= 2
        # A statement that is refused leaves its connection whole.
        with pytest.raises(asyncpg.DataError):
            await reader.fetch("SELECT $1::int", "seven")
        assert await reader.fetchrow("SELECT 1 WHERE false") is None
    await reader.close()
