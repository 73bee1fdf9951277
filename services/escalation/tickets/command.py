"""Evaluates a log's file, and writes the scores where asked: what `touchline escalation evaluate` does."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from services.escalation.tickets import model as shipped
from services.escalation.tickets import reasons
from services.escalation.tickets.evaluate import judge, report
from services.escalation.tickets.log import BadRow, Log, read
from services.escalation.tickets.model import TARGETS, Model
from services.escalation.tickets.scoring import Batch, Found, Progress, Scored, Scoring, batches


def evaluate(
    tickets: Path, out: Path | None, folder: Path | None, tell: Progress, *, why: bool
) -> tuple[Mapping[str, Any], Sequence[BadRow]]:
    """The report, and the rows left out. Raises LogError, ModelError, and OSError where `out` can't be written."""
    model = shipped.load(folder or shipped.FOLDER)
    log = read(tickets)
    scored: list[Scored] = []
    scoring = Scoring(model)
    if out is None:
        for batch in batches(log.rows, model.world(), tell):
            scored += scoring.answers(batch).scored
    else:
        with out.open("w", encoding="utf-8") as file:
            for batch in batches(log.rows, model.world(), tell):
                found = scoring.answers(batch)
                _write(file, found, _why(batch, found, model) if why else None)
                scored += found.scored
    return {**report(judge(log.rows, scored), model), **_about(log, model)}, log.bad


def _write(file: IO[str], found: Found, told: Iterator[dict[str, Any]] | None) -> None:
    for s in found.scored:
        line: dict[str, Any] = {
            "number": s.row.number,
            "row": s.row.line,
            "escalated": s.escalated,
            "breached": s.breached,
        }
        if told is not None:
            line["why"] = next(told)
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _why(batch: Batch, scored: Found, model: Model) -> Iterator[dict[str, Any]]:
    """Per row and target the reasons; of an incident that has turned already, that is the reason."""
    found = {t: reasons.parts(model.scores[t], batch.first, batch.now) for t in TARGETS}
    slope, shift = np.array(scored.slope), np.array(scored.shift)
    found["breached"] *= slope[:, None]
    found["breached"][:, -1] += shift
    for i, turned in enumerate(batch.turned):
        now = batch.now[i].tolist()
        row: dict[str, Any] = {t: reasons.told(found[t][i].tolist(), now) for t in TARGETS}
        if turned:
            row["escalated"] = reasons.HAPPENED
        yield row


def _about(log: Log, model: Model) -> dict[str, Any]:
    """Which model it was, and how many of the log's incidents were opened before its training ended: of those it may know the end."""
    until = model.about["trained_until"]
    opened: dict[str, int] = {}
    for row in log.rows:
        opened.setdefault(row.number, row.opened)
    return {
        "model": {k: shipped.day(model.about[k]) for k in ("trained_from", "trained_until")},
        "incidents_from_training_time": sum(o <= until for o in opened.values()),
        "rows_left_out": len(log.bad),
    }
