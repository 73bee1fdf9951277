"""`python -m services.router.fitting`: fits the shipped distributions anew from ../shared/data.

With --validate it writes nothing, but tells how true the simulator is on days that nothing was fitted on; with --folds,
all that a replay is accepted by, on days held out in many ways.
"""

import argparse
import sys
from hashlib import sha256
from pathlib import Path

from services.router.domain.policy import Policy
from services.router.domain.simulation.fit import Spec, fit
from services.router.domain.simulation.recorded import RecordedDay
from services.router.domain.simulation.shifts import Reading
from services.router.fitting.acceptance import Acceptance, folds, measure
from services.router.fitting.validation import Check, agreement, check, validate
from services.router.policyfile import load
from services.router.replay import fitted as shipped
from services.router.replay.log import LogError, read
from services.router.replay.run import POLICY, bank_rule

CALLS = "calls/bank_calls_1999_08.csv"
RULES = {
    "oldest first": {},
    "priority 2 ahead by 90 s": {"2": 90.0},
    "60 s a class": {"1": 60.0, "2": 120.0},
    "75 s a class": {"1": 75.0, "2": 150.0},
    "90 s a class": {"1": 90.0, "2": 180.0},
    "105 s a class": {"1": 105.0, "2": 210.0},
}


def main() -> None:
    """Fit and write, or validate."""
    parser = argparse.ArgumentParser(prog="python -m services.router.fitting", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder with " + CALLS)
    parser.add_argument("--out", type=Path, default=shipped.SHIPPED)
    parser.add_argument("--validate", action="store_true", help="check on days left out, write nothing")
    parser.add_argument("--folds", action="store_true", help="measure on days left out in many ways, write nothing")
    parser.add_argument("--policy", type=Path, default=POLICY, help="the policy that --folds measures")
    parser.add_argument("--seeds", type=int, default=4, help="runs of each check")
    args = parser.parse_args()
    path = args.data / CALLS
    try:
        days = read(path, Reading())
    except LogError as error:
        sys.exit(str(error))
    if args.validate:
        _validate(days, args.seeds)
        return
    if args.folds:
        _folds(days, load(args.policy), args.seeds)
        return
    shipped.save(fit(days, Spec()), provenance(path, days), args.out)
    print(f"{args.out}: fitted on {len(days)} days, {days[0].name} to {days[-1].name}", file=sys.stderr)


def _validate(days: list[RecordedDay], seeds: int) -> None:
    count, shares = agreement(days, list(RULES.values()))
    print(f"{count} picks from the queue; told right by")
    for name, share in zip(RULES, shares, strict=True):
        print(f"  {name}: {100 * share:.1f} %")
    _tell(check("fitted and checked on all days", days, fit(days, Spec()), bank_rule(), seeds))
    for found in validate(days, Spec(), bank_rule(), seeds):
        _tell(found)


def _folds(days: list[RecordedDay], policy: Policy, seeds: int) -> None:
    print(
        "| held out | contacts | wait, log | wait, error | abandonment, error | control | priority | others | abandonment |"
    )
    print("|---|---|---|---|---|---|---|---|---|")

    def tell(name: str, a: Acceptance) -> None:
        print(
            f"| {name} | {a.contacts} | {a.mean_wait_s:.0f} s | {100 * a.wait_error:+.1f} % | {a.abandonment_error:+.2f}"
            f" | {a.control:.2f} | {a.priority:.3f} | {a.others:.3f} | {a.abandonment:+.2f} |",
            flush=True,
        )

    runs = range(1, seeds + 1)
    for fold in folds(days):
        tell(fold.name, measure(fold.held, fit(fold.on, Spec()), bank_rule(), policy, runs))
    tell("none: fitted on all days", measure(days, fit(days, Spec()), bank_rule(), policy, runs))


def _tell(found: Check) -> None:
    print(
        f"{found.name}: wait {found.history.mean_wait_s:.1f} s, simulated {found.simulated.mean_wait_s:.1f} s"
        f" ({100 * found.wait_error:+.1f} %); abandoned {100 * found.history.abandonment:.2f} %,"
        f" simulated {100 * found.simulated.abandonment:.2f} % ({found.abandonment_error:+.2f} points)",
        flush=True,
    )


def provenance(path: Path, days: list[RecordedDay]) -> dict[str, object]:
    """Where the figures come from."""
    return {
        "written_by": "python -m services.router.fitting",
        "source": 'Technion, "Anonymous Bank" call centre, August 1999',
        "file": path.name,
        "sha256": sha256(path.read_bytes()).hexdigest(),
        "first_day": days[0].name,
        "last_day": days[-1].name,
        "contacts": sum(len(day.calls) for day in days),
        "unit": "seconds; quantiles at (i + 1/2) / n; patience by type/class and by how many wait at arrival",
    }


if __name__ == "__main__":
    main()
