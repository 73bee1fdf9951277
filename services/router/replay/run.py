"""Replays a log: its history, the bank's rule, a policy and another one, over the same draws, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.router import policyfile
from services.router.domain.policy import Policy
from services.router.domain.simulation.bot import BotRun, Picks, run_bot, takes
from services.router.domain.simulation.compare import Contact, compare
from services.router.domain.simulation.compare import Runs as Paired
from services.router.domain.simulation.distributions import Fitted
from services.router.domain.simulation.figures import GROUPS, Figures, figures, interval, mean
from services.router.domain.simulation.ordering import placed
from services.router.domain.simulation.recorded import RecordedDay
from services.router.domain.simulation.replay import Result, draw, recorded, simulate, without_busiest
from services.router.replay import telling

BANK_RULE = Path(__file__).with_name("bank_rule.toml")
POLICY = Path(__file__).with_name("policy.toml")

Tell = Callable[[int, int], None]
"""Called with how many runs of how many are done."""
Runs = dict[str, list[list[Result]]]
"""Scenario → seed → day."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be replayed."""

    policy: Policy
    rule: Policy
    seed: int
    runs: int
    without_busiest_seat: bool = False
    against: Policy | None = None
    """Another policy, to compare with."""
    bot_takes: float | None = None
    """The share of the calls of `bot_type` that a bot is to take."""
    bot_type: str = "PS"

    @property
    def scenarios(self) -> dict[str, Policy]:
        """What is run, by name."""
        two = {"bank_rule": self.rule, "policy": self.policy}
        return two if self.against is None else {**two, "against": self.against}


def bank_rule() -> Policy:
    """The rule that the bank worked by."""
    return policyfile.load(BANK_RULE)


def replay(days: Sequence[RecordedDay], fitted: Fitted, ask: Question, tell: Tell) -> dict[str, Any]:
    """Run it all; the answer is the JSON object that the command prints. Raises NotReplayable."""
    runs, bots = _run(days, fitted, ask, tell)
    history = [recorded(day) for day in days]
    whole = _block(days, history, runs)
    more: dict[str, Any] = {}
    if ask.against is not None:
        more["comparison"] = _compared(days, ask.policy, ask.against, runs)
    if ask.bot_takes is not None:
        more["bot"] = {"takes": ask.bot_takes, "of_type": ask.bot_type, "under": "bank_rule", **_bots(bots)}
    return {
        **whole,
        **more,
        "days": [
            {
                "day": day.name,
                **_block([day], [history[i]], {n: [[run[i]] for run in found] for n, found in runs.items()}),
            }
            for i, day in enumerate(days)
        ],
        "seeds": [ask.seed + i for i in range(ask.runs)],
        "without_busiest_seat": ask.without_busiest_seat,
        "policies": {name: policy.version for name, policy in ask.scenarios.items()},
    }


def _run(
    days: Sequence[RecordedDay], fitted: Fitted, ask: Question, tell: Tell
) -> tuple[Runs, dict[str, list[BotRun]]]:
    shifts = [without_busiest(day) if ask.without_busiest_seat else day.shifts for day in days]
    runs: Runs = {name: [] for name in ask.scenarios}
    bots: dict[str, list[BotRun]] = {picks.value: [] for picks in Picks}
    for i in range(ask.runs):
        drawn = [draw(day, fitted, ask.seed + i) for day in days]
        for name, policy in ask.scenarios.items():
            runs[name].append([simulate(d, policy, s) for d, s in zip(drawn, shifts, strict=True)])
        if ask.bot_takes is not None:
            for picks in Picks:
                taken = takes(drawn, ask.bot_type, ask.bot_takes, picks, ask.seed + i)
                bots[picks.value].append(run_bot(drawn, ask.rule, shifts, taken))
        tell(i + 1, ask.runs)
    return runs, bots


def _compared(days: Sequence[RecordedDay], ours: Policy, theirs: Policy, runs: Runs) -> dict[str, Any]:
    contacts: list[Contact] = []
    for day in days:
        # A class that the log doesn't tell is another one with each seed; contacts are told by the log's.
        tiers = [call.tier or call.group for call in day.calls]
        for call, mine, other in zip(
            day.calls, placed(ours, day.calls, tiers), placed(theirs, day.calls, tiers), strict=True
        ):
            groups = {"priority": call.group, "type": call.kind, "pool": mine.pool}
            contacts.append(Contact(call.call_id, day.name, call.at, groups, mine, other))
    return telling.body(compare(contacts, _paired(runs["policy"]), _paired(runs["against"])))


def _paired(runs: Sequence[Sequence[Result]]) -> Paired:
    return Paired(
        np.array([np.concatenate([day.waited for day in run]) for run in runs]),
        np.array([np.concatenate([day.answered for day in run]) for run in runs]),
    )


def _bots(found: dict[str, list[BotRun]]) -> dict[str, Any]:
    return {
        picks: {
            "share_of_calls": float(np.mean([run.calls for run in runs])),
            "share_of_work": float(np.mean([run.work for run in runs])),
            "others": {
                "mean_wait_s": _before_after([(run.without_wait_s, run.with_wait_s) for run in runs]),
                "abandonment": _before_after([(run.without_abandonment, run.with_abandonment) for run in runs]),
            },
        }
        for picks, runs in found.items()
    }


def _before_after(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    return {
        "without_bot": float(np.mean([before for before, _ in pairs])),
        "with_bot": float(np.mean([after for _, after in pairs])),
        "change": asdict(interval([after - before for before, after in pairs])),
    }


def _block(days: Sequence[RecordedDay], history: Sequence[Result], runs: Runs) -> dict[str, Any]:
    told = figures(list(zip(days, history, strict=True)))
    by_run = {name: [figures(list(zip(days, run, strict=True))) for run in of_seed] for name, of_seed in runs.items()}
    return {
        "history": _body(told),
        **{name: {**_body(mean(found)), "error": _error(found)} for name, found in by_run.items()},
        "policy_less_bank_rule": _difference(by_run["policy"], by_run["bank_rule"]),
    }


def _body(f: Figures) -> dict[str, Any]:
    whole = {
        name: int(value) if value == int(value) else value
        for name, value in (("answered", f.answered), ("abandoned", f.abandoned))
    }
    return {
        "contacts": f.contacts,
        **whole,
        "abandonment": f.abandonment,
        "mean_wait_s": f.mean_wait_s,
        "p90_wait_s": f.p90_wait_s,
        "service_level_20s": f.service_level_20s,
        "by_priority": {name: asdict(group) for name, group in f.by_priority.items()},
        "by_type": {name: asdict(group) for name, group in f.by_type.items()},
    }


def _error(runs: Sequence[Figures]) -> dict[str, float | None]:
    """Half the 95 % interval of the means over the seeds: what the simulation's own chance leaves open; None of one run."""
    return {
        "mean_wait_s": interval([f.mean_wait_s for f in runs]).half,
        "abandonment": interval([f.abandonment for f in runs]).half,
    }


def _difference(ours: Sequence[Figures], theirs: Sequence[Figures]) -> dict[str, Any]:
    """What the policy changes, seed against the same seed: mean and 95 % interval."""
    pairs = list(zip(ours, theirs, strict=True))
    return {
        "abandonment": asdict(interval([a.abandonment - b.abandonment for a, b in pairs])),
        "mean_wait_s": asdict(interval([a.mean_wait_s - b.mean_wait_s for a, b in pairs])),
        "by_priority": {
            name: {
                "mean_wait_s": asdict(
                    interval([a.by_priority[name].mean_wait_s - b.by_priority[name].mean_wait_s for a, b in pairs])
                ),
                "abandoned": asdict(
                    interval([a.by_priority[name].abandoned - b.by_priority[name].abandoned for a, b in pairs])
                ),
            }
            for name in GROUPS
        },
    }
