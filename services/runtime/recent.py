"""Names of the events that took effect last: most duplicates come soon, and memory knows them without asking."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

N = TypeVar("N", bound=Hashable)


class Recent(Generic[N]):
    """A bounded set that forgets the oldest half at once: it holds the last `bound` names, up to twice as many."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._young: set[N] = set()
        self._old: set[N] = set()

    def add(self, names: Iterable[N]) -> None:
        self._young.update(names)
        if len(self._young) >= self._bound:
            self._young, self._old = set(), self._young

    def known(self, names: Iterable[N]) -> set[N]:
        """Those of them that are in here."""
        asked = set(names)
        return (asked & self._young) | (asked & self._old)

    def clear(self) -> None:
        self._young.clear()
        self._old.clear()
