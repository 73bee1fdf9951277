"""Cases of dead letters: when a record came, however often it was sent again."""

from datetime import UTC, datetime, timedelta

from services.cli.dlq_cases import Filter, cases
from services.runtime.errors import Permanent
from services.runtime.letters import dead_letter, mark, original
from services.runtime.records import Outgoing, Record

T0 = datetime(2026, 3, 2, tzinfo=UTC)


def lying(sent: Outgoing, offset: int, after: timedelta) -> Record:
    at = round((T0 + after).timestamp() * 1000)
    return Record(sent.topic, 0, offset, sent.key, sent.value, sent.headers, at)


def test_a_record_is_as_old_as_its_first_letter_and_was_put_aside_by_its_last() -> None:
    """Whoever took it when it first came forgets it from then on, and would count it twice after that."""
    record = Record("touchline.test", 0, 7, b"c", b"{}", (("ce_id", b"e1"), ("ce_source", b"s")))
    first = lying(dead_letter(record, Permanent("is bad"), "strict"), 0, timedelta(0))
    day6 = lying(original(first), 8, timedelta(days=6))
    second = lying(dead_letter(day6, Permanent("is still bad"), "strict"), 2, timedelta(days=6))
    letters = [first, lying(mark(first), 1, timedelta(days=6)), second]
    [case] = cases(letters)
    assert case.came_at() == T0 and case.put_aside_at() == T0 + timedelta(days=6)
    assert case.replays == 1 and not case.replayed
    assert Filter(since=T0 + timedelta(days=5)).lets(case), "what was put aside of late is its last attempt"
