"""Watching many segments: what is kept by day equals what the board says, and what changed is named with what carries it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from services.nps.domain.board import NOWHERE, Board
from services.nps.domain.watch import Days, Where, begin_of, bucket_of, first_bucket, judge, look, segment_name

FIRST = datetime(2026, 9, 1, tzinfo=UTC)
STAGES = ("time", "refund", "quality", "price")
REGIONS = ("华东", "华南", "华北")


def told(
    days: int, *, broken: tuple[str, str] | None = None, since: int = 0, per_day: int = 120, seed: int = 1
) -> Board:
    """A board of answers; from day `since` on the broken combination has mostly detractors."""
    draw, board = np.random.default_rng(seed), Board()
    n = days * per_day
    regions, stages, hours, luck = draw.integers(3, size=n), draw.integers(4, size=n), draw.integers(24, size=n), draw.random(n)  # fmt: skip
    for slot in range(n):
        day, where = slot // per_day, (REGIONS[regions[slot]], STAGES[stages[slot]])
        bad = where == broken and day >= since
        group = int(np.searchsorted((0.1, 0.3) if bad else (0.5, 0.8), luck[slot]))
        at = FIRST + timedelta(days=day, hours=int(hours[slot]))
        board.put(slot, at, (("region", where[0]), ("store", f"s{slot % 50}"), ("touchpoint", where[1])), group)
    return board


def taken(board: Board) -> Days:
    days = Days(("region", "touchpoint"))
    days.take(board)
    return days


def test_nothing_changed_is_an_answer() -> None:
    days = taken(told(60))
    now = FIRST + timedelta(days=60)
    assert look(days.answers(first_bucket(days.first(), now), bucket_of(now)), {}) == []


def test_without_answers_there_is_nothing_to_tell() -> None:
    answers = Days(("region", "touchpoint")).answers(600, 660)
    assert (answers.segments(), look(answers, {})) == ([()], [])
    assert judge(answers, (), 600) is None


def test_a_fault_at_one_stage_of_one_region_is_found_there_with_its_day() -> None:
    days = taken(told(60, broken=("华东", "time"), since=40))
    now = FIRST + timedelta(days=60)
    answers = days.answers(first_bucket(days.first(), now), bucket_of(now))
    shifts = {s.where: s for s in look(answers, {})}
    assert {(("region", "华东"),), (("touchpoint", "time"),)} <= set(shifts)
    assert not set(shifts) & {(("region", "华南"),), (("region", "华北"),), (("touchpoint", "refund"),)}
    shift = shifts[(("touchpoint", "time"),)]
    assert begin_of(shift.change.earliest) <= FIRST + timedelta(days=41)
    assert begin_of(shift.change.latest) >= FIRST + timedelta(days=40)
    assert shift.change.high < 0
    assert shift.split is not None
    assert shift.split.segments[0].segment == "region=华东"
    assert shift.split.segments[0].certain
    assert shift.split.total.points == pytest.approx(shift.split.mix.points + shift.split.real.points)
    # From where the change can have begun at the latest, nothing has changed any more.
    again = {w: s.change.latest for w, s in shifts.items()}
    assert not {s.where for s in look(answers, again)} & set(again)


def test_what_is_kept_by_day_follows_the_board() -> None:
    board = told(10, per_day=30)
    days = taken(board)
    board.drop(5)
    board.put(7, FIRST + timedelta(days=9, hours=3), (("region", "华东"), ("touchpoint", "new")), 2)
    board.put(9999, FIRST + timedelta(days=12), (("region", "华东"),), 1)
    days.take(board)
    fresh = Days(("region", "touchpoint"))
    slots = told(10, per_day=30)
    slots.drop(5)
    slots.put(7, FIRST + timedelta(days=9, hours=3), (("region", "华东"), ("touchpoint", "new")), 2)
    slots.put(9999, FIRST + timedelta(days=12), (("region", "华东"),), 1)
    fresh.take(slots)
    begin, end = bucket_of(FIRST), bucket_of(FIRST + timedelta(days=13))
    one, two = days.answers(begin, end), fresh.answers(begin, end)
    assert one.names == two.names
    assert (one.counts == two.counts).all()
    assert one.counts.sum() == board.standing() == 300
    where: Where
    for where in one.segments():
        assert one.strata(where, begin).sum(axis=(0, 1)).tolist() == board.counts(
            24 * 0, 24 * 365 * 100, dict(where)
        ), segment_name(where)
    assert board.take_touched() == set()
    board.put(9999, FIRST + timedelta(days=12), (("region", "华东"),), NOWHERE)
    assert len(board.take_touched()) == 1
