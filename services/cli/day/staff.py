"""Who works when: seats in the router's pools, with shifts and breaks, as many as the expected load asks for."""

from dataclasses import dataclass
from math import ceil

from services.cli.day.model import SeatPlan, Window, dice


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of the router's policy as the retailer staffs it.

    share: of all contacts that come to it for a human (a little generous: the policy decides, not we).
    """

    name: str
    share: float
    skills: tuple[str, ...]
    languages: tuple[str, ...]


SKILLS = ("advice", "delivery", "refund", "installation", "repair", "complaint", "feedback")
POOLS = (
    Pool("service", 0.42, SKILLS, ("zh",)),
    Pool("care", 0.22, SKILLS, ("zh", "en")),
    Pool("english", 0.14, SKILLS, ("en", "zh")),
)
OCCUPANCY = 0.85  # of a seat's time, on average; the rest absorbs what chance brings


def seats(seed: int, window: Window, contacts: int, mean_service_s: float) -> tuple[SeatPlan, ...]:
    """An early and a late shift for each pool, overlapping in the middle of the day, when the incident strikes."""
    made = []
    for pool in POOLS:
        erlangs = contacts * pool.share * mean_service_s / (window.end - window.start)
        count = ceil(erlangs / OCCUPANCY) + 1
        for shift, (begin, end) in enumerate(((0.0, 0.62), (0.4, 1.0))):
            for i in range(count):
                name = f"{pool.name}-{'ab'[shift]}{i + 1:02d}"
                roll = dice(seed, "seat", name)
                start, stop = window.at(begin), window.at(end)
                pause = min(900.0, 0.04 * (stop - start))
                breaks = tuple(
                    (t, t + pause) for t in (start + (stop - start) * roll.uniform(a, a + 0.2) for a in (0.2, 0.6))
                )
                skills = {skill: roll.randint(2, 5) for skill in pool.skills}
                capacity = 2 if roll.random() < 0.2 else 1
                made.append(SeatPlan(name, pool.name, skills, pool.languages, capacity, start, stop, breaks))
    return tuple(made)
