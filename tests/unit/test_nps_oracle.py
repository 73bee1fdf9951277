"""The live figures against DuckDB, which is told the same events in a file and asked in SQL: every segment, every window, at
several moments of arrival. 1,000 answers at three moments in the usual run, 100,000 at six and a million at two in `-m slow`."""

import csv
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.nps.domain.board import NOWHERE, Board, hour_number
from services.nps.domain.figures import GROUP_INDEX
from services.nps.domain.span import ALL_TIME, Span, rolling_span, span_of
from services.nps.domain.survey import (
    ContactBegan,
    CustomerSurveys,
    Event,
    SurveyAnswered,
    SurveyAsked,
    SurveyCorrected,
    SurveyCounted,
    SurveyRetracted,
    decide,
)
from services.nps.domain.windows import WINDOWS

duckdb = pytest.importorskip("duckdb", reason="DuckDB is the oracle (the dev extra)")

FIRST = datetime(2026, 10, 20, tzinfo=UTC)  # two months, a few weeks
DAYS = 24
DIMENSIONS = ("region", "store", "channel", "touchpoint", "group")
COLUMNS = ("arrived", "kind", "source", "id", "customer", "survey", "contact", "time", "score", *DIMENSIONS)


def stream(answers: int, seed: int) -> list[Event]:
    """Survey events in arrival order: 3 % twice, 5 % corrected (some twice, some before the answer), 2 % retracted, all of
    them late by anything; 3 % answered again with other words; 10 % name the contact, or our request, for their segments."""
    rnd, found = random.Random(seed), list[tuple[float, Event]]()
    for n in range(answers):
        at = FIRST + timedelta(seconds=rnd.randrange(DAYS * 86400))
        customer, survey, here = f"c{n // 3}", f"q{n}", rnd.random()
        where = {
            "region": f"r{rnd.randrange(8)}", "store": f"st{rnd.randrange(400)}", "channel": rnd.choice(("app", "微信", "phone")),
            "touchpoint": f"t{rnd.randrange(28)}", "group": rnd.choice(("normal", "gold", "vip")),
        }  # fmt: skip
        segments = tuple(sorted(where.items()))
        mine: list[Event] = []

        def told(minutes: int, at: datetime = at) -> datetime:
            return at + timedelta(minutes=minutes)

        contact = f"k{n}" if here < 0.1 else ""
        if here < 0.05:
            mine.append(ContactBegan("app", f"b{n}", customer, contact, told(-30), segments))
        elif here < 0.1:
            mine.append(SurveyAsked("nps", f"w{n}", customer, survey, told(-20), segments))
        given = segments[: rnd.randrange(5)] if here < 0.1 else segments
        mine.append(SurveyAnswered("s", f"a{n}", customer, survey, at, rnd.randrange(11), given, contact))
        if rnd.random() < 0.03:
            mine.append(SurveyAnswered("s", f"again{n}", customer, survey, told(rnd.randrange(-90, 90)), rnd.randrange(11), segments))  # fmt: skip
        for k in range(rnd.choice((0,) * 19 + (1, 2))):
            mine.append(
                SurveyCorrected("s", f"c{n}-{k}", customer, survey, told(rnd.randrange(400)), rnd.randrange(11))
            )
        if rnd.random() < 0.02:
            mine.append(SurveyRetracted("s", f"r{n}", customer, survey, told(60)))
        mine += [e for e in mine if rnd.random() < 0.03]
        found += [(rnd.random(), e) for e in mine]
    return [e for _, e in sorted(found, key=lambda x: x[0])]


def write(events: list[Event], path: Path) -> None:
    """The events as they are, without anything that we make of them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for n, e in enumerate(events):
            where = dict(getattr(e, "segments", ()))
            row = (
                n, type(e).__name__, e.source, e.event_id, e.customer_id, getattr(e, "survey_id", ""),
                getattr(e, "contact_id", ""), e.time.isoformat(), getattr(e, "score", ""),
            )  # fmt: skip
            out.writerow((*row, *(where.get(d, "") for d in DIMENSIONS)))


# What stands, in SQL alone, by the words of docs/models/nps-statistics.md and of proto/.
NAMED = ", ".join(
    f"""coalesce(nullif(a."{d}", ''), nullif(w."{d}", ''), nullif(k."{d}", '')) AS "{d}" """ for d in DIMENSIONS
)
STANDS = f"""
    CREATE OR REPLACE TEMP TABLE stands AS
    WITH known AS (SELECT * FROM told WHERE arrived < ?),
    answers AS (SELECT * FROM known WHERE kind = 'SurveyAnswered'
                QUALIFY row_number() OVER (PARTITION BY customer, survey ORDER BY time DESC, id DESC) = 1),
    fixed AS (SELECT * FROM known WHERE kind = 'SurveyCorrected'
              QUALIFY row_number() OVER (PARTITION BY customer, survey ORDER BY time DESC, id DESC) = 1),
    asked AS (SELECT DISTINCT ON (customer, survey) * FROM known WHERE kind = 'SurveyAsked'),
    contacts AS (SELECT DISTINCT ON (customer, contact) * FROM known WHERE kind = 'ContactBegan')
    SELECT a.time, coalesce(f.score, a.score) AS score,
           {NAMED}
    FROM answers a LEFT JOIN fixed f USING (customer, survey) LEFT JOIN asked w USING (customer, survey)
         LEFT JOIN contacts k ON k.customer = a.customer AND k.contact = a.contact AND a.contact <> ''
    WHERE NOT EXISTS (SELECT 1 FROM known r WHERE r.kind = 'SurveyRetracted' AND r.customer = a.customer AND r.survey = a.survey)
"""
COUNTS = "[count(*) FILTER (score >= 9), count(*) FILTER (score BETWEEN 7 AND 8), count(*) FILTER (score <= 6)]"


class Live:
    """The service's own way: decide, and the register of each survey on the board."""

    def __init__(self) -> None:
        self.board = Board()
        self._states: dict[str, CustomerSurveys] = {}
        self._seen: set[tuple[str, str]] = set()
        self._slots: dict[tuple[str, str], int] = {}

    def take(self, event: Event) -> None:
        name = event.source, event.event_id
        if name in self._seen:
            return  # the runtime drops duplicates
        self._seen.add(name)
        key = event.customer_id
        state = self._states.get(key) or CustomerSurveys(key)
        self._states[key], facts = decide(state, event, event.time)
        for fact in facts:
            if isinstance(fact, SurveyCounted):
                slot = self._slots.setdefault((key, fact.survey_id), len(self._slots))
                group = NOWHERE if fact.after is None else GROUP_INDEX[fact.after]
                self.board.put(slot, fact.answered_at, fact.segments, group)


def compare(board: Board, db: "duckdb.DuckDBPyConnection") -> int:
    """Every segment in every window that DuckDB knows, and pairs and triples of dimensions in all but the hours.

    How many figures agreed. That the board has no others follows from the sums: each table's counts add up to all.
    """
    checked = 0
    kinds: list[tuple[str, str, str]] = [(w, f"date_trunc('{w}', time)", "") for w in WINDOWS]
    kinds.append(("all", "TIMESTAMPTZ '2026-01-01 00:00:00+00'", ""))
    for n in range(0, DAYS, 5):
        last = FIRST + timedelta(days=n + 1)
        for days in (2, 10):
            inside = f"WHERE time >= TIMESTAMPTZ '{last - timedelta(days=days)}' AND time < TIMESTAMPTZ '{last}'"
            kinds.append((f"rolling {days}", f"TIMESTAMPTZ '{last - timedelta(hours=17)}'", inside))
    for kind, start, inside in kinds:

        def table(*dimensions: str, start: str = start, inside: str = inside) -> dict[tuple[str, ...], list[int]]:
            named = ", ".join(["epoch_ms(" + start + ")", *(f'"{d}"' for d in dimensions)])
            found = db.execute(f"SELECT {named}, {COUNTS} FROM stands {inside} GROUP BY ALL").fetchall()
            return {row[:-1]: list(row[-1]) for row in found if None not in row}

        whole = table()
        for (at,), counts in whole.items():
            span = span_at(kind, at)
            assert board.counts(span.first, span.last, {}) == counts, (kind, at)
            checked += 1
        if kind in (*WINDOWS, "all"):
            assert sum(map(sum, whole.values())) == board.standing()
        for d in DIMENSIONS:
            want: dict[int, dict[str, list[int]]] = {}
            for (at, value), counts in table(d).items():
                want.setdefault(at, {})[value] = counts
            for at, by in want.items():
                span = span_at(kind, at)
                assert board.by(d, span.first, span.last, {}) == by, (kind, at, d)
                checked += len(by)
        if kind != "hour":
            checked += combinations(board, kind, table)
    return checked


def combinations(board: Board, kind: str, table: Callable[..., dict[tuple[Any, ...], list[int]]]) -> int:
    """Pairs of dimensions, and triples over a month or all time."""
    checked = 0
    for dimensions in (
        ("region", "touchpoint"), ("channel", "store"), ("touchpoint", "group"), ("store", "touchpoint", "channel"),
    ):  # fmt: skip
        if len(dimensions) > 2 and kind not in ("month", "all"):
            continue
        want: dict[tuple[Any, ...], dict[str, list[int]]] = {}
        for (at, *values, last), counts in table(*dimensions).items():
            want.setdefault((at, *values), {})[last] = counts
        for (at, *values), by in want.items():
            span, where = span_at(kind, at), dict(zip(dimensions, values, strict=False))
            assert board.by(dimensions[-1], span.first, span.last, where) == by, (kind, at, where)
            checked += len(by)
    return checked


def span_at(kind: str, millis: int) -> Span:
    """Our own window of that kind at a moment of DuckDB's."""
    at = datetime.fromtimestamp(millis / 1000, UTC)
    name, _, days = kind.partition(" ")
    if name == "rolling":
        return rolling_span(at, int(days))
    return ALL_TIME if name == "all" else span_of(name, at)


@pytest.mark.parametrize(
    ("answers", "moments", "seed", "figures"),
    [
        (1_000, 3, 1, 30_000),
        pytest.param(100_000, 6, 3, 400_000, marks=[pytest.mark.slow, pytest.mark.timeout(7200)]),
        pytest.param(1_000_000, 2, 2, 400_000, marks=[pytest.mark.slow, pytest.mark.timeout(7200)]),
    ],
    ids=["1k", "100k", "1M"],
)
def test_every_segment_and_window_is_that_of_an_independent_database_at_any_time(
    answers, moments, seed, figures, tmp_path
) -> None:
    events = stream(answers, seed)
    path = tmp_path / "events.csv"
    write(events, path)
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'; SET threads = 1")
    types = dict.fromkeys(COLUMNS, "VARCHAR") | {"arrived": "BIGINT", "time": "TIMESTAMPTZ", "score": "INTEGER"}
    db.execute(f"CREATE TABLE told AS SELECT * FROM read_csv(?, header = true, columns = {types})", [str(path)])
    live, checked = Live(), 0
    dice = random.Random(f"{seed}/moments")
    stops = {len(events), *(dice.randrange(1, len(events)) for _ in range(moments - 1))}
    for n, event in enumerate(events, 1):
        live.take(event)
        if n in stops:
            db.execute(STANDS, [n])
            checked += compare(live.board, db)
    assert live.board.standing() > 0.9 * answers
    print(f"{len(events)} events, {checked} figures compared")
    assert checked > figures
    assert hour_number(FIRST) * 3600 == FIRST.timestamp()
