"""The incident log's scores: nothing from the future, explained in full, monotone, and worth what is said of them."""

import csv
import gzip
import json
import math
import random
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.main import cli
from services.escalation.tickets import model as shipped
from services.escalation.tickets import reasons
from services.escalation.tickets.evaluate import judge, report, stories
from services.escalation.tickets.features import NAMES, PLACE
from services.escalation.tickets.log import LogError, Row, in_order, read
from services.escalation.tickets.model import TARGETS, Model
from services.escalation.tickets.score import chance
from services.escalation.tickets.scoring import Batch, Scored, batches, score
from tests.unit.escalation_tickets_world import COLUMNS, clock, line, made_up, write

RISING = (
    "reassignments",
    "reopenings",
    "times resolved",
    "groups",
    "assignees",
    "silences",
    "caller's incidents",
    "caller's turned",
)


@pytest.fixture(scope="module")
def model() -> Model:
    return shipped.load()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    log = read(write(tmp_path_factory.mktemp("log") / "log.csv", made_up(120)))
    assert not log.bad
    return list(log.rows)


@pytest.fixture(scope="module")
def batch(rows: list[Row], model: Model) -> Batch:
    return next(batches(rows, model.world()))


@pytest.fixture(scope="module")
def real(shared_data: Path) -> list[Row]:
    return list(read(shared_data / "tickets/incidents.csv.gz").rows)


def invoke(*args: object):
    return CliRunner().invoke(cli, ["escalation", "evaluate", *(str(a) for a in args)])


def by_row(scored: list[Scored]) -> dict[int, tuple[float, float]]:
    return {s.row.line: (s.escalated, s.breached) for s in scored}


def test_every_open_row_has_a_score_and_no_closed_one(rows: list[Row], model: Model) -> None:
    assert sorted(by_row(score(rows, model))) == sorted(r.line for r in rows if r.state != "Closed")


@pytest.mark.parametrize("seed", range(4))
def test_no_score_knows_the_future(rows: list[Row], model: Model, seed: int) -> None:
    """After a random moment each incident's rows are shuffled among its times, changed or dropped: what came before stays."""
    chance_ = random.Random(seed)
    cut = chance_.choice(rows).at
    past = [r for r in rows if r.at <= cut]
    later: list[Row] = []
    for number in {r.number for r in rows}:
        own = [r for r in rows if r.number == number and r.at > cut]
        times = [(r.at, r.mod) for r in own]
        chance_.shuffle(own)
        for (at, mod), r in zip(times, own, strict=True):
            if chance_.random() < 0.8:
                grade = chance_.choice((1, 2, 3, 4))
                later.append(
                    r._replace(
                        at=at, mod=mod, priority=grade, made_sla=chance_.random() < 0.5, reopened=chance_.randrange(3)
                    )
                )
    before, after = by_row(score(rows, model)), by_row(score(in_order([*past, *later]), model))
    known = [r.line for r in past if r.is_open]
    assert len(known) > 10
    assert [before[i] for i in known] == [after[i] for i in known]


def test_the_real_log_cut_off_gives_the_same_scores(real: list[Row], model: Model) -> None:
    log = real[:1600]
    half = log[:800]
    again = by_row(score(half, model))
    whole = by_row(score(log, model))
    assert again == {i: whole[i] for i in again}


def test_the_order_of_the_file_and_the_end_times_change_nothing(tmp_path: Path) -> None:
    rows = made_up(60, seed=3)
    turned = [{**r, "resolved_at": "", "closed_at": ""} for r in rows]
    order = list(range(len(rows)))
    random.Random(5).shuffle(order)
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    assert invoke("--tickets", write(tmp_path / "a.csv", rows), "--scores", one, "--json").exit_code == 0
    assert (
        invoke("--tickets", write(tmp_path / "b.csv", [turned[i] for i in order]), "--scores", two, "--json").exit_code
        == 0
    )
    first = {x["row"]: x for x in map(json.loads, one.read_text().splitlines())}
    second = {order[x["row"]]: x for x in map(json.loads, two.read_text().splitlines())}
    assert first.keys() == second.keys()
    assert all(first[i][t] == second[i][t] for i in first for t in TARGETS)


def test_reasons_and_base_add_up_to_the_score(tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    done = invoke("--tickets", write(tmp_path / "log.csv", made_up(60)), "--scores", out, "--why", "--json")
    assert done.exit_code == 0, done.output
    told = 0
    for x in map(json.loads, out.read_text(encoding="utf-8").splitlines()):
        for target in TARGETS:
            why = x["why"][target]
            if why["base"] is None:
                assert x[target] == 1.0
                continue
            odds = why["base"] + sum(r["weight"] for r in why["reasons"])
            assert math.isclose(1 / (1 + math.exp(-odds)), x[target], abs_tol=1e-5)
            assert all(r["zh"] and r["en"] for r in why["reasons"])
            told += 1
    assert told > 100


def test_each_feature_belongs_to_one_kind_of_reason(batch: Batch, model: Model) -> None:
    for target in TARGETS:
        parts = reasons.parts(model.scores[target], batch.first, batch.now)
        np.testing.assert_allclose(parts.sum(axis=1), model.scores[target].odds(batch.first, batch.now), atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_more_repeats_never_lower_a_score(batch: Batch, model: Model, data: st.DataObject) -> None:
    """On every row of a log, each with another feature changed at will: more of what must count never counts less."""
    chance_ = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    name = data.draw(st.sampled_from(RISING))
    first, now = batch.first[::3].copy(), batch.now[::3].copy()
    each = np.arange(len(now))
    now[each, chance_.integers(0, len(NAMES), len(now))] = chance_.uniform(-5, 500, len(now))
    more, opening = now.copy(), first.copy()
    more[:, PLACE[name]] += chance_.uniform(0, 50, len(now))
    opening[:, PLACE[name]] += 3
    for target in TARGETS:
        odds = model.scores[target].odds
        usual = odds(first, now)
        assert (odds(first, more) >= usual - 1e-9).all()
        assert (odds(opening, now) >= usual - 1e-9).all()


def test_one_more_reassignment_on_a_row_never_lowers_its_score(rows: list[Row], model: Model) -> None:
    place = next(i for i, r in enumerate(rows) if i > 40 and r.is_open and r.reopened == 0 and r.priority == 3)
    row = rows[place]
    found = []
    for moved in (row.reassigned, row.reassigned + 1, row.reassigned + 5):
        told = score([*rows[:place], row._replace(reassigned=moved)], model)[-1]
        found.append((told.escalated, told.breached))
    assert found == sorted(found)
    assert all(a[1] <= b[1] for a, b in pairwise(found))


def test_the_shipped_model_was_trained_before_what_is_held_back(real: list[Row], model: Model) -> None:
    """The training log's incidents are the earlier ones; what is kept back was opened later."""
    opened = {r.number: r.opened for r in real}
    assert model.about["trained_until"] == max(opened.values())
    assert int(model.past["at"]) == model.about["trained_until"]


def test_the_report_says_how_many_incidents_the_training_knew(tmp_path: Path, model: Model) -> None:
    done = invoke("--tickets", write(tmp_path / "log.csv", made_up(30)), "--json")
    answer = json.loads(done.stdout)
    assert answer["incidents_from_training_time"] == 30
    late = [
        {
            **r,
            "opened_at": r["opened_at"].replace("/2016", "/2018"),
            "sys_updated_at": r["sys_updated_at"].replace("/2016", "/2018"),
        }
        for r in made_up(30)
    ]
    done = invoke("--tickets", write(tmp_path / "late.csv", late), "--json")
    assert json.loads(done.stdout)["incidents_from_training_time"] == 0


def test_bad_rows_are_told_with_line_and_field_and_the_rest_is_evaluated(tmp_path: Path) -> None:
    rows = made_up(20)
    rows[3]["sys_updated_at"] = "tomorrow"
    rows[5]["priority"] = "urgent"
    rows[7]["reopen_count"] = "-1"
    rows[9]["made_sla"] = "maybe"
    rows[11]["opened_at"] = "31/2/2016 10:00"
    rows[13]["sys_updated_at"] = "1/3/2016 25:00"
    path = write(tmp_path / "log.csv", rows)
    with path.open("a", encoding="utf-8") as f:
        f.write("INC9,New\n")
    done = invoke("--tickets", path, "--scores", tmp_path / "s.jsonl", "--json")
    assert done.exit_code == 1
    for place, field in (
        (3, "sys_updated_at"),
        (5, "priority"),
        (7, "reopen_count"),
        (9, "made_sla"),
        (11, "opened_at"),
        (13, "sys_updated_at"),
    ):
        assert f"line {place + 2}: {field}: " in done.stderr
    assert f"line {len(rows) + 2}: row: has 2 fields" in done.stderr
    answer = json.loads(done.stdout.splitlines()[0])
    assert answer["rows_left_out"] == 7
    good = {i for i, r in enumerate(rows) if i not in (3, 5, 7, 9, 11, 13) and r["incident_state"] != "Closed"}
    assert {json.loads(x)["row"] for x in (tmp_path / "s.jsonl").read_text().splitlines()} == good


def test_in_80_columns_every_label_and_figure_stands_whole_and_what_is_unknown_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = invoke("--tickets", write(tmp_path / "log.csv", made_up(60)))
    assert done.exit_code == 0, done.output
    assert "…" not in done.stdout and all(len(line) <= 80 for line in done.stdout.splitlines())
    for words in (
        "reassigned/reopened ",
        "sentiment alone *",
        "* unknown: an incident log has no texts",
        "escalated 20%",
    ):
        assert words in done.stdout
    assert re.fullmatch(r"(row \d+ of \d+\n)+", done.stderr)  # by lines where it is no terminal


def test_a_file_that_is_no_log_is_told(tmp_path: Path) -> None:
    for name, text, said in (
        ("a.csv", "", "empty"),
        ("b.csv", "number,priority\n1,3\n", "lacks incident_state"),
        ("c.csv", "\x1f\x8bno", "c.csv"),
    ):
        path = tmp_path / name
        path.write_bytes(text.encode("latin-1"))
        done = invoke("--tickets", path, "--json")
        assert done.exit_code == 1
        assert said in done.stderr
    with pytest.raises(LogError, match="can't decode"):
        path = tmp_path / "d.csv"
        path.write_bytes(b"number,\xff\xff\n")
        read(path)


def test_a_gzipped_log_reads_the_same_and_an_empty_one_gives_nothing(tmp_path: Path) -> None:
    plain = write(tmp_path / "log.csv", made_up(5))
    zipped = tmp_path / "log.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(plain) == read(zipped)
    done = invoke("--tickets", write(tmp_path / "none.csv", []), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["escalated"]["recall_at"] == {"0.05": None, "0.1": None, "0.2": None}


def test_a_flag_counts_only_before_the_row_that_it_foresaw(tmp_path: Path, model: Model) -> None:
    """Ten incidents, one raised on its second row: a score of its later rows is worth nothing."""
    lines = []
    for i in range(10):
        lines.append(line(f"N{i}", 10 * i, 10 * i))
        raised = {"priority": "1 - Critical"} if i == 4 else {}
        lines.append(line(f"N{i}", 10 * i, 10 * i + 600, sys_mod_count=1, incident_state="Active", **raised))
        lines.append(
            line(
                f"N{i}",
                10 * i,
                10 * i + 9000,
                sys_mod_count=2,
                incident_state="Closed",
                made_sla=i not in (2, 3),
                **raised,
            )
        )
    log = read(write(tmp_path / "log.csv", lines)).rows

    def figures(first: float, second: float):
        scored = [
            Scored(
                p,
                r,
                (first if r.mod == 0 else second) if r.number == "N4" else 0.1,
                0.9 if r.number in ("N2", "N7") else 0.2,
                False,
            )
            for p, r in enumerate(log)
            if r.is_open
        ]
        return report(judge(log, scored), model)

    late, early = figures(0.05, 0.9), figures(0.9, 0.05)
    assert late["escalated"]["positives"] == 1
    assert late["escalated"]["recall_at"] == {"0.05": 0.0, "0.1": 0.0, "0.2": 0.0}
    assert early["escalated"]["recall_at"] == {"0.05": 0.0, "0.1": 1.0, "0.2": 1.0}
    assert early["escalated"]["lead_time_hours_median"] == 10
    assert early["breached"]["positives"] == 2
    assert early["breached"]["recall_at"]["0.2"] == 0.5
    assert early["breached"]["lead_time_hours_median"] == 150
    assert early["breached_at"]["24"]["pr_auc"] == pytest.approx((1 + 2 / 5) / 2)
    assert early["today"]["sentiment alone"] is None


def test_incidents_turn_where_the_priority_rises_or_they_reopen(rows: list[Row]) -> None:
    for story in stories(rows):
        own = [rows[p] for p in story.places]
        turned = [r.priority < own[0].priority or r.reopened > 0 for r in own]
        assert story.turn == (turned.index(True) if any(turned) else None)


def test_scores_of_one_incident_are_the_same_beside_any_odd_columns(tmp_path: Path, model: Model) -> None:
    """A log with only the needed columns, in another order, is read too."""
    needed = [
        "made_sla",
        "number",
        "incident_state",
        "priority",
        "sys_updated_at",
        "opened_at",
        "sys_mod_count",
        "reopen_count",
        "reassignment_count",
    ]
    path = tmp_path / "few.csv"
    with path.open("w", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, needed, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(made_up(8))
    log = read(path)
    assert not log.bad
    scored = score(log.rows, model)
    assert all(0 < s.breached < 1 and 0 < s.escalated <= 1 for s in scored)
    assert {s.row.category for s in scored} == {"?"}
    assert len(COLUMNS) > len(needed)
    assert clock(31 * 1440) == "1/4/2016 00:00"


def test_probabilities_are_those_of_the_odds() -> None:
    assert chance(np.array([0.0, 100.0, -100.0])) == pytest.approx([0.5, 1.0, 0.0], abs=1e-12)
