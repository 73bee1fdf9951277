"""Traces, metrics and logs: set up once a process, by the standard OTEL_* variables."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import msgspec
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Counter, Histogram, Meter, ObservableGauge, UpDownCounter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import Span, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import start_http_server

from services.runtime.errors import Misconfigured, TouchlineError
from services.runtime.signals import Instrument

_W3C = TraceContextTextMapPropagator()

# OpenTelemetry's own buckets are meant for milliseconds.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def set_up(service: str, *, metrics_bind: str = "", log_level: str = "INFO", roots: bool = True) -> None:
    """Logs as JSON lines on standard error; spans and metrics to wherever OTEL_* says; /metrics on `metrics_bind`.

    roots: False where spans without a parent are not wanted (Faust would begin a trace for each record without a context).
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service))
    logging.basicConfig(level=log_level, handlers=[handler], force=True)
    # They tell of each try to reach a broker that is away; the runtime tells it once a wait.
    for chatty, level in (
        ("aiokafka", "CRITICAL"),
        ("faust", "ERROR"),
        ("mode", "ERROR"),
        ("pgmigrate", "WARNING"),
        ("asyncpg", "CRITICAL"),
    ):
        logging.getLogger(chatty).setLevel(level)
    resource = Resource.create({"service.name": service, "service.namespace": "touchline"})
    tracing = TracerProvider(sampler=None if roots else ParentBased(ALWAYS_OFF), resource=resource)
    exporter = _span_exporter()
    if exporter is not None:
        tracing.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    trace.set_tracer_provider(tracing)
    readers: list[MetricReader] = []
    if metrics_bind:
        host, _, port = metrics_bind.rpartition(":")
        readers.append(PrometheusMetricReader())
        start_http_server(int(port), addr=host or "127.0.0.1")
    if os.environ.get("OTEL_METRICS_EXPORTER") == "otlp":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    metrics.set_meter_provider(MeterProvider(metric_readers=readers, resource=resource))


def shut_down() -> None:
    """Sends what is still held."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()


def _span_exporter() -> SpanExporter | None:
    kind = os.environ.get("OTEL_TRACES_EXPORTER") or (
        "otlp" if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") else "none"
    )
    if kind == "none":
        return None
    if kind == "zipkin":
        from opentelemetry.exporter.zipkin.json import ZipkinExporter

        return ZipkinExporter()
    if kind == "otlp":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    raise Misconfigured(f"OTEL_TRACES_EXPORTER: {kind!r} is none of otlp, zipkin, none")


def tracer() -> Tracer:
    """Touchline's tracer."""
    return trace.get_tracer("touchline")


def is_sampled(traceparent: str) -> bool:
    """Whether a W3C trace context asks to be recorded: a cheap look, so that untraced records cost nothing."""
    return len(traceparent) >= 55 and traceparent[-2:] in ("01", "03")


def context_of(traceparent: str) -> Context:
    """The context to continue."""
    return _W3C.extract({"traceparent": traceparent})


def traceparent_of(span: Span) -> str:
    """A span as a W3C traceparent, to be carried on."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent", "")


def traceparent_now() -> str:
    """The current span as a W3C traceparent; empty where there is none."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent", "")


@dataclass(frozen=True)
class Meters:
    """Instruments by their declaration in signals.py."""

    meter: Meter

    def counter(self, signal: Instrument) -> Counter:
        return self.meter.create_counter(signal.name, signal.unit, signal.meaning)

    def up_down(self, signal: Instrument) -> UpDownCounter:
        return self.meter.create_up_down_counter(signal.name, signal.unit, signal.meaning)

    def histogram(self, signal: Instrument) -> Histogram:
        return self.meter.create_histogram(
            signal.name, signal.unit, signal.meaning, explicit_bucket_boundaries_advisory=_SECONDS
        )

    def gauge(self, signal: Instrument, read: "metrics.CallbackT") -> ObservableGauge:
        return self.meter.create_observable_gauge(signal.name, [read], signal.unit, signal.meaning)

    def watch(
        self, signal: Instrument, read: Callable[[], Iterable[tuple[float, Mapping[str, str]]]]
    ) -> ObservableGauge:
        """A gauge whose values, each with its labels, are read whenever somebody looks."""
        return self.gauge(signal, lambda _: [metrics.Observation(value, dict(labels)) for value, labels in read()])


@cache
def meters() -> Meters:
    """The process's instruments."""
    return Meters(metrics.get_meter("touchline"))


class _JsonLines(logging.Formatter):
    """One JSON object a line, with the trace it belongs to."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        extra = getattr(record, "fields", None)
        if isinstance(extra, Mapping):
            line.update(extra)
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = f"{context.trace_id:032x}"
            line["span_id"] = f"{context.span_id:016x}"
        if record.exc_info:
            line["error"] = _stack(record.exc_info[1])
        return msgspec.json.encode(line, enc_hook=str).decode()


def _stack(error: BaseException | None) -> str:
    """Where it was raised, and its causes, the first first: their kinds, and what they say only where those words are ours.
    Those of others (a KeyError's key, the database's detail) may be a customer's.
    """
    told: list[str] = []
    while error is not None:
        said = f": {error}" if isinstance(error, TouchlineError) else ""
        frames = "".join(traceback.format_tb(error.__traceback__))
        told.insert(0, f"Traceback (most recent call last):\n{frames}{type(error).__qualname__}{said}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\n".join(told)
