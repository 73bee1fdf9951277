"""Connections for lookups: statements that find rows by a key, planned once and taken without ceremony.

A lookup of a hundred rows takes Postgres a tenth of a millisecond, and planning it anew ten times that, which is what the server does
while the values of one call promise a cheaper plan than a plan for all values; a pool's turn-taking costs as much as the rows. So these
connections keep one plan a statement, never read a table whole where an index serves (a plan for all values can't know how few rows are
asked for), and are no batch's: a lookup doesn't wait for a connection until a transaction ends.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

MOST: Final = 4
"""Connections of a process at the same time; more lookups wait for one of them."""
WITHIN_S: Final = 5.0
"""The longest that a lookup's statement may take."""
_SETTINGS: Final = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}


class Reader:
    """A few connections, each made when it is first needed, and anew once it is lost. For statements that find rows by a key only."""

    def __init__(self, database_url: str, most: int = MOST) -> None:
        self._database_url = database_url
        self._free: list[Any] = []
        self._turns = asyncio.Semaphore(most)

    async def fetch(self, sql: str, *args: object) -> Sequence[Any]:
        """The rows of a statement, of what is committed when it begins. Raises what asyncpg does, and OSError."""
        async with self._turns:
            connection = self._whole() or await self._connect()
            try:
                rows: Sequence[Any] = await connection.fetch(sql, *args)
            finally:
                # The one that was used last is used next: its statements are planned.
                if not connection.is_closed():
                    self._free.append(connection)
            return rows

    async def fetchrow(self, sql: str, *args: object) -> Any:
        """The first row, or None where there is none."""
        rows = await self.fetch(sql, *args)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first row's first value, or None where there is no row."""
        row = await self.fetchrow(sql, *args)
        return row[0] if row is not None else None

    async def close(self) -> None:
        """Ends the connections; lookups under way may fail."""
        while self._free:
            await self._free.pop().close(timeout=WITHIN_S)

    def _whole(self) -> Any:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return None

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            self._database_url, command_timeout=WITHIN_S, timeout=WITHIN_S, server_settings=_SETTINGS
        )
