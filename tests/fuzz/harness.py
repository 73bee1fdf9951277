"""How the fuzz tests are run: so many inputs each, counted, none of which may take long.

FUZZ_EXAMPLES: inputs of a target, times its share (40). FUZZ_SEED: where the inputs begin; empty for the same as always.
FUZZ_COUNTS: a file to which the number of inputs of each target is added.
"""

import functools
import inspect
import json
import os
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
SEED = os.environ.get("FUZZ_SEED", "")
COUNTS = os.environ.get("FUZZ_COUNTS", "")

# Processor time, not the clock's: a busy machine is no fault of the input's.
SLOWEST_S = 5.0

counted: Counter[str] = Counter()
shares: list[float] = []


def many(share: float) -> int:
    """Inputs of a target of this share."""
    return max(10, int(EXAMPLES * share))


def fuzz(share: float = 1.0, **strategies: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Runs a test on many inputs. share: how many, against the other targets'."""

    def wrap(test: Callable[..., None]) -> Callable[..., None]:
        shares.append(share)
        name = f"{Path(inspect.getfile(test)).stem}.{test.__name__}"

        @functools.wraps(test)
        def one(*args: Any, **drawn: Any) -> None:
            counted[name] += 1
            began = time.process_time()
            test(*args, **drawn)
            took = time.process_time() - began
            assert took < SLOWEST_S, f"one input took {took:.1f} s of processor time"

        made = settings(
            max_examples=many(share),
            deadline=None,
            database=None,
            derandomize=not SEED,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            print_blob=True,
        )(given(**strategies)(one))
        return seed(int(SEED) ^ zlib.crc32(name.encode()))(made) if SEED else made

    return wrap


def write_counts() -> None:
    """Adds what was counted to the file that FUZZ_COUNTS names, a line a target."""
    if COUNTS:
        with Path(COUNTS).open("a") as out:
            out.writelines(json.dumps({"target": name, "inputs": n}) + "\n" for name, n in sorted(counted.items()))
