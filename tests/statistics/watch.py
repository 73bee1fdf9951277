"""Years of the live view without a change: 8 regions × 28 stages, each combination with a score of its own, whose mix shifts all year."""

from typing import NamedTuple

import numpy as np

from services.nps.domain.change import evidence_now, threshold
from services.nps.domain.watch import PER_DAY, Answers, look

REGIONS, STAGES = 8, 28


class Alarm(NamedTuple):
    """The day of the first false alarm over all answers, and over the segments together; None where there was none."""

    all_answers: float | None
    segments: float | None


def year(seed: int, a_day: int, days: int = 365, every: int = 3, segments_every: int = 15) -> Alarm:
    """One year, with a look at all answers every so many days, and at the segments."""
    draw = np.random.default_rng(seed)
    region, before, after = draw.dirichlet(np.full(REGIONS, 5.0)), *draw.dirichlet(np.full(STAGES, 3.0), 2)
    level = np.clip(draw.normal(0.3, 0.15, REGIONS * STAGES), -0.5, 0.8)
    shares = np.clip(np.stack([0.35 + level / 2, np.full(len(level), 0.3), 0.35 - level / 2], axis=1), 0.01, None)
    shares /= shares.sum(axis=1, keepdims=True)
    names: list[tuple[str, ...]] = [(f"r{r}", f"t{s:02d}") for r in range(REGIONS) for s in range(STAGES)]
    counts = np.zeros((days * PER_DAY, len(names), 3), np.int64)
    for bucket, into in enumerate(counts):
        part = bucket / len(counts)
        mix = np.outer(region, (1 - part) * before + part * after).ravel()
        into[:] = draw.multinomial(draw.multinomial(draw.poisson(a_day / PER_DAY), mix), shares)
    first = segment = None
    for day in range(every, days + 1, every):
        answers = Answers(("region", "touchpoint"), 0, names, counts[: day * PER_DAY])
        if first is None and evidence_now(answers.strata((), 0)) >= threshold():
            first = float(day)
        if segment is None and day % segments_every == 0 and any(s.where for s in look(answers, {})):
            segment = float(day)
    return Alarm(first, segment)
