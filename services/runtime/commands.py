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

# A look at one row takes a millisecond.
_LOOK_S = 2.0


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
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._connection: asyncpg.Connection[Any] | None = None
        self._connecting = asyncio.Lock()

    async def send(
        self, command: Message, *, command_id: str, subject: str, now: datetime, deadline_s: float = 5.0
    ) -> Answered:
        """Publishes the command under its id and waits for its answer; a repeated id gets the first one's answer.

        Raises Unanswered when the deadline passes, Transient where Kafka or Postgres is away.
        """
        name = event_name(self._source, command_id)
        told, sent = asyncio.Event(), False
        try:
            async with asyncio.timeout(deadline_s):
                await self._listening()
                self._waiting.setdefault(name, set()).add(told)
                if (known := await self._look(name)) is not None:
                    return known
                record = write(
                    command,
                    event_id=command_id,
                    source=self._source,
                    subject=subject,
                    time=now,
                    traceparent=traceparent_now(),
                )
                sent = True
                await self._publisher.publish([record])
                await told.wait()
                known = await self._look(name)
        except TimeoutError:
            if not sent:
                raise Transient("Postgres is away: TimeoutError") from None
            raise Unanswered("the owner has not answered in time; the command may still take effect") from None
        finally:
            self._forget(name, told)
        if known is None:
            raise Unanswered("the answer is gone; ask again")
        return known

    def _forget(self, name: UUID, told: asyncio.Event) -> None:
        """One call less that waits for the answer. Another with the same id may still wait."""
        others = self._waiting.get(name, set())
        others.discard(told)
        if not others:
            self._waiting.pop(name, None)

    async def stop(self) -> None:
        """Stops listening."""
        if self._connection is not None:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close(timeout=2)

    async def _listening(self) -> "asyncpg.Connection[Any]":
        async with self._connecting:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> "asyncpg.Connection[Any]":
        try:
            made = await asyncpg.connect(self._database_url, timeout=5, command_timeout=_LOOK_S)
            try:
                await made.add_listener("command_answer", self._on_answer)
            except BaseException:
                made.terminate()  # one that hears nothing must not be taken for one that listens
                raise
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            raise Transient(f"Postgres is away: {type(error).__name__}") from error
        return made

    def _on_answer(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        for told in self._waiting.get(UUID(str(payload)), ()):
            told.set()

    async def _look(self, name: UUID) -> Answered | None:
        connection = await self._listening()
        async with self._connecting:
            try:
                row = await connection.fetchrow(
                    "SELECT ok, code, reason, body::text FROM runtime.command_answer WHERE name = $1", name
                )
            except TimeoutError as error:  # nobody is there any more, though the connection does not know
                connection.terminate()
                raise Transient("Postgres is away: TimeoutError") from error
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise Transient(f"Postgres is away: {type(error).__name__}") from error
        return Answered(row[0], row[1], row[2], json.loads(row[3])) if row else None
