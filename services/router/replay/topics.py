"""Replays a recorded period of our own topics under two policies, through the live router's own decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from services.router.domain.facts import BOT
from services.router.domain.policy import Policy
from services.router.domain.simulation.compare import Contact, Runs, compare
from services.router.domain.simulation.figures import interval
from services.router.domain.simulation.live import Ending, Run
from services.router.domain.simulation.ordering import Placed
from services.router.domain.simulation.period import BotDid, Model, Visit
from services.router.replay import telling
from services.router.replay.recording import Recording


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be replayed."""

    policy: Policy
    against: Policy
    seed: int
    runs: int


def replay(recording: Recording, ask: Question, tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Run it all; the answer is the JSON object that the command prints."""
    period = recording.period
    model = Model(period)
    endings: dict[str, list[list[Ending]]] = {"policy": [], "against": []}
    for i in range(ask.runs):
        fates = model.fates(period, ask.seed + i)
        for name, policy in (("policy", ask.policy), ("against", ask.against)):
            endings[name].append(Run(period, fates, policy).run())
        tell(i + 1, ask.runs)
    ours, theirs = endings["policy"], endings["against"]
    contacts = [
        _contact(visit, ask, mine, other) for visit, mine, other in zip(period.visits, ours[0], theirs[0], strict=True)
    ]
    return {
        "history": _history(period.visits),
        "policy": _figures(ours),
        "against": _figures(theirs),
        "comparison": telling.body(compare(contacts, _runs(ours), _runs(theirs))),
        "goes_elsewhere": _moves(ours[0], theirs[0]),
        "seeds": [ask.seed + i for i in range(ask.runs)],
        "policies": {"policy": ask.policy.version, "against": ask.against.version},
        "not_told": {
            "contacts_left_out": recording.contacts_left_out,
            "seats_taken_as_there": recording.seats_taken_as_there,
            "bot_drawn": _drawn(ours, theirs, "bot_drawn"),
            "service_drawn": _drawn(ours, theirs, "service_drawn"),
        },
    }


def _runs(endings: Sequence[Sequence[Ending]]) -> Runs:
    return Runs(
        np.array([[e.waited_s for e in run] for run in endings]),
        np.array([[e.answered for e in run] for run in endings], np.bool_),
    )


def _contact(visit: Visit, ask: Question, ours: Ending, theirs: Ending) -> Contact:
    request = visit.request
    day, at = _local(request.time, ask.policy)
    groups = {
        "tier": request.tier or "–", "channel": request.channel, "topic": request.topic or "–", "pool": ours.pool or "–",
    }  # fmt: skip
    return Contact(request.contact_id, day, at, groups, _placed(ask.policy, ours), _placed(ask.against, theirs))


def _local(time: datetime, policy: Policy) -> tuple[str, float]:
    local = time.astimezone(policy.zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return local.date().isoformat(), (local - midnight).total_seconds()


def _placed(policy: Policy, ending: Ending) -> Placed:
    ageing = policy.terms(ending.pool).ageing
    worth = 0.0 if ending.pool == BOT else ending.priority * (60 / ageing if ageing > 0 else 1e7)
    return Placed(ending.rule, ending.pool, worth)


def _figures(runs: Sequence[Sequence[Ending]]) -> dict[str, Any]:
    """Means over the runs; waits are those of contacts that waited for a human."""
    waited = [[e.waited_s for e in run if e.waits] for run in runs]
    means = interval([float(np.mean(waits)) if waits else 0.0 for waits in waited])
    return {
        "contacts": len(runs[0]),
        "bot": _mean(runs, lambda e: e.over and e.answered and not e.by_human),
        "human": _mean(runs, lambda e: e.by_human),
        "abandoned": _mean(runs, lambda e: e.over and not e.answered),
        "not_reached": _mean(runs, lambda e: not e.over and not e.by_human),
        "wanted_human": _mean(runs, lambda e: e.waits),
        "mean_wait_s": means.mean,
        "p90_wait_s": float(np.mean([np.quantile(waits, 0.9) if waits else 0.0 for waits in waited])),
        "error": {"mean_wait_s": means.half},
    }


def _mean(runs: Sequence[Sequence[Ending]], holds: Callable[[Ending], bool]) -> float:
    return float(np.mean([sum(map(holds, run)) for run in runs]))


def _history(visits: Sequence[Visit]) -> dict[str, Any]:
    """What the recording says became of the contacts, counted in the same way."""
    waits = [v.waited_s for v in visits if v.waited_s is not None]
    human = sum(v.waited_s is not None and not v.abandoned for v in visits)
    of_bot = [v.bot.did for v in visits if v.bot is not None and v.waited_s is None]
    bot, left = of_bot.count(BotDid.ENDED), of_bot.count(BotDid.ABANDONED)
    abandoned = sum(v.abandoned for v in visits) + left
    return {
        "contacts": len(visits),
        "bot": bot,
        "human": human,
        "abandoned": abandoned,
        "not_reached": len(visits) - bot - human - abandoned,
        "wanted_human": len(waits),
        "mean_wait_s": float(np.mean(waits)) if waits else 0.0,
        "p90_wait_s": float(np.quantile(waits, 0.9)) if waits else 0.0,
    }


def _moves(ours: Sequence[Ending], theirs: Sequence[Ending]) -> dict[str, int]:
    """From which pool of the other policy to which of the policy: how many contacts, in the first run."""
    moves = Counter(f"{b.pool} → {a.pool}" for a, b in zip(ours, theirs, strict=True) if a.pool != b.pool)
    return dict(moves.most_common())


def _drawn(ours: Sequence[Sequence[Ending]], theirs: Sequence[Sequence[Ending]], what: str) -> dict[str, float]:
    """How many contacts' parts the recording doesn't tell."""
    return {
        name: _mean(runs, lambda e: bool(getattr(e, what))) for name, runs in (("policy", ours), ("against", theirs))
    }
