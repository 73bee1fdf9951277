"""Cells leave the projections' table when their time has come, also those that a restart brought back, and wait for it once."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics import codec
from services.metrics.app import Projection
from services.metrics.domain.cells import KEPT, Cell, Share
from services.metrics.domain.keeping import Keeping
from services.metrics.settings import MetricsSettings
from services.runtime.admin import group_lag
from services.runtime.clock import wall_clock
from services.runtime.errors import Transient
from services.runtime.settings import KafkaSettings

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CELLS = st.tuples(st.integers(0, 2), st.sampled_from([*KEPT, "ALL"]), st.integers(0, 500))


@given(st.lists(CELLS, max_size=60), st.integers(0, 500))
def test_a_cell_is_past_keeping_once_and_only_when_its_time_has_come(
    told: list[tuple[int, str, int]], day: int
) -> None:
    keeping, now, kept = Keeping(), NOW + timedelta(days=day), set(KEPT)
    for partition, window, began in told * 3:
        keeping.remember(partition, f"{window}/{began}", window, NOW + timedelta(days=began))
    assert len(keeping) == len({t for t in told if t[1] in kept})
    for partition in range(3):
        wanted = {
            f"{window}/{began}"
            for p, window, began in told
            if p == partition and window in kept and NOW + timedelta(days=began) + KEPT[window] < now
        }
        gone = keeping.past(partition, now)
        assert (set(gone), len(gone)) == (wanted, len(wanted))
        assert keeping.past(partition, now) == []


def test_a_cell_that_changes_all_day_waits_once() -> None:
    """It took another place in the queue with every change, for 400 days."""
    keeping = Keeping()
    for _ in range(1000):
        keeping.remember(0, "day", "P1D", NOW)
    assert len(keeping) == 1


async def test_a_cell_that_a_restart_brought_back_leaves_when_its_time_has_come() -> None:
    """Nothing changes a minute that is over: those of before the restart stayed for ever."""
    projection = Projection(KafkaSettings(bootstrap="127.0.0.1:1"), MetricsSettings(), wall_clock)
    cell = Cell("nps", {"region": "华东"}, "PT1M", NOW, {"nps/0": Share(1, {"promoters": 1})})
    value = json.loads(json.dumps(codec.stored(cell)))
    event = SimpleNamespace(key="minute", value=value, message=SimpleNamespace(partition=2))
    await projection._cells.on_changelog_event(event)  # type: ignore[attr-defined]
    await projection._cells.on_changelog_event(SimpleNamespace(**{**vars(event), "value": None}))  # type: ignore[attr-defined]
    assert projection._keeping.past(2, NOW + timedelta(days=2)) == []
    assert projection._keeping.past(2, NOW + timedelta(days=2, seconds=1)) == ["minute"]


async def test_where_kafka_is_away_the_lag_is_waited_for() -> None:
    with pytest.raises(Transient, match="Kafka is away"):
        await group_lag(KafkaSettings(bootstrap="127.0.0.1:1"), "g", "counters")
