"""Several contacts and several free seats at once: who goes to whom, so that the queue's order holds and the scores are best.

Two steps. Whom to serve: contacts in their order, each if all before it that are served still can be (the sets that can
be served together are the independent sets of a transversal matroid, so the greedy choice is the best in lexicographic
order: Edmonds and Fulkerson, 1965). By whom: the assignment of those with the highest sum of scores, by the Hungarian
method with potentials, shortest augmenting paths (Kuhn 1955; Jonker and Volgenant 1987), O(n² m).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Score = float | None
"""None where the seat can't serve the contact."""
_FAR = float("inf")


def assign(scores: Iterable[Sequence[Score]]) -> list[int]:
    """Return for each contact (row, in the queue's order) its seat (column), −1 for none.

    No contact is left out for one behind it, and nobody could be served besides. Among all such assignments
    the sum of the scores is the highest. Rows are taken only until every seat has its contact: the answer is as long.
    """
    rows: list[Sequence[Score]] = []
    chosen = _served(scores, rows)
    result = [-1] * len(rows)
    for row, column in zip(chosen, _best([rows[row] for row in chosen]), strict=True):
        result[row] = column
    return result


def _served(scores: Iterable[Sequence[Score]], rows: list[Sequence[Score]]) -> list[int]:
    """Rows that are served, in order: each that an augmenting path can take in besides those before it.

    rows: takes what was looked at.
    """
    taken: dict[int, int] = {}  # seat → contact

    def augment(row: int, seen: set[int]) -> bool:
        for column, score in enumerate(rows[row]):
            if score is None or column in seen:
                continue
            seen.add(column)
            if column not in taken or augment(taken[column], seen):
                taken[column] = row
                return True
        return False

    found = []
    for row, of in enumerate(scores):
        rows.append(of)
        if augment(row, set()):
            found.append(row)
        if len(taken) == len(of):
            break
    return found


def _best(scores: Sequence[Sequence[Score]]) -> list[int]:
    """Each row's column, all different, with the highest sum; every row can be served."""
    if not scores:
        return []
    told = [s for row in scores for s in row if s is not None]
    highest, lowest = max(told), min(told)
    # Dearer than any way around it: one impossible pair costs more than all that the others could save.
    never = (highest - lowest + 1.0) * (len(scores) + 1)
    found = _Search([[never if s is None else highest - s for s in row] for row in scores])
    for row in range(1, len(scores) + 1):
        found.take_in(row)
    columns = [-1] * len(scores)
    for column, row in enumerate(found.row_of):
        if column and row:
            columns[row - 1] = column - 1
    return columns


class _Search:
    """The cheapest assignment of the rows taken in so far; rows and columns count from 1, 0 stands for none."""

    def __init__(self, cost: list[list[float]]) -> None:
        self.cost = cost
        width = len(cost[0]) + 1
        self.of_row, self.of_column = [0.0] * (len(cost) + 1), [0.0] * width  # potentials
        self.row_of = [0] * width

    def take_in(self, row: int) -> None:
        """Take a row in, by the shortest augmenting path from it to a free column."""
        width = len(self.row_of)
        self.row_of[0], at = row, 0
        least, used, way = [_FAR] * width, [False] * width, [0] * width
        while self.row_of[at] or not used[at]:
            used[at] = True
            at = self._step(at, least, used, way)
            if not self.row_of[at]:
                break
        while at:
            self.row_of[at] = self.row_of[way[at]]
            at = way[at]

    def _step(self, at: int, least: list[float], used: list[bool], way: list[int]) -> int:
        """Go to the nearest column that the path has not been at."""
        row = self.row_of[at]
        costs, of_row, of_column = self.cost[row - 1], self.of_row, self.of_column
        step, nearest = _FAR, 0
        for j in range(1, len(used)):
            if used[j]:
                continue
            reduced = costs[j - 1] - of_row[row] - of_column[j]
            if reduced < least[j]:
                least[j], way[j] = reduced, at
            if least[j] < step:
                step, nearest = least[j], j
        for j, was in enumerate(used):
            if was:
                of_row[self.row_of[j]] += step
                of_column[j] -= step
            else:
                least[j] -= step
        return nearest
