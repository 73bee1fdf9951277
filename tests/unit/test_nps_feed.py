"""Whoever asks sees all that was committed when they came: readings are shared, and one that fails serves nobody."""

import asyncio
from datetime import UTC, datetime

import pytest

from services.nps.domain.span import ALL_TIME
from services.nps.feed import Feed

AT = datetime(2026, 11, 16, 8, tzinfo=UTC)


class Table:
    """Answers as a database has them; `fetch` takes what stands when it begins, and answers when it is let."""

    def __init__(self) -> None:
        self.rows: list[tuple[object, ...]] = []
        self.begun = 0
        self.go = asyncio.Event()
        self.failing = 0

    def commit(self) -> int:
        """One more answer; how many there are."""
        n = len(self.rows) + 1
        self.rows.append((1, n, AT, "{}", 9, None, None))
        return n

    async def fetch(self, sql: str, *args: object) -> list[tuple[object, ...]]:
        if "LIMIT" in sql:
            return []
        self.begun += 1
        rows, fails = list(self.rows), self.failing > 0
        self.failing -= fails
        await self.go.wait()
        if fails:
            raise OSError("away")
        return [(0, 0, None, f"{len(rows) + 1}", 0, None, None), *rows]

    async def fetchval(self, sql: str) -> str:
        return "1"


async def loaded(table: Table) -> Feed:
    feed = Feed(table, table)
    running = asyncio.create_task(feed.run())
    await feed.ready()
    running.cancel()
    return feed


async def seen(feed: Feed) -> int:
    await feed.refresh()
    return sum(feed.answers.counts(ALL_TIME.first, ALL_TIME.last, {}))


async def test_many_who_ask_share_a_reading_and_each_sees_what_stood_when_they_came() -> None:
    table = Table()
    feed = await loaded(table)
    table.commit()
    first = asyncio.create_task(seen(feed))
    await asyncio.sleep(0)
    assert table.begun == 1
    # Committed after the first reading began: none of those who come now may be served by it.
    table.commit()
    others = [asyncio.create_task(seen(feed)) for _ in range(20)]
    await asyncio.sleep(0)
    table.go.set()
    assert await first >= 1
    assert await asyncio.gather(*others) == [2] * 20
    assert table.begun == 2


async def test_a_reading_that_fails_serves_nobody_who_waited_for_it() -> None:
    table = Table()
    feed = await loaded(table)
    table.commit()
    table.failing = 2
    waiting = [asyncio.create_task(seen(feed)) for _ in range(4)]
    await asyncio.sleep(0)
    table.commit()
    late = asyncio.create_task(seen(feed))
    await asyncio.sleep(0)
    table.go.set()
    found = await asyncio.gather(*waiting, late, return_exceptions=True)
    assert [type(f) for f in found].count(OSError) == 2
    assert all(f == 2 for f in found if not isinstance(f, OSError)), found


async def test_a_reading_that_is_called_off_serves_nobody_who_waited_for_it() -> None:
    table = Table()
    feed = await loaded(table)
    table.commit()
    first, second = asyncio.create_task(seen(feed)), asyncio.create_task(seen(feed))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    table.go.set()
    assert await second == 1


async def test_what_cannot_be_taken_in_is_read_again() -> None:
    table = Table()
    feed = await loaded(table)
    table.go.set()
    table.commit()
    table.rows.append((1, 2, AT, "no JSON", 9, None, None))
    with pytest.raises(ValueError):
        await feed.refresh()
    table.rows[1] = (1, 2, AT, "{}", 9, None, None)
    assert await seen(feed) == 2
