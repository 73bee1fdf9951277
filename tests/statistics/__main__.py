"""Prints the figures of docs/models/nps-statistics.md: `python -m tests.statistics coverage|shrinkage|quiet|years|mix|found|live [--runs N] [--seed S] [--looks-a-day N]`."""

import argparse

import numpy as np

from tests.statistics.change import HAPPY, USUAL, WORSE, Plan, Shares, detection, false_alarms, false_alarms_of_mix
from tests.statistics.figures import coverage, shrinkage
from tests.statistics.many import interval, years
from tests.statistics.watch import year

SIZES = (10, 20, 50, 100, 200, 500, 1_000)
SHARES: tuple[Shares, ...] = (
    (0.45, 0.30, 0.25),
    USUAL,
    (0.60, 0.25, 0.15),
    (0.33, 0.34, 0.33),
    (0.20, 0.30, 0.50),
    (0.75, 0.15, 0.10),
    HAPPY,
)
SECTIONS = ("coverage", "shrinkage", "quiet", "years", "mix", "found", "live")


def main() -> None:
    """One section of the page, as the rows of its table."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("section", choices=SECTIONS)
    p.add_argument("--runs", type=int, default=100)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--looks-a-day", type=int, default=6)
    p.add_argument("--kind", default="usual")
    args = p.parse_args()
    if args.section == "coverage":
        for s in SHARES:
            row(f"{s[0]:.0%} / {s[1]:.0%} / {s[2]:.0%}", *(f"{100 * coverage(n, s[0], s[2]):.1f}" for n in SIZES))
    elif args.section == "shrinkage":
        for segments, answers, scatter in ((400, 5, 10), (400, 20, 10), (400, 20, 0), (30, 50, 10), (8, 20, 10)):
            f = shrinkage(segments, answers, scatter, args.runs, args.seed)
            row(
                segments,
                answers,
                scatter,
                f"{f.raw:.1f}",
                f"{f.shrunk:.1f}",
                f"{100 * f.held_raw:.1f}",
                f"{100 * f.held_shrunk:.1f}",
            )
    elif args.section == "quiet":
        kinds: dict[str, tuple[tuple[float, ...], list[Shares]]] = {
            "usual": ((400,), [USUAL]), "happy": ((400,), [HAPPY]), "happy-40": ((40,), [HAPPY]), "happy-5": ((5,), [HAPPY]),
            "strata": ((50,) * 8, [USUAL, HAPPY] * 4),
        }  # fmt: skip
        a_day, shares = kinds[args.kind]
        n = false_alarms(Plan(a_day, looks_a_day=args.looks_a_day), shares, args.runs, args.seed)
        row(args.kind, args.looks_a_day, args.runs, args.seed, n)
    elif args.section == "years":
        a_day_of, happy = {"usual": (400.0, USUAL), "happy-40": (40.0, HAPPY)}[args.kind]
        alarms = years(Plan((a_day_of,), looks_a_day=args.looks_a_day), happy, args.runs, args.seed)
        n = sum(a is not None for a in alarms)
        row(
            args.kind,
            args.looks_a_day,
            args.runs,
            args.seed,
            n,
            *(f"{100 * end:.2f} %" for end in interval(n, args.runs)),
        )
    elif args.section == "mix":
        row(args.runs, args.seed, *false_alarms_of_mix(args.runs, args.seed, args.looks_a_day))
    elif args.section == "live":
        found = [year(args.seed + n, 400) for n in range(args.runs)]
        row(400, args.seed, args.runs, *(sum(a is not None for a in kind) for kind in zip(*found, strict=True)))
    else:
        cases = {
            "usual": (400, WORSE),
            "ten": (400, (0.44, 0.32, 0.24)),
            "twenty": (400, (0.39, 0.32, 0.29)),
            "store": (40, (0.39, 0.32, 0.29)),
        }
        a_day_, after = cases[args.kind]
        f = detection(Plan((a_day_,), 90 + 60, args.looks_a_day), USUAL, after, 90, args.runs, args.seed)
        days = np.quantile(f.delays, [0.1, 0.5, 0.9, 0.95], method="inverted_cdf")
        row(
            args.kind,
            args.looks_a_day,
            args.runs,
            args.seed,
            *(f"{d:.1f}" for d in days),
            f.too_soon,
            f"{f.held} of {f.judged}",
            *(f"{w:.1f}" for w in f.widths),
        )


def row(*cells: object) -> None:
    """A table's row."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


main()
