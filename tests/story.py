"""Mrs Hu's day, told once to the whole system; the tests read what it made of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.cli.day import staff
from services.cli.day.journal import Journal
from services.cli.day.model import Day, Noise, Window
from services.cli.day.player import Player, Target
from services.cli.day.story import mrs_hu, traceparent
from tests.live import PACE, Live, address, clock_of, settled

# Half an hour of the system's time.
WINDOW = Window(0.0, 1800.0, None)
SEED = 7


@dataclass(frozen=True)
class Story:
    """What was told. trace: the id of the one trace that all her events carry."""

    day: Day
    trace: str
    finished: bool
    counts: dict[str, int]


def her_day(now: datetime) -> Day:
    """A day with nobody but her, and the seats that a day has."""
    bare = Day(SEED, now + timedelta(seconds=1.5 * PACE), WINDOW, (), (), (), ())
    contacts, around = mrs_hu(bare)
    seats = staff.seats(SEED, WINDOW, len(contacts), 240.0)
    return Day(SEED, bare.midnight, WINDOW, contacts, seats, around, (), Noise(0.0, 0.0))


async def tell(live_stack: Live) -> Story:
    """Plays Mrs Hu's journey to its end; nothing lags when it is given."""
    day = her_day(clock_of(live_stack)())
    gateway = live_stack["gateway"]
    target = Target(
        gateway["url"],
        gateway["api_key"],
        live_stack["kafka"]["bootstrap"],
        address(live_stack, "router"),
        address(live_stack, "escalation"),
        live_stack["clock"],
    )
    with Journal(Path(live_stack["data"]) / "journal.jsonl") as journal:
        played = await Player(day, target, journal).run()
    await settled(live_stack)
    return Story(day, traceparent(SEED).split("-")[1], played.finished, dict[str, Any](played.counts))
