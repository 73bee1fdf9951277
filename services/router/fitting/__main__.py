"""`python -m services.router.fitting`: fits the shipped distributions anew from ../shared/data."""

import argparse
import sys
from hashlib import sha256
from pathlib import Path

from services.router.domain.simulation.fit import Spec, fit
from services.router.domain.simulation.shifts import Reading
from services.router.replay import fitted as shipped
from services.router.replay.log import LogError, read

CALLS = "calls/bank_calls_1999_08.csv"


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(prog="python -m services.router.fitting", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder with " + CALLS)
    parser.add_argument("--out", type=Path, default=shipped.SHIPPED)
    args = parser.parse_args()
    path = args.data / CALLS
    try:
        days = read(path, Reading())
    except LogError as error:
        sys.exit(str(error))
    spec = Spec()
    shipped.save(fit(days, spec), provenance(path, [day.name for day in days], sum(len(d.calls) for d in days)), args.out)
    print(f"{args.out}: fitted on {len(days)} days, {days[0].name} to {days[-1].name}", file=sys.stderr)


def provenance(path: Path, days: list[str], contacts: int) -> dict[str, object]:
    """Where the figures come from."""
    return {
        "written_by": "python -m services.router.fitting",
        "source": 'Technion, "Anonymous Bank" call centre, August 1999',
        "file": path.name,
        "sha256": sha256(path.read_bytes()).hexdigest(),
        "first_day": days[0],
        "last_day": days[-1],
        "contacts": contacts,
        "unit": "seconds; quantiles at (i + 1/2) / n; patience by type/class and by how many wait at arrival",
    }


if __name__ == "__main__":
    main()
