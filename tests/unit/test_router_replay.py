"""`touchline router replay` end to end: reading a log, its errors, and what it prints."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.main import cli
from services.router.domain.simulation.fit import Spec, fit, queues_met
from services.router.domain.simulation.recorded import Call
from services.router.domain.simulation.shifts import Reading
from services.router.replay import fitted as shipped
from services.router.replay import run
from services.router.replay.log import LogError, read

DATA = Path(os.environ.get("TOUCHLINE_DATA", "../shared/data"))
CALLS = DATA / "calls/bank_calls_1999_08.csv"

HEADER = (
    "vru+line,call_id,customer_id,priority,type,date,vru_entry,vru_exit,vru_time,"
    "q_start,q_exit,q_time,outcome,ser_start,ser_exit,ser_time,server"
)


def row(
    i: int, at: str, waited: int = 0, outcome: str = "AGENT", priority: int = 0, kind: str = "PS",
    served: int = 60, seat: str = "S1", day: str = "1999-08-01", customer: str = "0",
) -> str:  # fmt: skip
    q_start = at if waited else "0:00:00"
    return f"AA01,{i},{customer},{priority},{kind},{day},{at},{at},5,{q_start},0:00:00,{waited},{outcome},{at},{at},{served},{seat}"


def log(folder: Path, *rows: str) -> Path:
    path = folder / "calls.csv"
    path.write_text("\n".join((HEADER, *rows)) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    rows = []
    for i in range(80):
        at = f"{8 + i // 60}:{i % 60:02d}:00"
        waited, priority = (20 * (i % 4), i % 3)
        if i % 7 == 3:
            rows.append(row(i, at, 15 + i, "HANG", priority, served=0, seat="NO_SERVER", customer="7"))
        else:
            rows.append(
                row(
                    i, at, waited, "AGENT", priority if waited else 0, seat=f"S{i % 2}", customer="7" if waited else "0"
                )
            )
    rows.append(row(90, "9:30:00", 0, "HANG", served=0, seat="NO_SERVER"))
    rows.append(row(91, "9:31:00", 30, "PHANTOM", served=0, seat="NO_SERVER"))
    return log(tmp_path, *rows)


def invoke(*args: str):
    return CliRunner().invoke(cli, ["router", "replay", *args])


def test_it_prints_one_json_object_that_conserves_contacts(small: Path):
    done = invoke("--calls", str(small), "--runs", "2", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert "run 2 of 2" in done.stderr
    assert told["history"]["contacts"] == 80  # neither the one that left the menu nor the phantom
    for block in (told, *told["days"]):
        for name in ("history", "bank_rule", "policy"):
            found = block[name]
            assert found["contacts"] - found["answered"] - found["abandoned"] == 0
            assert found["contacts"] == block["history"]["contacts"]
            assert set(found) >= {"mean_wait_s", "p90_wait_s", "service_level_20s", "by_priority"}
            assert sum(g["contacts"] for g in found["by_priority"].values()) == found["contacts"]
    assert "error" in told["bank_rule"]
    assert [day["day"] for day in told["days"]] == ["1999-08-01"]


def test_the_same_seed_gives_the_same_figures_and_another_others(small: Path):
    first, again, other = (invoke("--calls", str(small), "--runs", "1", "--json", "--seed", s).stdout for s in "112")
    assert first == again
    assert json.loads(first)["bank_rule"] != json.loads(other)["bank_rule"]


def test_a_policy_equal_to_the_banks_rule_changes_nothing(small: Path):
    told = json.loads(invoke("--calls", str(small), "--runs", "2", "--json", "--policy", str(run.BANK_RULE)).stdout)
    assert told["policy"] == told["bank_rule"]
    assert told["policy_less_bank_rule"]["abandonment"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_a_seat_less_is_a_longer_wait(small: Path):
    whole, less = (
        json.loads(invoke("--calls", str(small), "--runs", "2", "--json", *more).stdout)
        for more in ((), ("--without-busiest-seat",))
    )
    assert less["history"] == whole["history"]
    assert less["bank_rule"]["mean_wait_s"] > whole["bank_rule"]["mean_wait_s"]


def test_people_get_a_table(small: Path):
    done = invoke("--calls", str(small), "--runs", "2")
    assert done.exit_code == 0, done.output
    for words in ("mean wait", "abandoned", "1999-08-01", "放弃", "seeds 随机种子: 1–2 · runs 运行次数: 2"):
        assert words in done.stdout
    assert "no interval" not in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if "银行规则:" not in line)
    assert "\r" not in done.stderr and done.stderr.endswith("run 2 of 2\n")  # by lines where it is no terminal


def test_one_run_claims_no_interval(small: Path):
    told = json.loads(invoke("--calls", str(small), "--runs", "1", "--json").stdout)
    assert told["policy"]["error"] == told["bank_rule"]["error"] == {"mean_wait_s": None, "abandonment": None}
    less = told["policy_less_bank_rule"]["mean_wait_s"]
    assert (less["low"], less["high"]) == (None, None)
    shown = invoke("--calls", str(small), "--runs", "1", "--against", str(run.BANK_RULE)).stdout
    assert "± —" in shown
    assert "± 0.0" not in shown
    assert "仅一次运行，无区间 / one run: no interval" in shown


def test_a_type_is_shown_as_it_is_written(tmp_path: Path):
    rows = (row(i, f"9:0{i}:00", 20 * (i % 2), priority=i % 2, kind="[/x]") for i in range(6))
    done = invoke("--calls", str(log(tmp_path, *rows)), "--runs", "1")
    assert done.exit_code == 0, done.output
    assert "[/x]" in done.stdout


def test_a_share_that_is_no_number_is_refused(small: Path):
    done = invoke("--calls", str(small), "--bot-takes", "nan")
    assert done.exit_code == 2
    assert "'--bot-takes': nan is not a finite number" in done.stderr


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (row(1, "8:00:00", outcome="MAYBE"), 'line 2: outcome: "MAYBE"'),
        (row(1, "8:00:00", priority=7), 'line 2: priority: "7"'),
        (row(1, "25:00:00"), 'line 2: vru_exit: "25:00:00"'),
        (row(1, "8:00:00", served=-5), 'line 2: ser_time: "-5"'),
        (row(1, "8:00:00", day="1999-13-01"), 'line 2: date: "1999-13-01"'),
        (row(1, "8:00:00", kind=""), "line 2: type: is empty"),
        (row(1, "8:00:00", kind="P\0"), "line 2: type: holds a control character"),
        (row(1, "8:00:00", served="٦"), 'line 2: ser_time: "٦"'),  # type: ignore[arg-type]
        ("AA01,1,0", "line 2: has too few fields"),
        (row(1, "8:00:00") + ",more", "line 2: has too many fields"),
        (row(1, "8:00:00", outcome="PHANTOM"), "holds no contact"),
    ],
)
def test_a_bad_log_is_refused_by_line_and_field(tmp_path: Path, bad: str, says: str):
    done = invoke("--calls", str(log(tmp_path, bad)), "--json")
    assert done.exit_code == 1
    assert says in done.stderr
    assert done.stdout == ""


def test_a_log_that_lacks_a_column_or_is_no_text_is_refused(tmp_path: Path):
    path = tmp_path / "calls.csv"
    path.write_text("date,type\n", encoding="utf-8")
    with pytest.raises(LogError, match="line 1: there is no column customer_id, priority"):
        read(path, Reading())
    path.write_bytes(HEADER.encode() + b"\n\xff\xfe")
    with pytest.raises(LogError, match="UTF-8"):
        read(path, Reading())


def test_a_file_is_named_as_it_was_given():
    assert "/dev/null: line 1: there is no column" in invoke("--calls", "/dev/null").stderr


def test_a_bad_policy_is_refused_by_place(small: Path, tmp_path: Path):
    path = tmp_path / "policy.toml"
    path.write_text('version = "1"\ntimezone = "+00:00"\n[default]\npool = "nowhere"\n', encoding="utf-8")
    done = invoke("--calls", str(small), "--policy", str(path))
    assert done.exit_code == 1
    assert "policy: line 1: pools" in done.stderr
    path.write_text(
        'version = "1"\ntimezone = "+00:00"\n[default]\npool = "bot"\n[handover]\npool = "floor"\n[pools.floor]\n',
        encoding="utf-8",
    )
    bot = invoke("--calls", str(small), "--policy", str(path), "--runs", "1")
    assert bot.exit_code == 1
    assert 'rule "default" sends calls of type PS to the bot' in bot.stderr
    assert invoke("--calls", str(tmp_path / "none.csv")).exit_code == 2


def test_an_impossible_service_is_drawn_anew_and_an_unknown_class_imputed(tmp_path: Path):
    (day,) = read(
        log(tmp_path, row(1, "8:00:00", served=36_290), row(2, "8:10:00", 5, priority=2, customer="9")), Reading()
    )
    assert day.calls[0].service_s is None
    assert [call.tier for call in day.calls] == ["", "2"]
    assert [call.group for call in day.calls] == ["0", "2"]


def test_fitted_distributions_survive_the_file(small: Path, tmp_path: Path):
    made = fit(read(small, Reading()), Spec(least_hang_ups=2, least_services=2))
    path = tmp_path / "fitted.json"
    shipped.save(made, {"source": "a test"}, path)
    again = shipped.load(path)
    assert again.patience.queue_from == made.patience.queue_from
    assert again.patience.cells.keys() == made.patience.cells.keys()
    assert again.wrap_up.values == pytest.approx(made.wrap_up.values, abs=0.05)
    assert again.service_of("PS", "2").values == pytest.approx(made.service_of("PS", "2").values, abs=0.05)
    assert json.loads(path.read_text())["provenance"] == {"source": "a test"}


def test_what_is_shipped_says_where_it_comes_from_and_covers_each_type():
    told = json.loads(shipped.SHIPPED.read_text(encoding="utf-8"))["provenance"]
    assert (told["first_day"], told["last_day"]) == ("1999-08-01", "1999-08-19")
    found = shipped.load()
    for kind in ("PS", "NW", "NE", "IN", "TT", "PE", "new"):
        for bins in (found.patience.of(kind, "2"), found.patience.of(kind, "")):
            assert len(bins) == len(found.patience.queue_from)
        assert found.service_of(kind, "0").at(0.999) > found.service_of(kind, "0").at(0.0)


def test_the_queue_that_a_call_meets_is_who_waits_then():
    def waits(at: float, waited: float) -> Call:
        return Call(at, "PS", "0", "0", waited, True)

    assert queues_met([waits(0, 10), waits(5, 20), waits(10, 0), waits(30, 1)]) == [0, 1, 1, 0]


@pytest.mark.skipif(not CALLS.is_file(), reason=f"{CALLS} is not here")
def test_what_is_shipped_is_what_the_fit_makes():
    days = read(CALLS, Reading())
    made = fit(days, Spec())
    found = shipped.load()
    assert found.wrap_up.values == pytest.approx(made.wrap_up.values, abs=0.06)
    assert found.patience.cells.keys() == made.patience.cells.keys()
    for cell, bins in made.patience.cells.items():
        for mine, theirs in zip(found.patience.cells[cell], bins, strict=True):
            assert mine.values == pytest.approx(theirs.values, abs=0.06)
