"""Sums that fade: what was counted loses half of its weight in a half-life. The memory of what has happened lately, and where."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

Key = tuple[str, ...]
_LN2: Final = math.log(2)


class Fading:
    """Per key some sums, each with its half-life in minutes. A key that was never added to has zeros.

    What is dated before a key's last addition counts in full, as if it came with it: a log's clock may step back.
    """

    __slots__ = ("_cells", "_columns", "_none", "half_lives")

    def __init__(self, half_lives: Sequence[float]) -> None:
        self.half_lives = tuple(half_lives)
        rates = sorted(set(self.half_lives))
        self._columns = [(-_LN2 / h, [i for i, own in enumerate(self.half_lives, start=1) if own == h]) for h in rates]
        self._cells: dict[Key, list[float]] = {}
        self._none = [0.0] * len(self.half_lives)

    def add(self, key: Key, at: int, amounts: Sequence[float]) -> None:
        """Adds an amount to each of a key's sums."""
        cell = self._cells.get(key)
        if cell is None:
            self._cells[key] = [float(at), *amounts]
            return
        if at > cell[0]:
            self._fade(cell, at)
        for i, amount in enumerate(amounts, start=1):
            cell[i] += amount

    def at(self, key: Key, at: int) -> Sequence[float]:
        """A key's sums at a time."""
        cell = self._cells.get(key)
        if cell is None:
            return self._none
        if at <= cell[0]:
            return cell[1:]
        now = cell.copy()
        self._fade(now, at)
        return now[1:]

    def _fade(self, cell: list[float], at: int) -> None:
        passed = at - cell[0]
        for rate, columns in self._columns:
            left = math.exp(passed * rate)
            for i in columns:
                cell[i] *= left
        cell[0] = float(at)

    def cells(self, at: int, least: float) -> Iterator[tuple[Key, Sequence[float]]]:
        """Every key whose sums come to at least `least` at a time, with them as of then."""
        for key in sorted(self._cells):
            sums = self.at(key, at)
            if max(sums) >= least:
                yield key, sums

    def put(self, key: Key, at: int, sums: Sequence[float]) -> None:
        """Sets a key's sums as of a time."""
        self._cells[key] = [float(at), *sums]


def drawn(total: float, count: float, prior: float, weight: float) -> float:
    """A mean, drawn towards `prior` as if that had been seen `weight` times."""
    return (total + weight * prior) / (count + weight)
