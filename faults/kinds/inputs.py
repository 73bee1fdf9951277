"""What comes in: bad records in the middle of batches, repeats, late and early times, and clocks that jump."""

import time
from dataclasses import replace
from random import Random

from faults.bed import Bed
from faults.bench import STEPS, Counting
from faults.garbage import SPOILERS
from faults.load import Draft, ago
from faults.oracle import Sent
from faults.schedule import kind

HOURS = 3600


REFUSED = ("poison", "forbidden", "unstorable")


def _bad(counting: Counting, what: str, rng: Random) -> Draft:
    """A record that can only be a dead letter."""
    if what in REFUSED:
        return counting.load.plain(what=what)
    draft = counting.load.plain()
    letter = replace(SPOILERS[what](draft.letter, rng), partition=-1)
    return Draft(letter, Sent(("", 0, 0), "", "", draft.sent.seq, dead=True))


@kind("input.poison", weight=10)
async def poison(bed: Bed, rng: Random) -> list[str]:
    """Unreadable, undecidable and unstorable records, oversized and deeply nested, in the middle of batches."""
    counting = await Counting.on(bed, rng, rng.choice([1, 2, 4]))
    load = counting.load
    drafts = load.some(rng.randint(120, 250))
    for what in (*REFUSED, *(rng.choice([*SPOILERS, *REFUSED]) for _ in range(rng.randint(5, 30)))):
        drafts.insert(rng.randrange(len(drafts)), _bad(counting, what, rng))
    # As long as a text may be, and longer than most.
    drafts.insert(rng.randrange(len(drafts)), load.plain(what="长" * 19_000))
    await load.send(drafts)
    if rng.random() < 0.5:
        process = counting.start(f"{rng.choice(STEPS)}:{rng.randint(1, 6)}", member="0")
        if not await process.died(6):
            await process.kill()
    counting.start(member="0")
    return await counting.judged()


@kind("input.repeats", weight=6)
async def repeats(bed: Bed, rng: Random) -> list[str]:
    """Most records come again, sooner or later; some names come under two keys, so on two partitions at once."""
    counting = await Counting.on(bed, rng, 4)
    load = counting.load
    both = [counting.start(), counting.start()]
    for part in range(3):
        drafts = load.some(80, repeats=0.6)
        for n in range(rng.randint(2, 8)):
            one = load.plain(f"t{part}.{n}a")
            other = Draft(replace(one.letter, key=f"t{part}.{n}b".encode()), replace(one.sent, key=f"t{part}.{n}b"))
            for draft in (one, other):
                drafts.insert(rng.randrange(len(drafts)), draft)
        await load.send(drafts)
        if part == 0:
            await both[0].ready()
    if rng.random() < 0.5:
        await both[0].kill()
    await load.send([load.again() for _ in range(60)])
    return await counting.judged()


@kind("input.late", weight=4)
async def late(bed: Bed, rng: Random) -> list[str]:
    """Events of years ago, of months ahead, and in no order of their times; those absurdly ahead are dead letters."""
    counting = await Counting.on(bed, rng, 4)
    load = counting.load
    drafts = load.some(60)
    for _ in range(120):
        drafts.append(load.plain(time=ago(rng.choice((1, 24, 24 * 365)) * rng.uniform(-0.9, 12))))
    for hours in (-366 * 24 - 2, -1000 * 24):
        draft = load.plain(time=ago(hours))
        drafts.append(Draft(draft.letter, replace(draft.sent, dead=True)))
    rng.shuffle(drafts)
    await load.send(drafts)
    counting.start()
    return await counting.judged()


@kind("clock", weight=6)
async def clock_jumps(bed: Bed, rng: Random) -> list[str]:
    """The service's clock jumps hours and days forwards and backwards between one process and the next."""
    counting = await Counting.on(bed, rng, rng.choice([2, 4]))
    load = counting.load
    await load.send([*load.some(80), load.reminder()])
    furthest = 0.0
    for _ in range(rng.randint(1, 3)):
        jump = rng.choice((1, 24, 72)) * HOURS * rng.uniform(-1, 1)
        furthest = max(furthest, jump)
        process = counting.start(member="0", TOUCHLINE_CLOCK=_clock(jump, rng.choice((1, 1, 20))))
        await process.ready()
        await load.send([*load.some(rng.randint(20, 60)), load.reminder()])
        await process.kill()
        bed.tell(f"the clock jumped by {jump / HOURS:+.1f} h")
    # A reminder that a clock put far ahead comes once that time has come: so the last clock is ahead of all.
    counting.start(member="0", TOUCHLINE_CLOCK=_clock(furthest + HOURS, 1))
    await load.send(load.some(30))
    return await counting.judged()


def _clock(ahead_s: float, factor: float) -> str:
    now = time.time()
    return f"scaled:{now:.3f}:{now + ahead_s:.3f}:{factor:g}"
