"""A few schedules of the race; `python -m tests.unit.router_races` plays as many as one likes."""

import pytest

from tests.unit.router_races import Schedule


@pytest.mark.parametrize("seed", range(25))
def test_a_small_floor_under_concurrent_acceptors(seed: int) -> None:
    Schedule(seed, seats=4, acceptors=6, contacts=15).run()


def test_two_hundred_seats_and_fifty_acceptors() -> None:
    Schedule(1, seats=200, acceptors=50, contacts=300).run()


@pytest.mark.slow
@pytest.mark.timeout(1800)  # some 3 minutes of processor time
def test_a_million_steps_of_many_floors() -> None:
    """A step is a command that reaches the pool's owner; each floor has another size, and each schedule another order."""
    steps = seed = 0
    while steps < 1_000_000:
        seed += 1
        seats = 200 if seed % 300 == 0 else (1, 2, 3, 5, 8)[seed % 5]
        big = seats == 200
        steps += Schedule(seed, seats=seats, acceptors=50 if big else 2 * seats, contacts=300 if big else 12).run()
