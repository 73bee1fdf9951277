"""`touchline nps compute` and the counts beneath it, against an oracle in plain Python that sees all events at once."""

import json
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain, combinations
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.nps import compute
from services.nps.domain.cube import Cube
from services.nps.domain.span import rolling_span, span_of
from services.nps.domain.tally import Tally
from services.nps.domain.windows import WINDOWS, days_of, end_of, rolling, start_of
from services.nps.lines import LineError, read_line
from services.nps.report.book import read
from services.nps.settings import NpsSettings

DIMENSIONS = ("channel", "region", "store")
FIRST = datetime(2026, 10, 28, tzinfo=UTC)  # two months, a few weeks
Line = dict[str, object]


def stream(seed: int, surveys: int) -> list[Line]:
    """Survey events in arrival order: duplicates, late, corrected more than once, retracted, corrections without an answer."""
    rnd = random.Random(seed)
    found: list[tuple[float, Line]] = []
    for i in range(surveys):
        moment = FIRST + timedelta(minutes=rnd.randrange(20 * 24 * 60))
        zone = rnd.choice([UTC, timezone(timedelta(hours=8)), timezone(-timedelta(hours=3, minutes=30))])

        def event(
            kind: str, minutes: int, i: int = i, moment: datetime = moment, zone: timezone = zone, **more: object
        ) -> Line:
            at = (moment + timedelta(minutes=minutes)).astimezone(zone)
            return {"id": f"{kind}{i}-{minutes}", "source": "s", "type": kind, "time": at.isoformat(), "survey_id": f"q{i}", **more}  # fmt: skip

        where = {d: f"{d}{rnd.randrange(3)}" for d in DIMENSIONS if rnd.random() < 0.9}
        mine = []
        if rnd.random() < 0.97:
            mine.append(event("answered", 0, score=rnd.randrange(11), segments=where, comment="好"))
        for _ in range(rnd.choice([0] * 9 + [1, 1, 2])):
            mine.append(event("corrected", rnd.randrange(1, 400), score=rnd.randrange(11)))
        if rnd.random() < 0.05:
            mine.append(event("retracted", rnd.randrange(1, 400)))
        mine += [e for e in mine if rnd.random() < 0.1]
        found += [(rnd.random(), e) for e in mine]
    return [e for _, e in sorted(found, key=lambda x: x[0])]


def stands(events: list[Line]) -> list[tuple[datetime, dict[str, str], int]]:
    """Time, segments and score of every survey that counts, by the words of docs/models/nps-statistics.md and the line format."""
    by_survey: dict[object, list[Line]] = defaultdict(list)
    for event in events:
        by_survey[event["survey_id"]].append(event)
    found = []
    for mine in by_survey.values():
        answers = [e for e in mine if e["type"] == "answered"]
        fixes = sorted((datetime.fromisoformat(str(e["time"])), str(e["id"]), e["score"]) for e in mine if e["type"] == "corrected")  # fmt: skip
        if answers and all(e["type"] != "retracted" for e in mine):
            answer = answers[0]
            found.append((datetime.fromisoformat(str(answer["time"])), answer["segments"], fixes[-1][2] if fixes else answer["score"]))  # fmt: skip
    return found


def groups(scores: list[int]) -> tuple[int, int, int]:
    return sum(s > 8 for s in scores), sum(s in (7, 8) for s in scores), sum(s < 7 for s in scores)


def label(window: str, at: datetime) -> object:
    """What calls a window by its name in the calendar, without its bounds."""
    at = at.astimezone(UTC)
    match window:
        case "hour":
            return at.date(), at.hour
        case "day":
            return at.date()
        case "week":
            return at.isocalendar()[:2]
    return at.year, at.month


@pytest.mark.parametrize("seed", [1, 2])
def test_every_window_and_every_combination_equals_the_oracle(seed: int) -> None:
    events = stream(seed, 500)
    want = stands(events)
    cube, halves = Cube(), (Cube(), Cube())
    whole = Tally(cube)
    parts = [Tally(c) for c in halves]
    for event in events:
        read = read_line(json.dumps(event))
        whole.add(read)
        parts[hash(read.survey_id) % 2].add(read)
    halves[0].merge(halves[1])
    for window in WINDOWS:
        for dimensions in chain.from_iterable(combinations(DIMENSIONS, k) for k in range(4)):
            scores: dict[object, list[int]] = defaultdict(list)
            for at, where, score in want:
                if all(d in where for d in dimensions):
                    scores[label(window, at), tuple(where[d] for d in dimensions)].append(score)
            expected = {key: groups(s) for key, s in scores.items()}
            for found in (cube, halves[0]):
                got = {
                    (label(window, start), values): (f.promoters, f.passives, f.detractors)
                    for start, values, f in found.table(window, dimensions)
                }
                assert got == expected
    f = cube.figure(FIRST + timedelta(days=2), FIRST + timedelta(days=9), {"region": "region1", "store": "store0"})
    chosen = [
        s for at, where, s in want
        if 2 <= (at - FIRST) / timedelta(days=1) < 9 and (where.get("region"), where.get("store")) == ("region1", "store0")
    ]  # fmt: skip
    assert chosen
    assert (f.promoters, f.passives, f.detractors) == groups(chosen)


def test_the_command_at_any_time_asked(tmp_path: Path) -> None:
    """After 10, 500 and all events: counts and rejected lines are those of the oracle, for every segment."""
    events, file = stream(5, 800), tmp_path / "events.jsonl"
    for upto in (10, 500, len(events)):
        lines = [json.dumps(e, ensure_ascii=False) for e in events[:upto]]
        lines.insert(4, '{"id": "broken"')
        lines.insert(7, json.dumps({**events[0], "id": "e", "type": "answered", "score": 11}))
        file.write_text("\n".join(lines), encoding="utf-8")
        done = CliRunner().invoke(compute, [str(file), "--json"])
        assert done.exit_code == 1
        out = json.loads(done.stdout)
        assert out["rejected"] == [
            {"line": 5, "error": "line: is not JSON"},
            {"line": 8, "error": "score: is not between 0 and 10"},
        ]
        assert "line 8: score: is not between 0 and 10" in done.stderr
        want: Counter[tuple[str, str]] = Counter()
        standing = stands(events[:upto])
        for _, where, _ in standing:
            want.update(where.items())
        assert out["all"]["n"] == len(standing)
        assert {(d, v): f["n"] for d, values in out["by"].items() for v, f in values.items()} == want
        for d, values in out["by"].items():
            for v, f in values.items():
                p, a, bad = groups([s for _, where, s in standing if where.get(d) == v])
                assert (f["promoters"], f["passives"], f["detractors"]) == (p, a, bad)
                assert f["nps"] == pytest.approx(100 * (p - bad) / (p + a + bad))
                assert f["low"] <= 100 * (p - bad) / (p + a + bad + 3) <= f["high"]


def test_the_reports_other_events_are_passed_over_and_many_rejected_lines_are_told_shortly(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    answer = {
        "id": "a",
        "source": "s",
        "type": "answered",
        "time": "2026-11-01T00:00:00Z",
        "survey_id": "q",
        "score": 9,
    }
    other = [json.dumps({"id": f"o{i}", "source": "s", "type": kind}) for i, kind in enumerate(("contacted", "owned"))]
    file.write_text("\n".join([json.dumps(answer), *other]), encoding="utf-8")
    done = CliRunner().invoke(compute, [str(file), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["rejected"] == []
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["2"]
    asked = [json.dumps({"id": f"x{i}", "type": "asked"}) for i in range(12)]
    file.write_text("\n".join([json.dumps(answer), *other, *asked]), encoding="utf-8")
    done = CliRunner().invoke(compute, [str(file), "--json"])
    assert done.exit_code == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("line ")]
    assert told[0] == "line 4: type: 'asked' is not a survey event"
    assert len(told) == 10
    assert "… and 2 more / 另有 2 行" in done.stderr
    assert len(json.loads(done.stdout)["rejected"]) == 12


def test_a_byte_order_mark_is_no_part_of_a_line(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    answers = [
        {"id": f"a{i}", "source": "s", "type": "answered", "time": "2026-11-01T00:00:00Z", "survey_id": f"q{i}", "score": 9}
        for i in range(2)
    ]  # fmt: skip
    file.write_text("".join(f"\ufeff{json.dumps(a)}\r\n" for a in answers), encoding="utf-8")
    done = CliRunner().invoke(compute, [str(file), "--json"])
    assert (done.exit_code, json.loads(done.stdout)["all"]["n"]) == (0, 2)
    assert read([file]).lines == {"answered": 2}


def test_the_table_names_a_dimension_once_and_a_long_value_fits_a_terminal(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    answers = [
        {"id": f"a{i}", "source": "s", "type": "answered", "time": "2026-11-01T00:00:00Z", "survey_id": f"q{i}", "score": 9,
         "segments": {"store": f"西南购物中心店{i}"}}
        for i in range(3)
    ]  # fmt: skip
    file.write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    lines = CliRunner().invoke(compute, [str(file)], env={"COLUMNS": "80"}).stdout.splitlines()
    assert [line.strip() for line in lines if "store" in line] == ["store"]
    assert sum("西南购物中心店" in line and "100.0" in line for line in lines) == 3


def test_the_table_says_where_answers_are_too_few(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    answers = [
        {"id": f"a{i}", "source": "s", "type": "answered", "time": "2026-11-01T00:00:00Z", "survey_id": f"q{i}", "score": 10 - i % 5,
         "segments": {"store": "big" if i else "small"}}
        for i in range(200)
    ]  # fmt: skip
    file.write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    done = CliRunner().invoke(compute, [str(file)], env={"COLUMNS": "140"})
    assert done.exit_code == 0
    small = next(line for line in done.stdout.splitlines() if "small" in line)
    assert "few" in small
    assert "few" not in next(line for line in done.stdout.splitlines() if "big" in line)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.text(max_size=30) | json_values.map(json.dumps) | json_values.map(lambda v: json.dumps(v, ensure_ascii=False))
)
def test_the_fast_reader_takes_nothing_that_json_refuses(line: str) -> None:
    try:
        fast = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return
    assert json.loads(line) == fast


@settings(deadline=None)
@given(st.fixed_dictionaries({"id": json_values, "source": st.just("s"), "type": st.just("answered"), "time": st.just("2026-11-01T00:00:00Z"),
                              "survey_id": st.just("q"), "score": json_values, "segments": json_values}))  # fmt: skip
def test_a_line_is_an_event_or_names_its_field(found: dict[str, object]) -> None:
    good = isinstance(found["id"], str) and found["id"]
    good = good and type(found["score"]) is int and 0 <= found["score"] <= 10
    segments = found["segments"]
    good = good and isinstance(segments, dict) and all(isinstance(v, str) for v in segments.values())
    if good:
        assert read_line(json.dumps(found)).event_id == found["id"]
    else:
        with pytest.raises(LineError, match=r"^(id|score|segments): "):
            read_line(json.dumps(found))


moments = st.datetimes(datetime(1999, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
zones = st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin", "America/Sao_Paulo"]).map(
    ZoneInfo
)


@settings(deadline=None)
@given(moments, zones)
def test_windows_hold_their_moment_and_follow_each_other(at: datetime, zone: ZoneInfo) -> None:
    for window in WINDOWS:
        start, end = start_of(window, at, zone), end_of(window, at, zone)
        assert start <= at < end
        assert start_of(window, end, zone) == end
        assert end_of(window, start, zone) == end
    week, month = (days_of(start_of(w, at, zone), end_of(w, at, zone), zone) for w in ("week", "month"))
    assert len(week) == 7
    assert week[0].astimezone(zone).weekday() == 0
    assert {d.astimezone(zone).month for d in month} == {at.astimezone(zone).month}
    last = rolling(at, 28, zone)
    assert (len(last), last[-1]) == (28, start_of("day", at, zone))


def test_a_days_length_follows_the_clocks() -> None:
    york = ZoneInfo("America/New_York")

    def hours(*day: int) -> float:
        noon = datetime(*day, 12, tzinfo=york)  # type: ignore[misc]
        return (end_of("day", noon, york) - start_of("day", noon, york)).total_seconds() / 3600

    assert [hours(2026, 3, 7), hours(2026, 3, 8), hours(2026, 11, 1)] == [24, 23, 25]
    # A week with such a day is told by the hours it has; what lies within it is counted once.
    noon = datetime(2026, 11, 1, 12, tzinfo=york)
    week = span_of("week", noon, york)
    assert week.last - week.first == 7 * 24 + 1
    assert rolling_span(noon, 7, york).last == week.last
    # In Shanghai a day begins at 16:00 UTC.
    assert start_of("day", datetime(2026, 11, 1, 15, 59, tzinfo=UTC), ZoneInfo("Asia/Shanghai")).day == 31
    assert start_of("day", datetime(2026, 11, 1, 16, tzinfo=UTC), ZoneInfo("Asia/Shanghai")).hour == 16


def test_a_day_whose_midnight_is_skipped_begins_with_its_first_moment() -> None:
    zone = ZoneInfo("America/Sao_Paulo")  # clocks went from 00:00 to 01:00 on 4 November 2018
    noon = datetime(2018, 11, 4, 12, tzinfo=zone)
    assert start_of("day", noon, zone) == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert end_of("day", noon, zone) == datetime(2018, 11, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "says"), [("Mars/Base", "IANA name"), ("Asia/Kolkata", "whole hours"), ("Asia/Kathmandu", "whole hours")]
)
def test_a_zone_that_will_not_do_is_named_with_its_reason(zone: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        NpsSettings(zone=zone)
    assert NpsSettings(zone="America/New_York").zoned() == ZoneInfo("America/New_York")
