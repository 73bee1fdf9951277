"""A rush is judged by its facts: what is right passes, and each thing that may go wrong is told."""

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from touchline.router.v1 import events_pb2 as wire

from bench.rush import Rush, policy_of, requested
from bench.rush_chart import Spans, draw
from bench.rush_course import Course, figures, guarded, wrong
from services.router.domain.policy import Managed
from services.router.policyfile import DEFAULT, parse
from services.runtime.records import Record

TERMS, SEATS = Managed(enter=2, leave=0, least=1), 1
_tokens = count(1)


def at(seconds: float) -> Timestamp:
    return Timestamp(seconds=int(seconds))


def record(fact: Message) -> Record:
    kind = f"touchline.router.{type(fact).__name__}.v1".encode()
    return Record("routing.decided", 0, 0, b"k", fact.SerializeToString(), [("ce_type", kind)])


def served(contact: str, came: float, taken: float, ended: float, *, protected: bool = False) -> list[Message]:
    who = {"contact_id": contact, "pool": "service"}
    offer: dict[str, Any] = {**who, "seat_id": "s", "token": next(_tokens)}
    return [
        wire.ContactTriaged(**who, decided_at=at(came), protected=protected),
        wire.ContactOffered(**offer, offered_at=at(taken)),
        wire.ContactAccepted(**offer, accepted_at=at(taken), waited_ms=int(1000 * (taken - came))),
        wire.ContactClosed(**who, closed_at=at(ended), outcome=wire.OUTCOME_HUMAN),
    ]


def owed(contact: str, made: float, paid: float | None) -> list[Message]:
    who = {"contact_id": contact, "pool": "service"}
    facts: list[Message] = [wire.DebtIncurred(**who, at=at(made))]
    if paid is not None:
        facts += [wire.DebtCalled(**who, at=at(paid)), wire.DebtPaid(**who, at=at(paid))]
    return facts


ENTERED = wire.ManagedModeEntered(pool="service", cause="load", at=at(10))
LEFT = wire.ManagedModeLeft(pool="service", cause="load", at=at(300))
A, B = served("a", 0, 1, 100), served("b", 20, 200, 250)
VIP = served("vip", 30, 100, 200, protected=True)
DEBT = owed("b", 20, 200)
CALM = [*A, ENTERED, *B, *DEBT, *VIP, LEFT]
# What is left of the list where one customer was forgotten.
FORGOTTEN = [*A, ENTERED, *B[:1], *owed("b", 20, None), *VIP, LEFT]


def course(facts: Iterable[Message]) -> Course:
    heard = Course("service")
    heard.hear(map(record, facts))
    return heard


def judged(facts: Iterable[Message]) -> list[str]:
    return wrong(figures(course(facts), {"a", "b", "vip"}, TERMS, SEATS))


def test_a_rush_that_went_well_has_nothing_wrong() -> None:
    assert judged(CALM) == []
    row = figures(course(CALM), {"a", "b", "vip"}, TERMS, SEATS)
    assert (row["debts"], row["paid"], row["managed_min"], row["longest_debt_min"]) == (1, 1, 4.8, 3.0)
    assert row["protected_nearest_bound"] == {"waited_s": 70.0, "bound_s": 300.0}


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ([*CALM, ENTERED, LEFT], "entered 2 times"),
        (CALM[:-1], "left 0 times"),
        (FORGOTTEN, "1 debts were not paid"),
        (FORGOTTEN, "1 contacts were lost"),
        ([*CALM, DEBT[-1]], "1 debts were paid twice"),
        ([*CALM, *owed("vip", 30, 100)], "the bot kept 1 protected"),
        ([*A, ENTERED, *B, *DEBT, *VIP[:1], VIP[-1], LEFT], "no human took 1 protected"),
        ([*A, ENTERED, *B, *DEBT, *served("vip", 30, 900, 950, protected=True), LEFT], "1 protected customers waited"),
        ([*A, ENTERED, *B, *VIP, LEFT], "no debt was made"),
    ],
)
def test_what_went_wrong_is_told(facts: list[Message], what: str) -> None:
    assert any(what in told for told in judged(facts))


def test_another_pools_facts_and_unknown_ones_mean_nothing() -> None:
    other = [ENTERED.__class__(pool="care", cause="load", at=at(10)), wire.WaitPredicted(pool="service")]
    assert judged([*CALM, *other]) == []


def test_the_curves_count_each_contact_where_it_is() -> None:
    curves = {key: dict(points) for key, points in course(CALM).curves(0, 300, 50).items()}
    assert [curves["debts"][t] for t in (0, 50, 150, 200)] == [0, 1, 1, 0]
    assert [curves["waiting"][t] for t in (0, 50, 100, 250)] == [1, 1, 0, 0]
    assert curves["kept"][50] == 1


def test_the_picture_shows_the_managed_stretch(tmp_path: Any) -> None:
    found = course(CALM)
    draw(tmp_path / "rush.svg", found, guarded(found, TERMS, SEATS), Spans(0, 5, 40))
    svg = (tmp_path / "rush.svg").read_text("utf-8")
    assert svg.count("<circle") == 1 and svg.count("polyline") == 3 and "managed mode" in svg


def test_ten_times_as_many_come_in_the_rush() -> None:
    rush = replace(Rush(), before_min=60, rush_min=60)
    came = []
    for plan in rush.arrivals(100.0):
        if plan.at - 100 > 3 * 3600:
            break
        came.append(plan.at - 100)
    by_hour = [sum(h * 3600 <= t < (h + 1) * 3600 for t in came) for h in range(3)]
    assert came == sorted(came)
    assert 8 < by_hour[1] / (rush.steady * 3600) < 12
    assert all(0.6 < by_hour[h] / (rush.steady * 3600) < 1.4 for h in (0, 2))


def test_the_policy_is_the_shipped_one_with_the_protected_in_the_rushed_pool() -> None:
    shipped = DEFAULT.read_text("utf-8")
    mine = parse(policy_of(shipped, 30))
    assert {rule.route.pool for rule in mine.rules if rule.route.protected} == {"service"}
    assert mine.terms("service").managed == parse(shipped).terms("service").managed
    with pytest.raises(ValueError, match="protects nobody"):
        policy_of("version = '1'", 30)


def test_who_was_requested_is_read_from_the_journal_past_its_calls(tmp_path: Any) -> None:
    kind = "touchline.contact.ContactRequested.v1"
    lines = [
        {"accepted": True, "event": {"type": kind, "data": {"contactId": "a"}}},
        {"accepted": False, "event": {"type": kind, "data": {"contactId": "refused"}}},
        {"accepted": True, "call": "Accept"},
    ]
    (tmp_path / "journal.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    assert requested(tmp_path / "journal.jsonl") == {"a"}
