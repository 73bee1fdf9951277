"""Chances of a breach follow the level of those that ended lately, never know the future, and their reasons still add up."""

import random

import numpy as np
import pytest

from services.escalation.tickets import calibration, reasons
from services.escalation.tickets import model as shipped
from services.escalation.tickets.calibration import Running, platt
from services.escalation.tickets.figures import calibration_error
from services.escalation.tickets.log import CLOSED, RESOLVED, Row
from services.escalation.tickets.score import chance
from services.escalation.tickets.scoring import Scoring, batches

DAY = 1440
MONDAY = 24_278_400 // DAY * DAY


def row(number: str, opened: int, at: int, state: str = "New", mod: int = 0, **changed) -> Row:
    usual = Row(
        0, number, at, mod, opened, state, 0, 0, True, "c", "Phone", "l", "k", "s", "?", 2, 2, 3, "g", "a", False, False
    )
    return usual._replace(**changed)


def drifting(count: int, seed: int = 1) -> list[tuple[Row, float | None, bool]]:
    """Rows with what a model said, that never hears that half as many are late from the middle on."""
    chance_of = random.Random(seed)
    rows = []
    for n in range(count):
        opened = MONDAY + 20 * n
        odds = chance_of.gauss(0, 1)
        level = 0.0 if n < count // 2 else -1.5
        late = chance_of.random() < 1 / (1 + np.exp(-(odds + level)))
        rows.append((row(str(n), opened, opened), odds, late))
        resolved = opened + (6 * DAY if late else DAY)
        rows.append((row(str(n), opened, resolved, RESOLVED, 1), odds, late))
        rows.append((row(str(n), opened, resolved + 5 * DAY, CLOSED, 2, made_sla=not late), None, late))
    return sorted(rows, key=lambda r: (r[0].at, r[0].mod, r[0].number))


def test_the_level_is_followed_as_incidents_run_out_of_time() -> None:
    running, told, hit, before = Running(), [], [], []
    rows = drifting(6000)
    for each, odds, late in rows:
        running.pass_to(each.at)
        if odds is not None and each.mod == 0 and each.opened > MONDAY + 20 * 4000:
            told.append(float(chance(np.array(running(odds)))))
            before.append(float(chance(np.array(odds))))
            hit.append(late)
        running.see(each, odds)
    even = np.ones(len(hit))
    follows = calibration_error(np.array(told), np.array(hit), even)
    stays = calibration_error(np.array(before), np.array(hit), even)
    assert stays is not None and follows is not None
    assert stays > 0.15 and follows < 0.04


def test_nothing_is_set_before_any_time_is_over_and_what_comes_later_changes_nothing() -> None:
    rows = drifting(600)
    half = len(rows) // 2
    one, other = Running(), Running()
    for n, (each, odds, _) in enumerate(rows):
        one.pass_to(each.at)
        one.see(each, odds)
        if n < half:
            other.pass_to(each.at)
            other.see(each, odds)
            assert (one.slope, one.shift) == (other.slope, other.shift)
            if each.at < MONDAY + 3 * DAY:
                assert (one.slope, one.shift) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("last", "late"),
    [
        ({"state": "Active"}, True),
        ({"state": RESOLVED}, False),
        ({"state": "Active", "priority": 2}, True),
        ({"state": CLOSED, "priority": 2}, False),
        ({"state": "Active", "priority": 4}, None),
        ({"state": CLOSED, "priority": 4, "made_sla": False}, True),
    ],
)
def test_what_is_known_of_an_incident_when_its_time_is_over(last: dict[str, object], late: bool | None) -> None:
    running = Running()
    running.see(row("a", MONDAY, MONDAY), 0.3)
    running.see(row("a", MONDAY, MONDAY + DAY, mod=1, **last), 0.4 if last["state"] != CLOSED else None)
    running.pass_to(MONDAY + 30 * DAY)
    known = [came for _, came in running._over]
    assert known == ([] if late is None else [late])


def test_the_slope_stays_positive_so_that_the_order_stays() -> None:
    odds = np.linspace(-3, 3, 200)
    slope, _ = platt(odds, odds < 0, np.ones(200), calibration.PULL)
    assert slope >= calibration.LEAST_SLOPE


def test_reasons_add_up_to_the_odds_as_they_were_set() -> None:
    model = shipped.load()
    rows = [each for each, odds, _ in drifting(300)]
    scoring = Scoring(model)
    moved = 0
    for batch in batches(rows, model.world()):
        found = scoring.answers(batch)
        parts = reasons.parts(model.scores["breached"], batch.first, batch.now)
        odds = parts.sum(axis=1) * np.array(found.slope) + np.array(found.shift)
        np.testing.assert_allclose(chance(odds), [s.breached for s in found.scored], atol=1e-5)
        moved += sum(s != 1.0 for s in found.slope)
    assert moved, "nothing was ever set anew"
