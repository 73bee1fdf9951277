"""Reading a topic to its end where the broker goes away in the middle. The clients are stand-ins: the real ones only wait."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from services.runtime import tail
from services.runtime.checkpoint import Place
from services.runtime.errors import Transient
from services.runtime.records import Record
from services.runtime.settings import KafkaSettings

PLACE = Place("t", 0)


class Reader:
    """Gives one record of two, and then nothing more."""

    ended = False

    def __init__(self, *_: object) -> None:
        self.at_end: set[Place] = set()
        self.left = [Record("t", 0, 0, b"k", b"v", ())]

    async def poll(self) -> list[Record]:
        await asyncio.sleep(0.01)
        given, self.left = self.left, []
        return given

    async def close(self) -> None:
        Reader.ended = True


class Questions:
    """Answers first and last offset, once each; then the broker is gone."""

    def __init__(self, _: object) -> None:
        self.answers = [{PLACE: 0}, {PLACE: 2}]

    async def places(self, _: Iterable[str]) -> list[Place]:
        return [PLACE]

    async def offsets(self, _: Sequence[Place], __: Any) -> dict[Place, int]:
        if not self.answers:
            raise Transient("Kafka is away")
        return self.answers.pop(0)


async def test_a_broker_that_goes_away_while_a_topic_is_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was waited for without end."""
    monkeypatch.setattr(tail, "_Reader", Reader)
    monkeypatch.setattr(tail, "Questions", Questions)
    monkeypatch.setattr(tail, "SILENCE_S", 0.05)
    async with asyncio.timeout(5):
        with pytest.raises(Transient, match="Kafka is away"):
            await tail.read_all(KafkaSettings(bootstrap="127.0.0.1:1"), "t")
    assert Reader.ended
