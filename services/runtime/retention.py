"""Rows that are past keeping are dropped a few thousand at a time, each time in a short statement of its own.

One statement for all of them would outlast the time that a transaction has where much has gathered, and then nothing would
ever be dropped again.
"""

from typing import Any

AT_ONCE = 5_000


async def drop(pool: Any, table: str, where: str, *values: object, at_once: int = AT_ONCE) -> int:
    """Drops the rows of a table of which a condition holds. Returns how many.

    Rows that a batch is writing just then are left for the next time, so that neither waits for the other.
    table, where: SQL from code, never from outside. values: the condition's $1, $2, …
    """
    rows = f"SELECT ctid FROM {table} WHERE {where} LIMIT {at_once:d} FOR UPDATE SKIP LOCKED"
    dropped = 0
    while True:
        done = await pool.execute(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({rows}))", *values)
        count = int(done.rpartition(" ")[2])
        dropped += count
        if count < at_once:
            return dropped
