"""How long a pipeline waits before it joins its group anew."""

from collections.abc import Iterator
from itertools import count

import pytest

from services.runtime import service
from services.runtime.errors import Fenced
from services.runtime.service import _Pipeline


class Fencing:
    """A runner that another owner always fences."""

    async def run(self) -> None:
        raise Fenced("another owner has it")


@pytest.mark.parametrize(("long_s", "waits"), [(-1.0, [0, 0, 0, 0]), (60.0, [0, 1, 2, 3])])
async def test_waits_grow_only_while_it_is_fenced_again_at_once(
    monkeypatch: pytest.MonkeyPatch, long_s: float, waits: list[int]
) -> None:
    told: list[int] = []

    def backoff() -> Iterator[float]:
        """Doesn't wait, but tells the how-manieth wait since the shortest one it is."""
        for step in count():
            told.append(step)
            if len(told) == len(waits):
                joining.stop()
            yield 0.0

    joining = _Pipeline.__new__(_Pipeline)
    joining._stopped, joining.runner = False, None
    joining._make = Fencing  # type: ignore[method-assign, assignment]
    joining.tried_again = lambda error: None  # type: ignore[method-assign]
    joining.stop = lambda: setattr(joining, "_stopped", True)  # type: ignore[method-assign]
    monkeypatch.setattr(service, "LONG_S", long_s)
    monkeypatch.setattr(service, "backoff", backoff)
    await joining.run()
    assert told == waits
