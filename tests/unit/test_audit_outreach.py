"""Outreach in the audit: each customer whom a wave may hit is decided on once, not too often, and not against their will."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from touchline.escalation.v1 import escalation_pb2 as pb

from services.cli.audit.ledger import Evidence, Ledger
from services.cli.audit.outreach import check_reached
from services.cli.audit.wire import SECOND

DAY = 86_400


def affected(customer: str, wave: int = 1) -> pb.CustomerAffected:
    return pb.CustomerAffected(customer_id=customer, cause="batch:B7", wave=wave)


def started(customer: str, second: int, wave: int = 1, withheld: str = "", **changed: Any) -> pb.OutreachStarted:
    usual = {"kind": "message", "zh": "您好", "en": "Hello", "withheld": withheld, **changed}
    at = Timestamp(seconds=second)
    return pb.OutreachStarted(customer_id=customer, cause="batch:B7", wave=wave, started_at=at, **usual)


def audited(
    hit: list[Any],
    decided: list[Any],
    wishes: dict[str, int] | None = None,
    asked: tuple[Any, ...] = (),
    calls: dict[str, int] | None = None,
) -> Any:
    found = Ledger(Evidence(None, {}, 0))
    facts = {"CustomerAffected": hit, "OutreachStarted": decided, "ComplaintEscalated": list(asked)}
    found.facts = defaultdict(list, {k: [SimpleNamespace(message=m) for m in v] for k, v in facts.items()})  # type: ignore[arg-type]
    opted = [SimpleNamespace(subject=who, time=at * SECOND) for who, at in (wishes or {}).items()]
    called = [SimpleNamespace(subject=who, time=at * SECOND) for who, at in (calls or {}).items()]
    found.sent = defaultdict(list, {"OutreachOptedOut": opted, "ContactRequested": called})  # type: ignore[arg-type]
    return check_reached(found)


def test_each_is_decided_on_once_and_the_note_counts_whom_it_helped() -> None:
    asked = pb.ComplaintEscalated(customer_id="li", about="k1", escalated_at=Timestamp(seconds=200))
    check = audited(
        [affected("hu"), affected("li"), affected("wang"), affected("hu", 2)],
        [
            started("hu", 100),
            started("li", 100),
            started("wang", 100, withheld="followed_up"),
            started("hu", 200, 2, "lately"),
        ],
        asked=(asked,),
    )
    assert check.ok and check.expected == 4
    assert (
        "reached: 2 customers, 2 before they called, 2 of whom never did; 1 escalated since; withheld: 2" in check.note
    )


def test_who_had_called_before_was_not_reached_before_calling() -> None:
    check = audited([affected("hu"), affected("li"), affected("wu")], [started(who, 100) for who in ("hu", "li", "wu")],
                    calls={"hu": 90, "li": 110})  # fmt: skip
    assert "reached: 3 customers, 2 before they called, 1 of whom never did; 0 escalated since" in check.note


def test_one_lost_one_made_up_and_one_doubled_are_found() -> None:
    check = audited(
        [affected("hu"), affected("li")], [started("li", 100), started("li", 100, withheld="lately"), started("wu", 1)]
    )
    assert not check.ok
    for words in (
        "hu, wave 1 of batch:B7: hit by the wave, 1 without",
        "li, wave 1 of batch:B7: 1 OutreachStarted too",
        "wu, ",
    ):
        assert any(words in d for d in check.differences), words


@pytest.mark.parametrize(
    ("decided", "says"),
    [
        ([started("hu", 100), started("hu", 100 + 6 * DAY, 2)], "reached again"),
        ([started("hu", 100), started("hu", 100 + 8 * DAY, 2, "lately")], "but was not"),
        ([started("hu", 100, withheld="opted_out"), started("hu", 4000, 2)], "asked for none"),
        ([started("hu", 100, kind="letter"), started("hu", 100, 2, "followed_up")], "letter"),
        ([started("hu", 100, zh=""), started("hu", 100, 2, "followed_up")], "no words"),
    ],
)
def test_what_is_wrong_with_a_decision_is_said(decided: list[pb.OutreachStarted], says: str) -> None:
    check = audited([affected("hu"), affected("hu", 2)], decided, {"hu": 3000} if says == "asked for none" else None)
    assert not check.ok and check.found == 1
    assert says in check.differences[0]


def test_eight_days_later_the_next_wave_is_told_of() -> None:
    assert audited([affected("hu"), affected("hu", 2)], [started("hu", 100), started("hu", 100 + 8 * DAY, 2)]).ok
