"""Commands: a call at any instance becomes an event for the key's owner, and answers with what the owner decided of it."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from google.protobuf.message import Message

from services.runtime.errors import Transient
from services.runtime.publisher import Publisher
from services.runtime.records import event_name, write
from services.runtime.telemetry import traceparent_now


@dataclass(frozen=True, slots=True)
class Answered:
    """What the owner decided: `code` is a gRPC status name where it was not carried out, `body` what Answer.body said."""

    ok: bool
    code: str
    reason: str
    body: Mapping[str, str]


class Unanswered(Transient):
    """The deadline passed before the owner answered. The command may still take effect; the same id asks again safely."""


class CommandBus:
    """Sends commands and waits for their answers, over one connection that listens."""

    def __init__(self, database_url: str, publisher: Publisher, source: str) -> None:
        self._database_url = database_url
        self._publisher = publisher
        self._source = source
        self._waiting: dict[UUID, asyncio.Event] = {}
        self._connection: asyncpg.Connection[Any] | None = None
        self._connecting = asyncio.Lock()

    async def send(
        self, command: Message, *, command_id: str, subject: str, now: datetime, deadline_s: float = 5.0
    ) -> Answered:
        """Publishes the command under its id and waits for its answer; a repeated id gets the first one's answer.

        Raises Unanswered when the deadline passes, Transient where Kafka or Postgres is away.
        """
        name = event_name(self._source, command_id)
        connection = await self._listening()
        told = self._waiting.setdefault(name, asyncio.Event())
        try:
            known = await self._look(connection, name)
            if known is not None:
                return known
            record = write(
                command,
                event_id=command_id,
                source=self._source,
                subject=subject,
                time=now,
                traceparent=traceparent_now(),
            )
            async with asyncio.timeout(deadline_s):
                await self._publisher.publish([record])
                await told.wait()
            known = await self._look(connection, name)
        except TimeoutError:
            raise Unanswered("the owner has not answered in time; the command may still take effect") from None
        finally:
            self._waiting.pop(name, None)
        if known is None:
            raise Unanswered("the answer is gone; ask again")
        return known

    async def stop(self) -> None:
        """Stops listening."""
        if self._connection is not None:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close(timeout=2)

    async def _listening(self) -> "asyncpg.Connection[Any]":
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                try:
                    self._connection = await asyncpg.connect(self._database_url, timeout=5)
                    await self._connection.add_listener("command_answer", self._on_answer)
                except (OSError, asyncpg.PostgresError, TimeoutError) as error:
                    raise Transient(f"Postgres is away: {type(error).__name__}") from error
            return self._connection

    def _on_answer(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        told = self._waiting.get(UUID(str(payload)))
        if told is not None:
            told.set()

    async def _look(self, connection: "asyncpg.Connection[Any]", name: UUID) -> Answered | None:
        async with self._connecting:
            try:
                row = await connection.fetchrow(
                    "SELECT ok, code, reason, body::text FROM runtime.command_answer WHERE name = $1", name
                )
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise Transient(f"Postgres is away: {type(error).__name__}") from error
        return Answered(row[0], row[1], row[2], json.loads(row[3])) if row else None
