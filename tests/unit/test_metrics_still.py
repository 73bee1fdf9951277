"""Projections that stand still are told from those that have nothing to do, are at work, or can't be asked."""

from services.metrics.domain.still import Still


def told(*seen: tuple[int | None, int]) -> list[bool]:
    still = Still(30)
    return [still.seen(waiting, taken, 10.0 * i) for i, (waiting, taken) in enumerate(seen)]


def test_what_waits_and_is_not_taken_for_long_stands_still() -> None:
    assert told((5, 7), (5, 7), (9, 7), (9, 7)) == [False, False, False, True]


def test_one_that_was_taken_begins_it_anew() -> None:
    assert told((5, 7), (5, 7), (9, 8), (9, 8), (9, 8), (9, 8)) == [False, False, False, False, False, True]


def test_nothing_to_do_is_no_standing_still_however_long() -> None:
    assert not any(told(*[(0, 7)] * 9))
    assert told((5, 7), (0, 7), (5, 7), (5, 7), (5, 7), (5, 7)) == [False] * 5 + [True]


def test_while_kafka_cannot_be_asked_nothing_is_said_of_the_projections() -> None:
    assert told((5, 7), (5, 7), (None, 7), (5, 7), (5, 7), (5, 7), (5, 7)) == [False] * 6 + [True]
