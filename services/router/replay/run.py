"""Replays a log: its history, the bank's rule and a policy, over the same draws, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.router import policyfile
from services.router.domain.policy import Policy
from services.router.domain.simulation.distributions import Fitted
from services.router.domain.simulation.figures import GROUPS, Figures, Interval, figures, interval, mean
from services.router.domain.simulation.recorded import RecordedDay
from services.router.domain.simulation.replay import Result, draw, recorded, simulate, without_busiest

BANK_RULE = Path(__file__).with_name("bank_rule.toml")
POLICY = Path(__file__).with_name("policy.toml")

Tell = Callable[[int, int], None]
"""Called with how many runs of how many are done."""
SCENARIOS = ("bank_rule", "policy")
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


def bank_rule() -> Policy:
    """The rule that the bank worked by."""
    return policyfile.load(BANK_RULE)


def replay(days: Sequence[RecordedDay], fitted: Fitted, ask: Question, tell: Tell) -> dict[str, Any]:
    """Run it all; the answer is the JSON object that the command prints. Raises NotReplayable."""
    runs = _run(days, fitted, ask, tell)
    history = [recorded(day) for day in days]
    whole = _block(days, history, runs)
    return {
        **whole,
        "days": [
            {"day": day.name, **_block([day], [history[i]], {n: [[run[i]] for run in runs[n]] for n in SCENARIOS})}
            for i, day in enumerate(days)
        ],
        "seeds": [ask.seed + i for i in range(ask.runs)],
        "without_busiest_seat": ask.without_busiest_seat,
        "policies": {"bank_rule": ask.rule.version, "policy": ask.policy.version},
    }


def _run(days: Sequence[RecordedDay], fitted: Fitted, ask: Question, tell: Tell) -> Runs:
    shifts = [without_busiest(day) if ask.without_busiest_seat else day.shifts for day in days]
    runs: Runs = {name: [] for name in SCENARIOS}
    for i in range(ask.runs):
        drawn = [draw(day, fitted, ask.seed + i) for day in days]
        for name, policy in zip(SCENARIOS, (ask.rule, ask.policy), strict=True):
            runs[name].append([simulate(d, policy, s) for d, s in zip(drawn, shifts, strict=True)])
        tell(i + 1, ask.runs)
    return runs


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


def _error(runs: Sequence[Figures]) -> dict[str, float]:
    """Half the 95 % interval of the means over the seeds: what the simulation's own chance leaves open."""
    return {
        "mean_wait_s": _half(interval([f.mean_wait_s for f in runs])),
        "abandonment": _half(interval([f.abandonment for f in runs])),
    }


def _half(found: Interval) -> float:
    return found.high - found.mean


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
