"""What a real run emits is declared in services/runtime/signals.py, and tells nothing that a customer said."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry.exporter.prometheus._mapping import map_unit, sanitize_full_name
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded.layout import SERVICES
from services.runtime import signals
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing
from services.runtime.settings import KafkaSettings
from tests.live import Live, accepted, event, fetch, get, metrics_address, post, settled, until
from tests.story import Story

pytestmark = pytest.mark.integration
# What the Prometheus client tells of the Python process, and OpenTelemetry of itself.
RUNTIMES_OWN = re.compile(r"(process|python)_\w+|target(_info)?")
EXPORTERS_OWN = re.compile(r"otel\.\w+(\.\w+)?|telemetry\.sdk\.\w+|error")
SCOPE_LABELS = {"otel_scope_name", "otel_scope_version", "otel_scope_schema_url", "le"}


def spans_of(live: Live, *traces: str) -> list[dict[str, Any]]:
    """The spans of those traces, and of the last ones that Zipkin knows."""
    url = f"{live['traces']['url']}/api/v2"
    recent = get(f"{url}/traces?limit=500&lookback=86400000")
    wanted = chain((get(f"{url}/trace/{trace}") for trace in traces), recent)
    return list(chain.from_iterable(wanted))


def families(live: Live) -> Iterator[tuple[str, Metric]]:
    """The metrics of every service."""
    for service in SERVICES:
        status, body = fetch(f"http://{metrics_address(live, service)}/metrics")
        assert status == 200
        for family in text_string_to_metric_families(body.decode()):
            if not RUNTIMES_OWN.fullmatch(family.name):
                yield service, family


def is_declared(name: str) -> bool:
    """Whether a span's name, which Zipkin puts in lower case, is one of the schema's."""
    if any(re.fullmatch(shape, name, re.IGNORECASE) for shape in (signals.CALL, signals.PROJECT)):
        return True
    return any(name == span.lower() or name.startswith(f"{span.lower()} ") for span in signals.Span)


@pytest.fixture
async def request_trace(live_stack: Live) -> str:
    """A trace that begins with a channel's request, instead of with its events."""
    trace = uuid4().hex
    told = {"contactId": uuid4().hex, "channel": "web", "touchpoint": "pre_sales", "language": "zh"}
    accepted(
        live_stack,
        event(live_stack, "contact.ContactRequested", f"eve-{trace[:8]}", told),
        traceparent=f"00-{trace}-{trace[:16]}-01",
    )
    await settled(live_stack)
    url = f"{live_stack['traces']['url']}/api/v2/trace/{trace}"

    def arrived() -> bool:
        status, body = fetch(url)
        names = {span["name"] for span in json.loads(body)} if status == 200 else set()
        return {"post /v1/events", "look up", "process touchpoint.events"} <= names

    await until("the request's spans", arrived, 15, 0.3)
    return trace


async def test_no_span_and_no_attribute_is_undeclared(live_stack: Live, story: Story, request_trace: str) -> None:
    spans = spans_of(live_stack, story.trace, request_trace)
    assert {span["localEndpoint"]["serviceName"] for span in spans} == set(SERVICES)
    assert {span["name"] for span in spans if not is_declared(span["name"])} == set()
    declared = {str(name) for name in signals.Attribute} | set(signals.RESOURCE)
    used = {tag for span in spans for tag in span.get("tags", {})}
    assert {tag for tag in used - declared if not EXPORTERS_OWN.fullmatch(tag)} == set()
    # And what is declared is used: the schema describes the system that there is.
    seen = {name for name in signals.Span if any(span["name"].startswith(name.lower()) for span in spans)}
    assert seen == set(signals.Span)


async def test_no_metric_and_no_label_is_undeclared(live_stack: Live, story: Story) -> None:
    declared = {}
    for metric in signals.METRICS:
        unit = map_unit(metric.unit)
        declared[sanitize_full_name(metric.name) + (f"_{unit}" if unit else "")] = set(metric.labels)
    seen = set()
    for service, family in families(live_stack):
        seen.add(family.name)
        assert family.name in declared, f"{service} emits {family.name}"
        labels = {label for sample in family.samples for label in sample.labels} - SCOPE_LABELS
        assert labels <= declared[family.name], f"{service}'s {family.name}"
    # Retries come only where something was away, a policy is read again only where its file has changed, and no wait is
    # foretold once the seats have signed out.
    assert set(declared) - seen <= {
        "touchline_retries", "touchline_router_policy_reads", "touchline_router_wait_predicted_seconds"
    }  # fmt: skip


async def test_every_service_counts_what_it_does(live_stack: Live, story: Story) -> None:
    handled = {
        sample.labels["pipeline"]
        for _, family in families(live_stack)
        for sample in family.samples
        if sample.name == "touchline_events_total" and sample.labels["outcome"] == "handled" and sample.value > 0
    }
    pipelines = {"sentiment", "sentiment.load", "router.triage", "router.assignment", "nps", "nps.service"}
    pipelines |= {"escalation", "escalation.team", "escalation.cause"}
    # And the projections; actions and owners only where somebody told one.
    assert handled >= pipelines and len(handled - {"nps.actions", "nps.owners"}) == len(pipelines) + 1


def test_logs_are_json_lines(live_stack: Live) -> None:
    lines = 0
    for service in SERVICES:
        for line in (Path(live_stack["data"]) / "logs" / f"{service}.log").read_text("utf-8").splitlines():
            if line.startswith("supervisor: "):
                continue
            told = json.loads(line)
            assert {"at", "level", "service", "logger", "message"} <= set(told), line
            assert told["service"] == service
            lines += 1
    assert lines > 0


def test_a_log_line_names_the_trace_that_it_belongs_to() -> None:
    program = """
import logging
from services.runtime import telemetry
telemetry.set_up("probe")
log = logging.getLogger("probe")
with telemetry.tracer().start_as_current_span("decide") as span:
    log.warning("within", extra={"fields": {"events": 3}})
    print(f"{span.get_span_context().trace_id:032x}")
log.warning("outside")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    within, outside = (json.loads(line) for line in done.stderr.splitlines())
    assert within["trace_id"] == done.stdout.strip() and len(within["span_id"]) == 16 and within["events"] == 3
    assert "trace_id" not in outside


async def test_nothing_that_a_customer_said_is_told(live_stack: Live) -> None:
    """Text and numbers of one customer, good and bad, through every service: in no log, no span, no metric."""
    mark, trace = f"zq{uuid4().hex[:12]}", uuid4().hex
    customer, contact, number = f"customer-{mark}", f"contact-{uuid4().hex[:8]}", "13800138000"
    carried = {"traceparent": f"00-{trace}-{trace[:16]}-01"}

    def of(kind: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
        return event(live_stack, kind, customer, data, **carried, **more)

    said = {"contactId": contact, "speaker": "SPEAKER_CUSTOMER"}
    bad = {"surveyId": f"s-{mark}", "score": 99, "comment": f"{mark} {number}"}
    status, answer = post(
        live_stack,
        [
            of(
                "contact.ContactRequested",
                {"contactId": contact, "channel": "web", "touchpoint": "after_sales", "wantsHuman": True},
            ),
            of("contact.MessageReceived", {**said, "text": f"我要投诉！{mark}，我的电话 {number}，太差了"}),
            of("contact.HandoverRequested", {"contactId": contact, "reason": "mood", "summary": f"{mark} {number}"}),
            of("survey.SurveyAnswered", {"surveyId": f"s-{mark}", "score": 0, "comment": f"{mark} {number}"}),
            of("survey.SurveyAnswered", bad),
            of("contact.ContactAbandoned", {"contactId": contact}),
        ],
    )
    assert (status, answer["accepted"], len(answer["rejected"])) == (202, 5, 1)
    await _smuggle(live_stack, customer, f"{mark} {number}".encode(), carried["traceparent"])
    await settled(live_stack)
    assert mark in fetch(f"{live_stack['gateway']['url']}/v1/customers/{customer}/journey")[1].decode()

    url = f"{live_stack['traces']['url']}/api/v2/trace/{trace}"
    await until("its spans", lambda: len(json.loads(fetch(url)[1] or b"[]")) > 20, 15, 0.5)
    places = {f"spans of {trace}": fetch(url)[1].decode(), "spans": json.dumps(spans_of(live_stack))}
    for service in SERVICES:
        places[f"metrics of {service}"] = fetch(f"http://{metrics_address(live_stack, service)}/metrics")[1].decode()
    for log in (Path(live_stack["data"]) / "logs").iterdir():
        places[log.name] = log.read_text("utf-8", errors="replace")
    assert [place for place, text in places.items() if mark in text or number in text] == []


async def _smuggle(live: Live, customer: str, value: bytes, traceparent: str) -> None:
    """Two records that nobody can read, past the door: a value that is no event's, and one of an unknown type."""
    publisher = Publisher(KafkaSettings(bootstrap=live["kafka"]["bootstrap"]))
    await publisher.start()
    try:
        for kind, content in (
            ("contact.MessageReceived", "application/json"),
            (f"no.Such{value[:4].decode()}", "text/plain"),
        ):
            headers = {
                "ce_id": uuid4().hex,
                "ce_source": "/tests",
                "ce_type": f"touchline.{kind}.v1",
                "ce_time": "2026-01-01T00:00:00Z",
                "ce_specversion": "1.0",
                "ce_subject": customer,
                "content-type": content,
                "traceparent": traceparent,
            }
            packed = tuple((name, text.encode()) for name, text in headers.items())
            await publisher.publish([Outgoing("touchpoint.events", customer.encode(), value, packed)])
    finally:
        await publisher.stop()
