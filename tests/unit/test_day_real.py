"""The day from real data: a real day's calls, patience as it was seen, and what real people wrote."""

import csv
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from services.cli.day.model import LOCAL
from services.cli.day.realdata import (
    CALLS,
    REVIEWS,
    Call,
    busiest_weekday,
    generate_real,
    given_up,
    missing,
    patience_of,
)
from services.cli.demo import demo

MIDNIGHT = datetime(2026, 6, 18, tzinfo=LOCAL)
DATA = Path(__file__).parents[3] / "shared" / "data"
real = pytest.mark.skipif(bool(missing(DATA)), reason="no real data in ../shared/data")


def call(outcome: str, waited: float) -> Call:
    return Call(36_000, "PS", "0", "1", waited, 0, outcome)


def test_who_hung_up_had_exactly_that_patience_and_who_was_served_had_more() -> None:
    hung_up = given_up([call("HANG", 90), call("HANG", 30), call("AGENT", 70), call("HANG", 300)])
    assert patience_of(call("HANG", 42), hung_up, Random(1)) == 42
    drawn = {patience_of(call("AGENT", 60), hung_up, Random(i)) for i in range(50)}
    assert drawn == {90, 300}
    assert patience_of(call("AGENT", 400), hung_up, Random(1)) > 400


def test_a_folder_without_the_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"bank_calls_1999_08\.csv"):
        generate_real(tmp_path, 1, MIDNIGHT)
    answer = CliRunner().invoke(demo, ["--data", str(tmp_path)])
    assert answer.exit_code == 2
    assert "bank_calls_1999_08.csv" in answer.output


@real
def test_the_day_is_the_busiest_weekday_as_it_was() -> None:
    with (DATA / CALLS).open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["outcome"] in ("AGENT", "HANG")]
    calls = busiest_weekday(DATA / CALLS)
    of_that_size = [d for d in {r["date"] for r in rows} if sum(r["date"] == d for r in rows) == len(calls)]
    assert of_that_size
    day = generate_real(DATA, 1, MIDNIGHT)
    theirs = [c for c in day.contacts if c.shopper.id != "hu"]
    inside = [c for c in calls if day.window.start <= c.at < day.window.end]
    assert sorted(c.at for c in theirs) == sorted(c.at for c in inside)
    assert sum(c.wants_human for c in theirs) == sum(c.outcome != "MENU" for c in inside)
    assert [c for c in day.contacts if c.shopper.id == "hu"]


@real
def test_what_customers_say_was_written_by_real_ones() -> None:
    with (DATA / REVIEWS).open(newline="", encoding="utf-8") as file:
        written = {r["review"].strip() for r in csv.DictReader(file)}
    day = generate_real(DATA, 2, MIDNIGHT, hours=2)
    said = [
        t for c in day.contacts if c.shopper.id != "hu" and c.shopper.language == "zh" for t in (*c.opening, *c.later)
    ]
    assert len(said) > 100
    assert set(said) <= written


@real
def test_more_or_fewer_calls_on_demand() -> None:
    usual, more = (len(generate_real(DATA, 1, MIDNIGHT, scale=s).contacts) for s in (1, 3))
    assert abs(more / usual - 3) < 0.05
    few = generate_real(DATA, 1, MIDNIGHT, events=2000)
    assert abs(len(few.contacts) * 11.7 - 2000) < 200
