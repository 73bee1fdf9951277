"""The door of the running system: every documented event goes in, over HTTP and over gRPC; what is wrong is told apart."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from touchline.gateway.v1 import gateway_pb2, gateway_pb2_grpc

from tests.live import Live, accepted, calls, event, fetch, history, post

pytestmark = pytest.mark.integration
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "events.jsonl"


def examples(prefix: str) -> list[dict[str, Any]]:
    """The documented events, under ids of our own: elsewhere the same ones may have been sent before."""
    read = [json.loads(line) for line in EXAMPLES.read_text("utf-8").splitlines()]
    return [{**one, "id": f"{prefix}-{one['id']}"} for one in read]


@pytest.mark.parametrize("one", examples("http"), ids=lambda one: one["type"])
def test_every_documented_event_is_let_in(live_stack: Live, one: dict[str, Any]) -> None:
    gateway = live_stack["gateway"]
    headers = {"authorization": f"Bearer {gateway['api_key']}", "content-type": "application/cloudevents+json"}
    status, body = fetch(f"{gateway['url']}/v1/events", json.dumps(one).encode(), headers)
    assert (status, json.loads(body)) == (202, {"accepted": 1, "rejected": []})


async def test_every_documented_event_is_let_in_over_grpc(live_stack: Live) -> None:
    events = [
        gateway_pb2.CloudEvent(
            id=one["id"],
            source=one["source"],
            type=one["type"],
            subject=one["subject"],
            time=one["time"],
            datacontenttype=one["datacontenttype"],
            data=json.dumps(one["data"]).encode(),
            traceparent=one.get("traceparent", ""),
        )
        for one in examples("grpc")
    ]
    key = (("authorization", f"Bearer {live_stack['gateway']['api_key']}"),)
    async with calls(live_stack, "gateway") as channel:
        gateway = gateway_pb2_grpc.GatewayServiceStub(channel)
        answer = await gateway.Publish(gateway_pb2.PublishRequest(events=events), metadata=key, timeout=20)
        assert (answer.accepted, list(answer.rejected)) == (len(events), [])
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await gateway.Publish(gateway_pb2.PublishRequest(events=events), timeout=20)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    topics = ("touchpoint.events", "pool.events", "nps.actions")
    arrived = {found.event_id for topic in topics for found in await history(live_stack, topic)}
    assert {one.id for one in events} <= arrived


async def test_a_bad_event_does_not_sink_the_good_ones_beside_it(live_stack: Live) -> None:
    answers = [event(live_stack, "survey.SurveyAnswered", "ann", {"surveyId": f"door-{n}", "score": n}) for n in (3, 9)]
    bad = event(live_stack, "survey.SurveyAnswered", "ann", {"surveyId": "door-bad", "score": 11})
    status, answer = post(live_stack, [answers[0], bad, answers[1]])
    assert (status, answer["accepted"]) == (202, 2)
    (rejection,) = answer["rejected"]
    assert (rejection["index"], rejection["field"]) == (1, "data.score")
    assert "10" in rejection["reason"]
    arrived = {found.event_id for found in await history(live_stack, "touchpoint.events")}
    assert {one["id"] for one in answers} <= arrived and bad["id"] not in arrived


def test_nothing_but_bad_events_is_refused(live_stack: Live) -> None:
    status, answer = post(
        live_stack, [event(live_stack, "survey.SurveyAnswered", "ann", {"surveyId": "x", "score": -1})]
    )
    assert (status, answer["accepted"], len(answer["rejected"])) == (400, 0, 1)


@pytest.mark.parametrize("authorization", ["Bearer not-a-key", "", "Basic abc"])
def test_who_has_no_key_stays_out(live_stack: Live, authorization: str) -> None:
    one = event(live_stack, "survey.SurveyRetracted", "ann", {"surveyId": "none"})
    status, answer = post(live_stack, [one], authorization=authorization)
    assert (status, answer["accepted"]) == (401, 0)


def test_what_is_too_large_is_refused(live_stack: Live) -> None:
    text = "长" * 1_500_000
    said = {"contactId": "c", "speaker": "SPEAKER_CUSTOMER", "text": text}
    status, answer = post(live_stack, [event(live_stack, "contact.MessageReceived", "ann", said)])
    assert (status, answer["accepted"]) == (413, 0)


def test_the_same_event_twice_is_let_in_twice(live_stack: Live) -> None:
    """The door keeps no memory of ids: the services drop repeats, which the test of the figures shows."""
    one = event(live_stack, "survey.SurveyAnswered", "ann", {"surveyId": "door-twice", "score": 9})
    accepted(live_stack, one)
    accepted(live_stack, one)
