"""A stretch of time as the boards in memory have it: the counts that the weekly report is told from, without the answers themselves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.nps.domain.board import Board
from services.nps.domain.compare import share
from services.nps.domain.drivers import Ints
from services.nps.domain.figures import Figure, figure
from services.nps.domain.remarks import COMPLAINS, PRAISES, READ, Reading
from services.nps.domain.repeats import Repeats
from services.nps.domain.replies import Place, Week

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours since 1970, from `first` up to `last`."""

    first: int
    last: int


def weeks(
    answers: Board,
    remarks: Board,
    spans: Sequence[Hours],
    where: Mapping[str, str],
    strata: Sequence[str],
    place: str = "",
) -> list[Week]:
    """The counts of each stretch, all by the same strata: combinations of these dimensions, as far as they are known.

    place: a dimension by whose values they are counted as well; "" for none.
    """
    known = tuple(d for d in strata if d in answers.dimensions)
    tables = [_table(answers, s, where, known) for s in spans]
    numbers = {name: i for i, name in enumerate(sorted({n for t in tables for n in t}))}
    return [_week(answers, remarks, s, where, known, place, numbers, t) for s, t in zip(spans, tables, strict=True)]


def repeats_of(matters: Board, span: Hours, where: Mapping[str, str], cause: str, groups: tuple[int, int]) -> Repeats:
    """The repeated contacts of a stretch. cause: the dimension of a repeat's cause; groups: those of repeats and of the unsaid."""
    counts = matters.counts(span.first, span.last, where)
    by = {stage: cell[groups[0]] for stage, cell in matters.by(cause, span.first, span.last, where).items()}
    unsaid = counts[groups[0]] - sum(by.values())
    causes = [*by.items(), *([("", unsaid)] if unsaid else [])]
    ordered = tuple(sorted(causes, key=lambda item: (-item[1], item[0])))
    return Repeats(share(counts[groups[0]], sum(counts)), counts[groups[1]], ordered)


def _week(
    answers: Board,
    remarks: Board,
    span: Hours,
    where: Mapping[str, str],
    strata: Names,
    place: str,
    numbers: dict[Names, int],
    table: dict[Names, Ints],
) -> Week:
    ours = _ints(max(1, len(numbers)))
    for name, cell in table.items():
        ours[numbers[name]] = cell
    complaining: dict[str, Ints] = {}
    for name, cell in _table(remarks, span, where, (COMPLAINS, *strata)).items():
        stage, number = name[0], numbers.get(name[1:])
        if stage and number is not None:
            complaining.setdefault(stage, _ints(len(ours)))[number] += cell
    by: dict[Place, Figure] = {}
    at: Counter[tuple[str, Place]] = Counter()
    if place:
        found = answers.by(place, span.first, span.last, where)
        by = {(place, v): figure(*cell) for v, cell in sorted(found.items()) if any(cell)}
        for (stage, value), cell in _table(remarks, span, where, (COMPLAINS, place)).items():
            if stage and value:
                at[stage, (place, value)] += int(cell.sum())
    all_ = figure(*answers.counts(span.first, span.last, where))
    readings: Counter[Reading] = Counter()
    for value, read in remarks.by(READ, span.first, span.last, where).items():
        reading: Reading = "staged" if value == "staged" else "other" if value == "other" else "unread"
        readings[reading] += sum(read)
    readings["none"] = all_.n - readings.total()
    return Week(
        all_,
        by,
        readings,
        Counter({stage: int(cell.sum()) for stage, cell in complaining.items()}),
        at,
        Counter({stage: sum(cell) for stage, cell in remarks.by(PRAISES, span.first, span.last, where).items()}),
        ours,
        complaining,
    )


def _table(board: Board, span: Hours, where: Mapping[str, str], dimensions: Names) -> dict[Names, Ints]:
    """Counts by group of each combination of values; "" where a register, or the whole board, lacks a dimension."""
    names, counts = board.series(span.first, span.last, where, dimensions, max(span.last - span.first, 1))
    known = [i for i, d in enumerate(dimensions) if d in board.dimensions]
    found: dict[Names, Ints] = {}
    for name, cell in zip(names, counts.sum(axis=0), strict=True):
        whole = [""] * len(dimensions)
        for i, value in zip(known, name, strict=True):
            whole[i] = value
        found[tuple(whole)] = cell
    return found


def _ints(rows: int) -> Ints:
    return np.zeros((rows, 3), dtype=np.int64)
