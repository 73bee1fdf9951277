"""A request's spans at the door: one for the request, one for each traced event that it brings in."""

import random
import time

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from services.runtime.signals import Attribute, Span
from services.runtime.telemetry import context_of, is_sampled, traceparent_of, tracer


class RequestTrace:
    """The spans of one request; requests that are not traced cost next to nothing.

    traceparent: the request's own W3C context, or empty; then `ratio` of such requests begin a trace of their own.
    An event's own context goes before the request's: its span continues that one and links to the request.
    """

    def __init__(self, traceparent: str, ratio: float, attributes: dict[str, str]) -> None:
        self._given = traceparent
        self._request: trace.Span | None = None
        self._events: list[trace.Span] = []
        self._began = time.time_ns()
        if is_sampled(traceparent):
            parent = context_of(traceparent)
        elif not traceparent and random.random() < ratio:
            parent = otel_context.Context()
        else:
            return
        self._request = tracer().start_span(Span.POST_EVENTS, parent, SpanKind.SERVER, attributes)

    def event(self, topic: str, event_type: str, event_id: str, own: str) -> str:
        """Begins an event's span where it is traced; returns the context that its record carries on."""
        if own:
            if not is_sampled(own):
                return own
            parent = context_of(own)
        elif self._request is not None:
            parent = trace.set_span_in_context(self._request)
        else:
            return self._given
        attributes: dict[str, str] = {
            Attribute.SYSTEM: "kafka",
            Attribute.OPERATION_NAME: "send",
            Attribute.OPERATION_TYPE: "send",
            Attribute.DESTINATION: topic,
            Attribute.MESSAGE_ID: event_id,
            Attribute.EVENT_TYPE: event_type,
        }
        links = [Link(self._request.get_span_context())] if own and self._request is not None else None
        span = tracer().start_span(
            f"{Span.SEND} {topic}", parent, SpanKind.PRODUCER, attributes, links, start_time=self._began
        )
        self._events.append(span)
        return traceparent_of(span)

    def sent(self, error: str = "") -> None:
        """Kafka has answered: ends the events' spans."""
        for span in self._events:
            if error:
                span.set_attribute(Attribute.ERROR, error)
                span.set_status(Status(StatusCode.ERROR))
            span.end()
        self._events.clear()

    def end(self, status: int) -> None:
        """Ends the request's span with its HTTP status."""
        if self._request is not None:
            self._request.set_attribute(Attribute.HTTP_STATUS, status)
            if status >= 500:
                self._request.set_status(Status(StatusCode.ERROR))
            self._request.end()
