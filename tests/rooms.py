"""How several processes share the tests: what leans on one running system stays in one process, and all else goes by file.

A plugin of `make test` (`-p tests.rooms`); the plugin's own groups by mark go unheard by pytest 9.2.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/system": "live_stack",
    "tests/browser": "live_stack",
    "tests/integration": "stack",
    "tests/contract": "stack",
}
"""Folders whose files share a fixture that takes long to start. They are told apart so that each begins at once."""

ALONE = ("cluster", "demo", "embedded", "secure_kafka", "secure_postgres", "spoilt", "tls", "dashboard")
"""Files there that start something of their own, or need nothing started."""


def room_of(test: str) -> str:
    """What a test is done together with, by its node id."""
    file = test.partition("::")[0]
    folder, _, name = file.rpartition("/")
    if name.removeprefix("test_").removesuffix(".py") in ALONE:
        return file
    return TOGETHER.get(folder, file)


class Rooms(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out rooms, each whole, to whichever process is free."""

    def _split_scope(self, nodeid: str) -> str:
        return room_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Callable[..., Any]) -> Rooms:
    """The scheduler of this run."""
    return Rooms(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first; the order within a room stays."""
    items.sort(key=lambda item: _turn(room_of(item.nodeid)))


def _turn(room: str) -> int:
    first: Sequence[str] = (
        "stack",
        "live_stack",
        "tests/integration/test_cluster.py",
        "tests/simulation/test_simulation.py",
    )
    if room in first:
        return first.index(room)
    return len(first) + room.startswith("tests/unit")
