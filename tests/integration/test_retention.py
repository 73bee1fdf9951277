"""What is past keeping is dropped from the real tables, in rounds, and waits for nobody."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from services.escalation import causes_store
from services.escalation import store as escalation
from services.nps import store as nps
from services.router import store as router
from services.runtime.migrate import migrate
from services.runtime.retention import drop

pytestmark = pytest.mark.integration
SERVICES = Path(__file__).resolve().parents[2] / "services"
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=2), NOW - timedelta(hours=1)
BEFORE = NOW - timedelta(days=1)


@pytest.fixture
async def pool(stack, request):
    """A database with a service's tables, empty."""
    name = f"retention_{uuid4().hex[:6]}"
    await stack.postgres.create_databases([name])
    await migrate(stack.postgres.dsn(name), SERVICES / request.param)
    async with asyncpg.create_pool(stack.postgres.dsn(name), min_size=2, max_size=2) as made:
        yield made


async def left(pool, table: str) -> int:
    return await pool.fetchval(f"SELECT count(*) FROM {table}")


@pytest.mark.parametrize("pool", ["escalation"], indirect=True)
async def test_many_rows_go_in_rounds_and_one_that_is_being_written_is_not_waited_for(pool) -> None:
    await pool.execute("INSERT INTO purchase SELECT 'k', 'o' || n, 'c', $1 FROM generate_series(1, 250) n", OLD)
    await pool.execute("INSERT INTO purchase VALUES ('k', 'new', 'c', $1)", NEW)
    async with pool.acquire() as db, db.transaction():
        await db.execute("UPDATE purchase SET at = at WHERE order_id = 'o7'")
        assert await drop(pool, "purchase", "at < $1", BEFORE, at_once=100) == 249
        assert await left(pool, "purchase") == 2
    assert await drop(pool, "purchase", "at < $1", BEFORE) == 1
    assert await left(pool, "purchase") == 1


@pytest.mark.parametrize("pool", ["escalation"], indirect=True)
async def test_escalation(pool) -> None:
    for at, cause in ((OLD, "old"), (NEW, "new")):
        await pool.execute("INSERT INTO purchase VALUES ($1, 'o', 'c', $2)", cause, at)
        await pool.execute("INSERT INTO wave VALUES ($1, 1, 3, 1, $2, $2)", cause, at)
        await pool.execute("INSERT INTO affected VALUES ($1, 1, 'c'), ($1, 1, 'd')", cause)
        await pool.execute("INSERT INTO budget VALUES ('care', $1, 0.5, 3, 1, 1, 1)", at)
    async with pool.acquire() as db, db.transaction():
        await db.execute("UPDATE affected SET reached = true WHERE (cause, customer_id) = ('old', 'd')")
        await causes_store.forget(pool, BEFORE)
    assert [await left(pool, t) for t in ("purchase", "wave", "affected")] == [1, 2, 3], (
        "no customer is left without a wave"
    )
    await causes_store.forget(pool, BEFORE)
    await escalation.forget(pool, BEFORE)
    assert [await left(pool, t) for t in ("purchase", "wave", "affected", "budget")] == [1, 1, 2, 1]


@pytest.mark.parametrize("pool", ["router"], indirect=True)
async def test_the_router(pool) -> None:
    for at, name in ((OLD, "old"), (NEW, "new")):
        await pool.execute(
            "INSERT INTO decision (contact_id, kind, decided_at, fact) VALUES ($1, 'k', $2, '{}')", name, at
        )
        await pool.execute(
            "INSERT INTO conversation_turn (contact_id, source, event_id, speaker, text, said_at)"
            " VALUES ($1, 's', $1, 'customer', '喂', $2)",
            name,
            at,
        )
        await pool.execute(
            "INSERT INTO contact (contact_id, customer_id, state, pool, ended_at) VALUES ($1, 'c', 'abandoned', 'p', $2)",
            name,
            at,
        )
        await pool.execute(
            "INSERT INTO supervision (pool, at, what, by, reason, seat_id, contact_id, ok, refused)"
            " VALUES ('p', $1, 'drain', 'lead', '', '', '', true, '')",
            at,
        )
    await pool.execute("INSERT INTO contact (contact_id, customer_id, state, pool) VALUES ('open', 'c', 'queued', 'p')")
    await router.forget(pool, BEFORE)
    tables = ("decision", "conversation_turn", "contact", "supervision")
    assert [await left(pool, t) for t in tables] == [1, 1, 2, 1]


@pytest.mark.parametrize("pool", ["nps"], indirect=True)
async def test_comments_of_answers(pool) -> None:
    for at, name in ((OLD, "old"), (NEW, "new")):
        await pool.execute("INSERT INTO answer_comment VALUES ($1, 's', $2, '太慢')", name, at)
    await nps.forget_comments(pool, BEFORE)
    assert await pool.fetchval("SELECT array_agg(customer_id) FROM answer_comment") == ["new"]
