"""A batch's spans: one for each traced event, whose phases (decide, transact, send) it shares with its batch."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind

from services.runtime.records import Incoming, Record
from services.runtime.signals import Attribute, Span
from services.runtime.telemetry import context_of, is_sampled, traceparent_of, tracer


def _common(operation: str, topic: str, group: str) -> dict[str, str | int]:
    return {
        Attribute.SYSTEM: "kafka",
        Attribute.OPERATION_NAME: operation,
        Attribute.OPERATION_TYPE: operation,
        Attribute.DESTINATION: topic,
        Attribute.GROUP: group,
    }


class BatchTrace:
    """The spans of one batch. Events whose context is not sampled cost a look at their header, and nothing more."""

    def __init__(self, pipeline: str, size: int) -> None:
        self._pipeline = pipeline
        self._size = size
        self._began = time.time_ns()
        self._spans: list[trace.Span] = []
        self._topics: list[str] = []
        self._carried: dict[UUID, str] = {}

    def begin(self, record: Record, event: Incoming, name: UUID) -> None:
        """Begins the event's span, if its context asks for one. `name` is the event's."""
        if not is_sampled(event.traceparent):
            return
        topic = record.topic
        span = tracer().start_span(
            f"{Span.PROCESS} {topic}",
            context_of(event.traceparent),
            SpanKind.CONSUMER,
            {
                **_common("process", topic, self._pipeline),
                Attribute.PARTITION: str(record.partition),
                Attribute.OFFSET: record.offset,
                Attribute.MESSAGE_ID: event.event_id,
                Attribute.EVENT_TYPE: event.type,
            },
            start_time=self._began,
        )
        self._spans.append(span)
        self._topics.append(topic)
        self._carried[name] = traceparent_of(span)

    @property
    def active(self) -> bool:
        """Whether any of the batch's events is traced."""
        return bool(self._spans)

    def carried(self, name: UUID) -> str:
        """The trace context that the event's facts carry on, or an empty text."""
        return self._carried.get(name, "") if self._carried else ""

    @contextmanager
    def phase(self, name: Span, attributes: dict[str, str | int] | None = None) -> Iterator[None]:
        """A phase that the batch passes through: a child of each traced event's span, and the context of the first while it lasts."""
        if not self._spans:
            yield
            return
        began = time.time_ns()
        token = otel_context.attach(trace.set_span_in_context(self._spans[0]))
        try:
            yield
        finally:
            otel_context.detach(token)
            ended = time.time_ns()
            for span in self._spans:
                child = tracer().start_span(
                    str(name), trace.set_span_in_context(span), attributes=attributes, start_time=began
                )
                child.end(ended)

    def sent(self, topics: Sequence[tuple[str, str]], began: int) -> None:
        """Spans of records that were published: (topic, the context they carry)."""
        ended = time.time_ns()
        for topic, traceparent in topics:
            span = tracer().start_span(
                f"{Span.SEND} {topic}",
                context_of(traceparent),
                SpanKind.PRODUCER,
                {
                    Attribute.SYSTEM: "kafka",
                    Attribute.OPERATION_NAME: "send",
                    Attribute.OPERATION_TYPE: "send",
                    Attribute.DESTINATION: topic,
                },
                start_time=began,
            )
            span.end(ended)

    def end(self) -> None:
        """Ends the events' spans, and tells of the batch that they were polled in, linked to each of them."""
        if not self._spans:
            return
        topic = self._topics[0]
        receive = tracer().start_span(
            f"{Span.RECEIVE} {topic}",
            otel_context.Context(),
            SpanKind.CLIENT,
            {**_common("receive", topic, self._pipeline), Attribute.BATCH: self._size},
            links=[Link(s.get_span_context()) for s in self._spans[:128]],
            start_time=self._began,
        )
        receive.end()
        for span in self._spans:
            span.end()
        self._spans.clear()
