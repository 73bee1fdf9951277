"""What the drivers' figures rest on: `python -m tests.statistics.drivers [--runs N] [--seeds N]` prints the tables of docs/models/drivers.md."""

import argparse
import json
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from services.cli.comments import CommentReader
from services.cli.weeks.generator import INCIDENT, STUBBORN, generate
from services.nps.domain.drivers import impact
from services.nps.report.book import read
from services.nps.report.build import Asked, Report, build

STRATA = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.3, 0.3, 0.4]])
SIZES = np.array([500, 300, 200])
COMPLAINING = ([0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.02, 0.08, 0.9])
COMPLAINTS = (5, 10, 20, 30, 100)
FIRST = date(2026, 10, 26)


def coverage(shares: list[float], complaints: int, runs: int, seed: int = 7) -> tuple[float, float]:
    """How often, of 1, the intervals of impact and cost hold the truth: 1,000 answers in three strata, so many complaints expected."""
    dice, part = np.random.default_rng(seed), complaints / 1000
    cost = 100 * float(SIZES @ (shares[0] - shares[2] - (STRATA[:, 0] - STRATA[:, 2]))) / 1000
    held, looked = [0, 0], 0
    for _ in range(runs):
        of = dice.binomial(SIZES, part)
        mine = dice.multinomial(of, shares)
        found = impact(mine, mine + dice.multinomial(SIZES - of, STRATA))
        if found is not None:
            looked += 1
            held[0] += found.impact.low <= part * cost <= found.impact.high
            held[1] += found.cost.low <= cost <= found.cost.high
    return held[0] / looked, held[1] / looked


def weeks(seed: int, reader: CommentReader, folder: Path, *, planted: bool) -> list[Report]:
    """The reports of three made-up weeks."""
    file = folder / "weeks.jsonl"
    lines = generate(seed, FIRST, planted=planted)
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    book, start = read([file]), datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    days = [start + timedelta(days=7 * i) for i in range(3)]
    return [build(book, Asked(f"2026-W{44 + i}", at, at + timedelta(days=7)), reader) for i, at in enumerate(days)]


def demo(seeds: int) -> dict[str, int]:
    """Over so many seeds: how often what was planted was found and judged, and how often something else was named."""
    reader = CommentReader()
    found = dict.fromkeys(
        ("incident found with its place", "other alarms", "fix: worked", "non-fix: did not work", "non-fix: not yet known",
         "non-fix: worked", "alarms in weeks without anything planted", "weeks without anything planted"), 0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, seeds + 1):
            _, bad, after = weeks(seed, reader, Path(folder), planted=True)
            named = {(p.stage, p.narrowest, p.only) for p in bad.findings.alarms}
            want = {(p.stage, ("store_group", p.group), True) for p in (INCIDENT, STUBBORN)}
            found["incident found with its place"] += want <= named
            found["other alarms"] += len(named - want) + len(after.findings.alarms)
            verdicts = {k.action.action_id: k.verdict for k in after.kept}
            found["fix: worked"] += verdicts[INCIDENT.action_id] == "worked"
            found["non-fix: did not work"] += verdicts[STUBBORN.action_id] == "did_not"
            found["non-fix: not yet known"] += verdicts[STUBBORN.action_id] == "not_yet_known"
            found["non-fix: worked"] += verdicts[STUBBORN.action_id] == "worked"
            for quiet in weeks(seed, reader, Path(folder), planted=False)[1:]:
                found["weeks without anything planted"] += 1
                found["alarms in weeks without anything planted"] += len(quiet.findings.alarms)
    return found


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.statistics.drivers", description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=20)
    args = parser.parse_args()
    print(
        "| shares of those who complain | "
        + " | ".join(map(str, COMPLAINTS))
        + " |\n|---" * 1
        + "|---" * len(COMPLAINTS)
        + "|"
    )
    for shares in COMPLAINING:
        both = [coverage(shares, n, args.runs) for n in COMPLAINTS]
        told = " / ".join(f"{100 * s:.0f}" for s in shares)
        print(f"| {told} | " + " | ".join(f"{100 * i:.1f}, {100 * c:.1f}" for i, c in both) + " |")
    for name, n in demo(args.seeds).items():
        print(f"| {name} | {n} |")


if __name__ == "__main__":
    main()
