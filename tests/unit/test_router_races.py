"""A few schedules of the race; `python -m tests.unit.router_races` plays as many as one likes."""

import pytest

from tests.unit.router_races import Schedule


@pytest.mark.parametrize("seed", range(25))
def test_a_small_floor_under_concurrent_acceptors(seed: int) -> None:
    Schedule(seed, seats=4, acceptors=6, contacts=15).run()


def test_two_hundred_seats_and_fifty_acceptors() -> None:
    Schedule(1, seats=200, acceptors=50, contacts=300).run()
