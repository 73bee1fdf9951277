"""Names of the events that took effect last: most duplicates come soon, and memory knows them without asking."""

from collections.abc import Iterable
from uuid import UUID


class Recent:
    """A bounded set that forgets the oldest half at once: it holds the last `bound` names, up to twice as many."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._young: set[UUID] = set()
        self._old: set[UUID] = set()

    def add(self, names: Iterable[UUID]) -> None:
        self._young.update(names)
        if len(self._young) >= self._bound:
            self._young, self._old = set(), self._young

    def known(self, names: Iterable[UUID]) -> set[UUID]:
        """Those of them that are in here."""
        asked = set(names)
        return (asked & self._young) | (asked & self._old)

    def clear(self) -> None:
        self._young.clear()
        self._old.clear()
