"""The events that Touchline knows, read from the options in proto/: type, message, topic and key."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from touchline.common.v1 import rules_pb2
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2
from touchline.metrics.v1 import counter_pb2
from touchline.nps.v1 import nps_pb2
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.router.v1 import events_pb2 as router_pb2
from touchline.seat.v1 import events_pb2 as seat_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2
from touchline.ticket.v1 import events_pb2 as ticket_pb2

from services.runtime.topics import TOUCHPOINT_EVENTS

_FILES = (
    contact_pb2, survey_pb2, order_pb2, ticket_pb2, seat_pb2,
    sentiment_pb2, router_pb2, nps_pb2, escalation_pb2, counter_pb2,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event.

    name: the CloudEvents type, such as "touchline.contact.MessageReceived.v1".
    message: the protobuf class of its data.
    topic: where it is published.
    key_field: the field of its data that is the record's key; empty for the event's subject.
    internal: true for facts that only Touchline publishes.
    """

    name: str
    message: type[Message]
    topic: str
    key_field: str
    internal: bool


def type_name(descriptor: Any) -> str:
    """`touchline.contact.v1.MessageReceived` → `touchline.contact.MessageReceived.v1`."""
    package, _, version = descriptor.file.package.rpartition(".")
    return f"{package}.{descriptor.name}.{version}"


@cache
def by_name() -> dict[str, EventType]:
    """All events by their CloudEvents type."""
    found = {}
    for file in _FILES:
        for descriptor in file.DESCRIPTOR.message_types_by_name.values():
            options = descriptor.GetOptions()
            if not options.HasExtension(rules_pb2.event):
                continue
            rules = options.Extensions[rules_pb2.event]
            name = type_name(descriptor)
            found[name] = EventType(
                name, GetMessageClass(descriptor), rules.topic or TOUCHPOINT_EVENTS, rules.key_field, rules.internal
            )
    return found


@cache
def _by_message() -> dict[type[Message], EventType]:
    return {t.message: t for t in by_name().values()}


def of(message: Message) -> EventType:
    """The type of an event's message. Raises KeyError where the message is not an event."""
    return _by_message()[type(message)]
