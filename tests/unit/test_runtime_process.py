"""What a process is built from: clock, settings, errors, the catalogue of events, faults, and its log."""

import inspect
import json
import logging
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from touchline.common.v1 import rules_pb2
from touchline.runtime.v1 import status_pb2, status_pb2_grpc

from services.runtime import catalogue, clock, errors, faults, settings, telemetry
from services.runtime.errors import Misconfigured
from services.runtime.rpc import LookupFailed, RpcServer, channel
from services.runtime.topics import CATALOGUE, DEAD_LETTERS

ROOT = Path(__file__).resolve().parents[2]

# --- clock -----------------------------------------------------------------------------------------------------------

SECONDS = st.integers(0, 2_000_000_000)


@given(real=SECONDS, simulated=SECONDS, factor=st.integers(1, 5000), passed=st.integers(0, 86_400))
def test_a_scaled_clock_runs_from_its_start_at_its_pace(real, simulated, factor, passed) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: float(real + passed))
        now = clock.clock_from(f"scaled:{real}:{simulated}:{factor}")
        assert now() == datetime.fromtimestamp(simulated, UTC) + timedelta(seconds=passed * factor)


def test_without_a_word_it_is_the_machines_clock() -> None:
    before = datetime.now(UTC)
    assert before <= clock.clock_from("")() <= datetime.now(UTC)
    assert clock.wall_clock().tzinfo is UTC


@pytest.mark.parametrize(
    "spec", ["wall", "scaled", "scaled:1:2", "scaled:1:2:0", "scaled:1:2:-3", "scaled:a:2:3", "x:1:2:3"]
)
def test_a_clock_that_is_none_is_named(spec) -> None:
    with pytest.raises(Misconfigured, match="TOUCHLINE_CLOCK"):
        clock.clock_from(spec)


# --- settings --------------------------------------------------------------------------------------------------------


def test_each_variable_that_is_wrong_is_named(monkeypatch) -> None:
    monkeypatch.setenv("BATCH_MAX_RECORDS", "0")
    monkeypatch.setenv("BATCH_SEEN_FOR", "a week")
    monkeypatch.setenv("BATCH_POLL_MS", "50")
    with pytest.raises(Misconfigured) as wrong:
        settings.load(settings.BatchSettings)
    assert "BATCH_MAX_RECORDS: " in str(wrong.value) and "BATCH_SEEN_FOR: " in str(wrong.value)
    assert "BATCH_POLL_MS" not in str(wrong.value)


def test_a_variable_that_is_missing_is_named(monkeypatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    with pytest.raises(Misconfigured, match=r"^KAFKA_BOOTSTRAP: Field required$"):
        settings.load(settings.KafkaSettings)


def test_a_secret_is_not_told_with_the_error(monkeypatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "open sesame")
    with pytest.raises(Misconfigured) as wrong:
        settings.load(settings.KafkaSettings)
    assert "sesame" not in str(wrong.value)


def test_the_environment_is_read(monkeypatch) -> None:
    monkeypatch.setenv("BATCH_SEEN_FOR", "P1D")
    monkeypatch.setenv("BATCH_MEMBER", "nps-0")
    found = settings.load(settings.BatchSettings)
    assert (found.seen_for, found.member, found.max_records) == (timedelta(days=1), "nps-0", 2000)


@pytest.mark.parametrize(
    ("protocol", "secure"), [("PLAINTEXT", False), ("SASL_PLAINTEXT", False), ("SSL", True), ("SASL_SSL", True)]
)
def test_kafka_is_spoken_to_in_tls_where_it_is_asked_for(protocol, secure) -> None:
    made = settings.KafkaSettings(bootstrap="k:1", security_protocol=protocol, sasl_username="u", sasl_password="p")
    client = made.client()
    assert (client["ssl_context"] is not None) == secure
    assert (client["security_protocol"], client["sasl_plain_username"]) == (protocol, "u")


# --- errors ----------------------------------------------------------------------------------------------------------


def test_every_error_is_of_one_kind_of_the_tree() -> None:
    """What becomes of a failure follows from its class, so that no error may be of two kinds."""
    kinds = (errors.Permanent, errors.Transient, errors.Fenced)
    ours = [e for _, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, Exception)]
    assert {errors.Unreadable, errors.Misconfigured, errors.Conflict} < set(ours)
    for error in ours:
        assert issubclass(error, errors.TouchlineError)
        assert sum(issubclass(error, kind) for kind in kinds) == (error is not errors.TouchlineError)
    assert issubclass(errors.Unreadable, errors.Permanent) and issubclass(errors.Conflict, errors.Transient)


def test_what_is_unreadable_says_where_and_why() -> None:
    error = errors.Unreadable("data.score", "is above 10")
    assert (error.field, error.reason, str(error)) == ("data.score", "is above 10", "data.score: is above 10")


# --- the catalogue ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", catalogue.by_name().values(), ids=lambda t: t.name)
def test_an_event_is_declared_in_full(kind) -> None:
    descriptor = kind.message.DESCRIPTOR
    assert descriptor.GetOptions().HasExtension(rules_pb2.event)
    package, version = descriptor.file.package.rsplit(".", 1)
    assert kind.name == f"{package}.{descriptor.name}.{version}"
    assert kind.topic in {t.name for t in CATALOGUE}
    if kind.key_field:
        field = descriptor.fields_by_name[kind.key_field]
        assert field.type == field.TYPE_STRING and not field.is_repeated
    assert catalogue.of(kind.message()) is kind


def test_what_is_no_event_has_no_type() -> None:
    with pytest.raises(KeyError):
        catalogue.of(status_pb2.GetStatusResponse())


def test_each_topic_of_events_has_its_dead_letters_kept_at_least_as_long() -> None:
    topics = {t.name: t for t in CATALOGUE}
    consumed = {k.topic for k in catalogue.by_name().values()} - {"counters"}
    for name in consumed:
        dead = topics[name + DEAD_LETTERS]
        assert int(dead.config["retention.ms"]) >= int(topics[name].config["retention.ms"])
    assert len(topics) == len(CATALOGUE)


# --- faults ----------------------------------------------------------------------------------------------------------

PLACES = ("decoded", "decided", "transacted", "published", "committed", "ticked")


def test_no_fault_is_on_by_default() -> None:
    assert "TOUCHLINE_FAULT" not in os.environ
    for place in PLACES:
        faults.reach(place)


@pytest.mark.parametrize(("fault", "survived"), [("decided", 0), ("decided:1", 0), ("decided:3", 2), ("ticked", 5)])
def test_a_fault_kills_at_its_place_and_count(fault, survived) -> None:
    code = "from services.runtime import faults\nfor n in range(5):\n faults.reach('decided')\n print(n, flush=True)"
    words, environment = [sys.executable, "-c", code], {**os.environ, "TOUCHLINE_FAULT": fault}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert len(done.stdout.split()) == survived
    assert done.returncode == (0 if survived == 5 else -signal.SIGKILL)


def test_every_place_of_a_fault_is_on_the_path() -> None:
    calls = re.findall(r"faults\.reach\((.+)\)", (ROOT / "services/runtime/runner.py").read_text("utf-8"))
    assert {place for call in calls for place in re.findall(r'"(\w+)"', call)} == set(PLACES)


# --- the log ---------------------------------------------------------------------------------------------------------


def _logged(message: str = "said", **more) -> dict:
    record = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": message, **more})
    line = telemetry._JsonLines("nps").format(record)
    assert "\n" not in line
    return json.loads(line)


def test_a_log_line_names_the_trace_that_it_belongs_to() -> None:
    with TracerProvider().get_tracer("t").start_as_current_span("work") as span:
        line = _logged()
        carried = telemetry.traceparent_now()
    context = span.get_span_context()
    assert line["trace_id"] == format(context.trace_id, "032x") and line["span_id"] == format(context.span_id, "016x")
    assert carried.startswith(f"00-{line['trace_id']}-{line['span_id']}-") and telemetry.is_sampled(carried)
    assert "trace_id" not in _logged() and telemetry.traceparent_now() == ""


@given(st.text())
def test_a_log_line_is_one_json_object_whatever_is_said(text) -> None:
    line = _logged("%s", args=(text,), fields={"topic": text, "at_all": datetime(2026, 6, 9, tzinfo=UTC)})
    assert line["message"] == line["topic"] == text
    assert line["service"] == "nps" and line["level"] == "INFO"
    assert datetime.fromisoformat(line["at"]).tzinfo is not None


def test_a_log_line_of_an_error_has_its_stack_and_its_causes_but_none_of_a_customers_words() -> None:
    try:
        try:
            {}["胡女士 13800001111"]
        except KeyError as missing:
            raise errors.Unreadable("data.score", "is missing") from missing
    except errors.Unreadable:
        line = _logged(exc_info=sys.exc_info())
    first, then = line["error"].split("\n\n")
    assert first.startswith("Traceback") and __name__.rpartition(".")[2] in first and first.endswith("KeyError")
    assert then.endswith("Unreadable: data.score: is missing")


async def test_a_call_that_fails_tells_the_caller_nothing_of_what_failed(caplog) -> None:
    """gRPC's own answer holds the words of the error, and the call counted as one that went well."""

    async def status() -> status_pb2.GetStatusResponse:
        raise KeyError("胡女士 13800001111")

    server = RpcServer(settings.RpcSettings(bind="127.0.0.1:0"), [], status)
    await server.start()
    try:
        async with channel(f"127.0.0.1:{server.port}") as to:
            with pytest.raises(LookupFailed) as failed:
                await status_pb2_grpc.StatusServiceStub(to).GetStatus(status_pb2.GetStatusRequest(), timeout=5)
    finally:
        await server.stop(0)
    assert failed.value.code().name == "INTERNAL"
    assert failed.value.details() == "the service failed; its log says why"
    [told] = [r for r in caplog.records if r.name == "services.runtime.rpc"]
    assert told.exc_info and told.fields == {"method": "/touchline.runtime.v1.StatusService/GetStatus"}


@pytest.mark.parametrize(
    ("traceparent", "sampled"),
    [(f"00-{'a' * 32}-{'b' * 16}-01", True), (f"00-{'a' * 32}-{'b' * 16}-00", False), ("", False), ("01", False)],
)
def test_a_context_says_whether_it_is_recorded(traceparent, sampled) -> None:
    assert telemetry.is_sampled(traceparent) is sampled
