"""What is personal stays out of logs, spans, metrics and errors: planted everywhere, looked for everywhere.

docs/security.md says what is personal and what is not. Here every text field of every documented event is given a mark that nobody
else has, in events that are taken, refused, unreadable, replayed and looked up; then everything that the system tells of
itself is searched for it.
"""

import base64
import json
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.router.v1 import router_pb2, router_pb2_grpc
from touchline.sentiment.v1 import sentiment_pb2, sentiment_pb2_grpc

from deploy.embedded.layout import SERVICES
from services.runtime import catalogue
from services.runtime.publisher import Publisher
from services.runtime.records import JSON, PROTOBUF, Outgoing
from services.runtime.settings import KafkaSettings
from tests.live import Live, calls, event, fetch, get, metrics_address, post, settled, until

pytestmark = pytest.mark.integration
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "events.jsonl"

# Not personal: the organisation's own words and the references that traces need. docs/security.md has the same list.
IMPERSONAL = {
    *(
        "contactId",
        "surveyId",
        "orderId",
        "ticketId",
        "followUpId",
        "pool",
        "seatId",
        "channel",
        "touchpoint",
        "language",
    ),
    *(
        "token",
        "amountCents",
        "skills",
        "segments",
        *("region", "store"),  # segments too: they name the cells of metrics
        "topic",
        "tier",
        "reason",
        "category",
        "status",
        "priority",
        "speaker",
        "outcome",
    ),
}


class Plant:
    """Marks that are nowhere else: a name, a number, a text."""

    def __init__(self) -> None:
        self.tag = f"zq{uuid4().hex[:10]}"
        self.number = f"1{random.randrange(10**9, 10**10 - 1)}"
        self.text = f"我叫王小明{self.tag}，电话 {self.number}"
        self.customer = f"客户-{self.tag}"
        packed = self.text.encode()
        self.shapes = {
            self.tag, self.number, self.tag.encode().hex(), base64.b64encode(packed).decode()[8:40],
            json.dumps("王小明")[1:-1] + self.tag,
        }  # fmt: skip

    def into(self, data: Any) -> Any:
        """The data with the mark in every text that a person may have written."""
        if isinstance(data, dict):
            return {k: v if k in IMPERSONAL else self.into(v) for k, v in data.items()}
        return (
            self.text
            if isinstance(data, str) and not data.startswith(("20", "SPEAKER_", "TICKET_", "LABEL_", "EMOTION_"))
            else data
        )

    def found(self, places: dict[str, str]) -> list[str]:
        return [place for place, text in places.items() if any(shape in text for shape in self.shapes)]


def documented(live: Live, plant: Plant, trace: str) -> list[dict[str, Any]]:
    """Every documented event, about our customer, with marks; and a broken copy of each."""
    made = []
    for n, line in enumerate(EXAMPLES.read_text("utf-8").splitlines()):
        one = json.loads(line)
        kind = one["type"].removeprefix("touchline.").removesuffix(".v1")
        data = plant.into(one["data"])
        more = {"traceparent": f"00-{trace}-{uuid4().hex[:16]}-01"}
        made.append(event(live, kind, plant.customer, data, **more))
        made.append(event(live, kind, plant.customer, {**data, f"field {plant.tag}": plant.text}, **more))
        made.append(event(live, kind, plant.customer, [plant.text], **more))
        made.append(event(live, kind, plant.text * 20, data, id=f"bad-{n}", **more))
    made.append(event(live, f"no.{plant.tag}", plant.customer, {}))
    return made


async def smuggle(live: Live, plant: Plant, trace: str) -> None:
    """Past the door: what nobody can read, of every kind that goes to dead letters."""
    publisher = Publisher(KafkaSettings(bootstrap=live["kafka"]["bootstrap"]))
    await publisher.start()
    try:
        for kind in catalogue.by_name().values():
            if kind.topic not in ("touchpoint.events", "pool.events"):
                continue
            for content, changes in (
                (JSON, {}),
                (PROTOBUF, {}),
                (plant.text, {}),
                (JSON, {"ce_type": plant.text}),
                (JSON, {"ce_time": plant.text}),
                (JSON, {"ce_source": plant.text * 200}),
            ):
                headers = {
                    "ce_id": uuid4().hex, "ce_source": "/tests", "ce_type": kind.name, "ce_specversion": "1.0",
                    "ce_time": "2026-01-01T00:00:00Z", "ce_subject": plant.customer, "content-type": content,
                    "traceparent": f"00-{trace}-{uuid4().hex[:16]}-01", **changes,
                }  # fmt: skip
                packed = tuple((name, text.encode()) for name, text in headers.items())
                await publisher.publish([Outgoing(kind.topic, plant.customer.encode(), plant.text.encode(), packed)])
    finally:
        await publisher.stop()


async def ask(live: Live, plant: Plant) -> list[str]:
    """Lookups and commands with marks in them; what they are refused with."""
    said = []
    asked: list[tuple[str, Any, str, Any]] = [
        ("router", router_pb2_grpc.RouterServiceStub, "GetContact", router_pb2.GetContactRequest(contact_id=plant.text)),
        ("router", router_pb2_grpc.RouterServiceStub, "Explain", router_pb2.ExplainRequest(contact_id=plant.text)),
        ("router", router_pb2_grpc.RouterServiceStub, "Accept", router_pb2.AcceptRequest(seat_id=plant.text)),
        ("sentiment", sentiment_pb2_grpc.SentimentServiceStub, "Score",
         sentiment_pb2.ScoreRequest(texts=[plant.text], language=plant.tag)),
        ("sentiment", sentiment_pb2_grpc.SentimentServiceStub, "GetMood",
         sentiment_pb2.GetMoodRequest(customer_ids=[f"{plant.customer}\0"])),
        ("sentiment", sentiment_pb2_grpc.SentimentServiceStub, "GetConversation",
         sentiment_pb2.GetConversationRequest(contact_ids=[f"{plant.text}\0"])),
        ("sentiment", sentiment_pb2_grpc.SentimentServiceStub, "GetSeatLoad",
         sentiment_pb2.GetSeatLoadRequest(seat_ids=[f"{plant.text}\0"])),
        ("nps", nps_pb2_grpc.NpsServiceStub, "GetNps", nps_pb2.GetNpsRequest(dimensions=[f"{plant.tag}\0"])),
        ("escalation", escalation_pb2_grpc.EscalationServiceStub, "CloseFollowUp",
         escalation_pb2.CloseFollowUpRequest(follow_up_id=plant.text, outcome=plant.text)),
    ]  # fmt: skip
    for service, stub, method, request in asked:
        async with calls(live, service) as to:
            try:
                await getattr(stub(to), method)(request, timeout=10)
            except grpc.aio.AioRpcError as refused:
                said.append(f"{method}: {refused.details()}")
    return said


async def test_what_is_personal_is_in_no_log_span_metric_or_error(live_stack: Live) -> None:
    plant, trace = Plant(), uuid4().hex
    status, answer = post(live_stack, documented(live_stack, plant, trace))
    assert status == 202 and answer["accepted"] > 10 and len(answer["rejected"]) > 30
    errors = [json.dumps(answer["rejected"], ensure_ascii=False)]
    for body in (plant.text.encode(), b"{" + plant.text.encode(), b"\xff" + plant.text.encode()):
        key = {"authorization": f"Bearer {live_stack['gateway']['api_key']}"}
        url = f"{live_stack['gateway']['url']}/v1/events"
        errors.append(fetch(url, body, {**key, "content-type": "application/cloudevents+json"})[1].decode())
        errors.append(fetch(url, body, {"authorization": f"Bearer {plant.tag * 3}"})[1].decode())
    await smuggle(live_stack, plant, trace)
    errors += await ask(live_stack, plant)
    await settled(live_stack, 240)

    # It did go all the way: what is kept for its purpose holds the customer's words.
    journey = fetch(f"{live_stack['gateway']['url']}/v1/customers/{_quoted(plant.customer)}/journey")[1].decode()
    assert plant.tag in journey
    places = await everything_told(live_stack, trace)
    places |= {f"error {i}": text for i, text in enumerate(errors)}
    assert len(places) > 15
    assert plant.found(places) == []


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text)


async def everything_told(live: Live, trace: str) -> dict[str, str]:
    """All logs, the trace's spans and the last ones, all metrics."""
    url = f"{live['traces']['url']}/api/v2"
    await until("its spans", lambda: len(json.loads(fetch(f"{url}/trace/{trace}")[1] or b"[]")) > 20, 60, 0.5)
    places = {
        "spans": fetch(f"{url}/trace/{trace}")[1].decode(),
        "recent spans": json.dumps(get(f"{url}/traces?limit=1000&lookback=86400000"), ensure_ascii=False),
    }
    for service in SERVICES:
        places[f"metrics of {service}"] = fetch(f"http://{metrics_address(live, service)}/metrics")[1].decode()
    for log in (Path(live["data"]) / "logs").iterdir():
        places[log.name] = log.read_text("utf-8", errors="replace")
    return places


def test_the_search_would_notice() -> None:
    plant = Plant()
    for shape in (plant.text, plant.customer, json.dumps(plant.text), plant.text.encode().hex(), plant.number):
        assert plant.found({"a log": f'{{"message": "{shape}"}}', "another": "nothing"}) == ["a log"]
