"""`python -m tests.fuzz --examples N [--seed S]`: at least N bad inputs over all targets, and how many each was given.

Exit status 0 where all of them were read or refused as they must be. The seed is printed; the same seed gives the same inputs.
"""

import argparse
import json
import math
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> None:
    """Runs the fuzz tests as pytest does, and adds up what they were given."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=100_000, help="inputs over all targets, at least (100000)")
    parser.add_argument("--seed", type=int, default=None, help="where the inputs begin (any)")
    parser.add_argument("-k", default="", help="only the targets of this name, as pytest takes it")
    args = parser.parse_args()
    seed = secrets.randbelow(1 << 31) if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="touchline-fuzz-") as folder:
        counts = Path(folder) / "counts.jsonl"
        each = math.ceil(args.examples / _shares())
        told = {**os.environ, "FUZZ_SEED": str(seed), "FUZZ_COUNTS": str(counts), "FUZZ_EXAMPLES": str(each)}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--timeout=0",
            "-p",
            "no:cacheprovider",
            str(FOLDER),
            "-k",
            args.k,
        ]
        began = time.monotonic()
        done = subprocess.run(command, env=told, cwd=FOLDER.parents[1], check=False)
        found: Counter[str] = Counter()
        for line in counts.read_text().splitlines() if counts.exists() else ():
            row = json.loads(line)
            found[row["target"]] += row["inputs"]
    for name, n in sorted(found.items()):
        print(f"{n:10,}  {name}")
    verdict = "clean" if done.returncode == 0 else "NOT CLEAN"
    print(f"{found.total():10,}  inputs, seed {seed}, {time.monotonic() - began:.0f} s: {verdict}")
    sys.exit(done.returncode != 0)


def _shares() -> float:
    from tests.fuzz import harness, test_decoders, test_door, test_files, test_http, test_services  # noqa: F401

    return sum(harness.shares)


if __name__ == "__main__":
    main()
