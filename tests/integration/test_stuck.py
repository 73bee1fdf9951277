"""A process that stands still within a transaction: the database takes its locks away, wherever it stopped."""

import asyncio
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import asyncpg
import pytest

from deploy.embedded.postgres import SUPERUSER
from deploy.embedded.stack import Stack
from services.runtime.service import LETS_GO

HOLDS = b"BEGIN; UPDATE stuck SET n = n + 1\0"
DATABASE = "touchline_nps"


def said(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


@contextmanager
def client(stack: Stack, settings: Mapping[str, str]) -> Iterator[socket.socket]:
    """A client by hand, for no driver stops where this one does."""
    told = {"user": SUPERUSER, "database": DATABASE, **settings}
    hello = struct.pack("!i", 196608) + b"".join(f"{k}\0{v}\0".encode() for k, v in told.items()) + b"\0"
    with closing(socket.socket(socket.AF_UNIX)) as made:
        made.settimeout(10)
        made.connect(str(stack.sockets / ".s.PGSQL.5432"))
        made.sendall(struct.pack("!i", len(hello) + 4) + hello)
        until_ready(made)
        yield made


def until_ready(made: socket.socket) -> None:
    heard = b""
    while heard[-6:-1] != b"Z\0\0\0\5":
        more = made.recv(65536)
        assert more, heard
        heard += more


@pytest.mark.parametrize(
    "last", [b"", said(b"P", b"s\0SELECT 1\0\0\0") + said(b"H", b"")], ids=["idle", "while-a-statement-is-prepared"]
)
async def test_the_rows_that_it_holds_are_let_go(stack: Stack, last: bytes) -> None:
    db = await asyncpg.connect(stack.dsn("nps"))
    try:
        await db.execute("DROP TABLE IF EXISTS stuck; CREATE TABLE stuck (n int); INSERT INTO stuck VALUES (1)")
        # As shipped, a tenth as long.
        with client(stack, {name: str(int(ms) // 10) for name, ms in LETS_GO.items()}) as still:
            still.sendall(said(b"Q", HOLDS))
            until_ready(still)
            still.sendall(last)
            async with asyncio.timeout(20):
                await db.execute("UPDATE stuck SET n = n + 1")
        assert await db.fetchval("SELECT n FROM stuck") == 2
    finally:
        await db.execute("DROP TABLE IF EXISTS stuck")
        await db.close()
