"""The plain baseline: gradient boosting on a row's fields and its target-encoded categories, as the log says it, no history."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from services.escalation.tickets.calendar import hour, weekday
from services.escalation.tickets.evaluate import Story, judge, report, stories
from services.escalation.tickets.features import STATES
from services.escalation.tickets.log import Row
from services.escalation.tickets.model import Model
from services.escalation.tickets.scoring import Scored

_CATEGORIES: Final = ("category", "subcategory", "symptom", "group", "assignee", "caller", "location")
_DRAWN: Final = 20.0
"""How many times the overall share counts in a category's share."""


def told(earlier: Sequence[Row], later: Sequence[Row], model: Model) -> Mapping[str, Any]:
    """The baseline's figures on `later`, trained on `earlier`."""
    before = stories(earlier)
    chances = {
        "escalated": _chances(earlier, later, before, {s.number: s.turn is not None for s in before}, turned=True),
        "breached": _chances(earlier, later, before, {s.number: s.breached for s in before}, turned=False),
    }
    scored = [
        Scored(place, row, chances["escalated"][place], chances["breached"][place], False)
        for place, row in enumerate(later)
        if row.is_open
    ]
    return report(judge(later, scored), model)


def _chances(
    earlier: Sequence[Row], later: Sequence[Row], before: Sequence[Story], came: Mapping[str, bool], *, turned: bool
) -> list[float]:
    encode = _encoder([earlier[s.places[0]] for s in before], came)
    use = [p for s in before for p in (s.before_turn if turned else s.places) if earlier[p].is_open]
    x = np.array([_fields(earlier[p]) + encode(earlier[p]) for p in use])
    y = np.array([came[earlier[p].number] for p in use])
    fitted = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.05, early_stopping=False, random_state=0).fit(
        x, y
    )
    asked = np.array([_fields(r) + encode(r) for r in later])
    found: list[float] = fitted.predict_proba(asked)[:, 1].tolist()
    return found


def _encoder(firsts: Sequence[Row], came: Mapping[str, bool]) -> Any:
    overall = float(np.mean([came[r.number] for r in firsts]))
    sums: dict[tuple[str, str], NDArray[np.float64]] = {}
    for row in firsts:
        for name in _CATEGORIES:
            sums.setdefault((name, getattr(row, name)), np.zeros(2))[:] += (came[row.number], 1)
    none = np.zeros(2)

    def encode(row: Row) -> list[float]:
        cells = [sums.get((name, getattr(row, name)), none) for name in _CATEGORIES]
        return [float((c[0] + _DRAWN * overall) / (c[1] + _DRAWN)) for c in cells]

    return encode


def _fields(row: Row) -> list[float]:
    return [
        *(row.state == s for s in STATES),
        row.reassigned,
        row.reopened,
        row.mod,
        row.impact,
        row.urgency,
        row.priority,
        row.knowledge,
        row.confirmed,
        not row.made_sla,
        row.contact_type == "Email",
        (row.at - row.opened) / 60,
        hour(row.at),
        weekday(row.at),
    ]
