"""NPS on the wire, in its counters and in its state's JSON."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec.json import encode
from touchline.nps.v1 import nps_pb2
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2

from services.nps import codec, counters, deeds
from services.nps.domain.survey import CustomerSurveys, SurveyAnswered, SurveyCounted, decide
from services.runtime.records import Incoming
from services.runtime.rpc import RpcError

AT = datetime(2026, 11, 18, 23, 59, 30, tzinfo=UTC)  # a Wednesday


def incoming(message) -> Incoming:
    return Incoming("e", "s", "", "c", "c", AT, message, "")


def test_an_answer_is_read_with_its_segments_in_order_and_without_empty_ones() -> None:
    message = survey_pb2.SurveyAnswered(
        survey_id="q", score=0, segments={"store": "s1", "region": "华东", "product": ""}
    )
    expected = SurveyAnswered("s", "e", "c", "q", AT, 0, (("region", "华东"), ("store", "s1")))
    assert codec.read(incoming(message)) == expected
    assert codec.read(incoming(order_pb2.OrderPlaced(order_id="o"))) is None


def test_a_fact_says_what_stood_before_and_what_stands_after() -> None:
    (publish,) = codec.write(SurveyCounted("c", "q", None, 0, (("region", "华东"),), AT, AT))
    message = publish.message
    assert isinstance(message, nps_pb2.NpsChanged)
    assert not message.HasField("before")
    assert message.HasField("after")
    assert message.after == 0
    assert dict(message.segments) == {"region": "华东"}
    assert message.answered_at.ToDatetime(tzinfo=UTC) == AT


def test_an_answer_counts_in_every_window_and_segment() -> None:
    fact = SurveyCounted("c", "q", 9, 3, (("region", "华东"), ("store", "s1")), AT, AT)
    found = {(d.window, d.segment): d for d in counters.count(fact)}
    segments = ((), (("region", "华东"),), (("store", "s1"),))
    assert set(found) == {(w, s) for w in ("ALL", "P1D") for s in segments} | {("PT1H", ())}
    assert all(d.counts == {"promoters": -1, "detractors": 1} for d in found.values())
    assert found["PT1H", ()].start == datetime(2026, 11, 18, 23, tzinfo=UTC)
    assert found["P1D", ()].start == datetime(2026, 11, 18, tzinfo=UTC)
    assert [key for key, d in found.items() if not d.publish] == [("P1D", (("store", "s1"),))]


def test_a_correction_within_its_group_counts_nothing() -> None:
    assert list(counters.count(SurveyCounted("c", "q", 9, 10, (), AT, AT))) == []


def test_the_state_comes_back_from_json() -> None:
    state, _ = decide(CustomerSurveys("c"), SurveyAnswered("s", "e", "c", "q", AT, 0, (("region", "华东"),)), AT)
    assert msgspec.json.decode(encode(state), type=CustomerSurveys) == state


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            deeds.promise(nps_pb2.PromiseActionRequest(owner="li", promise="p", due_at=Timestamp(seconds=1 << 60))),
            "due_at: is out of range",
        ),
        (deeds.end(nps_pb2.EndActionRequest(outcome="done")), "action_id: is missing"),
        (
            deeds.end(nps_pb2.EndActionRequest(action_id="a", outcome="x" * 2001, dropped=True)),
            "outcome: is longer than 2000 characters",
        ),
    ],
)
async def test_a_call_is_refused_by_the_name_that_its_caller_wrote(event: Any, told: str) -> None:
    with pytest.raises(RpcError) as caught:
        await deeds.send(None, None, event, "a", datetime.now(UTC))  # type: ignore[arg-type]
    assert str(caught.value) == told
