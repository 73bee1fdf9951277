"""The projections' cells: whatever comes twice, late or out of order, the figures are the same."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from touchline.contact.v1 import events_pb2 as contact

from services.metrics import codec
from services.metrics.domain.cells import KEPT, Cell, Share, expired, merge, total
from services.metrics.domain.figures import derive
from services.nps.domain.figures import figure
from services.runtime.checkpoint import Dirty
from services.runtime.counters import counter_record
from services.runtime.pipeline import Metric
from services.runtime.records import Record, read, write

NOW = datetime(2026, 6, 9, 12, 0, tzinfo=UTC)
EMPTY = Cell("nps", {}, "ALL", datetime(1970, 1, 1, tzinfo=UTC), {})
SCHEMAS = Path(__file__).resolve().parents[2] / "docs/schemas"
COUNTS = st.dictionaries(st.sampled_from(["promoters", "passives", "detractors"]), st.integers(0, 10**6))
# What shares say: one count for each share and version, as a service's transactions make them.
TOLD = st.dictionaries(
    st.tuples(st.sampled_from(["nps/0", "nps/1", "nps/2"]), st.integers(1, 9)), COUNTS, max_size=12
).map(lambda said: [(share, Share(version, counts)) for (share, version), counts in said.items()])


def merged(told, cell: Cell = EMPTY) -> Cell:
    for share, said in told:
        cell = merge(cell, share, said)
    return cell


# --- merging ---------------------------------------------------------------------------------------------------------


@given(TOLD.flatmap(lambda t: st.tuples(st.just(t), st.permutations(t + t[: len(t) // 2]))))
def test_order_and_repeats_change_nothing(both) -> None:
    told, shuffled = both
    latest = {share: max(s.version for name, s in told if name == share) for share, _ in told}
    wanted = {share: s for share, s in told if s.version == latest[share]}
    assert merged(told).shares == merged(shuffled).shares == wanted


@given(TOLD)
def test_telling_all_of_it_again_changes_nothing(told) -> None:
    once = merged(told)
    assert merged(told, once) is once


@given(TOLD, TOLD, TOLD)
def test_it_is_all_the_same_how_the_telling_is_split(a, b, c) -> None:
    # One version says one thing: where two parts disagree, the first stands for both.
    one = {(share, said.version): said for share, said in [*c, *b, *a]}
    a, b, c = ([(share, one[share, said.version]) for share, said in part] for part in (a, b, c))
    together = merged([*merged([*a, *b]).shares.items(), *c])
    apart = merged([*a, *merged([*b, *c]).shares.items()])
    assert together == apart == merged([*a, *b, *c])


@given(TOLD)
def test_the_total_is_the_sum_of_what_each_share_said_last(told) -> None:
    cell = merged(told)
    for name in ("promoters", "passives", "detractors"):
        assert total(cell).get(name, 0) == sum(s.counts.get(name, 0) for s in cell.shares.values())
    assert total(EMPTY) == {}


def test_a_correction_is_a_newer_version_and_an_older_one_is_too_late() -> None:
    cell = merged([("nps/0", Share(2, {"promoters": 1})), ("nps/0", Share(1, {"detractors": 1}))])
    assert total(cell) == {"promoters": 1}
    assert total(merge(cell, "nps/0", Share(3, {"detractors": 1}))) == {"detractors": 1}


@pytest.mark.parametrize(("window", "kept"), KEPT.items())
def test_a_window_is_past_keeping_by_the_services_clock(window, kept) -> None:
    assert not expired(window, NOW, NOW + kept)
    assert expired(window, NOW, NOW + kept + timedelta(seconds=1))
    assert not expired("ALL", datetime(1970, 1, 1, tzinfo=UTC), NOW)


# --- figures ---------------------------------------------------------------------------------------------------------


@given(*[st.integers(0, 10**7)] * 3)
def test_dashboards_and_lookups_have_the_same_score(promoters, passives, detractors) -> None:
    told = derive("nps", {"promoters": promoters, "passives": passives, "detractors": detractors})
    known = figure(promoters, passives, detractors)
    assert told == pytest.approx({"n": known.n, "nps": known.nps, "low": known.low, "high": known.high})


def test_a_field_without_a_count_is_nought() -> None:
    assert derive("nps", {"promoters": 4}) == derive("nps", {"promoters": 4, "passives": 0, "detractors": 0})


@pytest.mark.parametrize(
    ("metric", "counts", "figures"),
    [
        ("sentiment", {"negative": 3, "neutral": 1, "polarity_milli": -1000}, {"n": 4, "mean_polarity": -0.25}),
        ("sentiment", {}, {"n": 0, "mean_polarity": None}),
        ("routing", {"accepted": 4, "wait_ms_sum": 10_000}, {"mean_wait_s": 2.5}),
        ("routing", {"abandoned": 2}, {"mean_wait_s": None}),
        ("escalation", {"flagged": 2}, {}),
    ],
)
def test_what_is_read_off_the_counts(metric, counts, figures) -> None:
    assert derive(metric, counts) == figures


# --- the wire --------------------------------------------------------------------------------------------------------

SEGMENT = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=1)
STARTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
    lambda t: t.replace(minute=0, second=0, microsecond=0)
)


@given(TOLD, SEGMENT, STARTS)
def test_a_cell_is_restored_as_it_was_stored(told, segment, start) -> None:
    cell = merged(told, Cell("nps", segment, "PT1H", start, {}))
    # Faust keeps it as JSON.
    assert codec.restored(json.loads(json.dumps(codec.stored(cell)))) == cell


@given(TOLD, SEGMENT, STARTS, st.sampled_from(["ALL", "P1D", "PT1H"]))
def test_a_metric_keeps_its_schema_and_says_what_was_counted(told, segment, start, window) -> None:
    schema = json.loads((SCHEMAS / "metrics.nps.json").read_text("utf-8"))
    cell = merged(told, Cell("nps", segment, window, start, {}))
    value = json.loads(codec.metric_value(cell))
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)
    assert value["counts"] == total(cell) and value["segment"] == segment
    assert datetime.fromisoformat(value["start"]) == start


@given(SEGMENT, SEGMENT, STARTS)
def test_keys_of_metrics_tell_cells_apart_and_nothing_else(one, other, start) -> None:
    a, b = Cell("nps", one, "PT1H", start, {}), Cell("nps", other, "PT1H", start, {"nps/0": Share(1, {})})
    assert (codec.metric_key(a) == codec.metric_key(b)) == (one == other)


def test_a_services_counter_is_read_as_its_share_of_the_cell() -> None:
    start = datetime(2026, 6, 9, tzinfo=UTC)
    dirty = Dirty("nps", "P1D", start, '{"store":"南京东路"}', 3, 7, (4, 5, 6), "")
    out = counter_record("nps", Metric("nps", ("promoters", "passives", "detractors")), dirty, NOW)
    cell, share, told = codec.read(read(Record(out.topic, 0, 0, out.key, out.value, out.headers), NOW))
    assert cell == Cell("nps", {"store": "南京东路"}, "P1D", start, {})
    assert (share, told) == ("nps/3", Share(7, {"promoters": 4, "passives": 5, "detractors": 6}))


def test_another_event_is_no_counter() -> None:
    message = contact.MessageReceived(contact_id="c", speaker=contact.SPEAKER_CUSTOMER, text="hi")
    out = write(message, event_id="e", source="s", subject="hu", time=NOW)
    with pytest.raises(TypeError):
        codec.read(read(Record(out.topic, 0, 0, out.key, out.value, out.headers), NOW))
