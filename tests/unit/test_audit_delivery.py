"""Each effect has one fact, also where a time is part of what names it."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from touchline.router.v1 import events_pb2

from services.cli.audit.delivery import _plain


def test_a_paid_debt_is_named_by_its_contact_and_its_time() -> None:
    one, same, later = (events_pb2.DebtPaid(contact_id="k", due_at=Timestamp(seconds=s, nanos=5)) for s in (7, 7, 8))
    with pytest.raises(TypeError):
        hash(one.due_at)
    keys = [_plain(fact.due_at) for fact in (one, same, later)]
    assert keys[0] == keys[1] != keys[2] and len(set(keys)) == 2
    assert _plain("k") == "k"
