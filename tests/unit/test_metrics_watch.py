"""Projections that stand still while something waits are ended, and those at work or without work are not."""

import asyncio

import pytest

from services.metrics import main
from services.runtime.errors import Transient


class Behind:
    """A group's lag, or none where Kafka is away."""

    def __init__(self, waiting: int | None) -> None:
        self._waiting = waiting

    async def read(self) -> int:
        if self._waiting is None:
            raise Transient("Kafka is away")
        return self._waiting


class Projection:
    """As the watch sees it: ready, and at work or not."""

    def __init__(self, *, works: bool) -> None:
        self._works, self._taken = works, 0
        self.failed = asyncio.get_running_loop().create_future()

    def ready(self) -> bool:
        return True

    @property
    def taken(self) -> int:
        self._taken += self._works
        return self._taken

    def fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


@pytest.mark.parametrize(
    ("waiting", "works", "ends"), [(69, False, True), (69, True, False), (0, False, False), (None, False, False)]
)
async def test_what_stands_still_ends(
    monkeypatch: pytest.MonkeyPatch, waiting: int | None, works: bool, ends: bool
) -> None:
    monkeypatch.setattr(main, "LAG_EVERY_S", 0.01)
    monkeypatch.setattr(main, "STILL_S", 0.1)
    projection = Projection(works=works)
    watching = asyncio.create_task(main._watch_lag(Behind(waiting), projection))  # type: ignore[arg-type]
    await asyncio.wait((projection.failed,), timeout=5 if ends else 0.5)
    watching.cancel()
    assert projection.failed.done() == ends
    if ends:
        assert "69 counters wait" in str(projection.failed.exception())
