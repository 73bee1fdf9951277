"""A command's call where its answer is late, and where the database goes away under it. Postgres here is a stand-in that can hang."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from touchline.escalation.v1 import escalation_pb2

from services.runtime.commands import Answered, CommandBus, Unanswered
from services.runtime.errors import Transient
from services.runtime.records import Outgoing, event_name

SOURCE = "/tests"
NAME = event_name(SOURCE, "k1")
ROW = (True, "", "", "{}")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Postgres:
    """What connections to it do, and how many were made."""

    def __init__(self) -> None:
        self.rows: dict[Any, Any] = {}
        self.hangs = self.deaf = False
        self.made: list[Connection] = []

    async def connect(self, _: str, **named: Any) -> "Connection":
        self.made.append(Connection(self, named["command_timeout"]))
        return self.made[-1]

    def answer(self) -> None:
        """The owner has decided, and tells whoever listens."""
        self.rows[NAME] = ROW
        for one in self.made:
            if one.heard is not None and not one.ended:
                one.heard(one, 1, "command_answer", str(NAME))


class Connection:
    def __init__(self, postgres: Postgres, limit_s: float) -> None:
        self._postgres, self._limit_s = postgres, limit_s
        self.heard: Callable[..., None] | None = None
        self.ended = False

    async def add_listener(self, _: str, heard: Callable[..., None]) -> None:
        if self._postgres.deaf:
            raise asyncpg.ConnectionDoesNotExistError
        self.heard = heard

    async def fetchrow(self, _: str, name: Any) -> Any:
        if self._postgres.hangs:
            async with asyncio.timeout(self._limit_s):
                await asyncio.Event().wait()
        return self._postgres.rows.get(name)

    def is_closed(self) -> bool:
        return self.ended

    def terminate(self) -> None:
        self.ended = True


class Kafka:
    async def publish(self, records: Sequence[Outgoing]) -> None:
        self.published = records


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Postgres:
    made = Postgres()
    monkeypatch.setattr(asyncpg, "connect", made.connect)
    monkeypatch.setattr("services.runtime.commands._LOOK_S", 0.05)
    return made


@pytest.fixture
def bus(postgres: Postgres) -> CommandBus:
    return CommandBus("postgresql:///", Kafka(), SOURCE)  # type: ignore[arg-type]


async def send(bus: CommandBus, deadline_s: float) -> Answered:
    command = escalation_pb2.FollowUpClaimRequested(follow_up_id="f1")
    return await bus.send(command, command_id="k1", subject="hu", now=NOW, deadline_s=deadline_s)


async def test_a_call_hears_the_answer_that_came_too_late_for_another_with_its_id(
    bus: CommandBus, postgres: Postgres
) -> None:
    """The first to give up took the other's ear with it."""
    patient = asyncio.create_task(send(bus, 5))
    with pytest.raises(Unanswered):
        await send(bus, 0.05)
    postgres.answer()
    async with asyncio.timeout(1):
        assert (await patient).ok
    assert not bus._waiting


async def test_a_database_that_hangs_is_away_in_bounded_time_and_asked_anew(
    bus: CommandBus, postgres: Postgres
) -> None:
    postgres.hangs = True
    async with asyncio.timeout(2):
        with pytest.raises(Transient, match="Postgres is away"):
            await send(bus, 30)
        with pytest.raises(Transient, match="Postgres is away"):
            await send(bus, 0.01)
    postgres.hangs, postgres.rows[NAME] = False, ROW
    assert (await send(bus, 1)).ok
    assert postgres.made[0].ended and not postgres.made[-1].ended


async def test_a_connection_that_does_not_listen_is_not_kept(bus: CommandBus, postgres: Postgres) -> None:
    postgres.deaf = True
    with pytest.raises(Transient, match="Postgres is away"):
        await send(bus, 1)
    postgres.deaf = False
    waiting = asyncio.create_task(send(bus, 5))
    await asyncio.sleep(0.01)
    postgres.answer()
    async with asyncio.timeout(1):
        assert (await waiting).ok
    assert [one.ended for one in postgres.made] == [True, False]
