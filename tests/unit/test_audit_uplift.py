"""What following up has prevented, in the audit: the trial recomputed from the facts, and told beside what was planted."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from touchline.escalation.v1 import escalation_pb2 as pb

from services.cli.audit.ledger import Evidence, Ledger
from services.cli.audit.uplift import check_prevented, interval
from services.cli.audit.wire import SECOND
from services.escalation.domain.uplift import ArmCount, uplift

HOUR = 3600
NOW = 10 * HOUR


def flag(customer: str, arm: str, at: int = HOUR, case: str = "") -> pb.ComplaintFlagged:
    return pb.ComplaintFlagged(
        customer_id=customer, case_id=case or customer, arm=arm, flagged_at=Timestamp(seconds=at)
    )


def asked(customer: str, at: int) -> pb.ComplaintEscalated:
    return pb.ComplaintEscalated(customer_id=customer, escalated_at=Timestamp(seconds=at))


def answer(treated: tuple[int, int], held_out: tuple[int, int]) -> pb.GetUpliftResponse:
    """As the service would answer for these counts (cases, escalated)."""
    told = uplift(ArmCount(*treated), ArmCount(*held_out))
    return pb.GetUpliftResponse(
        treated=pb.ArmCount(cases=treated[0], escalated=treated[1]),
        held_out=pb.ArmCount(cases=held_out[0], escalated=held_out[1]),
        difference=told.difference, low=told.low, high=told.high, known=told.known,
        avoided=told.avoided, avoided_low=told.avoided_low, avoided_high=told.avoided_high,
    )  # fmt: skip


def audited(flags: list[Any], asks: list[Any], told: Any, journal: list[dict[str, Any]] | None = None) -> Any:
    ledger = Ledger(Evidence(journal, {}, NOW * SECOND, uplift=told, uplift_asked=(NOW * SECOND, (NOW + 60) * SECOND)))
    facts = {"ComplaintFlagged": flags, "ComplaintEscalated": asks}
    ledger.facts = defaultdict(list, {k: [SimpleNamespace(message=m) for m in v] for k, v in facts.items()})  # type: ignore[arg-type]
    return check_prevented(ledger)


TREATED = [flag(f"t{i}", "treated") for i in range(40)]
HELD_OUT = [flag(f"h{i}", "held_out") for i in range(10)]
ASKS = [asked("t0", HOUR + 60), asked("t1", 2 * HOUR), *(asked(f"h{i}", HOUR + 600) for i in range(7))]


def test_the_counts_and_the_interval_are_those_of_the_facts() -> None:
    check = audited(TREATED + HELD_OUT, ASKS, answer((40, 2), (10, 7)))
    assert check.ok and check.expected == 50
    assert "prevented 26 (95 % 13 to 34), +65 points (+33 to +85; 2 of 40 followed up, 7 of 10 held out)" in check.note
    assert "planted" not in check.note and "避免升级 26 次（95 % 区间 13 至 34）" in check.note


@pytest.mark.parametrize(
    ("more", "asks"),
    [
        ([flag("x", "")], ASKS),  # in no trial
        ([flag("x", "treated", NOW - 600)], ASKS),  # too young to be compared
        ([flag("t0", "treated", 2 * HOUR, "t0")], ASKS),  # the same case, flagged again
        ([], [*ASKS, asked("t2", 3 * HOUR)]),  # later than the horizon
        ([], [*ASKS, asked("t2", HOUR - 60)]),  # before it was flagged
        ([], [*ASKS, asked("t0", HOUR + 90)]),  # the same customer twice
    ],
)
def test_what_does_not_count_does_not(more: list[Any], asks: list[Any]) -> None:
    assert audited(TREATED + HELD_OUT + more, asks, answer((40, 2), (10, 7))).ok


def test_a_flag_that_comes_of_age_while_the_service_is_asked_may_count() -> None:
    young = [flag("y", "treated", NOW - HOUR + 30)]
    for told in (answer((40, 2), (10, 7)), answer((41, 2), (10, 7))):
        assert audited(TREATED + HELD_OUT + young, ASKS, told).ok


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (answer((39, 2), (10, 7)), "treated: 39 cases, expected 40 to 40"),
        (answer((40, 1), (10, 7)), "treated: 1 escalated, expected 2 to 2"),
        (answer((40, 2), (10, 8)), "held_out: 8 escalated, expected 7 to 7"),
    ],
)
def test_one_too_many_or_too_few_is_found(told: Any, says: str) -> None:
    check = audited(TREATED + HELD_OUT, ASKS, told)
    assert not check.ok and says in check.differences


def test_a_wrong_interval_and_a_service_that_does_not_answer_are_found() -> None:
    told = answer((40, 2), (10, 7))
    told.high += 0.01
    assert any("high: " in d for d in audited(TREATED + HELD_OUT, ASKS, told).differences)
    assert not audited(TREATED, [], None).ok
    assert audited([], [], None).ok


def test_too_few_and_an_interval_with_zero_in_it_are_not_yet_known() -> None:
    assert "not yet known: only 1 + 0 cases" in audited([TREATED[0]], [], answer((1, 0), (0, 0))).note
    check = audited(TREATED + HELD_OUT, [], answer((40, 0), (10, 0)))
    assert (
        "尚不可知" in check.note
        and "not yet known: 95 % -9 to +28 points (0 of 40 followed up, 0 of 10 held out)" in check.note
    )


def test_what_was_planted_stands_beside_the_estimate() -> None:
    stayed = [{"via": "player", "stayed": f"t{i}", "moved_by": "follow_up"} for i in range(2, 22)]
    lines = [
        {"via": "player", "planted": {}},
        *stayed,
        {"stayed": "h9", "moved_by": "follow_up"},
        {"stayed": "c", "moved_by": "outreach"},
    ]
    note = audited(TREATED + HELD_OUT, ASKS, answer((40, 2), (10, 7)), lines).note
    # 20 of 40 treated stayed away for it, and one of the ten held out whom somebody called all the same.
    assert "planted: 21 kept from it, +40 points among those" in note and "21 位因跟进未升级，可比者中差 +40" in note


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_the_interval_is_the_service_s_own_and_shares_no_code_with_it(n: int, m: int, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    told = answer((n, x), (m, y))
    assert interval(told.treated, told.held_out) == pytest.approx((told.difference, told.low, told.high), abs=1e-9)
