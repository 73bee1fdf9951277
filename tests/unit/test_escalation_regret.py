"""What the online budget loses to hindsight, on a made day and (`-m slow`) on the incident log."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.escalation_budget import DAY, Move, first_come, judged, moves_of, replay
from services.escalation.domain.team import Terms

START = datetime(2026, 11, 2, tzinfo=UTC)
TERMS = Terms(capacity=30, shifts=(0,), least=0.3, keep=100)


def made(days: int, a_day: int, seed: int) -> list[Move]:
    """Days that are alike but for chance: most cases mild, few grave; some rise, some end by themselves."""
    rng = random.Random(seed)
    moves = []
    for n in range(days * a_day):
        at = START + DAY * (n / a_day) + timedelta(minutes=rng.uniform(0, 30))
        risk = 0.3 + 0.7 * rng.betavariate(1.6, 4)
        moves.append(Move(at, f"c{n}", risk))
        if rng.random() < 0.3:
            moves.append(Move(at + timedelta(hours=rng.uniform(0.2, 6)), f"c{n}", min(1.0, risk + rng.uniform(0, 0.2))))
        elif rng.random() < 0.3:
            moves.append(Move(at + timedelta(hours=rng.uniform(2, 12)), f"c{n}", None))
    return sorted(moves, key=lambda m: (m.at, m.case))


def test_on_a_made_day_hindsight_is_hardly_better() -> None:
    moves = made(6, 90, 3)
    online = judged(replay(moves, TERMS, seats=4, learn_days=3))
    rule = judged(first_come(moves, TERMS, 3, 0.3))
    assert online["days"] == rule["days"] >= 2
    assert online["regret"] <= 0.10
    assert online["regret"] < rule["regret"] / 2, "what first come, first served loses"


@pytest.mark.slow
def test_on_the_incident_log_hindsight_is_hardly_better(shared_data: Path) -> None:
    log = shared_data / "tickets/incidents.csv.gz"
    if not log.exists():
        pytest.skip("the incident log is not in the shared data")
    moves = moves_of(log)
    moves = [m for m in moves if m.at < moves[0].at + 20 * DAY]
    assert judged(replay(moves, TERMS, seats=4, learn_days=10))["regret"] <= 0.10
