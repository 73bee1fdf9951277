"""`make drill`: causes each alert's fault on a system of its own, and says whether the alert fired and ended again.

Spans of time in the rules (windows, `for`) pass PACE times as fast; thresholds stay as they are. ARGS="--only lock,slow" for some.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.drill.cases import CASES, Case
from tests.drill.faults import beside
from tests.drill.watch import Watch, rules
from tests.live import Live, settled, whole_system

PACE = 30.0
# A window must see several of what comes seldom: waits for Postgres come every few seconds.
PACES = {"TouchlineRetries": 10.0, "TouchlineRestartsOften": 15.0, "TouchlineRebalancesOften": 15.0}
ENDS_WITHIN_S = 150.0
# A follow-up is due after ten minutes of the system's clock, ten seconds of ours.
SETTINGS = {"ESCALATION_DUE_IN": "PT10M"}


async def drill(live: Live, cases: tuple[Case, ...], pace: float = PACE) -> list[tuple[str, str, str]]:
    """Runs the cases one after the other: (alert, the case, what went wrong or an empty text)."""
    watch = Watch.of(live, pace, PACES)
    results = []
    async with beside(watch.run()):
        await settled(live)
        await asyncio.sleep(2)
        for case in cases:
            results += await _one(live, watch, case)
    return results


async def _one(live: Live, watch: Watch, case: Case) -> list[tuple[str, str, str]]:
    found: dict[str, str] = {}
    fired: dict[str, tuple[float, dict]] = {}
    for alert in case.alerts:
        if watch.firing.get(alert):
            found[alert] = f"fired before its fault: {watch.firing[alert]}"
    began = time.monotonic()
    async with case.fault(live):
        waits = {alert: asyncio.ensure_future(watch.fires(alert, case.within_s)) for alert in case.alerts}
        await asyncio.wait(waits.values())
        for alert, wait in waits.items():
            if wait.exception() is None:
                fired[alert] = wait.result()
            else:
                found[alert] = f"did not fire: {wait.exception()}"
    lasted = time.monotonic() - began
    for alert, (after, series) in fired.items():
        try:
            ended = await watch.ends(alert, ENDS_WITHIN_S)
        except TimeoutError as error:
            found[alert] = f"did not end: {error}"
            continue
        which = "; ".join(f"{','.join(v for _, v in labels) or 'all'}={value:.4g}" for labels, value in series.items())
        print(f"{alert}: {case.name}: fired after {after:.1f} s ({which}), ended {ended:.1f} s after it was mended ({lasted:.0f} s)", flush=True)  # fmt: skip
    for alert, why in found.items():
        print(f"{alert}: {case.name}: FAILED: {why}", flush=True)
    try:
        await settled(live, 90)
    except AssertionError as error:
        print(f"{case.name}: FAILED: {error}", flush=True)
        found[case.alerts[0]] = str(error)
    return [(alert, case.name, found.get(alert, "")) for alert in case.alerts]


def main() -> int:
    """Exit status 1 where an alert did not do what it is for, or has no case."""
    parser = argparse.ArgumentParser(prog="make drill")
    parser.add_argument("--only", default="", help="cases whose name or alert holds one of these, joined by commas")
    parser.add_argument("--data", type=Path, help="the folder to run in; a temporary one else")
    asked = parser.parse_args()
    words = asked.only.casefold().split(",")
    cases = tuple(c for c in CASES if any(w in f"{c.name} {c.alerts}".casefold() for w in words))
    os.environ.update(SETTINGS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else the system would outlive us
    began = time.monotonic()
    folder = tempfile.TemporaryDirectory(prefix="touchline-drill-", ignore_cleanup_errors=True)
    with folder as made, whole_system(asked.data or Path(made) / "system") as live:
        results = asyncio.run(drill(live, cases))
    failed = [alert for alert, _, why in results if why]
    if not asked.only:
        failed += sorted({r.name for r in rules()} - {alert for alert, _, _ in results})
    print(f"{len(results)} alerts tried in {time.monotonic() - began:.0f} s; failed: {', '.join(failed) or 'none'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
