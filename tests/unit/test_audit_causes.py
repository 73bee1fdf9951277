"""Waves in the audit: each tells of no more customers than reported its cause, and is told once."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from touchline.escalation.v1 import escalation_pb2 as pb

from services.cli.audit.causes import check_waves
from services.cli.audit.ledger import Evidence, Ledger

HOUR = 3600


def reported(customer: str, second: int, cause: str = "batch:B7") -> pb.CauseReported:
    return pb.CauseReported(cause=cause, customer_id=customer, reported_at=Timestamp(seconds=second))


def heated(second: int, customers: int = 5, wave: int = 1) -> pb.CauseHeated:
    return pb.CauseHeated(cause="batch:B7", wave=wave, customers=customers, heated_at=Timestamp(seconds=second))


def audited(reports: list[Any], waves: list[Any]) -> Any:
    found = Ledger(Evidence(None, {}, 0))
    facts = {"CauseReported": reports, "CauseHeated": waves}
    found.facts = defaultdict(list, {k: [SimpleNamespace(message=m) for m in v] for k, v in facts.items()})  # type: ignore[arg-type]
    return check_waves(found)


FIVE = [reported(f"c{n}", 9 * HOUR + n) for n in range(5)]


def test_a_wave_is_what_its_reports_make_it() -> None:
    check = audited([*FIVE, reported("late", 9 * HOUR), reported("other", 9 * HOUR, "store:1")], [heated(9 * HOUR + 4)])
    assert check.ok and check.expected == 1
    assert check.note == "batch:B7 6 位 customers"


def test_customers_who_never_reported_and_a_wave_told_twice_are_found() -> None:
    twice = [reported("c0", 9 * HOUR + 4)]
    check = audited([*FIVE[:4], *twice], [heated(9 * HOUR + 4), heated(9 * HOUR + 9)])
    assert not check.ok and check.found == 3
    assert "tells of 5 customers, 4 reported" in check.differences[0]
    assert any("is wave 1, and should be 2" in d for d in check.differences)


def test_reports_of_hours_before_are_none_of_a_wave() -> None:
    assert not audited([*FIVE[:4], reported("early", 6 * HOUR)], [heated(9 * HOUR + 4)]).ok
    assert audited(FIVE, []).ok
