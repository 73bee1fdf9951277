"""How fast `touchline nps compute` reads and counts on one core: `python -m bench.nps_compute [--answers N] [--seed S]`."""

import argparse
import json
import random
import time

from services.nps.domain.tally import Tally
from services.nps.lines import read_line

CHANNELS = ("app", "微信", "phone")


def lines(answers: int, seed: int) -> list[str]:
    """Survey events in arrival order: 3 % of the answers twice, 4 % corrected, 2 % retracted, each anywhere in the file."""
    draw = random.Random(seed)
    found: list[tuple[float, str]] = []
    for i in range(answers):
        at = f"2026-11-{draw.randrange(1, 21):02d}T{draw.randrange(24):02d}:{draw.randrange(60):02d}:00Z"
        base = {"source": "survey", "survey_id": f"s{i}", "time": at}
        segments = {
            "region": f"r{draw.randrange(8)}", "store": f"st{draw.randrange(400)}",
            "channel": draw.choice(CHANNELS), "touchpoint": f"t{draw.randrange(28)}",
        }  # fmt: skip
        answer = json.dumps(
            {
                **base,
                "id": f"a{i}",
                "type": "answered",
                "score": draw.randrange(11),
                "segments": segments,
                "comment": "好",
            }
        )
        for chance, line in (
            (1.0, answer),
            (0.03, answer),
            (0.04, json.dumps({**base, "id": f"c{i}", "type": "corrected", "score": draw.randrange(11)})),
            (0.02, json.dumps({**base, "id": f"r{i}", "type": "retracted"})),
        ):
            if draw.random() < chance:
                found.append((draw.random(), line))
    return [line for _, line in sorted(found)]


def main() -> None:
    """Three rounds; processor time, so that what else runs on the machine matters little."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--answers", type=int, default=100_000)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    found = lines(args.answers, args.seed)
    for _ in range(3):
        tally, begun = Tally(), time.process_time()
        for line in found:
            tally.add(read_line(line))
        took = time.process_time() - begun
        print(json.dumps({"answers": args.answers, "events": len(found), "answers_per_s": round(args.answers / took)}))


main()
