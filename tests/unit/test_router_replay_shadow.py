"""A candidate policy beside the live one: what differs is told once, and what can't be told is counted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from touchline.router.v1 import events_pb2 as wire

from services.cli.main import cli
from services.cli.router import Duration
from services.router import policyfile
from services.router.domain.facts import Inputs
from services.router.replay.shadow import KEPT, Shadow, en, inputs_of, zh
from services.runtime.records import Outgoing, Record, timestamp, write

NOW = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)  # 09:30 in the policy's zone
TEXT = policyfile.DEFAULT.read_text(encoding="utf-8")
CANDIDATE = policyfile.parse(TEXT.replace('tier = ["vip"] }\npool = "care"', 'tier = ["vip"] }\npool = "service"'))


def triaged(i: int, pool: str = "bot", rule: str = "default", priority: int = 0, **inputs: Any) -> wire.ContactTriaged:
    return wire.ContactTriaged(
        contact_id=f"c{i}", customer_id="k", pool=pool, rule=rule, priority=priority, policy="live+1",
        inputs=wire.TriageInputs(channel="app", language="zh", **inputs), requested_at=timestamp(NOW),
        decided_at=timestamp(NOW + timedelta(seconds=1)),
    )  # fmt: skip


def record(message: Any, event_id: str = "e") -> Record:
    out: Outgoing = write(message, event_id=event_id, source="/router", subject="k", time=NOW)
    return Record(out.topic, 0, 0, out.key, out.value, out.headers)


def test_what_the_candidate_decides_alike_is_seen_and_no_more():
    shadow = Shadow(CANDIDATE)
    assert shadow.hear(record(triaged(1)), NOW) is None
    assert shadow.hear(record(triaged(2, "care", "angry", 50, mood=-0.9)), NOW) is None
    told = shadow.body()
    assert (told["seen"], told["elsewhere"], told["contacts"]) == (2, 0, [])
    assert told["live"] == {"live+1": 2}


def test_a_contact_that_goes_elsewhere_is_told_once_with_both_decisions():
    shadow = Shadow(CANDIDATE)
    message = triaged(1, "care", "vip", 80, tier="vip")
    found = shadow.hear(record(message), NOW)
    assert found is not None
    assert shadow.hear(record(message, "again"), NOW) is None  # facts are published at least once
    assert (found.what, found.live.pool, found.candidate.pool) == ("pool", "care", "service")
    assert en(found) == "to service, priority 80 by “vip” rather than to care, priority 80 by “vip”"
    assert zh(found) == "按“vip”去 service（优先级 80），线上按“vip”去 care（优先级 80）"
    told = shadow.body()
    assert told["moves"] == [{"live": "care", "candidate": "service", "contacts": 1}]
    assert told["by"] == {"pool": 1, "priority": 0, "skills": 0}
    assert told["contacts"][0]["en"] == en(found)


def test_other_terms_in_the_same_pool_count_as_well():
    text = TEXT.replace("priority = 50", "priority = 51").replace(
        "priority = 60\nskills = { complaint = 2 }", "priority = 60\nskills = { complaint = 3 }"
    )
    shadow = Shadow(policyfile.parse(text))
    assert shadow.decide(triaged(1, "care", "angry", 50, mood=-0.9)).what == "priority"
    risky = triaged(2, "care", "likely_to_escalate", 60, risk=0.9)
    risky.skills["complaint"] = 2
    found = shadow.decide(risky)
    assert found.what == "skills"
    assert "complaint ≥ 3" in en(found)


def test_a_figure_that_was_not_known_matches_nothing_here_either():
    seen = inputs_of(triaged(1, missing=["sentiment"], handover="mood"), CANDIDATE)
    assert (seen.mood, seen.risk, seen.nps_score, seen.missing) == (None, None, None, ("sentiment",))
    assert seen == Inputs(
        channel="app", language="zh", minute_of_day=9 * 60 + 30, missing=("sentiment",), handover="mood"
    )
    assert inputs_of(triaged(1, mood=0.0), CANDIDATE).mood == 0.0


def test_the_time_of_day_is_by_the_candidates_zone():
    west = policyfile.parse(TEXT.replace('timezone = "+08:00"', 'timezone = "-05:00"'))
    assert inputs_of(triaged(1), west).minute_of_day == 20 * 60 + 30


def test_a_handover_that_would_not_have_been_is_left_out():
    shadow = Shadow(policyfile.parse(TEXT.replace('[default] # where no rule matches\npool = "bot"',
                                                  '[default]\npool = "service"')))  # fmt: skip
    assert shadow.decide(triaged(1)).what == "pool"
    later = triaged(1, "service", "handover", 30, handover="bot_failed")
    later.decided_at.FromDatetime(NOW + timedelta(minutes=2))
    assert shadow.decide(later) is None
    assert (shadow.seen, shadow.left_out) == (1, 1)


def test_what_is_unreadable_or_of_another_kind_is_not_a_decision():
    shadow = Shadow(CANDIDATE)
    whole = record(triaged(1))
    assert shadow.hear(Record("routing.decided", 0, 0, b"k", b"\xff", whole.headers), NOW) is None
    assert shadow.hear(record(wire.ContactAccepted(contact_id="c", pool="care")), NOW) is None
    assert (shadow.seen, shadow.unreadable) == (0, 1)


def test_all_are_counted_and_the_first_thousand_listed():
    shadow = Shadow(CANDIDATE)
    for i in range(KEPT + 5):
        shadow.decide(triaged(i, "care", "vip", 80, tier="vip"))
    told = shadow.body()
    assert (told["elsewhere"], len(told["contacts"])) == (KEPT + 5, KEPT)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("0.5s", 0.5)])
def test_durations(text: str, seconds: float):
    assert Duration().convert(text, None, None) == seconds


def test_a_bad_invocation_is_told(tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("version = 1", encoding="utf-8")
    asked = ["router", "shadow", "--policy", str(policy)]
    assert CliRunner().invoke(cli, [*asked, "--for", "soon"]).exit_code == 2
    bad = CliRunner().invoke(cli, asked)
    assert bad.exit_code == 1
    assert "policy: " in bad.stderr
    policy.write_text(TEXT, encoding="utf-8")
    down = CliRunner().invoke(cli, [*asked, "--data", str(tmp_path / "none")])
    assert down.exit_code == 1
    assert "nothing is up there" in down.stderr
