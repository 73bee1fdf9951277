"""Trains the incident log's model, measures it on later incidents, and writes the model card.

python -m services.escalation.training --data ../shared/data
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from services.escalation.tickets import model as shipped
from services.escalation.tickets.log import LogError, read
from services.escalation.training import card, gate, validate

FILE: Final = Path("tickets/incidents.csv.gz")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the training; 1 where the log can't be read, or the model is worse than the shipped one."""
    parser = argparse.ArgumentParser(prog="python -m services.escalation.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with tickets/incidents.csv.gz")
    parser.add_argument("--out", type=Path, default=shipped.FOLDER, help="where the model goes")
    parser.add_argument("--card", type=Path, default=Path("docs/models/escalation.md"), help="the model card")
    parser.add_argument("--accept-worse", action="store_true", help="replace the shipped model even by a worse one")
    args = parser.parse_args(arguments)
    begun = time.monotonic()
    try:
        file = args.data / FILE
        log = read(file)
        before = gate.best(args.out)
    except (LogError, OSError, gate.GateError) as e:
        print(e, file=sys.stderr)
        return 1
    source: dict[str, Any] = {"file": FILE.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    trained = validate.train(
        log.rows, source, lambda said: print(f"{time.monotonic() - begun:.0f} s: {said}", flush=True)
    )
    figures = trained.model.about["figures"]
    listed = [] if args.accept_worse else gate.worse(before, figures)
    if listed:
        print("the shipped model stays, the new one is worse:", *listed, sep="\n  ", file=sys.stderr)
        return 1
    shipped.save(args.out, trained.model)
    gate.keep(args.out, before, figures, anew=args.accept_worse)
    size = sum((args.out / name).stat().st_size for name in ("weights.npz", "model.json"))
    args.card.parent.mkdir(parents=True, exist_ok=True)
    args.card.write_text(card.write(trained, size), encoding="utf-8")
    print(f"{time.monotonic() - begun:.0f} s, {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
