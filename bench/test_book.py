"""What is told of a run: repeats, ratios, the book that the docs are written from."""

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from bench.capacity import need
from bench.charts import Bar, chart
from bench.docs import EXPECTED, charts, page
from bench.kinds import OPEN, POOLS, SEATS, Contacts
from bench.report import ratios, routed
from bench.results import Book, Costs, Result, read_book, tell, write_book
from bench.routing import name_at
from bench.sink import Told, Verdict, judge_after_crash

FIELDS = {
    "system",
    "workload",
    "events_per_s",
    "p50_ms",
    "p99_ms",
    "first_new_s",
    "lost",
    "doubled",
    "rss_mb",
    "settings",
}
MACHINE = {
    "cores": 2, "cpu": "x", "memory_gb": 8, "system": "Linux", "python": "3", "kafka": "4", "postgres": "18", "aiokafka": "0",
    "librdkafka": "2", "faust": "0", "quix": "3", "kafka_streams": "4", "commit": "c", "load_average": [0.1, 0, 0], "began": "t",
}  # fmt: skip


def fast(system: str, rate: float, **more: object) -> Result:
    return Result(system, "throughput", "s", 1000, events_per_s=rate, lost=0, doubled=0, **more)  # type: ignore[arg-type]


def test_a_fact_that_is_told_again_is_repeated_and_one_under_two_names_is_doubled() -> None:
    once, again, other = Told(("a", 1), 0, b"x"), Told(("a", 1), 9, b"x"), Told(("a", 1), 9, b"y")
    assert judge_after_crash([once, again], {"a": 1}) == Verdict(0, 0, 1)
    assert judge_after_crash([once, other], {"a": 1}) == Verdict(0, 1, 0)
    assert judge_after_crash([once, Told(("a", 2), 1)], {"a": 1}) == Verdict(0, 1, 0)
    assert judge_after_crash([], {"a": 1}) == Verdict(1, 0, 0)


def test_ratios_grade_what_was_measured_and_say_what_was_not() -> None:
    told = ratios([fast("runtime", 90.0), fast("kafka-streams", 60.0), fast("faust-tuned", 10.0)])
    assert told[0].endswith("measured 1.50×, aim met")
    assert told[1].endswith("measured 9.0×, missed")
    assert all(line.endswith("not measured") for line in told[2:])
    assert ratios([fast("runtime", 60.0), fast("kafka-streams", 60.0)])[0].endswith("measured 1.00×, met")


def test_json_has_exactly_the_fields_that_were_asked_for(tmp_path: Path) -> None:
    rows = [fast("runtime", 1.0), Result("runtime", "soak", "s"), fast("quix", 0.0, skipped="no environment")]
    tell(tmp_path / "rows.json", rows)
    told = json.loads((tmp_path / "rows.json").read_text())
    assert [row["workload"] for row in told] == ["throughput", "soak"]
    assert all(set(row) == FIELDS for row in told)
    assert told[0]["p99_ms"] is None


def test_a_newer_row_takes_the_older_ones_place_but_a_skipped_one_does_not(tmp_path: Path) -> None:
    book = Book()
    book.enter("1", MACHINE, [fast("runtime", 1.0), fast("quix", 2.0)])
    book.enter("2", MACHINE, [fast("runtime", 3.0), fast("quix", 0.0, skipped="gone")])
    write_book(tmp_path / "book.json", book)
    kept = read_book(tmp_path / "book.json")
    assert {r.system: (r.run, r.events_per_s) for r in kept.rows} == {"runtime": ("2", 3.0), "quix": ("1", 2.0)}
    assert set(kept.runs) == {"1", "2"}


def test_the_page_names_every_row_that_was_not_run() -> None:
    book = Book()
    book.enter("1", MACHINE, [fast("runtime", 1.0, costs=Costs(own_us=10))])
    text = page(book)
    assert text.count("not run: not measured yet") == sum(map(len, EXPECTED.values())) - 1


def test_charts_are_drawn_to_scale_and_begin_at_zero() -> None:
    svg = ElementTree.fromstring(chart("t", "u", [Bar("a", 50, "50"), Bar("b", 100, "100"), Bar("c", None, "not run")]))
    widths = [float(r.get("width", 0)) for r in svg.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert len(widths) == 2
    assert widths[0] * 2 == widths[1]
    for drawn in charts(Book()).values():
        ElementTree.fromstring(drawn)


def test_what_a_rate_needs_follows_from_the_cost_of_an_event() -> None:
    row = fast(
        "nps", 20_000.0, rss_mb=100, costs=Costs(own_us=40, kafka_us=10, postgres_us=30, wal_bytes=500, bytes_out=300)
    )
    found = need(row, 100_000)
    assert found is not None
    assert found.processes == 10  # 100,000 × 50 µs, half full
    assert found.postgres_cores == 3.0
    assert need(fast("nps", 20_000.0), 100_000) is None


def test_routing_is_graded_by_decision_and_offer_against_the_round_trip_of_its_run() -> None:
    def row(rate: int, decided: float, offered: float) -> Result:
        more = {
            "contacts_per_s": rate, "round_trip_p99_ms": 10.0, "to_round_trip": decided, "offer_to_round_trip": offered,
            "offer_p50_ms": 1.0, "offer_p99_ms": 10 * offered, "cpu_us": {"router": 900, "kafka": 100},
        }  # fmt: skip
        return Result(name_at(rate), "routing", "s", p50_ms=1.0, p99_ms=10 * decided, more=more)

    rows = [row(500, 7.0, 8.1), row(100, 2.0, 3.0)]
    lines = routed(rows).splitlines()
    assert ["holds" in lines[2], "missed" in lines[3]] == [True, True]
    assert lines[2].split("|")[1].strip() == "100" and "900" in lines[2]
    assert routed([fast("runtime", 1.0)]) == ""
    rows[1].more["alone"] = True
    assert [line.split("|")[2].strip() for line in routed(rows).splitlines()[2:]] == ["work", "answer"]


def test_contacts_that_are_open_can_be_ended_and_seats_sign_in_anew_each_time() -> None:
    load, now = Contacts("t", 1), datetime.now(UTC)
    sent = [e for e in load.events(400) if e.fact is not None]
    ended = list(load.rest(now))
    assert 0 < len(ended) <= OPEN + 1 and not load.open and len(sent) == load.sent.total()
    names = [dict(seat.headers)["ce_id"] for _ in range(2) for seat in load.seats(now)]
    assert len(set(names)) == len(names) == 2 * len(POOLS) * SEATS
